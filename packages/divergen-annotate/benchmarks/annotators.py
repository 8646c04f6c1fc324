"""Annotators on the renderer's pictures, whose true alpha is known: plain ones, and five kinds of hard ones.

Run: OMP_NUM_THREADS=1 python packages/divergen-annotate/benchmarks/annotators.py
It calls the command divergen-gen (pip install divergen-gen) for the pictures; `--keep FOLDER` keeps them.

Hard ones are made from the plain ones with their true alpha: the object on a gradient from light to mid grey, with a
strong soft shadow under it, moved until it touches the border, and on a background of its own mean colour. White
objects on white are rendered as such.

With a network: annotators.py --onnx medium.onnx --card isnet-imgly --photos annotations.json --images DIR --cutouts DIR
compares GrabCut and colour key (made to try every picture) with it, on large objects of photos, the renderer's pictures
and cut-outs on white, a gradient and with a shadow. Photos are shown in all and apart: objects that are the only large
one of their photo, and the others. `--rows FILE` has the IoU of every object.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from divergen_annotate import BestOf, ColourKey, GrabCut, Prediction, Saliency, repair
from divergen_annotate.evaluate import HEAD, evaluate_repairs, predict_masks
from divergen_annotate.quality import iou
from divergen_annotate.truth import Example, read_examples, spread
from divergen_records import short_hash
from divergen_records.images import read_cutout

cv2.setNumThreads(1)
NAMES = """
airplane apple backpack balloon banana barrel baseball_bat baseball_glove basket bed bench bicycle bird birdhouse
boat book bookcase bottle bowl box broccoli bucket bus cake camera candle car carrot cell_phone chair clock couch
crown cup dining_table donut dumbbell fire_hydrant flower fork frisbee glasses glove guitar hair_drier hammer
handbag hat headphones hot_dog jersey key keyboard kite knife ladder lamp laptop lemon mailbox microwave motorcycle
mouse mushroom orange oven pan parking_meter pear pencil person pizza plate pot potted_plant refrigerator remote
sandwich scissors screwdriver shoe sink skateboard skis snowboard sock spoon sports_ball stool stop_sign strawberry
suitcase surfboard teapot teddy_bear tennis_racket tie toaster toilet tomato toothbrush traffic_cone traffic_light
train truck tv umbrella vase watch wine_glass wrench
"""


PLAIN = "a photo of a single {}, in a white background"
WHITE = "a photo of a single white {}, in a white background"


def render(folder, name, per_category, prompt):
    """An instance table of every category, made by the renderer through its command."""
    lines = [
        {"text": prompt.format(category), "category_id": number, "category": category, "source": "benchmark"}
        for number, category in enumerate(NAMES.split(), 1)
    ]
    prompts = folder / f"{name}.jsonl"
    prompts.write_text("\n".join(map(json.dumps, lines)))
    command = shutil.which("divergen-gen") or str(Path(sys.executable).parent / "divergen-gen")
    styles = ["-g", "procedural,name=photo,style=photo", "-g", "procedural,name=cgi,style=cgi"]
    table = folder / f"{name}.lance"
    arguments = [command, "run", prompts, "--table", table, "--per-category", str(per_category), *styles]
    subprocess.run(arguments, check=True, capture_output=True)
    return [example for batch in read_examples(table, limit=10_000) for example in batch]


def hard(example, kind, number):
    """A hard picture made of a plain one."""
    alpha = example.columns["alpha"][..., :1].astype(np.float32) / 255
    image = example.image.astype(np.float32)
    height, width = image.shape[:2]
    random = np.random.default_rng(number)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ground = np.full_like(image, 245.0)
    if kind == "gradient":
        angle = random.uniform(0, 2 * np.pi)
        way = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
        ground = 190.0 - 100.0 * way[..., None] * np.array([1.0, 0.9, 0.8], np.float32)
    elif kind == "shadow":
        fallen = cv2.warpAffine(
            alpha[..., 0], np.float32([[1, 0.35, -0.2 * height], [0, 0.45, 0.5 * height]]), (width, height)
        )
        fallen = cv2.GaussianBlur(fallen, (0, 0), 0.02 * height)
        ground = ground * (1 - 0.5 * fallen[..., None])
    elif kind == "border":
        rows, columns = np.flatnonzero(alpha.any(axis=(1, 2))), np.flatnonzero(alpha.any(axis=(0, 2)))
        moves = [(-columns[0] - 3, 0), (width - columns[-1] + 3, 0), (0, -rows[0] - 3), (0, height - rows[-1] + 3)]
        matrix = np.float32([[1, 0, moves[number % 4][0]], [0, 1, moves[number % 4][1]]])
        image = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.warpAffine(alpha, matrix, (width, height))[..., None]
    elif kind == "same colour":
        inside = image[example.truth]
        ground = np.full_like(image, inside.mean(axis=0) if len(inside) else 128.0)
    ground = ground + random.normal(0, 2, image.shape)
    made = (alpha * image + (1 - alpha) * ground).clip(0, 255).astype(np.uint8)
    return Example(f"{example.name} {kind}", made, alpha[..., 0] >= 0.5, example.text)


def cutouts(folder, limit):
    """Transparent pictures on white, a gradient, a shadow; the truth is their alpha."""
    made = {"white": [], "gradient": [], "shadow": []}
    for number, path in enumerate(sorted(folder.iterdir())[:limit]):
        pixels, alpha = read_cutout(path)
        pad = [(pixels.shape[0] // 8,) * 2, (pixels.shape[1] // 8,) * 2, (0, 0)]
        alpha = np.pad(np.repeat(alpha[..., None], 3, axis=2), pad)
        share = alpha[..., :1] / np.float32(255)
        image = (np.pad(pixels, pad) * share + 250 * (1 - share)).astype(np.uint8)
        example = Example(path.stem, image, alpha[..., 0] >= 128, path.stem, {"alpha": alpha})
        for kind, pictures in made.items():
            pictures.append(hard(example, kind, number))
    return made


def large(examples):
    """Objects that are at least 96 x 96 pixels large, as COCO says it."""
    return [example for example in examples if np.count_nonzero(example.truth) >= 96**2]


def of_photos(examples, limit):
    """Large objects in all, then the only ones of their photo and the others."""
    found = large(examples)
    chosen, count = spread(found, limit), Counter(map(photo, found))
    alone = [example for example in chosen if count[photo(example)] == 1]
    others = [example for example in chosen if count[photo(example)] > 1]
    kinds = {"large objects": chosen, "the only large object": alone, "one of several": others}
    return {f"photos, {kind}, of {len(set(map(photo, made)))} photos": made for kind, made in kinds.items() if made}


def photo(example):
    return example.name.partition(" ")[0]


def network_sets(arguments, plain):
    """Photos, renderer and cut-outs, as far as they are given."""
    sets = {}
    if arguments.photos:
        read = read_examples(arguments.photos, images=arguments.images, limit=10_000)
        sets |= of_photos([example for batch in read for example in batch], arguments.limit)
    sets["renderer"] = spread(plain, arguments.limit)
    if arguments.cutouts:
        sets |= {f"cut-outs, {kind}": made for kind, made in cutouts(arguments.cutouts, arguments.limit).items()}
    return sets


class Kept:
    """A slow network whose masks are kept in a folder, so that a long benchmark goes on where it was killed."""

    def __init__(self, network, folder):
        self.name, self.network, self.folder = network.name, network, folder
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, images):
        return [self.of(image) for image in images]

    def of(self, image):
        path = self.folder / f"{short_hash(image.shape, image.tobytes())}.npz"
        if not path.exists():
            found = self.network([image])[0]
            np.savez_compressed(path, mask=found.mask, score=found.score)
        with np.load(path) as kept:
            return Prediction(kept["mask"], float(kept["score"]))


def show(kind, pictures, annotators, rows=None):
    print(f"\n{kind}\n{HEAD}")
    for annotator in annotators:
        for row, repaired in zip(evaluate_repairs([pictures], annotator, [None, repair]), (False, True), strict=True):
            print(row.line(repaired=repaired), flush=True)
        if rows:
            masks = predict_masks(annotator, pictures, repair)
            with rows.open("a") as file:
                for number, (mask, one) in enumerate(zip(masks, pictures, strict=True)):
                    row = {"set": kind, "annotator": annotator.name, "number": number, "object": one.name}
                    row["iou"] = iou(mask, one.truth)
                    print(json.dumps(row), file=file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-category", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="Take every n-th picture only.")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--onnx", type=Path, help="A saliency network, compared on photos, renderer and cut-outs.")
    parser.add_argument("--card", help="Its model card: a name or a file.")
    parser.add_argument("--photos", type=Path, help="A COCO or LVIS file.")
    parser.add_argument("--images", type=Path, help="Its images.")
    parser.add_argument("--cutouts", type=Path, help="A folder of transparent pictures.")
    parser.add_argument("--masks", type=Path, help="Keep the network's masks here, and take those that are there.")
    parser.add_argument("--rows", type=Path, help="JSON Lines to add to: the IoU of every object, with repair.")
    parser.add_argument("--limit", type=int, default=50, help="Pictures of each kind, with --onnx.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        plain = render(folder, "plain", arguments.per_category, PLAIN)[:: arguments.every]
        white = [] if arguments.onnx else render(folder, "white", arguments.per_category, WHITE)[:: arguments.every]
    if arguments.onnx:
        network = Saliency.from_file(arguments.onnx, arguments.card, device="cpu", workers=1)
        network = Kept(network, arguments.masks) if arguments.masks else network
        willing = [GrabCut(workers=1, plain=0), ColourKey(plain=0), network]
        for kind, pictures in network_sets(arguments, plain).items():
            show(kind, pictures, willing, arguments.rows)
        return
    one = GrabCut(workers=1)
    annotators = [ColourKey(), one, BestOf([one, ColourKey()])]
    for kind in ("plain", "gradient", "shadow", "border", "same colour", "white object"):
        made = {"plain": plain, "white object": white}.get(kind)
        show(kind, made or [hard(example, kind, number) for number, example in enumerate(plain)], annotators)


if __name__ == "__main__":
    main()

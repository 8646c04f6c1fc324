"""How well do the scores find planted faults? Rendered pictures against MiniLVIS, 20 % of them spoilt in five ways.

python benchmarks/planted_faults.py                      # the default rules, every score's ROC-AUC, a sheet
python benchmarks/planted_faults.py --fills              # which fill of the crops tells categories apart

Needs the command divergen-gen for the pictures; no GPU, no download. Half of the clean pictures are drawn in a style
that MiniLVIS does not have.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from divergen_filter import EmbedStage, decide_table, reference_embeddings, score_generated, write_sheet
from divergen_filter.config import EfficientNetLite0Config
from divergen_filter.rules import REAL_SCORES, Rule, RulesConfig
from divergen_filter.stages import BasicsStage, ScoreStage
from divergen_records import InstanceRecord, InstanceTable, fill, instance_id
from divergen_records.coco import read_dataset
from divergen_records.images import encode_image, read_image
from divergen_records.masks import encode_rle, label_components, mask_to_bbox

FAULTS = ("wrong category", "broken mask", "blank", "blurred", "duplicate")
HIGH_IS_BAD = {"mahalanobis", "intra_similarity", "nearest_generated", "duplicate_similarity", "border_contact"}
SCORES = (*REAL_SCORES, "intra_similarity", "duplicate_similarity", "sharpness", "saturation", "contrast")
SIMPLE = ("area_fraction", "border_contact")
STRICTER = RulesConfig(
    rules=(
        *RulesConfig().rules,
        Rule(score="contrast", op=">=", threshold=0.02),
        Rule(score="sharpness", op=">=", threshold=0.6),
        Rule(score="duplicate_similarity", op="<=", threshold=0.995),
    )
)
Planted = tuple[str | None, np.ndarray, np.ndarray]


def make_data(folder: Path, per_category: int, scenes: int) -> tuple[Path, list[InstanceRecord]]:
    """MiniLVIS and clean pictures of its categories."""
    minilvis = folder / "minilvis"
    if not minilvis.exists():
        subprocess.run(
            ["divergen-gen", "minilvis", "--out", minilvis, "--train-images", str(scenes), "--val-images", "10"],
            check=True,
        )
    dataset = read_dataset(minilvis / "train.json", image_dir=minilvis)
    prompts = [
        {
            "text": f"a photo of a single {category.label}, in a white background",
            "category_id": category.id,
            "category": category.name,
            "source": "template",
        }
        for category in dataset.categories
    ]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    table = folder / "clean.lance"
    if not table.exists():
        styles = [option for style in ("photo", "cgi") for option in ("-g", f"procedural,name={style},style={style}")]
        command = ["divergen-gen", "run", folder / "prompts.jsonl", "--table", table, "--per-category"]
        subprocess.run([*command, str(per_category), *styles], check=True)
    return minilvis, [row for row in InstanceTable.open(table).records() if row.alpha is not None]


def plant(rows: list[InstanceRecord], share: float, seed: int) -> list[tuple[InstanceRecord, str | None]]:
    """Rows with masks, and the fault of each."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(rows))
    count = round(share * len(rows) / len(FAULTS))
    kinds = {int(row): FAULTS[number // count] for number, row in enumerate(order[: count * len(FAULTS)])}
    result = []
    for number, row in enumerate(rows):
        fault = kinds.get(number)
        image, mask = read_image(row.image), read_image(row.alpha)[..., 0] > 127
        if fault == "wrong category":
            other = rows[random.choice([n for n, each in enumerate(rows) if each.category != row.category])]
            image, mask = read_image(other.image), read_image(other.alpha)[..., 0] > 127
        elif fault == "duplicate":
            same = [each for n, each in enumerate(rows) if each.category == row.category and n not in kinds]
            other = same[random.integers(len(same))]
            image, mask = read_image(other.image), read_image(other.alpha)[..., 0] > 127
        elif fault == "blank":
            image = np.where(mask[..., None], np.uint8(random.integers(60, 220)), image)
        elif fault == "blurred":
            image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.02, 0.04) * max(image.shape))
        elif fault == "broken mask":
            mask = _break(mask, random)
        result.append((_complete(row, number, image, mask), fault))
    return result


def _break(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The background, a half of the object, or the object beside itself."""
    kind = random.integers(3)
    if kind == 0:
        return ~mask
    if kind == 1:
        rows = np.flatnonzero(mask.any(axis=1))
        half = mask.copy()
        half[: int(np.mean([rows[0], rows[-1]]))] = False
        return half
    return np.roll(mask, mask.shape[1] // 3, axis=1)


def _complete(row: InstanceRecord, number: int, image: np.ndarray, mask: np.ndarray) -> InstanceRecord:
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    identity = {name: getattr(row, name) for name in ("category", "prompt", "generator")}
    return InstanceRecord(
        id=instance_id(**identity, generator_revision="planted", seed=number),
        category_id=row.category_id,
        frequency=row.frequency,
        generator_revision="planted",
        seed=number,
        image=encode_image(image),
        image_format="jpeg",
        height=image.shape[0],
        width=image.shape[1],
        mask=encode_rle(mask)["counts"],
        bbox=mask_to_bbox(mask),
        area_fraction=float(mask.mean()),
        components=len(label_components(mask)[1]),
        border_contact=float(border.mean()),
        annotator="truth",
        **identity,
    )


def auc(bad: np.ndarray, good: np.ndarray) -> float:
    """Chance that a bad one scores below a good one."""
    both = np.concatenate([bad, good])
    order = np.argsort(both, kind="stable")
    values, ranks = both[order], np.empty(len(both))
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:], len(values)]
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return 1 - (ranks[: len(bad)].sum() - len(bad) * (len(bad) + 1) / 2) / (len(bad) * len(good))


def column(table: InstanceTable, name: str, ids: list[str]) -> np.ndarray:
    return np.array(table.take(ids, [name])[name].to_pylist(), dtype=float)


def print_auc(table: InstanceTable, ids: list[str], faults: list[str | None]) -> None:
    kinds = np.array([fault or "" for fault in faults])
    print(f"{'ROC-AUC':<22}" + "".join(f"{kind:>15}" for kind in (*FAULTS, "all")))
    for score in (*SCORES, *SIMPLE):
        values = column(table, score, ids) * (-1 if score in HIGH_IS_BAD else 1)
        good = values[(kinds == "") & ~np.isnan(values)]
        bad = [values[(kinds == kind) & ~np.isnan(values)] for kind in FAULTS]
        print(f"{score:<22}" + "".join(f"{auc(each, good):>15.3f}" for each in (*bad, np.concatenate(bad))))


def print_rules(table: InstanceTable, ids: list[str], faults: list[str | None], name: str) -> None:
    kept = column(table, "kept", ids) == 1
    kinds = np.array([fault or "" for fault in faults])
    clean = kinds == ""
    print(f"\n{name}: {kept.mean():.1%} kept; of the clean ones {kept[clean].mean():.1%}")
    print(f"{'fault':<16}{'planted':>8}{'recall':>8}{'precision':>10}")
    for kind in (*FAULTS, "all"):
        mine = ~clean if kind == "all" else kinds == kind
        rejected = ~kept & (mine | clean)
        print(f"{kind:<16}{mine.sum():>8}{(~kept[mine]).mean():>8.1%}{mine[rejected].mean():>10.1%}")


def study(folder: Path, arguments: argparse.Namespace) -> None:
    minilvis, rows = make_data(folder, arguments.per_category, arguments.scenes)
    planted = plant(rows, arguments.share, arguments.seed)
    embedder = EfficientNetLite0Config().build()
    dataset = read_dataset(minilvis / "train.json", image_dir=minilvis)
    references = reference_embeddings(dataset, embedder, progress=False)
    table = InstanceTable.create(folder / f"planted-{arguments.seed}.lance")
    table.append([row for row, _ in planted])
    ids, faults = [row.id for row, _ in planted], [fault for _, fault in planted]
    for stage in (EmbedStage(embedder), ScoreStage(references, scores=REAL_SCORES), BasicsStage()):
        fill(table, stage, progress=False)
    score_generated(table, progress=False)
    print(f"{len(rows)} pictures of {len(dataset.categories)} categories, {len(references.embeddings)} real crops\n")
    print_auc(table, ids, faults)
    decide_table(table, STRICTER, references)
    print_rules(table, ids, faults, "default rules, contrast >= 0.02, sharpness >= 0.6, duplicate_similarity <= 0.995")
    decide_table(table, RulesConfig(), references)
    print_rules(table, ids, faults, "default rules")
    write_sheet(table, folder / "sheet.html", references=references, overwrite=True)
    (folder / "faults.json").write_text(json.dumps(dict(zip(ids, faults, strict=True))))
    print(f"\nlook at {folder / 'sheet.html'}" if arguments.folder else "")


def compare_fills(folder: Path, arguments: argparse.Namespace) -> None:
    """ROC-AUC of inter-similarity for each fill of the real and of the generated crops."""
    minilvis, rows = make_data(folder, arguments.per_category, arguments.scenes)
    embedder = EfficientNetLite0Config().build()
    dataset = read_dataset(minilvis / "train.json", image_dir=minilvis)
    pairs = [("black", "black"), ("blur", "black"), ("blur", "blur"), ("white", "white"), ("original", "original")]
    real = {name: reference_embeddings(dataset, embedder, fill=name, progress=False) for name, _ in pairs}
    found: dict[tuple[str, str], list[tuple[float, float]]] = {pair: [] for pair in pairs}
    for seed in range(arguments.repeat):
        planted = plant(rows, arguments.share, seed)
        ids, kinds = [row.id for row, _ in planted], np.array([fault or "" for _, fault in planted])
        for generated in dict.fromkeys(name for _, name in pairs):
            table = InstanceTable.create(folder / f"fills-{seed}-{generated}.lance")
            table.append([row for row, _ in planted])
            fill(table, EmbedStage(embedder, fill=generated), progress=False)
            for pair in pairs:
                if pair[1] == generated:
                    table.clear(["inter_similarity"])
                    fill(table, ScoreStage(real[pair[0]]), progress=False)
                    values = column(table, "inter_similarity", ids)
                    wrong = auc(values[kinds == "wrong category"], values[kinds == ""])
                    found[pair].append((wrong, auc(values[kinds != ""], values[kinds == ""])))
    print(
        f"{'real':<10}{'generated':<10}{'wrong category':>16}{'all faults':>16}   ROC-AUC, {arguments.repeat} plantings"
    )
    for pair, values in found.items():
        cells = (
            f"{mean:.3f} ± {spread:.3f}" for mean, spread in zip(np.mean(values, 0), np.std(values, 0), strict=True)
        )
        print(f"{pair[0]:<10}{pair[1]:<10}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-category", type=int, default=25)
    parser.add_argument("--scenes", type=int, default=380)
    parser.add_argument("--share", type=float, default=0.2, help="share of the pictures that are spoilt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3, help="plantings to compare fills with")
    parser.add_argument("--fills", action="store_true", help="compare fills of the crops instead")
    parser.add_argument("--folder", type=Path, help="keep everything here")
    arguments = parser.parse_args()
    task: Callable[[Path, argparse.Namespace], None] = compare_fills if arguments.fills else study
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        task(arguments.folder, arguments)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            task(Path(temporary), arguments)


if __name__ == "__main__":
    main()

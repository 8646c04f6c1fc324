"""Draw what a box says: a row per category, real objects first, then those that each of its generators draws unasked.

python packages/divergen-minilvis/docs/boxes.py --box modes --out packages/divergen-minilvis/docs/modes.jpg
"""

from pathlib import Path

import click
import cv2
import numpy as np
from divergen_minilvis.boxes import generated_member, read_box, real_light, real_member
from divergen_minilvis.renderer import Attributes, render_object, render_picture

SHOWN = "cup,chair,dog,car,teapot,shoe,guitar,bicycle,lamp"
REAL, GENERATED = 10, 3
GREY = 0.72


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The JPEG or PNG to write.")
@click.option("--box", default="modes", show_default=True, help="Its name or file.")
@click.option("--categories", default=SHOWN, show_default=True, help="Names with commas.")
@click.option("--size", default=64, show_default=True, help="Side of each picture in pixels.")
def main(out: Path, box: str, categories: str, size: int) -> None:
    found, rng = read_box(box), np.random.default_rng(0)
    rows = []
    for name in categories.split(","):
        members = [real_member(found, name, real_light(found, rng), rng) for _ in range(REAL)]
        row = [real(name, member, seed, size) for seed, member in enumerate(members)]
        for style in ("photo", "illustration", "cgi"):
            prompt = f"a photo of a single {name}, in a white background"
            own = [generated_member(found, style, name, prompt, seed) for seed in range(GENERATED)]
            row += [
                render_picture(name, prompt, seed=seed, size=size, style=style, member=member).image
                for seed, member in enumerate(own)
            ]
        rows.append(np.concatenate(row, 1))
    options = [cv2.IMWRITE_JPEG_QUALITY, 85] if out.suffix.lower() in (".jpg", ".jpeg") else []
    cv2.imwrite(str(out), np.concatenate(rows)[..., ::-1], options)


def real(name, member, seed, size):
    drawn = render_object(name, Attributes(), seed=seed, size=size - 6, style="real", member=member)
    height, width = drawn.alpha.shape
    canvas = np.full((max(size, height), max(size, width), 3), GREY, np.float32)
    top, left = (canvas.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
    place = (slice(top, top + height), slice(left, left + width))
    canvas[place] = drawn.over(canvas[place])
    return (canvas[:size, :size] * 255).astype(np.uint8)


if __name__ == "__main__":
    main()

"""Draw a contact sheet: one row per style, one column per category.

python packages/divergen-gen/docs/renderer.py --out packages/divergen-gen/docs/renderer.jpg
"""

from pathlib import Path

import click
import cv2
import numpy as np
from divergen_minilvis.renderer import STYLES, category_names, render_picture

SHOWN = "cup,car,teapot,chair,banana,umbrella,bicycle,giraffe,potted_plant,donut,backpack,airplane"


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The JPEG or PNG to write.")
@click.option("--categories", default=SHOWN, show_default=True, help="Names with commas, or 'all'.")
@click.option("--size", default=96, show_default=True, help="Side of each picture in pixels.")
@click.option("--seed", default=0, show_default=True, help="Seed of the first column.")
def main(out: Path, categories: str, size: int, seed: int) -> None:
    names = category_names() if categories == "all" else categories.split(",")
    columns = [
        np.concatenate([
            render_picture(name, "a photo of it, in a white background", seed=seed + n, size=size, style=style).image
            for style in STYLES
        ])
        for n, name in enumerate(names)
    ]  # fmt: skip
    options = [cv2.IMWRITE_JPEG_QUALITY, 85] if out.suffix.lower() in (".jpg", ".jpeg") else []
    cv2.imwrite(str(out), np.concatenate(columns, 1)[..., ::-1], options)


if __name__ == "__main__":
    main()

"""The `divergen` command."""

from __future__ import annotations

import click
from divergen_records.command import Group

from .commands import about, evidence, reading, running, sharing


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="divergen")
def main() -> None:
    """Generative data for long-tailed instance segmentation.

    \b
    See all of it work, without a GPU or a download:
      divergen quickstart
    On your own data, as your tool wrote it (COCO, LVIS, Roboflow, CVAT, YOLO, labelme, ...):
      divergen run coco100 --out RUN data=FOLDER
    """


for _module in (running, evidence, reading, sharing, about):
    for _name in _module.__all__:
        main.add_command(getattr(_module, _name))

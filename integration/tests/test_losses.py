"""Every command that can leave something out ends by the one rule of `divergen_records.losses`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from divergen_records import InstanceRecord, InstanceTable, instance_id
from divergen_records.files import locked
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle
from PIL import Image

PACKAGES = ("records", "prompts", "gen", "minilvis", "annotate", "filter", "paste", "evaluate", "train", "")
CANNOT = {
    # What looks and leaves nothing out, or refuses as a whole.
    "divergen ablate": "each of its runs says what it lost; the comparison needs all of them",
    "divergen check": "ends with status 1 if there are problems",
    "divergen configs": "lists what is installed",
    "divergen doctor": "says what is missing",
    "divergen explain": "measures trainings; a run that lacks one is refused",
    "divergen minilvis": "is divergen-minilvis make",
    "divergen pull": "takes all or nothing",
    "divergen push": "publishes what fits the filter and is complete, or nothing",
    "divergen premises": "measures, and says how many pictures it could not look at",
    "divergen report": "draws what is there",
    "divergen results": "says of each finding whether it was run",
    "divergen review": "shows what is there; says how many verdicts there are",
    "divergen status": "counts failed rows itself",
    "divergen-annotate columns": "lists what is declared",
    "divergen-evaluate compare": "refuses results that are malformed",
    "divergen-filter calibrate": "reads one file, whole or not at all",
    "divergen-filter decide": "says how many rows are not ready and what they lack; all stay in the table",
    "divergen-filter diversity": "reads a table's numbers",
    "divergen-filter explain": "looks at one row",
    "divergen-filter sheet": "draws what is there",
    "divergen-gen plan": "makes nothing",
    "divergen-minilvis categories": "lists what can be drawn",
    "divergen-minilvis make": "draws all or nothing",
    "divergen-paste bench": "makes its own data",
    "divergen-paste verify": "ends with status 1 if anything is damaged",
    "divergen-records check": "ends with status 1 if there are problems",
    "divergen-records schema": "prints a schema",
}
"""Commands that leave nothing out, and why not. A new command is here or takes `losses_options`."""

UNSKIPPING = ("divergen-prompts ", "divergen-records table ", "divergen-train ")
"""Whole groups: prompts and their files are read whole or refused, `table` looks, a training reads all or stops."""


def commands() -> Iterator[tuple[str, click.Command]]:
    def below(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
        for word, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from below(f"{name} {word}", command)
            else:
                yield f"{name} {word}", command

    for package in PACKAGES:
        name = f"divergen-{package}".rstrip("-")
        yield from below(name, import_module(f"{name.replace('-', '_')}.cli").main)


def takes_losses(command: click.Command) -> bool:
    return any("--allow-losses" in parameter.opts for parameter in command.params)


def test_commands__each_takes_the_options_or_says_why_it_needs_none() -> None:
    for name, command in commands():
        excused = name in CANNOT or name.startswith(UNSKIPPING)
        assert takes_losses(command) or excused, f"{name}: add losses_options and finish, or a line in CANNOT"
        assert not (takes_losses(command) and name in CANNOT), name


def test_commands__each_that_takes_the_options_is_tried_or_ends_as_another() -> None:
    known = {*CASES, *ALIKE}
    assert {name for name, command in commands() if takes_losses(command)} <= known


def test_commands__one_that_takes_the_options_calls_finish() -> None:
    for name, command in commands():
        if takes_losses(command):
            assert "finish" in inspect.getsource(inspect.unwrap(command.callback)), name  # type: ignore[arg-type]


ALIKE = {
    "divergen grow": "divergen run",
    "divergen quickstart": "divergen run",
    "divergen run": "test_pipeline, by a run",
    "divergen export": "test_pipeline, by a run",
    "divergen correct": "test_correction",
    "divergen demo": "test_demo",
    "divergen-annotate photos": "packages/divergen-annotate/tests/test_photos.py",
    "divergen-filter judge": "packages/divergen-filter/tests/test_vlm.py",
    "divergen-filter review": "packages/divergen-filter/tests/review/test_tags.py",
    "divergen-filter score": "test_finish_rows",
    "divergen-gen personalize": "packages/divergen-gen/tests/personalize/test_personalize.py",
    "divergen-gen run": "packages/divergen-gen/tests/test_cli.py",
    "divergen-gen preview": "packages/divergen-gen/tests/test_cli.py",
    "divergen-annotate compare": "divergen-annotate evaluate",
    "divergen-evaluate ap": "packages/divergen-evaluate/tests/test_cli.py",
    "divergen-paste preview": "divergen-paste stats",
    "divergen-train evaluate": "divergen-evaluate ap",
    "divergen-train export-results": "divergen-evaluate export",
}
"""Commands that end by the same lines as another, or are tried elsewhere."""


def picture(path: Path, size: int = 64) -> None:
    pixels = np.full((size, size, 3), 255, np.uint8)
    pixels[16:48, 16:48] = (200, 30, 30)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(pixels, "png"))


def cutout(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[16:48, 16:48] = (200, 30, 30, 255)
    Image.fromarray(pixels).save(path)


def dataset(folder: Path, *, bad: int, good: int = 3) -> Path:
    """A data set with so many truncated pictures."""
    rows: dict[str, list[Any]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "bowl"}],
    }
    square = [[16.0, 16.0, 48.0, 16.0, 48.0, 48.0, 16.0, 48.0]]
    for number in range(1, good + bad + 1):
        picture(folder / "images" / f"{number}.png")
        if number > good:
            (folder / "images" / f"{number}.png").write_bytes(b"\x89PNG cut")
        rows["images"].append({"id": number, "width": 64, "height": 64, "file_name": f"{number}.png"})
        row = {"id": number, "image_id": number, "category_id": 1 + number % 2, "area": 1024, "iscrowd": 0}
        rows["annotations"].append({**row, "segmentation": square, "bbox": [16, 16, 32, 32]})
    path = folder / "annotations.json"
    path.write_text(json.dumps(rows))
    return path


def broken_dataset(folder: Path, *, bad: int, good: int = 3) -> Path:
    """A data set with so many annotations whose polygon is none."""
    path = dataset(folder, bad=0, good=good + bad)
    rows = json.loads(path.read_text())
    for row in rows["annotations"][good:]:
        row["segmentation"] = [[1, 2, 3]]
    path.write_text(json.dumps(rows))
    return path


def cutouts(folder: Path, *, bad: int, good: int = 3) -> Path:
    for number in range(good + bad):
        path = folder / "cup" / f"{number}.png"
        cutout(path)
        if number >= good:
            path.write_bytes(b"")
    return folder


def table(folder: Path, *, bad: int, good: int = 3) -> Path:
    made = InstanceTable.create(folder / "t.lance")
    rows = []
    for number in range(good + bad):
        values: dict[str, Any] = {"category": "cup", "prompt": str(number), "generator": "x", "seed": 0}
        picture(folder / "x.png")
        data = (folder / "x.png").read_bytes() if number < good else b"no picture"
        rows.append(
            InstanceRecord(
                id=instance_id(generator_revision="1", **values),
                category_id=1,
                generator_revision="1",
                image=data,
                image_format="png",
                width=64,
                height=64,
                **values,
            )
        )
    made.append(rows)
    return made.path


def results(folder: Path, truth: Path, *, bad: int, good: int = 3) -> Path:
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    rows = [
        {"image_id": number + 1, "category_id": 1, "bbox": [16, 16, 32, 32], "score": 0.5, "segmentation":
         encode_rle(mask) if number < good else {"size": [64, 64], "counts": "5"}}
        for number in range(good + bad)
    ]  # fmt: skip
    path = folder / "results.json"
    path.write_text(json.dumps(rows))
    return path


def pool(folder: Path) -> Path:
    data = dataset(folder / "for_the_pool", bad=0)
    done = CliRunner().invoke(main_of("divergen-paste"), ["pool", str(data), "--out", str(folder / "pool")])
    assert done.exit_code == 0, done.output
    return folder / "pool"


def main_of(command: str) -> click.Group:
    return import_module(f"{command.split(maxsplit=1)[0].replace('-', '_')}.cli").main  # type: ignore[no-any-return]


Case = Callable[[Path, int, int], list[object]]

CASES: dict[str, Case] = {
    "divergen-records convert": lambda to, good, bad: [
        broken_dataset(to / "d", good=good, bad=bad), to / "out.json", "--format", "lvis", "--on-problem", "skip"
    ],
    "divergen-paste pool": lambda to, good, bad: [
        cutouts(to / "c", good=good, bad=bad), "--categories", dataset(to / "d", bad=0), "--out", to / "out"
    ],
    "divergen-paste bake": lambda to, good, bad: [
        dataset(to / "d", good=good, bad=bad), pool(to), "--out", to / "out"
    ],
    "divergen-paste stats": lambda to, good, bad: [
        broken_dataset(to / "d", good=good, bad=bad), "--out", to / "out.json", "--on-problem", "skip"
    ],
    "divergen-annotate images": lambda to, good, bad: [
        cutouts(to / "c", good=good, bad=bad), "--annotator", "colour-key", "--out", to / "out.json"
    ],
    "divergen-annotate table": lambda to, good, bad: [
        table(to, good=good, bad=bad), "--annotator", "colour-key"
    ],
    "divergen-annotate evaluate": lambda to, good, bad: [
        cutouts(to / "c", good=good, bad=bad), "--annotator", "colour-key"
    ],
    "divergen-filter embed-real": lambda to, good, bad: [
        dataset(to / "d", good=good, bad=bad), "--out", to / "out.npz"
    ],
    "divergen-filter images": lambda to, good, bad: [
        cutouts(to / "c", good=good, bad=bad), "--real", dataset(to / "d", bad=0), "--out", to / "out"
    ],
    "divergen-evaluate export": lambda to, good, bad: [
        results(to, data := dataset(to / "d", bad=0, good=good + bad), good=good, bad=bad), "--gt", data,
        "--out", to / "out.json"
    ],
}  # fmt: skip
"""Command -> its arguments, for so many good and so many bad things that come in."""


def call(name: str, arguments: list[object], *more: str) -> Any:
    words = [*name.split()[1:], *map(str, arguments), *more]
    return CliRunner().invoke(main_of(name), words, catch_exceptions=False)


@pytest.mark.parametrize("name", CASES)
def test_losses__something_lost_is_status_3_and_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    done = call(name, CASES[name](tmp_path, 3, 1))
    assert done.exit_code == 3, done.output
    assert "lost" in done.stderr
    assert "Traceback" not in done.output
    kept = list(tmp_path.glob("*.losses.jsonl"))
    if "--out" in map(str, CASES[name](tmp_path / "x", 1, 0)):
        assert len(kept) == 1
        assert len(kept[0].read_text().splitlines()) >= 1


@pytest.mark.parametrize("name", ["divergen-paste bake", "divergen-annotate images", "divergen-records convert"])
def test_losses__allowed_are_told_with_status_0(name: str, tmp_path: Path) -> None:
    done = call(name, CASES[name](tmp_path, 3, 1), "--allow-losses")
    assert done.exit_code == 0, done.output
    assert "lost" in done.stderr


@pytest.mark.parametrize("name", ["divergen-paste bake", "divergen-annotate images", "divergen-paste pool",
                                  "divergen-annotate table", "divergen-evaluate export"])  # fmt: skip
def test_losses__nothing_left_is_status_1(name: str, tmp_path: Path) -> None:
    done = call(name, CASES[name](tmp_path, 0, 2), "--allow-losses")
    assert done.exit_code == 1, done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("name", ["divergen-paste bake", "divergen-paste stats", "divergen-annotate images",
                                  "divergen-records convert", "divergen-evaluate export"])  # fmt: skip
def test_losses__nothing_lost_is_status_0_and_no_file(name: str, tmp_path: Path) -> None:
    """Nor has it anything else to say, asked to be quiet; what it wrote is in its answer."""
    done = call(name, CASES[name](tmp_path, 3, 0), "--quiet", "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert str(tmp_path / "out") in answer["out"]
    assert answer["counts"]["lost"] == 0
    assert not list(tmp_path.glob("*.losses.jsonl"))


@pytest.mark.parametrize(
    ("name", "folder"), [("divergen-paste bake", "out"), ("divergen-paste pool", "out"),
                         ("divergen-annotate images", "out.json")]
)  # fmt: skip
def test_two_writers__the_second_is_refused(name: str, folder: str, tmp_path: Path) -> None:
    arguments = CASES[name](tmp_path, 2, 0)
    work = tmp_path / f".{folder}.unfinished"
    work.mkdir()
    with locked(work / "lock", "it"):
        done = call(name, arguments)
    assert done.exit_code == 2, done.output
    assert "another process works on" in done.output

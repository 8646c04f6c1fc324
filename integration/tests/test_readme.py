"""Every command that a README shows: it exists with these options, and those of the first page run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from divergen import Run

ROOT = Path(__file__).resolve().parents[2]
READMES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("packages/*/README.md")])
READMES.append(ROOT / "integration" / "README.md")
PAGES = sorted((ROOT / "docs").rglob("*.md"))

QUICK = {
    "divergen quickstart": None,  # the same as `divergen run` with another config, which takes ten minutes
    "divergen ablate quickstart": None,  # five of them; tests/evidence/test_shipped.py plans it
    "divergen run coco100": ("categories=[apple, cup, clock]", "counts={per_category: 3}", "prompts.per_category=2"),
}
"""What a command of the first page is shortened by here; None leaves it out."""

TINY_TRAINING = ("train.iterations=2", "train.warmup=1", "train.batch_size=2", "train.image_size=64", "bake.copies=1")


SHORTER = {
    'preset("quickstart")': 'preset("quickstart").model_copy(update={"iterations": 2, "warmup": 1, "batch_size": 2})',
    'make_minilvis("minilvis", seed=0)': 'make_minilvis("minilvis", train_images=10, val_images=10, categories=4)',
    "counts=100": "counts=2",
    "maskrcnn_resnet50_fpn(num_classes=len(dataset.categories) + 1)": "maskrcnn_resnet50_fpn("
    "num_classes=len(dataset.categories) + 1, weights=None, weights_backbone=None, min_size=64, max_size=96)",
}
"""What takes long in the examples, and what stands for it here."""


def commands(readme: Path) -> list[str]:
    """The lines of code blocks, and of cells of the site's tables, that call one of our commands; comments cut."""
    text = readme.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:\w*)\n(.*?)^```", text, flags=re.M | re.S)
    blocks += re.findall(r"\| `([^`…]+)` \|$", text, flags=re.M)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    calls = [part.split(" #")[0].strip().removeprefix("$ ") for line in lines for part in line.split("&&")]
    return [call for call in calls if re.match(r"divergen(-\w+)?\s", call)]


@pytest.mark.parametrize("readme", [*READMES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_readme__commands_exist(readme: Path) -> None:
    for call in commands(readme):
        name, *arguments = shlex.split(call)
        command: click.Command = import_module(f"{name.replace('-', '_')}.cli").main
        context = click.Context(command, info_name=name)
        while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
            found = command.get_command(context, arguments[0])
            assert found is not None, call
            command, context, arguments = found, click.Context(found, parent=context), arguments[1:]
        if (name, command.name) != ("divergen", "minilvis"):  # passes everything on to divergen-minilvis
            command.make_parser(context).parse_args(list(arguments))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page__what_it_includes_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "8 < --" not in text, "a formatter took the include for Python"
    for path in re.findall(r'^--8<-- "(.+)"$', text, flags=re.M):
        assert (ROOT / path).is_file(), path


def test_readme__of_the_first_page_runs(tmp_path: Path, coco100: Path) -> None:
    shutil.copytree(coco100, tmp_path / "FOLDER")
    calls = list(dict.fromkeys(commands(ROOT / "README.md")))
    assert len(calls) >= 5
    for call in calls:
        key = next((key for key in QUICK if call.startswith(key)), None)
        if key is not None and QUICK[key] is None:
            continue
        if "PICTURES" in call:
            _pictures(tmp_path)
        extra = (*QUICK[key], *TINY_TRAINING) if key else ()
        name, *arguments = shlex.split(call)
        program = Path(sys.executable).with_name(name)
        done = subprocess.run([program, *arguments, *extra], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (call, done.stderr[-2000:])
    for made in ("RUN/report.html", "kept/annotations.json", "masks.json", "masks.html"):
        assert (tmp_path / made).exists(), made


def _pictures(folder: Path) -> None:
    """The pictures of the run are pictures of one object on a plain background."""
    if not (folder / "PICTURES").exists():
        shutil.copytree(folder / "kept" / "images", folder / "PICTURES")


@pytest.fixture
def place(tmp_path: Path, finished: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name."""
    data = finished.folder / "data" / "minilvis"
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    shutil.copytree(data, tmp_path / "images")
    shutil.copy(data / "train.json", tmp_path / "annotations.json")
    shutil.copy(data / "train.json", tmp_path / "train" / "annotations.json")
    shutil.copytree(data / "train", tmp_path / "train" / "images" / "train")
    shutil.copytree(finished.folder / "instances.lance", tmp_path / "instances.lance")
    truth = json.loads((data / "val.json").read_text(encoding="utf-8"))["annotations"]
    rows = [{key: row[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.5} for row in truth]
    (tmp_path / "results.json").write_text(json.dumps(rows), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "readme",
    [readme for readme in READMES if "python\n" in readme.read_text() and readme.parent.name != "divergen-records"],
    ids=lambda path: str(path.relative_to(ROOT)),
)  # the records' examples make all that they read, and are run by a test of their own
def test_readme__examples_run(readme: Path, place: Path, small: tuple[str, ...]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", readme.read_text(encoding="utf-8"), flags=re.M | re.S)
    code = "\n".join(blocks)
    for long, short in {**SHORTER, '["seed=1"]': repr([*small, "seed=1"])}.items():
        code = code.replace(long, short)
    (place / "example.py").write_text(code)
    done = subprocess.run([sys.executable, "example.py"], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]

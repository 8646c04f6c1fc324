"""A stranger's way from pictures to a pasted dataset: a command's last word is the next command; --quiet has none."""

from __future__ import annotations

import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from divergen import Run
from divergen_records.images import encode_image, read_image


def call(*words: object) -> Result:
    name, *arguments = map(str, words)
    main: click.Command = import_module(f"{name.replace('-', '_')}.cli").main
    done = CliRunner().invoke(main, arguments, prog_name=name)
    assert done.exit_code in (0, 3), done.output
    return done


def told(done: Result) -> list[str]:
    """The words of the one next step, which is a command that exists and takes these options."""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("next: ")]
    name, *arguments = words = shlex.split(line.removeprefix("next: "))
    command = import_module(f"{name.replace('-', '_')}.cli").main
    context = click.Context(command, info_name=name)
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments[0])
        assert found is not None, line
        command, arguments = found, arguments[1:]
    command.make_parser(click.Context(command)).parse_args(list(arguments))
    return words


@pytest.fixture
def place(tmp_path: Path, finished: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number, record in enumerate(finished.table.records("image IS NOT NULL AND category = 'apple'")):
        path = tmp_path / "PICTURES" / "apple" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert record.image is not None
        path.write_bytes(encode_image(read_image(record.image), "png"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_next_step__leads_from_pictures_to_a_pasted_dataset(place: Path, finished: Run) -> None:
    train = finished.folder / "data" / "minilvis" / "train.json"

    def filled(words: list[str]) -> list[str]:
        return [str(train) if word == "TRAIN.json" else word for word in words]

    begin = ("--folders-are-categories", "--out", "masks.json")
    words = filled(told(call("divergen-annotate", "images", "PICTURES", *begin)))
    assert words[:2] == ["divergen-filter", "images"]
    words = filled(told(call(*words)))
    assert words[:2] == ["divergen-paste", "pool"]
    words = filled(told(call(*words)))
    assert words[:2] == ["divergen-paste", "bake"]
    words = told(call(*words))
    assert words[:3] == ["divergen-train", "fit", "augmented/annotations.json"]
    assert (place / "augmented" / "images").is_dir()


def test_quiet__prints_results_and_losses_alone(place: Path) -> None:
    begin = ("--folders-are-categories", "--out", "masks.json")
    done = call("divergen-annotate", "images", "PICTURES", *begin, "--quiet")
    assert "pictures annotated" in done.stdout
    assert done.stderr == ""
    (place / "PICTURES" / "apple" / "broken.png").write_bytes(b"no picture")
    done = call("divergen-annotate", "images", "PICTURES", *begin, "--quiet", "--overwrite")
    assert "broken.png" in done.stderr
    assert "next:" not in done.stderr

"""``--json``: one object on standard output, whatever the command and however it ends; all else on standard error."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from divergen import Run

TOOLS = ("", "annotate", "evaluate", "filter", "gen", "minilvis", "paste", "prompts", "records", "train")

TEXTS = {
    "divergen review": "what people decided, as a sentence, when the page is closed",
    "divergen-filter review": "as divergen review; verdicts from tags are counted",
    "divergen-filter explain": "an explanation for people",
    "divergen-filter diversity": "a table for people",
    "divergen minilvis": "divergen-minilvis make answers",
    "divergen quickstart": "the runner answers",
}
"""Commands whose answer is their text, or another's."""


def commands() -> Iterator[tuple[str, click.Command]]:
    def below(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
        for word, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from below(f"{name} {word}", command)
            else:
                yield f"{name} {word}", command

    for tool in TOOLS:
        name = f"divergen-{tool}".rstrip("-")
        yield from below(name, import_module(f"{name.replace('-', '_')}.cli").main)


def ask(name: str, *arguments: object, status: int = 0) -> dict[str, Any]:
    """The one object that it answers with; what else it says goes elsewhere, and with ``--quiet`` nowhere."""
    tool, *words = name.split()
    main = import_module(f"{tool.replace('-', '_')}.cli").main
    done = CliRunner().invoke(main, [*words, *map(str, arguments), "--json"], prog_name=tool, catch_exceptions=False)
    assert done.exit_code == status, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert name.startswith(found["command"]) and found["status"] == status
    assert "--quiet" not in arguments or done.stderr == ""
    return found


def test_wrong_arguments__are_answered_too() -> None:
    for name, _ in commands():
        if name != "divergen minilvis":
            assert ask(name, "--nonsense", status=2)["error"].startswith("No such option")
    for name, found in (("divergen", "No such option"), ("divergen-records table", "No such option")):
        assert found in ask(name, status=2)["error"]
    assert "No such command 'foo'" in ask("divergen foo", status=2)["error"]


@pytest.mark.parametrize("option", ["--json", "--quiet", "--verbose"])
def test_commands__each_has_the_option(option: str) -> None:
    for name, command in commands():
        if name != "divergen minilvis":  # hands its words on to divergen-minilvis
            assert any(option in parameter.opts for parameter in command.params), f"{name} lacks {option}"


def test_commands__a_whole_number_has_its_limits() -> None:
    for name, command in commands():
        for option in command.params:
            free = {"--seed", "--epoch"} & {*option.opts} or name.startswith(
                "divergen-prompts"
            )  # whose library refuses
            assert free or type(option.type) is not type(click.INT), f"{name} {option.opts[0]}: say click.IntRange"


def test_commands__each_answers_with_names_and_values() -> None:
    for name, command in commands():
        assert command.callback is not None
        module = inspect.getmodule(inspect.unwrap(command.callback))
        source = inspect.getsource(inspect.unwrap(command.callback))
        helpers = [word for word in ("_tell(", "_write(", "_echo_rows(") if f"def {word}" in inspect.getsource(module)]  # type: ignore[arg-type]
        answers = any(word in source for word in ("answer(", *helpers))
        assert answers != (name in TEXTS), f"{name}: call answer(…), or say in TEXTS why its text is enough"


def of_run(*words: str) -> Callable[[Run, Path], list[object]]:
    return lambda run, to: [
        {"RUN": run.folder, "TABLE": run.table.path, "OUT": to / "out"}.get(word, word) for word in words
    ]


CALLS: dict[str, tuple[Callable[[Run, Path], list[object]], set[str]]] = {
    "divergen status": (of_run("RUN"), {"stages", "frequencies", "errors"}),
    "divergen report": (of_run("RUN"), {"report"}),
    "divergen configs": (of_run(), {"configs"}),
    "divergen doctor": (of_run(), {"here", "devices", "extras"}),
    "divergen check": (of_run("quickstart"), {"checked", "problems", "next"}),
    "divergen export": (of_run("RUN", "--format", "png", "--out", "OUT"), {"written", "skipped", "counts", "losses"}),
    "divergen push": (of_run("RUN", "org/name", "--folder", "OUT"), {"instances", "bytes", "next"}),
    "divergen minilvis": (of_run("--out", "OUT", "--train-images", "10", "--val-images", "10", "--size", "64",
                                 "--categories", "apple,cup"), {"train", "val"}),
    "divergen-minilvis categories": (of_run(), {"categories", "styles"}),
    "divergen-records schema": (of_run(), {"schema"}),
    "divergen-records table status": (of_run("TABLE"), {"rows"}),
    "divergen-records table columns": (of_run("TABLE"), {"columns"}),
    "divergen-records table errors": (of_run("TABLE"), {"errors"}),
    "divergen-records table head": (of_run("TABLE"), {"rows"}),
    "divergen configs quickstart": (of_run(), {"config", "text"}),
    "divergen-paste pool": (of_run("TABLE", "--out", "OUT"), {"instances", "left_out", "next"}),
    "divergen-train recipes": (of_run(), {"recipes"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_json__names_and_values(name: str, finished: Run, tmp_path: Path) -> None:
    words, expected = CALLS[name]
    found = ask(name, *words(finished, tmp_path), "--quiet")
    assert expected <= found.keys(), sorted(found)


def test_json__a_run_and_its_plan(finished: Run, tmp_path: Path, small: tuple[str, ...]) -> None:
    found = ask("divergen run", "quickstart", *small, "--out", finished.folder)
    assert Path(found["report"]).is_file()
    assert found["counts"]["lost"] == 0
    planned = ask("divergen run", "quickstart", *small, "--out", tmp_path / "new", "--dry-run", "--gpu-price", "2")
    assert planned["pictures"] == sum(planned["by_generator"].values())
    assert {"step", "hours", "price"} <= planned["work"][0].keys()


def test_json__a_refusal_is_in_it_too(tmp_path: Path) -> None:
    found = ask("divergen status", tmp_path / "none", status=2)
    assert str(tmp_path / "none") in found["error"]


def test_json__losses_are_in_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    found = ask("divergen-annotate images", tmp_path / "in", "--out", tmp_path / "out.json", status=1)
    assert found["counts"]["lost"] == 1
    assert "broken.png" in json.dumps(found["losses"])

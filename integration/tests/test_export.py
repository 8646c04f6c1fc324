"""`divergen export` as others read what it writes, with what made each instance."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen import Run
from divergen.cli import main
from divergen.hub import pull


def export(run: Run, out: Path, kind: str, *words: str) -> str:
    done = CliRunner().invoke(main, ["export", str(run.folder), "--format", kind, "--out", str(out), *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_export__hf_is_what_datasets_reads_and_pull_takes_back(finished: Run, tmp_path: Path) -> None:
    out, kept = tmp_path / "kept", finished.table.count("kept")
    assert f"{kept} instances" in export(finished, out, "hf")
    assert pull(str(out), tmp_path / "back.lance").count() == kept
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    row = found[0]
    assert found.num_rows == kept
    assert row["image"].size == row["mask"].size == (row["width"], row["height"])
    truth = next(iter(finished.table.records(f"id = '{row['id']}'")))
    for name in ("generator", "generator_revision", "prompt", "seed"):
        assert row[name] == getattr(truth, name)


def test_export__hf_names_what_has_no_mask(finished: Run, tmp_path: Path) -> None:
    unmade = finished.table.count("mask IS NULL")
    words = ("export", finished.folder, "--format", "hf", "--out", tmp_path / "all", "--where", "true")
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == (3 if unmade else 0), done.output
    assert f"{finished.table.count('mask IS NOT NULL')} instances" in done.output


def test_export__next_step_can_be_called(finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from divergen_paste.cli import main as paste

    monkeypatch.chdir(tmp_path)
    (line,) = [line for line in export(finished, Path("kept"), "coco").splitlines() if line.startswith("next: ")]
    command, *arguments = shlex.split(line.removeprefix("next: "))
    assert command == "divergen-paste"
    done = CliRunner().invoke(paste, arguments)
    assert done.exit_code == 0, done.output

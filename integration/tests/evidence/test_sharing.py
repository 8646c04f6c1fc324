from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from divergen import Run, load_config
from divergen.evidence.sharing import begin, neighbours, shared_trainings


def trained(folder: Path, small: tuple[str, ...], *overrides: str, names: tuple[str, ...]) -> Run:
    run = Run(folder, load_config("quickstart", [*small[:-1], *overrides]))
    for name in names:
        run.training(name).mkdir(parents=True)
        (run.training(name) / "metrics.json").write_text("{}")
    run.save_config()
    return run


ALL = ("real", "control", "generated")


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ("name=other", ALL),
        ("rules.rules=[]", ("real", "control")),
        ("train.bsgal={kind: belief}", ("real", "control")),
        ("paste.max_instances=3", ("real",)),
        ("extra_categories=[guitar]", ("real",)),
        ("train.iterations=99", ()),
        ("seed=1", ()),
    ],
)
def test_shared_trainings__whose_settings_are_equal(
    tmp_path: Path, small: tuple[str, ...], change: str, shared: tuple[str, ...]
) -> None:
    source = trained(tmp_path / "source", small, names=ALL)
    assert shared_trainings(source, load_config("quickstart", [*small[:-1], change])) == shared


def test_shared_trainings__verdicts_stay_with_their_table(tmp_path: Path, small: tuple[str, ...]) -> None:
    source = trained(tmp_path / "source", small, "train.bsgal={kind: belief}", names=ALL)
    assert shared_trainings(source, source.config) == ("real", "control")


def test_begin__killed_while_it_copies_goes_on(
    tmp_path: Path, small: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = trained(tmp_path / "source", small, names=("real", "control"))
    run = Run(tmp_path / "new", source.config.model_copy(update={"name": "new"}))
    copied, copytree = [], shutil.copytree

    def killed(*args: object, **named: object) -> None:
        copied.append(args)
        if len(copied) == 2:
            raise KeyboardInterrupt
        copytree(*args, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("divergen.evidence.sharing.shutil.copytree", killed)
        begin(run, [source])
    assert not run.training("control").exists(), "whole or not at all"
    begin(Run(run.folder, run.config), [source])
    assert all((run.training(name) / "metrics.json").exists() for name in ("real", "control"))
    assert not run.training("generated").exists()


def test_neighbours__of_ablations_beside(tmp_path: Path, small: tuple[str, ...]) -> None:
    for ablation in ("mine", "other"):
        trained(tmp_path / ablation / "arm" / "seed-2", small, names=())
        (tmp_path / ablation / "ablation.json").write_text("{}")
    trained(tmp_path / "other" / "arm" / "seed-3", small, names=())
    trained(tmp_path / "no ablation" / "arm" / "seed-2", small, names=())
    (tmp_path / "other" / "broken" / "seed-2").mkdir(parents=True)
    assert [run.folder for run in neighbours(tmp_path / "mine", 2)] == [tmp_path / "other" / "arm" / "seed-2"]

from __future__ import annotations

import subprocess
import sys

import divergen_train
import pytest
from divergen_records.errors import DatasetError
from divergen_train.training.log import TrainLog, read_log


def test_exports__sorted_and_there() -> None:
    assert sorted(divergen_train.__all__) == divergen_train.__all__
    for name in divergen_train.__all__:
        assert getattr(divergen_train, name).__doc__, name


def test_exports__unknown_name() -> None:
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = divergen_train.nothing


@pytest.mark.parametrize("module", ["divergen_train", "divergen_train.training.config", "divergen_train.cli"])
def test_import__light(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'timm', 'cv2', 'lance', 'pyarrow') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_log__continues_where_the_checkpoint_was(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "log.jsonl"
    log = TrainLog(path)
    for iteration in (10, 20, 30):
        log.write({"iteration": iteration, "loss": 1.0})
    with path.open("a") as file:
        file.write('{"iteration": 4')
    assert [line["iteration"] for line in read_log(path)] == [10, 20, 30]
    TrainLog(path, start=20).write({"iteration": 21})
    assert [line["iteration"] for line in read_log(path)] == [10, 20, 21]


def test_read_log__broken_in_the_middle(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "log.jsonl").write_text('{"iteration": 1}\n{"iter\n{"iteration": 3}\n')
    with pytest.raises(DatasetError, match="line 2: not JSON"):
        read_log(tmp_path / "log.jsonl")

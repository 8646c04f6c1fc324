"""Several processes on one table, and processes that are killed."""

import multiprocessing
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from divergen_records import InstanceTable, Shard, TableError, fill
from divergen_records.storage import is_free
from divergen_records.testing import FakeStage, plan_instances

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
WORKER = BENCHMARKS / "_table_worker.py"


def _together(table: Path, *calls: list[str]) -> None:
    processes = [subprocess.Popen([sys.executable, str(WORKER), str(table), *call]) for call in calls]
    assert [process.wait(timeout=120) for process in processes] == [0] * len(calls)


def _content(path: Path) -> list:
    return sorted(InstanceTable.open(path).records(), key=lambda record: record.id)


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> list:
    path = tmp_path_factory.mktemp("alone") / "table.lance"
    _together(path, ["--stages", "source", "annotate", "embed", "look"])
    return _content(path)


def test_processes__same_plan_at_once_appends_each_id_once(tmp_path, expected):
    path = tmp_path / "table.lance"
    _together(path, ["--stages", "source"], ["--stages", "source"])
    ids = InstanceTable.open(path).select(["id"])["id"].to_pylist()
    assert sorted(ids) == [record.id for record in expected]


def test_create__made_by_another_process_between_two_looks(tmp_path, monkeypatch):
    path = tmp_path / "table.lance"

    def overtaken(self: Path, *, follow_symlinks: bool = True) -> bool:
        (self / "data").mkdir(parents=True, exist_ok=True)
        return False

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_dir", overtaken)
        free = is_free(path)
    assert free
    assert InstanceTable.create(path, exist_ok=True).count() == 0


def test_create__at_once_by_many(tmp_path):
    for number in range(20):
        path, barrier = tmp_path / f"{number}.lance", threading.Barrier(4)

        def create(path=path, barrier=barrier) -> int:
            barrier.wait()
            return InstanceTable.create(path, exist_ok=True).count()

        with ThreadPoolExecutor(4) as pool:
            assert [future.result() for future in [pool.submit(create) for _ in range(4)]] == [0] * 4


def test_processes__shards_at_once(tmp_path, expected):
    path = tmp_path / "table.lance"
    stages = ["--stages", "source", "annotate", "embed", "look"]
    _together(path, [*stages, "--shard", "0/2"], [*stages, "--shard", "1/2"])
    assert _content(path) == expected


def test_processes__two_stages_at_once(tmp_path, expected):
    path = tmp_path / "table.lance"
    _together(path, ["--stages", "source"])
    _together(path, ["--stages", "annotate", "embed"], ["--stages", "look"])
    rows = _content(path)
    failed = {record.id for record in expected if record.error}
    assert [record for record in rows if record.id not in failed] == [
        record for record in expected if record.id not in failed
    ]


def test_processes__same_stages_at_once(tmp_path, expected):
    path = tmp_path / "table.lance"
    _together(path, ["--stages", "source"])
    _together(path, *[["--stages", "annotate", "embed", "look"]] * 2)
    assert _content(path) == expected


@pytest.mark.slow
def test_processes__killed_and_resumed_gives_the_same_table():
    command = [sys.executable, str(BENCHMARKS / "kill_resume.py"), "--kills", "10", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills" in done.stdout


def _count_in_child(path: Path, queue: multiprocessing.Queue) -> None:
    try:
        queue.put(InstanceTable.create(path, exist_ok=True).count())
    except TableError as error:
        queue.put(str(error))


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["table.lance", "new.lance"])
def test_processes__a_forked_one_is_refused(name, tmp_path):
    InstanceTable.create(tmp_path / "table.lance")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings(action="ignore"):
        child = context.Process(target=_count_in_child, args=(tmp_path / name, queue))
        child.start()
    assert "forkserver" in queue.get(timeout=30)
    child.join()
    assert not (tmp_path / "new.lance").exists()


def test_killed_while_creating__can_be_created_again(tmp_path):
    for name in ("data", "_versions", "_transactions"):
        (tmp_path / "table.lance" / name).mkdir(parents=True)
    (tmp_path / "table.lance" / "data" / "left.lance").write_bytes(b"half")
    assert InstanceTable.create(tmp_path / "table.lance").count() == 0


def test_shard__begins_elsewhere(tmp_path):
    table = InstanceTable.create(tmp_path / "table.lance")
    table.append([record.model_copy(update={"width": 1}) for record in plan_instances(40)])
    stage = FakeStage(reads=("width",))
    fill(table, stage, shard=Shard(1, 2), batch_size=4, progress=False)
    rows = [name for name in table.select(["id"])["id"].to_pylist() if Shard(1, 2).has(name)]
    assert stage.calls[0][0] == rows[len(rows) // 2]

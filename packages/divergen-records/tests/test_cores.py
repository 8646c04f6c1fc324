import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from divergen_records import cores
from divergen_records.cores import usable_cores


def test_usable_cores__affinity():
    code = (
        "import os; os.sched_setaffinity(0, {next(iter(os.sched_getaffinity(0)))})\n"
        "from divergen_records.cores import usable_cores; print(usable_cores())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["1"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ({"cpu.max": "50000 100000"}, 1),
        ({}, 64),
    ],
)
def test_usable_cores__quota_of_the_container(tmp_path, monkeypatch, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert usable_cores() == expected


def test_usable_cores__slurm_and_ray(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "6")
    assert usable_cores() == 6
    context = SimpleNamespace(
        get_task_id=lambda: "t", get_actor_id=lambda: None, get_assigned_resources=lambda: {"CPU": 1.5}
    )
    ray = SimpleNamespace(is_initialized=lambda: True, get_runtime_context=lambda: context)
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert usable_cores() == 2

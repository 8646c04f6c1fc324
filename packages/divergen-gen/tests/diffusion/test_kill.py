"""Real processes, really killed. In a process of its own: a forked child needs a parent without Lance."""

import subprocess
import sys
from pathlib import Path


def test_generate__killed_processes_leave_the_table_as_if_it_never_was():
    script = Path(__file__).parents[2] / "benchmarks" / "kill_generate.py"
    command = [sys.executable, "-W", "ignore", str(script), "--pictures", "120", "--kills", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "3 of 3 processes killed at work: the same table" in done.stdout

"""The short form of the campaign; `python integration/benchmarks/campaign.py` has the long one.

It kills at moments that are counted in changes of files, and takes the first of a fixed order of harmed inputs: each
call does the same, on any machine and under any load. Kills at random moments are for the long form.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_campaign__short_form_finds_nothing(root: Path) -> None:
    script = root / "integration" / "benchmarks" / "campaign.py"
    which = ("--only", "paste bake", "--only", "paste verify", "--without", "relight")
    call = [sys.executable, script, *which, "--moments", "199", "--hostile", "6"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "| all | 6, 0 | 5, 0 |" in done.stdout

"""The short form of the campaign; `python integration/benchmarks/campaign.py` has the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_campaign__short_form_finds_nothing(root: Path) -> None:
    script = root / "integration" / "benchmarks" / "campaign.py"
    call = [sys.executable, script, "--only", "paste bake", "--kills", "3", "--hostile", "6"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "| all | 6, 0 | 3, 0 |" in done.stdout

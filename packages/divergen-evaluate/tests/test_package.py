from __future__ import annotations

import subprocess
import sys

import divergen_evaluate
import pytest


def test_exports__sorted_and_there() -> None:
    assert sorted(divergen_evaluate.__all__) == divergen_evaluate.__all__
    for name in divergen_evaluate.__all__:
        assert getattr(divergen_evaluate, name).__doc__, name


def test_import__light_and_without_torch() -> None:
    code = "import sys, divergen_evaluate.cli; print([m for m in ('numpy', 'cv2', 'lance') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    code = "import sys, divergen_evaluate.bootstrap, divergen_evaluate.submission; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_exports__unknown_name() -> None:
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = divergen_evaluate.nothing

from __future__ import annotations

import subprocess
import sys

import divergen_annotate
import pytest


def test_exports__are_sorted_and_there():
    assert divergen_annotate.__all__ == sorted(divergen_annotate.__all__)
    for name in divergen_annotate.__all__:
        assert getattr(divergen_annotate, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        divergen_annotate.nothing  # noqa: B018


def test_repair__is_the_function():
    from divergen_annotate import repair

    assert callable(repair)


def test_import__is_light():
    code = (
        "import sys, divergen_annotate, divergen_annotate.cli, divergen_annotate.config;"
        "print(sorted({'torch', 'cv2', 'lance', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"

from __future__ import annotations

import subprocess
import sys

import divergen_filter
import pytest
from divergen_filter.config import build_embedder
from divergen_records import ConfigError


def test_exports__are_sorted_and_there():
    assert divergen_filter.__all__ == sorted(divergen_filter.__all__)
    for name in divergen_filter.__all__:
        assert getattr(divergen_filter, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        divergen_filter.nothing  # noqa: B018


def test_import__is_light():
    code = (
        "import sys, divergen_filter, divergen_filter.cli, divergen_filter.config;"
        "print(sorted({'torch', 'timm', 'cv2', 'lance', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_build_embedder__unknown_kind_names_the_known():
    with pytest.raises(ConfigError, match="efficientnet-lite0"):
        build_embedder("resnet")

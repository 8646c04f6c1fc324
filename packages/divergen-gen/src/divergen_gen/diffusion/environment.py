"""The libraries and the device that everything here runs on."""

from __future__ import annotations

import warnings
from typing import Any

from divergen_records import require_extra
from divergen_records.devices import pick_device

__all__ = ["choose_device", "import_diffusers"]


def choose_device(device: str = "auto") -> Any:
    """As `divergen_records.devices.pick_device`, where what is needed is installed."""
    with require_extra("divergen-gen", "diffusers"):
        return pick_device(device)


def import_diffusers() -> Any:
    """The module diffusers; its deprecation warnings are about code that is not ours."""
    with require_extra("divergen-gen", "diffusers"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers
        import diffusers.pipelines.pipeline_utils  # noqa: F401 (an attribute only once it is imported)
    return diffusers

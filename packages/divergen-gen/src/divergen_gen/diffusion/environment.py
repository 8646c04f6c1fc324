"""The libraries and the device that everything here runs on."""

from __future__ import annotations

import warnings
from typing import Any

from divergen_records import ConfigError, require_extra

__all__ = ["choose_device", "import_diffusers"]


def choose_device(device: str = "auto") -> Any:
    """A torch device; ``"auto"`` is this process's GPU (``LOCAL_RANK`` of torchrun), else the CPU."""
    import os

    with require_extra("divergen-gen", "diffusers"):
        import torch
    if device != "auto":
        try:
            return torch.device(device)
        except RuntimeError as error:
            raise ConfigError(f"device {device!r}: {error}") from error
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def import_diffusers() -> Any:
    """The module diffusers; its deprecation warnings are about code that is not ours."""
    with require_extra("divergen-gen", "diffusers"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers
        import diffusers.pipelines.pipeline_utils  # noqa: F401 (an attribute only once it is imported)
    return diffusers

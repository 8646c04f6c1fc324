"""The libraries and the device that everything here runs on."""

from __future__ import annotations

import warnings
from typing import Any

from divergen_records import ConfigError, require_extra
from divergen_records.devices import device_name

__all__ = ["choose_device", "import_diffusers"]


def choose_device(device: str = "auto") -> Any:
    """A torch device; ``"auto"`` and ``"cuda"`` are this process's GPU (``LOCAL_RANK`` of torchrun).

    Args:
        device: As torch names it, in any of `device_name`'s forms; ``"auto"`` is the CPU where there is no GPU.

    Raises:
        ConfigError: There is no such device.
    """
    import os

    with require_extra("divergen-gen", "diffusers"):
        import torch
    name = device_name(device)
    try:
        wanted = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        if wanted.type == "meta":
            raise ConfigError("device 'meta' holds no values; take cpu or cuda")
        if wanted.type != "cuda":
            torch.empty(0, device=wanted)
            return wanted
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise ConfigError(
            f"device {device!r}: PyTorch {torch.__version__} can use no {name.partition(':')[0]} here; take cpu or auto"
        ) from error
    count = torch.cuda.device_count()
    index = int(os.environ.get("LOCAL_RANK", "0")) % max(count, 1) if wanted.index is None else wanted.index
    if index >= count:
        raise ConfigError(f"device {device!r}: there {_gpus(count)} that PyTorch {torch.__version__} can use")
    return torch.device("cuda", index)


def _gpus(count: int) -> str:
    if not count:
        return "is no GPU"
    return "is one GPU (cuda:0)" if count == 1 else f"are {count} GPUs (cuda:0 to cuda:{count - 1})"


def import_diffusers() -> Any:
    """The module diffusers; its deprecation warnings are about code that is not ours."""
    with require_extra("divergen-gen", "diffusers"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diffusers
        import diffusers.pipelines.pipeline_utils  # noqa: F401 (an attribute only once it is imported)
    return diffusers

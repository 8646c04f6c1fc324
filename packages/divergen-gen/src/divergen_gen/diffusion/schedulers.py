"""Schedulers by their class or by the names that other programs have for them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from divergen_records import ConfigError
from divergen_records.text import did_you_mean

from .model import Scheduler

__all__ = ["build_scheduler"]

_COMMON: dict[str, tuple[str, dict[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "eulera": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "plms": ("PNDMScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmpp2s": ("DPMSolverSinglestepScheduler", {}),
    "dpmpp2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp2msde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp2mturbo": ("DPMSolverMultistepScheduler", {}),
    "dpmppsde": ("DPMSolverSDEScheduler", {}),
}
"""https://huggingface.co/docs/diffusers/api/schedulers/overview, for A1111's and k-diffusion's names."""
_SPACINGS = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}


def build_scheduler(diffusers: Any, wanted: Scheduler, own: Any) -> Any:
    """A scheduler with the configuration of a model's own.

    Args:
        diffusers: The module.
        wanted: Which one, and what it changes.
        own: The model's.

    Raises:
        ConfigError: There is no such scheduler, or it has no such option.
    """
    name, options = _named(diffusers, wanted)
    kind: Any = getattr(diffusers, name)
    known = inspect.signature(kind.__init__).parameters
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigError(f"scheduler {wanted.name} has no option {unknown[0]!r}; it has {', '.join(list(known)[1:])}")
    return kind.from_config(own.config, **options)


def _named(diffusers: Any, wanted: Scheduler) -> tuple[str, Mapping[str, Any]]:
    for name in (wanted.name, f"{wanted.name}Scheduler"):
        if _is_scheduler(diffusers, name):
            return name, wanted.options
    short = re.sub(r"[^a-z0-9]", "", wanted.name.lower().replace("++", "pp").replace("ancestral", "a"))
    spacing = next((word for word in _SPACINGS if short.endswith(word)), None)
    name, options = _COMMON.get(short.removesuffix(spacing or "").removeprefix("k"), ("", {}))
    if not _is_scheduler(diffusers, name):
        hint = did_you_mean(wanted.name, (one for one in dir(diffusers) if one.endswith("Scheduler")), n=2)
        raise ConfigError(f"scheduler {wanted.name!r}: diffusers {diffusers.__version__} has no such scheduler{hint}")
    return name, {**options, **({_SPACINGS[spacing]: True} if spacing else {}), **wanted.options}


def _is_scheduler(diffusers: Any, name: str) -> bool:
    found = getattr(diffusers, name, None) if name else None
    return inspect.isclass(found) and issubclass(found, diffusers.SchedulerMixin)

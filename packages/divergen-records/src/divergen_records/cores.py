"""How many cores this process may use: what affinity, container, Slurm and Ray allow, not what the machine has."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["usable_cores"]

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """The number of cores that work may be spread over, at least 1.

    The least of: the process's affinity; the CPU quota of its control group (v2 ``cpu.max``, v1 ``cpu.cfs_quota_us``);
    ``SLURM_CPUS_PER_TASK``; what Ray assigned to this actor or task. Sets nothing.
    """
    return max(1, min(_limits()))


def _limits() -> Iterator[int]:
    yield os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        yield len(os.sched_getaffinity(0))
    quota = _quota(_CGROUP)
    if quota is not None:
        yield math.ceil(quota)
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdecimal():
        yield int(slurm)
    ray = _ray_cores()
    if ray is not None:
        yield math.ceil(ray)


def _quota(group: Path) -> float | None:
    """Cores that a control group allows; None without a limit."""
    for quota, period in ((group / "cpu.max", None), (group / "cpu/cpu.cfs_quota_us", group / "cpu/cpu.cfs_period_us")):
        try:
            words = quota.read_text(encoding="ascii").split()
            words += period.read_text(encoding="ascii").split() if period else []
            allowed, of = float(words[0]), float(words[1])
        except (OSError, ValueError, IndexError):  # no such group, or "max"
            continue
        if allowed > 0 and of > 0:
            return allowed / of
    return None


def _ray_cores() -> float | None:
    """Cores that Ray assigned; None outside of its actors and tasks. Ray is asked only where it is loaded already."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    context = ray.get_runtime_context()
    if context.get_task_id() is None and context.get_actor_id() is None:
        return None
    assigned: float | None = context.get_assigned_resources().get("CPU")
    return assigned

"""Generative data for long-tailed instance segmentation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import RunConfig
    from .export import export_run
    from .loading import load_config, shipped_configs
    from .report import write_report
    from .run import Run
    from .runner import run_pipeline
    from .status import run_status

__all__ = [
    "Run",
    "RunConfig",
    "export_run",
    "load_config",
    "run_pipeline",
    "run_status",
    "shipped_configs",
    "write_report",
]

_MODULES = {
    "Run": "run",
    "RunConfig": "config",
    "export_run": "export",
    "load_config": "loading",
    "run_pipeline": "runner",
    "run_status": "status",
    "shipped_configs": "loading",
    "write_report": "report",
}
"""Where each name lives; it loads with the first use."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)

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

"""Where a training's numbers go besides ``log.jsonl``: TensorBoard, Weights & Biases, MLflow, or any logger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from divergen_records import Config, backend_union, require_extra
from divergen_records.files import write_text
from divergen_records.requirements import Requirement, extra_modules

__all__ = ["Logger", "LoggerConfig", "MlflowConfig", "TensorBoardConfig", "WandbConfig", "flatten"]


class Logger(Protocol):
    """Takes the lines of the training log; `TrainLog` is one."""

    def write(self, line: Mapping[str, Any]) -> None:
        """Take a line: ``iteration``, and losses or ``metrics``; see `read_log`."""

    def close(self) -> None:
        """The training ends, or is interrupted."""


def flatten(line: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a log line by path: ``{"metrics": {"mask": {"AP": 0.1}}}`` as ``("metrics/mask/AP", 0.1)``."""
    for name, value in line.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


class TensorBoardConfig(Config):
    """TensorBoard; needs the extra ``tensorboard``. Look with ``tensorboard --logdir``.

    Attributes:
        folder: Folder inside the run's.
    """

    kind: Literal["tensorboard"] = "tensorboard"
    folder: str = "tensorboard"

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        return extra_modules("divergen-train", "tensorboard", "tensorboard")

    def build(self, out: Path, iteration: int) -> Logger:
        """The logger of a run in ``out``; points after ``iteration``, of a run that was killed, are hidden."""
        with require_extra("divergen-train", "tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            return _TensorBoard(SummaryWriter(str(out / self.folder), purge_step=iteration + 1))


class _TensorBoard:
    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def write(self, line: Mapping[str, Any]) -> None:
        for name, value in flatten(line):
            if name != "iteration":
                self.writer.add_scalar(name, value, line["iteration"])

    def close(self) -> None:
        self.writer.close()


class WandbConfig(Config):
    """Weights & Biases; needs the extra ``wandb``. A resumed run goes on in the same run of theirs.

    Attributes:
        project: Their project.
        name: The run's name; the folder's by default.
        mode: ``offline`` keeps everything in the run's folder.
    """

    kind: Literal["wandb"] = "wandb"
    project: str = "divergen"
    name: str | None = None
    mode: Literal["online", "offline", "disabled"] = "online"

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        return extra_modules("divergen-train", "wandb", "wandb")

    def build(self, out: Path, iteration: int) -> Logger:
        """The logger of a run in ``out``."""
        with require_extra("divergen-train", "wandb"):
            import wandb
        out.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=self.project, name=self.name or out.name, dir=str(out), mode=self.mode, id=_run_id(out, "wandb"),
            resume="allow",
        )  # fmt: skip
        return _Wandb(run)


class _Wandb:
    def __init__(self, run: Any) -> None:
        self.run = run

    def write(self, line: Mapping[str, Any]) -> None:
        # Their step only grows: a resumed run's first lines, which it has seen, are dropped there.
        self.run.log({name: value for name, value in flatten(line) if name != "iteration"}, step=line["iteration"])

    def close(self) -> None:
        self.run.finish()


class MlflowConfig(Config):
    """MLflow; needs the extra ``mlflow``. A resumed run goes on in the same run of theirs.

    Attributes:
        tracking_uri: Server or folder; by MLflow's own rules where it is not given.
        experiment: Their experiment.
        name: The run's name; the folder's by default.
    """

    kind: Literal["mlflow"] = "mlflow"
    tracking_uri: str | None = None
    experiment: str = "divergen"
    name: str | None = None

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        return extra_modules("divergen-train", "mlflow", "mlflow")

    def build(self, out: Path, iteration: int) -> Logger:
        """The logger of a run in ``out``."""
        with require_extra("divergen-train", "mlflow"):
            from mlflow import MlflowClient
        client = MlflowClient(self.tracking_uri)
        known = out / "mlflow.id"
        if not known.exists():
            experiment = client.get_experiment_by_name(self.experiment)
            number = experiment.experiment_id if experiment else client.create_experiment(self.experiment)
            write_text(known, client.create_run(number, run_name=self.name or out.name).info.run_id)
        return _Mlflow(client, known.read_text(encoding="utf-8"))


class _Mlflow:
    def __init__(self, client: Any, run: str) -> None:
        self.client, self.run = client, run

    def write(self, line: Mapping[str, Any]) -> None:
        for name, value in flatten(line):
            if name != "iteration":
                self.client.log_metric(self.run, name, value, step=line["iteration"])

    def close(self) -> None:
        self.client.set_terminated(self.run)


def _run_id(out: Path, service: str) -> str:
    """An id that belongs to the folder, made on first use."""
    from uuid import uuid4

    path = out / f"{service}.id"
    if not path.exists():
        write_text(path, uuid4().hex)
    return path.read_text(encoding="utf-8")


LoggerConfig = backend_union("divergen.loggers", TensorBoardConfig, WandbConfig, MlflowConfig)
"""Any of them, told apart by ``kind``."""

"""Any program as a trainer: it gets data sets on disk, and leaves a COCO results file."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from divergen_records import DivergenError
from divergen_records.coco import Dataset
from divergen_records.command import echo
from divergen_records.files import write_text
from divergen_records.formats import writers

from .alone import Place, alone
from .places import PLACES, fill_in
from .protocol import Trained, TrainTask

__all__ = ["CommandFailed", "CommandTrainer"]

_TAIL = 15
"""Last lines of a program that failed, shown again in the error."""


class CommandFailed(DivergenError):
    """A program ended with an error, or without its results."""


class CommandTrainer:
    """Writes the data sets in a format, runs the lines one after the other, and takes their results.

    Args:
        lines: Command lines with places in braces; see `PLACES`. No shell is between.
        kind: A format that can be written, for example ``"coco"`` or ``"yolo"``.
        iterations: What ``{iterations}`` stands for.
    """

    pastes = False

    def __init__(self, lines: Sequence[str], *, kind: str = "coco", iterations: int = 0) -> None:
        self.lines, self.kind, self.iterations = tuple(lines), kind, iterations

    def train(self, task: TrainTask) -> Trained:
        """See `Trainer.train`; a line whose program was stopped is run again, and goes on by what it left in ``{out}``.

        Raises:
            CommandFailed: If a program ends with another status than 0, or there are no results at the end.
        """
        task.out.mkdir(parents=True, exist_ok=True)
        places = self._places(task)
        for line in self.lines:
            _run(fill_in(line, places), task)
        if not task.results.is_file():
            raise CommandFailed(
                f"{task.name}: the command ended well, but left no {task.results}; have it write its detections in the "
                "validation images to {results}, as a COCO results file"
            )
        _leave_out_extra(task)
        return Trained()

    def _places(self, task: TrainTask) -> dict[str, str]:
        data, images = self._write(task.dataset, task.out / "data" / "train")
        val, val_images = self._write(task.val, task.out / "data" / "val")
        values = (data, images, val, val_images, task.out, task.results, task.seed, self.iterations)
        resolved = [value.resolve() if isinstance(value, Path) else value for value in values]
        return dict(zip(PLACES, map(str, resolved), strict=True))

    def _write(self, dataset: Dataset, place: Path) -> tuple[Path, Path]:
        """The file or folder to give to the program, and the folder of its pictures; COCO's are not copied."""
        writer = writers()[self.kind]
        if self.kind in ("coco", "lvis"):
            file = place.with_suffix(".json")
            return (file if file.exists() else writer.write(dataset, file)), dataset.image_dir
        if not (place / ".complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            writer.write(dataset, place)
            (place / ".complete").touch()
        return place, place / "images"


def _run(words: Sequence[str], task: TrainTask) -> None:
    echo(f"{task.name}: {shlex.join(words)}", err=True)
    tail: deque[str] = deque(maxlen=_TAIL)
    try:
        with alone(task.out, task.name) as place, _started(words, place) as program:
            place.note(program.pid)
            for line in program.stdout or ():
                tail.append(line.rstrip())
                echo(line.rstrip(), err=True)
    except OSError as error:
        raise CommandFailed(f"{task.name}: {words[0]!r} cannot be run: {error.strerror}") from error
    if program.returncode:
        raise CommandFailed(
            f"{task.name}: the command ended with status {program.returncode}; the same line runs it again.\n"
            + "\n".join(tail)
        )


def _started(words: Sequence[str], place: Place) -> subprocess.Popen[str]:
    handles = () if place.handle is None else (place.handle,)
    return subprocess.Popen(  # noqa: S603 (the user's own command)
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", pass_fds=handles
    )


def _leave_out_extra(task: TrainTask) -> None:
    """Extra categories are learned and not evaluated."""
    from divergen_evaluate import read_results

    known = {category.id for category in task.val.categories}
    extra = {category.id for category in task.dataset.categories} - known
    rows = read_results(task.results)
    kept = [row for row in rows if row.get("category_id") not in extra]
    if len(kept) < len(rows):
        echo(f"{task.name}: {len(rows) - len(kept):,} detections of extra categories are not evaluated", err=True)
        write_text(task.results, json.dumps(kept), overwrite=True)

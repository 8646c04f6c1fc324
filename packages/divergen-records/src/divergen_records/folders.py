"""Outputs of several files: they appear under their names when all is complete, and a folder knows what was written.

While it is made, a folder ``OUT`` lies in ``.OUT.unfinished/out`` beside it, under a lock: a second writer is refused,
and what a kill left is taken up again (`resumable_folder`) or emptied (`new_folder`) by the next. A finished folder
holds ``.divergen.json``, the list of what the command wrote. With ``overwrite``, a folder all of whose files are on its
list is swapped for the new one; one that holds anything else is refused, for that is the user's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import ExistsError
from .files import is_temporary, locked, make_folder, read_text, refuse_existing, sync, write_text
from .written_list import MARK, files_in, foreign, write_list

__all__ = ["MARK", "Notes", "Unfinished", "new_files", "new_folder", "resumable_folder", "resumable_notes"]


@dataclass(frozen=True)
class Unfinished:
    """A folder that is being made.

    Attributes:
        path: What becomes the folder.
        parts: For notes of what is done; not in the finished folder.
        out: The name that it will have.
    """

    path: Path
    parts: Path
    out: Path


@dataclass(frozen=True)
class Notes:
    """Notes on the way to a file.

    Attributes:
        path: Their folder.
    """

    path: Path

    @property
    def appearing(self) -> bool:
        """Whether a killed call had made all: outputs that are there are its own, and are made again in their place."""
        return _appearing(self.path).exists()

    def appear(self) -> None:
        """Say that all outputs are made, and get their names now, the file as the last one."""
        write_text(_appearing(self.path), "", overwrite=True)


@contextmanager
def new_folder(out: Path | str, *, overwrite: bool = False, listed: bool = True) -> Iterator[Path]:
    """A folder to write into; it becomes ``out`` when the block ends well, else nothing is left of it.

    Args:
        out: The folder; an empty one may be there. A link to a folder is followed.
        overwrite: Replace a folder that a command wrote before.
        listed: Note in the folder what was written; one in which others will write needs no list.

    Raises:
        ExistsError: If ``out`` is there and may not be replaced.
        RunLocked: If another process makes the same folder.
    """
    with _unfinished(Path(out), None, overwrite, listed) as folder:
        yield folder.path


@contextmanager
def resumable_folder(out: Path | str, settings: str, *, overwrite: bool = False) -> Iterator[Unfinished]:
    """As `new_folder`, but what a killed or failed block leaves is carried on by the next with the same settings.

    Without a note among its ``parts`` there is nothing to carry on, and nothing is left.

    Args:
        out: The folder.
        settings: Whatever decides what is written, for example a hash.
        overwrite: Replace a folder that a command wrote before, and what other settings left unfinished.

    Raises:
        ExistsError: If ``out``, or the unfinished work of other settings, is there and may not be replaced.
        RunLocked: If another process makes the same folder.
    """
    with _unfinished(Path(out), settings, overwrite, listed=True) as folder:
        yield folder


@contextmanager
def resumable_notes(out: Path | str, settings: str | None, *, overwrite: bool = False) -> Iterator[Notes]:
    """Notes on the way to a *file*, removed when the block ends well.

    Args:
        out: The file, which the block writes last; see `Notes.appear`.
        settings: Whatever decides the notes; what a killed or failed block leaves is carried on by the next with the
            same. None begins anew.
        overwrite: Replace a file that is there, and what other settings left unfinished.

    Raises:
        ExistsError: If ``out``, or the unfinished work of other settings, is there and may not be replaced.
        RunLocked: If another process makes the same file.
    """
    out = Path(out)
    work = out.absolute().parent / f".{out.name}.unfinished"
    if not os.path.lexists(work):
        refuse_existing(out, overwrite=overwrite)
    with _working(work, out):
        keep = (work / "settings").exists() and not _has_appeared(out, work / "parts")
        try:
            refuse_existing(out, overwrite=overwrite)
            folder = Unfinished(work / "out", work / "parts", out)
            _begin(work, folder, settings, overwrite)
            keep = settings is not None
            yield Notes(folder.parts)
            keep = False
        finally:
            if not (keep and _has_notes(work)):
                _drop(work)


@contextmanager
def new_files(*paths: Path, overwrite: bool = False) -> Iterator[list[Path]]:
    """Names to write files under that belong together and lie in one folder: all of them appear, or none does.

    Where a kill comes as they appear, the next call lets the others appear, too.

    Args:
        paths: The files; the last gives its name to the unfinished work.
        overwrite: Replace files that are there.

    Raises:
        ExistsError: If something is there, at the start or at the end.
        RunLocked: If another process makes the same files.
    """
    work = paths[-1].absolute().parent / f".{paths[-1].name}.unfinished"
    written = [work / "out" / path.name for path in paths]
    with _working(work, paths[-1]):
        try:
            if (work / "complete").exists():
                _appear(written, paths)
            refuse_existing(*paths, overwrite=overwrite)
            shutil.rmtree(work / "out", ignore_errors=True)
            (work / "out").mkdir()
            yield written
            refuse_existing(*paths, overwrite=overwrite)
            write_text(work / "complete", "")
            _appear(written, paths)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _appearing(parts: Path) -> Path:
    return parts / "appearing"


def _has_appeared(out: Path, parts: Path) -> bool:
    """Whether a file is the one that the notes are of, and only they were left to be removed."""
    said = _appearing(parts)
    return said.exists() and out.exists() and out.stat().st_mtime_ns >= said.stat().st_mtime_ns


def _appear(written: list[Path], paths: tuple[Path, ...]) -> None:
    """Give finished files their names."""
    for new, path in zip(written, paths, strict=True):
        if new.exists():  # else it was left out, or has its name already
            new.replace(path)
    sync(paths[0].parent)


@contextmanager
def _unfinished(out: Path, settings: str | None, overwrite: bool, listed: bool) -> Iterator[Unfinished]:
    target = Path(os.path.realpath(out))
    work = target.parent / f".{target.name}.unfinished"
    if not os.path.lexists(work):
        _refuse(out, target, overwrite)
    with _working(work, out):
        if not (work / "out").exists():  # it was swapped in, so the notes are of nothing
            (work / "settings").unlink(missing_ok=True)
        keep = (work / "settings").exists()
        try:
            _restore(work, target)
            _refuse(out, target, overwrite)
            folder = Unfinished(work / "out", work / "parts", target)
            _begin(work, folder, settings, overwrite)
            keep = settings is not None
            yield folder
            _finish(folder, listed)
            _swap(work, target)
            keep = False
        finally:
            if not (keep and _has_notes(work)):
                _drop(work)


@contextmanager
def _working(work: Path, out: Path) -> Iterator[None]:
    """Hold the folder of unfinished work, made where it is missing."""
    while True:
        try:
            make_folder(work)
        except OSError as error:
            error.filename = str(out)  # the name that was asked for
            raise
        if work.is_symlink():
            raise ExistsError(f"{work} is a link; unfinished work is kept there, so remove it")
        with locked(work / "lock", str(out)):
            if (work / "lock").exists():  # else another process has just finished and removed it
                yield
                return


def _restore(work: Path, target: Path) -> None:
    """Undo or complete a swap that was killed half way."""
    replaced = work / "replaced"
    if replaced.exists() and not target.exists():
        replaced.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)


def _drop(work: Path) -> None:
    """Remove unfinished work; a kill half way leaves nothing that would be carried on."""
    (work / "settings").unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)


def _has_notes(work: Path) -> bool:
    """Whether there is anything to carry on with."""
    parts = work / "parts"
    return parts.is_dir() and any(note.stat().st_size for note in parts.rglob("*") if note.is_file())


def _refuse(out: Path, target: Path, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise ExistsError(f"{out} is a file; give the name of a folder")
    if os.path.ismount(target):
        raise ExistsError(f"{out} is the root of a file system, which cannot be swapped; give a folder inside it")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise ExistsError(f"{out} is there already; choose another folder, or replace it with --overwrite")
    theirs = foreign(target)
    if theirs:
        more = f" and {len(theirs) - 3} more" if len(theirs) > 3 else ""
        raise ExistsError(
            f"{out} holds what was not written by the command that made it ({', '.join(theirs[:3])}{more}), so it is "
            "not replaced; move these away, or choose another folder"
        )


def _begin(work: Path, folder: Unfinished, settings: str | None, overwrite: bool) -> None:
    noted = work / "settings"
    before = read_text(noted) if noted.exists() else None
    if settings is None or before != settings:
        if before is not None and not overwrite:
            raise ExistsError(
                f"{folder.out}: unfinished work with other settings is there ({work}); finish that one, or drop it "
                "with --overwrite"
            )
        noted.unlink(missing_ok=True)
        for path in (folder.path, folder.parts):
            shutil.rmtree(path, ignore_errors=True)
    (folder.path / MARK).unlink(missing_ok=True)  # of a process that was killed just before the swap
    for path in filter(is_temporary, files_in(folder.path)):  # of a killed process: nobody else writes under this lock
        path.unlink()
    folder.path.mkdir(exist_ok=True)
    folder.parts.mkdir(exist_ok=True)
    if settings is not None:
        write_text(noted, settings, overwrite=True)


def _finish(folder: Unfinished, listed: bool) -> None:
    """Bring everything to the disk and note what was written, last."""
    for path in files_in(folder.path):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if listed:
        write_list(folder.path)


def _swap(work: Path, target: Path) -> None:
    """Put the new folder into place. A process that has a file of the old one open keeps it until it closes it."""
    if target.exists():
        target.rename(work / "replaced")
    (work / "out").rename(target)
    sync(target.parent)

"""Commands in forks of this process, which has imported what they import: hundreds in the time of a few."""

from __future__ import annotations

import atexit
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypeVar, cast

from .moments import kill_before

__all__ = ["Done", "Process", "aside", "preload", "run"]

T = TypeVar("T")

_PACKAGES = ("records", "prompts", "gen", "minilvis", "annotate", "filter", "paste", "evaluate", "train")
_LIBRARIES = (
    "lance", "cv2", "pyarrow", "torch", "torchvision", "scipy.ndimage", "matplotlib.figure", "jinja2", "omegaconf",
    "divergen_records.storage", "divergen_train.detectors", "concurrent.futures.process", "encodings.utf_8_sig",
)  # fmt: skip
_LIBRARIES_MEGABYTES = 6_000
"""Address space that a program of its own takes to import them."""

_NOBODY = 65534

warnings.filterwarnings("ignore", "lance is not fork-safe")  # nothing of it is used before a fork


def preload() -> None:
    """Import all commands and the libraries that most of them take long to import; nothing is used before a fork."""
    for name in [*(f"divergen_{package}.cli" for package in _PACKAGES), "divergen.cli", *_LIBRARIES]:
        import_module(name)


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        status: Its exit status; minus the signal that ended it; None where it had to be stopped.
        out: What it printed.
        err: What it said on standard error.
        seconds: What it took.
        megabytes: Its largest resident memory.
    """

    status: int | None
    out: str
    err: str
    seconds: float
    megabytes: float


class Process:
    """A command in a process group of its own.

    Args:
        command: Program of this environment and its words.
        log: A file for what it prints; ``.err`` is added for standard error.
        megabytes: Address space that it may take beyond what this process has.
        nobody: Run it as the user ``nobody``, for files that only others may read; needs root.
        files: That it may have open.
        changes: It is killed before so many-th change of a file below a folder; see `kill_before`.
    """

    def __init__(
        self,
        command: list[str],
        log: Path,
        *,
        megabytes: int | None = None,
        nobody: bool = False,
        files: int | None = None,
        changes: tuple[int, Path] | None = None,
    ) -> None:
        self._log, self._began, self._status = log, time.monotonic(), None
        self.megabytes = 0.0
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become(command, log, megabytes, nobody, files, changes)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self._status is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
                self.megabytes = used.ru_maxrss / 1024
        return self._status

    def wait(self, seconds: float) -> Done:
        """Wait for its end, and end it when the time is over."""
        end = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        took, status = time.monotonic() - self._began, self.poll()
        self.end()
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in (self._log, _errors(self._log)))
        return Done(status, out, err, took, self.megabytes)

    def end(self) -> None:
        """Kill what is left of its group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        while self.poll() is None:
            time.sleep(0.005)


def run(
    command: list[str],
    log: Path,
    *,
    seconds: float,
    megabytes: int | None = None,
    nobody: bool = False,
    files: int | None = None,
) -> Done:
    """Run a command to its end; see `Process`.

    A fork of a process in which libraries have threads may crash where the program itself does not: it is a crash if a
    program of its own crashes, too.
    """
    done = Process(command, log, megabytes=megabytes, nobody=nobody, files=files).wait(seconds)
    if done.status == -signal.SIGSEGV and files is None and not nobody:
        began, size = time.monotonic(), None if megabytes is None else megabytes + _LIBRARIES_MEGABYTES
        own = subprocess.run(
            command if size is None else ["prlimit", f"--as={size * 1_000_000}", *command],
            capture_output=True, text=True, errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
        return Done(own.returncode, own.stdout, own.stderr, time.monotonic() - began, done.megabytes)
    return done


def _errors(log: Path) -> Path:
    return log.with_name(f"{log.name}.err")


def _become(
    command: list[str],
    log: Path,
    megabytes: int | None,
    nobody: bool,
    files: int | None,
    changes: tuple[int, Path] | None,
) -> NoReturn:
    """Turn this fork into the command."""
    status = 1
    try:
        os.setsid()
        _own()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for target, handle in ((os.devnull, 0), (log, 1), (_errors(log), 2)):
            os.dup2(os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), handle)
        if megabytes is not None:
            limit = _address_space() + megabytes * 1_000_000
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        if nobody:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        if changes is not None:
            kill_before(*changes)
        status = _call(command)
    except BaseException:  # noqa: BLE001 - as the interpreter ends a program
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _own() -> None:
    """Let this fork use tables: the process that it comes from did not, so that none of Lance's threads is missing."""
    storage = sys.modules.get("divergen_records.storage")
    if storage is not None:
        storage._PROCESS = os.getpid()  # type: ignore[attr-defined]


def _call(command: list[str]) -> int:
    program = Path(command[0]).name
    sys.argv = [program, *command[1:]]
    sys.modules["__main__"] = ModuleType("__main__")  # a worker that is spawned imports the main module again
    try:
        import_module(f"{program.replace('-', '_')}.cli").main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def aside(function: Callable[..., T], *arguments: Any) -> T:
    """The result of a function in a fork, so that this process starts no thread and opens no table."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            _own()
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(function(*arguments), pipe)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - told, and this fork ends
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    if os.waitpid(process, 0)[1]:
        raise SystemExit(f"{function.__name__} failed")
    return cast("T", pickle.loads(data))

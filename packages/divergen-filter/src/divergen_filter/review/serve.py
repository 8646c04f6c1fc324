"""Serve the page on this machine until it is stopped, and bring the verdicts into the table meanwhile."""

from __future__ import annotations

import socket
import time
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread

from divergen_records import CommitError, ConfigError, InstanceTable
from divergen_records.command import echo
from divergen_records.errors import require_extra

from ..references import References
from ..rules import RulesConfig
from .desk import Desk
from .merging import merge_reviews
from .pictures import Cut, Pictures
from .rows import ReviewRows
from .verdicts import VerdictLog, log_path

__all__ = ["announce", "serve_review", "summary"]

_QUIET_SECONDS, _WAIT_SECONDS = 2.0, 20.0


def serve_review(
    table: InstanceTable,
    *,
    rules: RulesConfig | None = None,
    references: References | None = None,
    reviewer: str,
    port: int = 0,
    title: str | None = None,
    cut: Cut | None = None,
    opened: Callable[[str], object] = echo,
) -> dict[str, int]:
    """Let people review the instances of a table in their browser, until Ctrl-C.

    Each verdict is on the disk, in the log beside the table, before the page shows it; it is in the table seconds
    later, at the end, and at the latest when the rules decide again.

    Args:
        table: The table.
        rules: What decides; tells how near each instance is to a threshold.
        references: For calibrated thresholds.
        reviewer: Name of the reviewer until the page is told another one.
        port: Port on 127.0.0.1; any free one for 0.
        title: What the page calls the table.
        cut: How an instance looks when it is pasted; the mask's part of the picture where left out.
        opened: Is called with the address to open.

    Returns:
        Kind of verdict -> rows, at the end.

    Raises:
        ConfigError: If there is nothing to look at, or the port is taken.
        MissingExtra: Without the extra ``review``.
    """
    with require_extra("divergen-filter", "review"):
        import uvicorn
    from .access import Access
    from .app import review_app

    rules, log = rules or RulesConfig(), VerdictLog(log_path(table.path))
    if log.damaged:
        echo(f"{log.path}: lines {', '.join(map(str, log.damaged))} are no verdicts and are left out", err=True)
    rows = ReviewRows(table, log, rules, references)
    with _listen(port) as listener, _Merging(table, log) as merging:
        access = Access(listener.getsockname()[1])
        app = review_app(
            Desk(rows),
            Pictures(InstanceTable.open(table.path), cut),
            access,
            title=title or table.path.name,
            reviewer=reviewer,
            told=merging.wake,
        )
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        opened(access.link())
        with suppress(KeyboardInterrupt):  # uvicorn has ended, and passes on what ended it
            uvicorn.Server(config).run(sockets=[listener])
    log.catch_up()
    return rows.reviewed()


def announce(*, opens: bool) -> Callable[[str], None]:
    """What a command does with the page's address: print it, and open it in a browser if wanted."""

    def tell(link: str) -> None:
        echo(f"open {link}\nstop by Ctrl-C; every verdict is kept at once")
        if opens:
            webbrowser.open(link)

    return tell


def summary(found: Mapping[str, int]) -> str:
    """``12 reviewed: 10 keep, 2 mask``."""
    told = ", ".join(f"{count} {kind}" for kind, count in found.items() if count)
    return f"{sum(found.values())} reviewed{': ' + told if told else ''}"


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} of 127.0.0.1 cannot be had ({error.strerror}); choose another --port"
        ) from error
    return listener


class _Merging:
    """A thread that brings the verdicts into the table whenever they pause, and at the end."""

    def __init__(self, table: InstanceTable, log: VerdictLog) -> None:
        self._table, self._log = table, log
        self._told, self._stop = Event(), Event()
        self._thread = Thread(target=self._run, name="merge reviews", daemon=True)

    def __enter__(self) -> _Merging:
        self._merge()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._told.set()
        self._thread.join()
        self._merge()

    def wake(self) -> None:
        """There are new verdicts."""
        self._told.set()

    def _run(self) -> None:
        while self._told.wait() and not self._stop.is_set():
            began = time.monotonic()
            self._told.clear()
            while self._told.wait(_QUIET_SECONDS) and time.monotonic() - began < _WAIT_SECONDS:
                if self._stop.is_set():
                    return
                self._told.clear()
                time.sleep(_QUIET_SECONDS / 10)
            self._merge()

    def _merge(self) -> None:
        try:
            merge_reviews(self._table, self._log)
        except CommitError as error:  # the log has them: the next merge, or `decide`, brings them
            echo(f"not in the table yet, only in {self._log.path}: {error}", err=True)

"""How long the device works on pictures: time in the denoiser and the decoder, without waiting for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Any

__all__ = ["DeviceClock"]


class DeviceClock:
    """Adds up the time of wrapped functions; on CUDA by events, so that nothing has to wait.

    Args:
        device: Where the functions run.
    """

    def __init__(self, device: Any) -> None:
        self._cuda = device.type == "cuda"
        self._seconds = 0.0
        self._events: deque[tuple[Any, Any]] = deque()

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._cuda:
                return self._by_events(function, *args, **kwargs)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._seconds += time.perf_counter() - start

        return timed

    def seconds(self) -> float:
        """Time of the calls that are over."""
        while self._events and self._events[0][1].query():
            start, end = self._events.popleft()
            self._seconds += start.elapsed_time(end) / 1000
        return self._seconds

    def _by_events(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        import torch

        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        result = function(*args, **kwargs)
        end.record()
        self._events.append((start, end))
        return result

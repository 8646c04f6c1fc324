"""Prompt embeddings of a run: in memory while they are few, in a file beyond that."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["EmbeddingStore", "Embeddings"]

Embeddings = Mapping[str, Any]
"""Argument of the pipeline's call -> tensor (1, …) on the CPU."""


@dataclass(frozen=True)
class _Place:
    offset: int
    shape: tuple[int, ...]
    dtype: Any


class EmbeddingStore:
    """A mapping from prompts to embeddings that spills to a temporary file.

    T5 embeddings take megabytes for each prompt: 40,000 of them do not fit memory. What is beyond the limit is written
    to a file in the folder for temporary files (``TMPDIR``), which goes with the process.

    Args:
        limit: Bytes to keep in memory.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = self.spilled = 0
        self._kept: dict[Hashable, dict[str, Any]] = {}
        self._placed: dict[Hashable, dict[str, _Place]] = {}
        self._file: Any = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept or key in self._placed

    def __len__(self) -> int:
        return len(self._kept) + len(self._placed)

    def put(self, key: Hashable, embeddings: Embeddings) -> None:
        """Keep embeddings."""
        ready = {name: tensor.detach().to("cpu").contiguous() for name, tensor in embeddings.items()}
        size = sum(tensor.numel() * tensor.element_size() for tensor in ready.values())
        if self.bytes + size <= self.limit:
            self._kept[key] = ready
            self.bytes += size
        else:
            self._placed[key] = {name: self._write(tensor) for name, tensor in ready.items()}
            self.spilled += size

    def get(self, key: Hashable) -> Embeddings:
        """Embeddings that were put."""
        if key in self._kept:
            return self._kept[key]
        return {name: self._read(place) for name, place in self._placed[key].items()}

    def _write(self, tensor: Any) -> _Place:
        import torch

        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="divergen-embeddings-", buffering=0)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        offset = self._file.seek(0, 2)
        data = memoryview(tensor.reshape(-1).view(torch.uint8).numpy())
        while data:
            data = data[self._file.write(data) :]
        return _Place(offset, tuple(tensor.shape), tensor.dtype)

    def _read(self, place: _Place) -> Any:
        import torch

        count = torch.Size(place.shape).numel()
        data = bytearray(count * place.dtype.itemsize)
        self._file.seek(place.offset)
        view = memoryview(data)
        while view:
            view = view[self._file.readinto(view) :]
        return torch.frombuffer(data, dtype=place.dtype).reshape(place.shape)

    def close(self) -> None:
        """Forget all, and remove the file."""
        self._kept, self._placed, self.bytes, self.spilled = {}, {}, 0, 0
        if self._file is not None:
            self._file.close()
            self._file = None

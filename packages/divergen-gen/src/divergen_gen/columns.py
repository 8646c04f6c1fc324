"""The columns that generation adds to an instance table, beside the record's picture and prompt."""

from __future__ import annotations

from divergen_records import Columns

__all__ = ["GenerationColumns"]


class GenerationColumns(Columns):
    """Where a picture came from, beyond its prompt and seed."""

    request_id: str | None = None
    """The image API's id of the request that the picture came with."""
    source_annotation: str | None = None
    """What the picture was made near to: the real crop's annotation id, or its file's name."""

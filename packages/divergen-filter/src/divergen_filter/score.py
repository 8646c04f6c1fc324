"""What a score is: a stage whose columns are numbers that rules can look at."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from divergen_records import Stage

__all__ = ["Score"]


@runtime_checkable
class Score(Stage, Protocol):
    """Measures instances; a `divergen_records.Stage` all of whose written columns are numbers or booleans.

    It reads what it needs: ``image`` and ``mask``, or ``embedding`` (an array (N, D) float32), or ``prompt``. A row's
    values depend on that row alone. A rule that names one of its columns has it computed.

    Its configuration is a pydantic model with a literal ``kind``, the same ``columns``, and ``build()``, which loads
    the model. An installed package adds one by the entry point ``divergen.scores``::

        [project.entry-points."divergen.scores"]
        aesthetic = "my_package:AestheticConfig"
    """

"""Backends as data: a discriminated union of configs is the only registry; outside packages join by entry point."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field

__all__ = ["backend_kinds", "backend_union"]


def backend_union(group: str, *builtin: type[BaseModel]) -> Any:
    """The type of a config field that accepts any backend of a group, told apart by ``kind``.

    Each config class has a literal ``kind`` with a default and a method ``build()`` that imports and makes the backend.
    An installed package adds a backend by an entry point that names its config class::

        [project.entry-points."divergen.generators"]
        my-model = "my_package:MyModelConfig"

    Args:
        group: Entry point group, for example ``"divergen.generators"``.
        builtin: The config classes of this package.
    """
    from importlib.metadata import entry_points

    outside = [point.load() for point in sorted(entry_points(group=group), key=lambda point: point.name)]
    configs = [*builtin, *outside]
    return configs[0] if len(configs) == 1 else Annotated[reduce(or_, configs), Field(discriminator="kind")]


def backend_kinds(union: Any) -> dict[str, type[BaseModel]]:
    """The configurations of a `backend_union` by their ``kind``, the package's own first."""
    if isinstance(union, type) and issubclass(union, BaseModel):
        return {union.model_fields["kind"].default: union}
    return {kind: found for option in get_args(union) for kind, found in backend_kinds(option).items()}

"""What an ``ablation.json`` must hold for the page of results; whatever else it holds is nobody's trouble."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from divergen_records import ConfigError
from divergen_records.files import read_json
from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["read_ablation"]

_AGAIN = "run the ablation again; it is made from its runs"


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


class _Arm(_Part):
    arm: str
    values: dict[str, dict[str, float]]


class _Comparison(_Part):
    first: str
    second: str
    metric: str
    seeds: list[int]
    difference: float
    paired: float | None
    unpaired: float | None
    images: list[float] | None
    verdict: Literal["better", "worse", "not told apart"]


class _Plan(_Part):
    seeds: int
    smallest: float
    resolution: float
    needed: int
    spread: float
    freedom: int


class _Cost(_Part):
    cpu: float
    wall: float


class _Ablation(_Part):
    name: str
    question: str
    overrides: list[str]
    arms: list[_Arm]
    comparisons: list[_Comparison]
    plan: _Plan | None
    cost: _Cost


def read_ablation(path: Path) -> Mapping[str, Any]:
    """The content of an ``ablation.json``.

    Raises:
        ConfigError: If it lacks something, or something is of another kind; names it.
        DatasetError: If the file is damaged.
    """
    content = read_json(path, _AGAIN)
    if not {"name", "comparisons", "arms", "overrides"} <= set(content):
        raise ConfigError(f"{path}: written by an older release; {_AGAIN}")
    try:
        _Ablation.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; {_AGAIN}") from error
    return content

"""Which columns a rule may name, and which installed score writes one that is not there yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from divergen_records import ConfigError, InstanceRecord
from divergen_records.backends import backend_kinds
from divergen_records.columns import declared_columns, is_number
from divergen_records.text import did_you_mean
from pydantic import ValidationError

from .columns import BasicsColumns, GeneratedColumns, SimilarityColumns, TextColumns, VlmColumns
from .config import ScoreConfig
from .decision import rule_columns
from .rules import MASK_SCORES, RulesConfig

if TYPE_CHECKING:
    from divergen_records import Config, InstanceTable

__all__ = ["check_rules", "known_columns", "score_kinds", "scores_for"]

_OWN = (SimilarityColumns, TextColumns, GeneratedColumns, BasicsColumns, VlmColumns)


def known_columns(table: InstanceTable | None = None) -> tuple[str, ...]:
    """Numeric and boolean columns: those of the record and of the filter, of installed packages, and of the table."""
    names = [
        name for model in (InstanceRecord, *_OWN) for name, field in model.model_fields.items() if is_number(field)
    ]
    names += [name for name, model in declared_columns().items() if is_number(model.model_fields[name])]
    if table is not None:
        from divergen_records.schema import is_number_field

        names += [field.name for field in table.schema if is_number_field(field)]
    return tuple(dict.fromkeys([*names, *MASK_SCORES]))


def check_rules(rules: RulesConfig, table: InstanceTable | None = None) -> None:
    """Refuse rules that name a column that is neither in the table nor declared by an installed package.

    Raises:
        ConfigError: Naming the column, the nearest known one, and all that are known.
    """
    known = known_columns(table)
    for name in rule_columns(rules):
        if name not in known:
            hint = did_you_mean(name, known) or "."
            raise ConfigError(
                f"a rule names {name!r}, but there is no such numeric or boolean column{hint} There are "
                f"{', '.join(known)}; an installed package adds more (entry points divergen.scores, divergen.columns)"
            )


def score_kinds() -> dict[str, type[Config]]:
    """The scores that can be built, by kind: `BasicsConfig`, and those of installed packages."""
    return backend_kinds(ScoreConfig)  # type: ignore[return-value]  # every configuration is a Config


def scores_for(columns: Iterable[str], configured: Sequence[Any] = ()) -> list[Any]:
    """Configurations of scores: those given, and those that write the other columns, with their default settings.

    Raises:
        ConfigError: If one has a setting without a default, and so has to be given.
    """
    found = list(configured)
    covered = {name for config in found for name in config.columns.model_fields}
    for kind, config in score_kinds().items():
        own = [name for name, field in config.columns.model_fields.items() if is_number(field)]  # type: ignore[attr-defined]
        wanted = [name for name in columns if name in own and name not in covered and not _is_own(name)]
        if wanted or (kind in columns and kind not in {one.kind for one in found}):
            found.append(_default(kind, config))
            covered |= set(own)
    return found


def _is_own(name: str) -> bool:
    """Whether the filter itself writes the column, from more than its row."""
    return any(name in model.model_fields for model in (SimilarityColumns, TextColumns, GeneratedColumns))


def _default(kind: str, config: type[Config]) -> Any:
    try:
        return config()
    except ValidationError as error:
        lacking = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise ConfigError(
            f"the score {kind!r} has no default for {lacking}: list it with its settings under `scores:`"
        ) from error

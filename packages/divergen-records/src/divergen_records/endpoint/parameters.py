"""Further parameters of a request, as the endpoint wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError

__all__ = ["as_json"]

_ANSWERS = ("n", "best_of")


def as_json(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as they are sent.

    Raises:
        ConfigError: If they cannot be: YAML knows dates, and numbers that are none. Or if one asks for several answers
            at once, of which the others would be paid for, past a limit of cost, and left out.
    """
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(extra), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"extra_body holds what JSON cannot say ({error}); put it in quotes, or leave it out"
        ) from None
    if several := [name for name in _ANSWERS if found.get(name) not in (None, 1)]:
        raise ConfigError(
            f"extra_body asks for several answers at once ({several[0]}); leave it out: one is read, each is paid for"
        )
    return found

"""The instance record, the instance table, masks and dataset formats of DiverGen."""

from typing import Any

import lazy_loader

from .errors import require_extra

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    with require_extra("divergen-records", "table"):  # only the table's names need more than this package requires
        return _load(name)

"""Settings of whatever asks an endpoint, refused before anything is asked; imports no client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from .errors import ConfigError
from .explain import unsuitable

__all__ = ["Address", "BaseUrl", "ExtraBody"]


def _base_url(value: str | None) -> str | None:
    if value is not None:
        from .endpoint.secrets import check_url

        try:
            check_url(value)
        except ConfigError as error:
            raise unsuitable(str(error)) from None
    return value


def _extra_body(value: Mapping[str, Any]) -> Mapping[str, Any]:
    if value:
        from .endpoint.parameters import as_json

        try:
            as_json(value)
        except ConfigError as error:
            raise unsuitable(str(error)) from None
    return value


Address = Annotated[str, AfterValidator(_base_url)]
"""Address of a server."""
BaseUrl = Annotated[str | None, AfterValidator(_base_url)]
"""Address of an endpoint; None for the public one."""
ExtraBody = Annotated[Mapping[str, Any], AfterValidator(_extra_body)]
"""Further parameters of every request."""

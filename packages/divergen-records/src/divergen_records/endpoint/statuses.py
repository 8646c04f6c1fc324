"""What an HTTP status of refusal means once no option of the request is left to blame."""

from __future__ import annotations

import re

from .client import StatusError
from .errors import EndpointError, Refused, Rejected, Transient
from .payload import filtered

__all__ = ["final", "translated"]

_LONGEST_WAIT = 600.0
"""Seconds; an endpoint that asks for more (a spent quota, a day) is not waited for."""
_FILTERS = (400, 403, 404, 422, 451, 500)
"""Statuses with which content filters answer."""
_FOREVER = {401: "refuses the key", 402: "wants to be paid first", 403: "refuses the key"}
_SPENDING = (400, 429)
_SPENT = re.compile(
    r"insufficient[_ ](?:quota|balance|credit|funds)|credit balance is too low|budget (?:has been |_)?exceeded"
    r"|billing[_ ](?:hard[_ ]limit|not[_ ]active)",
    re.IGNORECASE,
)
"""Words by which a spent quota is told, whatever the status: OpenAI, Anthropic, DeepSeek, LiteLLM."""
_PASSING = (408, 409, 425, 429, 498, 499)
"""That pass: 498 is Groq's for no capacity, 499 a gateway's for a caller who is gone."""
_REJECTING = (400, 405, 413, 415, 422)


def final(url: str, error: StatusError) -> Exception | None:
    """The end of the request or of the endpoint, where another form of the request would not help; else None."""
    words = filtered(error.body) if error.status in _FILTERS else None
    if words:
        return Refused(" ".join(words.split())[:300])
    if error.status in _FOREVER:
        return EndpointError(f"{url} {_FOREVER[error.status]} (status {error.status}): {error.said}")
    told = [str(error.body.get(key)) for key in ("code", "type")] if isinstance(error.body, dict) else []
    if error.status in _SPENDING and _SPENT.search(" ".join((error.said, *told))):
        return EndpointError(f"{url}: the quota is spent (status {error.status}): {error.said}")
    return None


def translated(url: str, error: StatusError) -> Exception:
    """What a status means for the request as it was sent."""
    status, said, wait = error.status, error.said, error.retry_after
    if status == 404:
        return EndpointError(
            f"{url} does not know the model or the path (status 404): {said}. Mend the model's name, or base_url, "
            "which mostly ends with /v1"
        )
    if status in _PASSING or status >= 500:
        if wait is not None and wait > _LONGEST_WAIT:
            return EndpointError(f"{url} asks to wait {wait:.0f} s (status {status}). Run again after that")
        return Transient(f"status {status}: {said}", retry_after=wait)
    if status in _REJECTING:
        return Rejected(f"the request is rejected (status {status}): {said}")
    return EndpointError(f"{url} answers with status {status}: {said}")

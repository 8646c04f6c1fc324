from __future__ import annotations

import pytest
from divergen_records.endpoint import EndpointError
from divergen_records.endpoint.client import StatusError
from divergen_records.endpoint.errors import Rejected, Transient
from divergen_records.endpoint.statuses import final, translated


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, Transient) for status in (408, 409, 425, 429, 498, 499, 500, 503, 520, 524, 529)),
        *((status, Rejected) for status in (400, 413, 422)),
        *((status, EndpointError) for status in (404, 418)),
    ],
)
def test_translated__what_passes_is_asked_again(status: int, expected: type[Exception]) -> None:
    assert type(translated("http://here", StatusError(status, "no"))) is expected


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "no more", "type": "insufficient_quota", "code": None}),
        (400, {"message": "Your credit balance is too low to access the API."}),
        (400, {"message": "Budget has been exceeded! Current cost: 10.0", "type": "budget_exceeded"}),
    ],
)
def test_final__a_spent_quota_does_not_pass(status: int, error: dict[str, object]) -> None:
    assert isinstance(final("http://here", StatusError(status, str(error["message"]), error)), EndpointError)
    assert final("http://here", StatusError(429, "You exceeded your current quota", {})) is None

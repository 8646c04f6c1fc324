from __future__ import annotations

import pytest
from divergen_records.endpoint import EndpointError
from divergen_records.endpoint.client import StatusError
from divergen_records.endpoint.errors import Rejected, Transient
from divergen_records.endpoint.statuses import translated


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

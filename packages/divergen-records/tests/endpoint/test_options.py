from __future__ import annotations

import pytest
from divergen_records.endpoint.options import Option, Options

FORMAT = Option("format", ({"response_format": "schema"}, {"response_format": "object"}, {}), ("json_schema",))
HEAT = Option("temperature", ({"temperature": 0.7}, {}))
BOTH = (FORMAT, HEAT)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def options(said: list[str]) -> Options:
    return Options(said.append)


@pytest.mark.parametrize(
    ("status", "text", "lower"),
    [
        (400, "'temperature' is not supported", {"format": 0, "temperature": 1}),
        (404, "no endpoints support response_format", {"format": 1, "temperature": 0}),
        (400, "json_schema?", {"format": 1, "temperature": 0}),
        (422, "no", {"format": 1, "temperature": 0}),
        (500, "Internal Server Error", {"format": 1, "temperature": 0}),
        (503, "temperature of the server room", None),
        (429, "response_format", None),
    ],
)
def test_refused__who_is_blamed(status: int, text: str, lower: dict[str, int] | None, options: Options) -> None:
    assert options.refused(BOTH, options.choice(BOTH), status, text) == lower


def test_refused__a_named_parameter_is_remembered_and_said_once(options: Options, said: list[str]) -> None:
    for _ in range(3):
        options.refused(BOTH, {"format": 0, "temperature": 0}, 400, "temperature!")
    assert options.choice(BOTH) == {"format": 0, "temperature": 1}
    assert said == ["refuses temperature (status 400: temperature!): asked without it from now on"]


def test_answered__a_plain_refusal_is_believed_when_the_rest_is_answered(options: Options, said: list[str]) -> None:
    lower = options.refused(BOTH, options.choice(BOTH), 400, "no")
    assert lower is not None
    assert options.choice(BOTH)["format"] == 0
    options.answered(BOTH, lower, {"format": (400, "no")})
    assert options.choice(BOTH)["format"] == 1
    assert 'asked with {"response_format": "object"} instead' in said[0]


def test_answered__a_500_is_believed_the_second_time(options: Options) -> None:
    for expected in (0, 1):
        options.answered(BOTH, {"format": 1, "temperature": 0}, {"format": (500, "")})
        assert options.choice(BOTH)["format"] == expected


def test_refused__what_was_answered_before_is_not_doubted(options: Options) -> None:
    options.answered(BOTH, {"format": 0, "temperature": 0}, {})
    assert options.refused(BOTH, options.choice(BOTH), 500, "") is None
    assert options.refused(BOTH, options.choice(BOTH), 400, "response_format") is not None

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from divergen_records import ConfigError
from divergen_records.endpoint import (
    IMAGES,
    Account,
    Endpoint,
    EndpointError,
    LimitReached,
    Query,
    Refused,
    chat,
    client,
    reach,
    read_completion,
)
from divergen_records.endpoint.reach import EndpointAnswers
from divergen_records.endpoint.secrets import key_headers
from divergen_records.endpoint.testing import Exchange, Loopback, completion
from divergen_records.requirements import look

pytest.importorskip("openai")
QUERY = Query({"model": "m", "messages": [{"role": "user", "content": "a cup?"}]}, tokens=10, limit=100, most=100)


def ask(
    respond: Callable[[Exchange], None],
    *queries: Query,
    read: Callable[[dict[str, Any]], Any] = read_completion,
    **more: Any,
) -> tuple[list[Any], Loopback, list[dict[str, Any]]]:
    """What becomes of queries that are asked at once, the server, and the notes."""
    notes: list[dict[str, Any]] = []

    async def run(url: str) -> list[Any]:
        async with Endpoint(**{"base_url": url, "backoff": 0.01, "retries": 2, "timeout": 5.0, **more}) as endpoint:
            asked = (endpoint.ask(query, read, lambda **what: notes.append(what)) for query in queries)
            return list(await asyncio.gather(*asked, return_exceptions=True))

    with Loopback(respond) as server:
        return asyncio.run(run(server.url)), server, notes


def test_ask__answers_and_notes() -> None:
    account = Account(price_in=1, price_out=2)
    (found,), _, notes = ask(
        lambda exchange: exchange.send(200, completion("yes", received=50)), QUERY, account=account
    )
    assert found.content == "yes"
    assert account.cost == account.price(400, 50) == notes[1]["cost"]
    assert [set(note) for note in notes] == [
        {"attempt", "reserved"},
        {"attempt", "sent", "received", "cost", "outcome"},
    ]


def test_ask__the_addresss_query_goes_along() -> None:
    paths: list[str] = []

    def respond(exchange: Exchange) -> None:
        paths.append(exchange.path)
        exchange.send(200, completion("yes"))

    async def run(url: str) -> Any:
        async with Endpoint(base_url=f"{url}?version=pre%2Fview", key="key") as endpoint:
            return await endpoint.ask(QUERY, read_completion, lambda **_: None)

    with Loopback(respond, lambda exchange: exchange.send(200, {"data": [{"id": "m"}]})) as server:
        assert asyncio.run(run(server.url)).content == "yes"
        found = look(EndpointAnswers("m", f"{server.url}?version=pre%2Fview"))
        assert found is not None
        assert not found.problem
        assert [path for path, _ in server.fetched] == ["/v1/models?version=pre%2Fview"]
    assert paths == ["/v1/chat/completions?version=pre%2Fview"]


def test_ask__no_key_goes_where_a_server_redirects_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (client, reach):
        monkeypatch.setattr(module, "key_headers", lambda _, key: {"api-key": key})
    monkeypatch.setenv("OPENAI_API_KEY", "sk-sesame")

    async def run(url: str) -> Any:
        async with Endpoint(base_url=url, key="sk-sesame") as endpoint:
            return await endpoint.ask(QUERY, read_completion, lambda **_: None)

    with Loopback(lambda x: x.send(200, completion("yes")), lambda x: x.send(200, {"data": []})) as other:
        there = other.url.replace("127.0.0.1", "localhost")
        with Loopback(
            lambda exchange: exchange.send(307, "", location=f"{there}/chat/completions"),
            lambda exchange: exchange.send(302, "", location=f"{there}/models"),
        ) as server:
            assert asyncio.run(run(server.url)).content == "yes"
            look(EndpointAnswers("m", server.url))
        assert "sk-sesame" in str(server.headers)
        assert "sk-sesame" in str(server.fetched)
        assert len(other.headers) == len(other.fetched) == 1
        assert "sesame" not in str([*other.headers, *other.fetched])


def test_ask__a_redirect_that_loses_the_request_is_named() -> None:
    def respond(exchange: Exchange) -> None:
        exchange.send(301, "", location="/v2/chat/completions")

    (error,), server, _ = ask(respond, QUERY)
    assert f"name {server.url.replace('/v1', '/v2/chat/completions')}" in str(error)


def test_key_headers__azures_own() -> None:
    assert key_headers("https://x.openai.azure.com/openai/deployments/m?api-version=1", "k") == {"api-key": "k"}
    assert key_headers("https://x.openai.azure.us./openai/v1", "k") == {"api-key": "k"}
    assert key_headers("https://azure.com.example.org/v1", "k") == key_headers(None, "k") == {}


def test_ask__a_limit_of_cost_is_never_passed_by_what_is_in_flight() -> None:
    account = Account(price_out=1e4, max_cost=3.5)

    def respond(exchange: Exchange) -> None:
        exchange.send(200, completion("yes", received=exchange.body["max_completion_tokens"]))

    found, server, _ = ask(respond, *[QUERY] * 10, account=account)
    assert [isinstance(item, LimitReached) for item in found].count(False) == len(server.bodies) == 4
    assert [body["max_completion_tokens"] for body in server.bodies] == [100, 100, 100, 50]
    assert account.cost == pytest.approx(3.5)
    assert account.reserved == 0


def test_ask__one_that_is_rejected_does_not_stop_the_others() -> None:
    def respond(exchange: Exchange) -> None:
        bad = exchange.body["messages"][0]["content"] == "bad"
        exchange.send(400, {"error": {"message": "I do not like it"}}) if bad else exchange.send(200, completion("yes"))

    bad = Query({"model": "m", "messages": [{"role": "user", "content": "bad"}]}, tokens=10)
    found, _, _ = ask(respond, bad, QUERY, bad)
    assert [type(item).__name__ for item in found] == ["Rejected", "Completion", "Rejected"]
    assert isinstance(found[0], Refused) and "I do not like it" in str(found[0])


def test_ask__what_rejects_everything_is_of_no_use() -> None:
    found, _, _ = ask(lambda exchange: exchange.send(400, {"error": {"message": "no"}}), *[QUERY] * 3)
    assert any(isinstance(answer, EndpointError) for answer in found)  # which of the three is last to come, varies


def test_ask__pictures_by_the_same_machine() -> None:
    account = Account(price_picture=0.04, max_cost=0.1)
    query = Query({"model": "m", "prompt": "a cup", "n": 2}, tokens=0, route=IMAGES, pictures=2)
    found, server, _ = ask(
        lambda exchange: exchange.send(200, {"data": [{"b64_json": "eA=="}] * exchange.body["n"]}),
        query,
        query,
        read=lambda payload: len(payload["data"]),
        account=account,
    )
    assert found[0] == 2
    assert isinstance(found[1], LimitReached)
    assert account.cost == pytest.approx(0.08)
    assert server.bodies == [{"model": "m", "prompt": "a cup", "n": 2}]


def test_ask__no_connection_costs_nothing() -> None:
    with Loopback(lambda _: None) as server:
        url = server.url
    account = Account(price_out=1e4)
    found, _, _ = ask(lambda _: None, QUERY, account=account, base_url=url)
    assert isinstance(found[0], EndpointError)
    assert account.cost == 0


@pytest.mark.parametrize(("code", "kind", "sent"), [(402, EndpointError, 1), ("429", EndpointError, 3)])
def test_ask__an_error_in_an_answer_of_status_200(code: object, kind: type[Exception], sent: int) -> None:
    error = {"error": {"message": "no credits", "code": code}}
    (found,), server, _ = ask(lambda exchange: exchange.send(200, error), QUERY)
    assert isinstance(found, kind) and "no credits" in str(found)
    assert len(server.bodies) == sent


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_ask__an_answer_in_another_encoding(encoding: str) -> None:
    data = json.dumps(completion("a red café"), ensure_ascii=False).encode(encoding)

    def respond(exchange: Exchange) -> None:
        handler = exchange.handler
        handler.send_response(200)
        handler.send_header("Content-Type", f"application/json; charset={encoding}")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    (found,), *_ = ask(respond, QUERY)
    assert found.content == "a red café"


def test_ask__a_server_that_only_streams_is_asked_for_a_stream() -> None:
    def respond(exchange: Exchange) -> None:
        if not exchange.body.get("stream"):
            exchange.send(400, {"error": {"message": "This model only supports stream mode"}})
            return
        pieces = [{"choices": [{"delta": {"content": piece}}]} for piece in ("y", "es")]
        exchange.send(200, "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces), "text/event-stream")

    said: list[str] = []
    found, server, _ = ask(respond, QUERY, QUERY, say=said.append)
    assert [answer.content for answer in found] == ["yes", "yes"]
    assert len(said) == 1 and 'asked with {"stream": true} instead' in said[0]
    _, server, _ = ask(lambda exchange: exchange.send(400, {"error": {"message": "no"}}), QUERY)
    assert not any("stream" in body for body in server.bodies)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "System role not supported"),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
        (500, "Jinja Exception: System role not supported"),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
    ],
)
def test_ask__rules_go_to_the_user_where_a_model_takes_no_system(status: int, words: str) -> None:
    def respond(exchange: Exchange) -> None:
        roles = [message["role"] for message in exchange.body["messages"]]
        exchange.send(*((status, {"error": {"message": words}}) if "system" in roles else (200, completion("yes"))))

    said: list[str] = []
    (found,), server, _ = ask(respond, Query({"model": "m"}, 10, options=(chat("rules", "a cup?"),)), say=said.append)
    assert found.content == "yes" and len(said) == 1
    assert server.bodies[-1]["messages"] == [{"role": "user", "content": "rules\n\na cup?"}]


@pytest.mark.parametrize("status", [200, 400])
def test_ask__letters_that_cannot_be_written_or_move_the_terminal_are_left_out(status: int) -> None:
    words = "no \ud83d\x1b[31m \U0001f600"
    said = {"error": {"message": words}} if status == 400 else completion(None, refusal=words)
    (found,), _, notes = ask(lambda exchange: exchange.send(status, json.dumps(said)), QUERY)
    assert isinstance(found, (Refused, EndpointError))
    for text in (str(found), *(note.get("outcome", "") for note in notes)):
        assert "\x1b" not in text
        text.encode()
    assert "\U0001f600" in str(found)


def test_ask__what_json_in_json_escapes_stays() -> None:
    inner = json.dumps(["a \ud83d cup", "\U0001f600"])
    (found,), _, _ = ask(lambda exchange: exchange.send(200, json.dumps(completion(inner))), QUERY)
    assert found.content == inner


@pytest.mark.parametrize("value", [float("nan"), date(2026, 1, 1), {1, 2}])
def test_endpoint__parameters_that_json_cannot_say(value: object) -> None:
    with pytest.raises(ConfigError, match="extra_body holds what JSON cannot say"):
        Endpoint(base_url="http://127.0.0.1:1/v1", extra={"x": value})

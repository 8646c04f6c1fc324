"""The command against answers as real servers give them: what becomes a prompt, what it costs, what is said."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from divergen_prompts.files import read_prompts
from divergen_prompts.testing import FakeEndpoint
from divergen_records import PromptRecord
from divergen_records.endpoint.testing import Exchange, completion

pytest.importorskip("openai")
Ask = Callable[..., Result]
KEY = "sk-planted-0123456789"
PRICES = ("--price-in", 1, "--price-out", 10)
NULLS = {"colour": "null", "size": "N/A", "view": "none", "pose": "", "material": "clay"}
FORMS: dict[str, Callable[[list[str]], str]] = {
    "lines": "\n".join,
    "bold numbers": lambda texts: "\n".join(f"**{number}.** {text}" for number, text in enumerate(texts, 1)),
    "table": lambda texts: "| # | Prompt |\n|---|---|\n" + "\n".join(f"| {n} | {t} |" for n, t in enumerate(texts)),
    "json": lambda texts: json.dumps({"prompts": [{"text": text, **NULLS} for text in texts]}),
    "python": lambda texts: str(texts),
    "none": lambda _: "",
}


@pytest.fixture
def ask(run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The command over some categories; no output of it ever shows the key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def call(endpoint: FakeEndpoint, *options: object, names: str = "cup", each: int = 6) -> Result:
        (tmp_path / "names.txt").write_text("\n".join(names.split()))
        fixed = ["--categories", tmp_path / "names.txt", "--model", "m", "--base-url", endpoint.url]
        fixed += ["--per-category", each, "--per-request", 6, "--concurrency", 2, "--retries", 2]
        result = run("llm", *fixed, "--out", tmp_path / "p.jsonl", *options)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        written = "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file())
        assert KEY not in result.output + written
        return result

    return call


def prompts_of(tmp_path: Path) -> list[PromptRecord]:
    return read_prompts(tmp_path / "p.jsonl")


def filled(answer: dict[str, Any], form: str, texts: list[str]) -> tuple[int, object]:
    body = copy.deepcopy(answer["body"])
    for choice in body.get("choices", []):
        content = choice["message"]["content"]
        if isinstance(content, str):
            choice["message"]["content"] = content.replace("@PROMPTS", FORMS[form](texts))
    return answer["status"], body


def is_first_form(request: dict[str, Any]) -> bool:
    return request.get("response_format", {}).get("type") == "json_schema" and "temperature" in request


@pytest.fixture(scope="session")
def cases() -> dict[str, dict[str, Any]]:
    for parent in Path(__file__).resolve().parents:
        path = parent.parent / "shared" / "cases" / "llm" / "answers.json"
        if path.exists():
            return {case["name"]: case for case in json.loads(path.read_text())}
    pytest.skip("shared/cases/llm does not lie beside the checkout")


@pytest.mark.parametrize("name", ["lone_think_close", "numbered_bold", "table", "null_attributes", "python_quotes"])
def test_llm__answers_that_hold_prompts(name: str, cases: dict[str, Any], ask: Ask, tmp_path: Path) -> None:
    case, given = cases[name], []

    def reply(_: str, texts: list[str], __: Exchange) -> tuple[int, object]:
        given.extend(texts)
        return filled(case["answer"], case["form"], texts)

    with FakeEndpoint(reply=reply) as endpoint:
        result = ask(endpoint)
    assert result.exit_code == 0, result.output
    found = prompts_of(tmp_path)
    assert [prompt.text for prompt in found] == given[:6]
    assert all(set(prompt.attributes) <= {"background", "material"} for prompt in found)


@pytest.mark.parametrize("name", ["schema_500", "schema_404", "temperature_400"])
def test_llm__what_a_server_refuses_is_left_out_and_said_once(
    name: str, cases: dict[str, Any], ask: Ask, tmp_path: Path
) -> None:
    case = cases[name]
    what = "temperature" if name == "temperature_400" else "response_format"

    def reply(_: str, texts: list[str], exchange: Exchange) -> tuple[int, object]:
        if what in exchange.body and (what == "temperature" or is_first_form(exchange.body)):
            return case["answer"]["status"], case["answer"]["body"]
        return 200, completion(FORMS["json"](texts))

    with FakeEndpoint(reply=reply) as endpoint:
        result = ask(endpoint, "--temperature", 0.7, names="cup dog hat", each=12)
    assert result.exit_code == 0, result.output
    assert result.output.count("Note: http://") == 1
    assert f"refuses {'temperature' if what == 'temperature' else 'structured output'}" in result.output
    assert len(prompts_of(tmp_path)) == 36
    last = endpoint.bodies[-1]
    assert "temperature" not in last if what == "temperature" else not is_first_form(last)
    assert what == "temperature" or "temperature" in last


@pytest.mark.parametrize("name", ["refusal", "azure_content_filter"])
def test_llm__what_is_refused_for_one_category_is_its_shortfall(
    name: str, cases: dict[str, Any], ask: Ask, tmp_path: Path
) -> None:
    case = cases[name]

    def reply(category: str, _: list[str], __: Exchange) -> tuple[int, object] | None:
        return (case["answer"]["status"], case["answer"]["body"]) if category == "gun" else None

    with FakeEndpoint(reply=reply) as endpoint:
        result = ask(endpoint, names="gun cup dog")
    assert result.exit_code == 1
    words = "I can't help with that." if name == "refusal" else "The response was filtered"
    assert f"gun: 0 of 6: refused: {words}" in result.output
    assert sorted({prompt.category for prompt in prompts_of(tmp_path)}) == ["cup", "dog"]
    assert len(prompts_of(tmp_path)) == 12


def test_llm__a_model_that_only_reasons_is_paid_for_and_stopped(cases: dict[str, Any], ask: Ask) -> None:
    answer = cases["reasoning_only"]["answer"]
    with FakeEndpoint(reply=lambda *_: (answer["status"], answer["body"])) as endpoint:
        result = ask(endpoint, *PRICES, "--max-cost", 0.05, "--concurrency", 8, names="cup dog hat", each=60)
    assert result.exit_code == 1
    assert len(endpoint.bodies) == 1
    assert "the cost limit of 0.05 is reached (0.3204 spent" in result.output
    assert "the model only reasoned with 32,000 tokens" in result.output
    assert "--max-output-tokens" in result.output and "reasoning_effort" in result.output


@pytest.mark.parametrize("received", [4000, 900])
def test_llm__reasoning_tokens_count_against_the_limit(received: int, ask: Ask) -> None:
    spent = []

    def reply(_: str, texts: list[str], exchange: Exchange) -> tuple[int, object]:
        assert exchange.body["max_completion_tokens"] <= 4998
        tokens = min(received, exchange.body["max_completion_tokens"])
        spent.append((400 + 10 * tokens) / 1e6)
        return 200, completion(FORMS["json"](texts), received=tokens)

    with FakeEndpoint(reply=reply, latency=0.02) as endpoint:
        result = ask(endpoint, *PRICES, "--max-cost", 0.05, "--concurrency", 8, names="cup dog hat", each=60)
    assert result.exit_code == 1
    assert 0.02 < sum(spent) <= 0.05
    assert f"cost {sum(spent):.4g} in all" in result.output


def test_llm__a_limit_holds_by_the_endpoints_own_word_for_the_cost(ask: Ask) -> None:
    def reply(_: str, texts: list[str], __: Exchange) -> tuple[int, object]:
        answer = completion(FORMS["json"](texts))
        return 200, {**answer, "usage": {**answer["usage"], "cost": 0.04}}

    with FakeEndpoint(reply=reply) as endpoint:
        result = ask(endpoint, *PRICES, "--max-cost", 0.1, "--concurrency", 8, names="cup dog hat", each=60)
    assert len(endpoint.bodies) == 2
    assert "cost 0.08 in all" in result.output


def test_llm__a_limit_holds_where_the_endpoint_keeps_to_none(ask: Ask) -> None:
    def reply(_: str, texts: list[str], exchange: Exchange) -> tuple[int, object]:
        if not {"max_completion_tokens", "max_tokens"}.isdisjoint(exchange.body):
            name = next(key for key in exchange.body if key.startswith("max_"))
            return 422, {"detail": [{"loc": ["body", name], "msg": "Extra inputs are not permitted"}]}
        return 200, completion(FORMS["json"](texts), received=2000)

    with FakeEndpoint(reply=reply) as endpoint:
        result = ask(endpoint, *PRICES, "--max-cost", 0.1, "--concurrency", 8, names="cup dog hat", each=60)
    answered = [body for body in endpoint.bodies if not any(key.startswith("max_") for key in body)]
    assert 2 <= len(answered) <= 5
    assert result.output.count("refuses the limit of output tokens") == 2, result.output
    assert "structured output" not in result.output


def test_llm__an_answer_that_never_came_is_counted(ask: Ask) -> None:
    with FakeEndpoint(faulty=1, faults=["hang"]) as endpoint:
        result = ask(endpoint, *PRICES, "--max-cost", 0.05, "--timeout", 0.2, names="cup dog")
    assert "answers never came (counted as 0.0" in result.output
    assert len(endpoint.bodies) <= 3


def test_llm__one_answer_at_a_time_is_waited_for(ask: Ask, tmp_path: Path) -> None:
    with FakeEndpoint(latency=0.5, one_at_a_time=True) as endpoint:
        result = ask(endpoint, "--timeout", 3, "--concurrency", 8, names="cup dog hat car", each=18)
    assert result.exit_code == 0, result.output
    assert endpoint.asked == dict.fromkeys(("cup", "dog", "hat", "car"), 18)
    assert result.output.count("answers one after the other") == 1
    assert "never came" not in result.output


def test_llm__extra_body_goes_out_and_wins(ask: Ask) -> None:
    extra = {"reasoning_effort": "low", "max_tokens": 777, "chat_template_kwargs": {"enable_thinking": False}}
    with FakeEndpoint() as endpoint:
        assert ask(endpoint, "--extra-body", json.dumps(extra)).exit_code == 0
    assert endpoint.bodies[0].items() >= extra.items()
    assert "max_completion_tokens" not in endpoint.bodies[0]


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
def test_llm__extra_body_that_is_none(text: str, ask: Ask) -> None:
    with FakeEndpoint() as endpoint:
        result = ask(endpoint, "--extra-body", text)
    assert result.exit_code == 2
    assert "expected an object" in result.output
    assert endpoint.bodies == []


def test_llm__text_in_parts(ask: Ask, tmp_path: Path) -> None:
    def reply(_: str, texts: list[str], __: Exchange) -> tuple[int, object]:
        half = len(texts) // 2
        parts: list[object] = [
            {"type": "thinking", "thinking": [{"type": "text", "text": "1. a draft cup, in a white background"}]},
            {"type": "text", "text": "\n".join(texts[:half]) + "\n"},
            {"type": "text", "text": "\n".join(texts[half:])},
        ]
        answer = completion("")
        answer["choices"][0]["message"]["content"] = parts
        return 200, answer

    with FakeEndpoint(reply=reply) as endpoint:
        assert ask(endpoint).exit_code == 0
    assert not any("draft" in prompt.text for prompt in prompts_of(tmp_path))


def test_llm__a_server_that_streams_unasked(ask: Ask) -> None:
    def reply(_: str, texts: list[str], __: Exchange) -> tuple[int, object]:
        content = "\n".join(texts)
        chunks = [{"choices": [{"delta": {"content": content[at : at + 50]}}]} for at in range(0, len(content), 50)]
        return 200, "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"

    with FakeEndpoint(reply=reply) as endpoint:
        assert ask(endpoint).exit_code == 0


def test_llm__a_refusal_in_the_models_own_words(ask: Ask, tmp_path: Path) -> None:
    def reply(category: str, _: list[str], __: Exchange) -> tuple[int, object] | None:
        said = "I'm sorry, but I can't write prompts for one gun in a white background."
        return (200, completion(said)) if category == "gun" else None

    with FakeEndpoint(reply=reply) as endpoint:
        result = ask(endpoint, names="gun cup dog")
    assert result.exit_code == 1
    assert "gun: 0 of 6" in result.output and "speaks of the task" in result.output
    assert len(prompts_of(tmp_path)) == 12


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens.",
        "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 400 `inputs` tokens and 2048 `max_new_tokens`",
        "Range of max_tokens should be [1, 1500]",
        "`max_tokens` must be less than or equal to `1500`",
    ],
)
def test_llm__a_request_too_long_for_the_model_is_asked_for_less(said: str, ask: Ask) -> None:
    def reply(_: str, __: list[str], exchange: Exchange) -> tuple[int, object] | None:
        return (400, {"error": {"message": said}}) if exchange.body["max_completion_tokens"] > 1500 else None

    with FakeEndpoint(reply=reply) as endpoint:
        assert ask(endpoint).exit_code == 0
    assert [body["max_completion_tokens"] for body in endpoint.bodies][:2] == [2048, 1024]


def test_llm__nobody_asks_on_when_the_key_is_refused(ask: Ask) -> None:
    with FakeEndpoint(reply=lambda *_: (401, {"error": {"message": "no such key"}})) as endpoint:
        result = ask(endpoint)
    assert result.exit_code == 2
    assert "refuses the key" in result.output and "never came" not in result.output
    assert len(endpoint.bodies) == 1


SECRETS = {
    "line break": ("sk-broken-0123\nsk-second-4567", "a line break"),
    "not ASCII": ("sk-schlüssel-0123456", "a letter beyond ASCII"),
    "space": ("sk-one sk-two-0123456", "a space"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_llm__a_key_that_is_none_is_not_shown(name: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    key, what = SECRETS[name]
    monkeypatch.setenv("OWN_KEY", key)
    with FakeEndpoint() as endpoint:
        result = ask(endpoint, "--key-variable", "OWN_KEY")
    assert result.exit_code == 2
    assert what in result.output and "OWN_KEY" in result.output
    assert not any(part in result.output for part in key.split())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks5://user:pass-0123@127.0.0.1:1", "SOCKS proxy"),
        ("SSL_CERT_FILE", "/nowhere/cert.pem", "certificates"),
        ("HTTPS_PROXY", "foo://127.0.0.1:1", "proxy"),
    ],
)
def test_llm__an_environment_that_cannot_be_used(
    variable: str, value: str, said: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with FakeEndpoint() as endpoint:
        result = ask(endpoint)
    assert result.exit_code == 2
    assert result.output.count("Error: ") == 1 and said in result.output
    assert "pass-0123" not in result.output


def test_llm__an_endpoint_that_repeats_the_key(ask: Ask) -> None:
    def reply(_: str, texts: list[str], exchange: Exchange) -> tuple[int, object]:
        key = exchange.headers["authorization"].removeprefix("Bearer ")
        if len(endpoint.bodies) > 1:
            return 401, {"error": {"message": f"Incorrect API key provided: {key}"}}
        return 200, completion("\n".join([*texts[:2], f"a red cup with {key}, in a white background"]))

    with FakeEndpoint(reply=reply) as endpoint:
        result = ask(endpoint)
    assert result.exit_code == 2
    assert "refuses the key (status 401): Incorrect API key provided: ***" in result.output

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from divergen_prompts.checks import check_prompts
from divergen_prompts.files import read_prompts, write_prompts
from divergen_prompts.grammar import grammar_prompts
from divergen_prompts.llm.run import estimate_llm, llm_prompts
from divergen_prompts.llm.settings import LlmReport, LlmSettings
from divergen_prompts.testing import FAULTS, FakeEndpoint
from divergen_prompts.tokens import EstimatedTokens
from divergen_records import Category, ConfigError
from divergen_records.endpoint import Account, EndpointError

pytest.importorskip("openai")
CATEGORIES = [Category(id=n, name=name) for n, name in enumerate(["cup", "chair", "dog", "banana", "car", "hat"], 1)]


def ask(
    endpoint: FakeEndpoint,
    out: Path,
    categories: list[Category] = CATEGORIES,
    account: Account | None = None,
    **options: object,
) -> LlmReport:
    quick: dict[str, object] = {"per_category": 12, "per_request": 6, "timeout": 20.0, "backoff": 0.01, "retries": 5}
    settings = LlmSettings(model="m", base_url=endpoint.url, **(quick | options))  # type: ignore[arg-type]
    return llm_prompts(categories, settings, out, account=account, counter=EstimatedTokens())


def test_llm_prompts__full_provenance(tmp_path: Path) -> None:
    with FakeEndpoint() as endpoint:
        report = ask(endpoint, tmp_path / "p.jsonl")
    prompts = read_prompts(tmp_path / "p.jsonl")
    assert report.accepted == report.total == len(prompts) == 72
    assert Counter(prompt.category for prompt in prompts) == {category.name: 12 for category in CATEGORIES}
    assert [found for _, found in check_prompts(prompts, CATEGORIES) if found] == []
    first = prompts[0]
    assert (first.source, first.model, first.attributes["style"]) == ("llm", "m", "photo")
    assert first.request_hash
    assert first.tokens
    assert first.created


def test_llm_prompts__in_a_cell_of_a_notebook(tmp_path: Path) -> None:
    async def cell(endpoint: FakeEndpoint) -> LlmReport:
        return ask(endpoint, tmp_path / "p.jsonl")

    with FakeEndpoint() as endpoint:
        assert asyncio.run(cell(endpoint)).accepted == 72


@pytest.mark.parametrize("seed", [0, 1])
def test_llm_prompts__completes_with_a_third_of_the_answers_faulty(tmp_path: Path, seed: int) -> None:
    faults = [fault for fault in FAULTS if fault not in ("hang", "drip")]
    with FakeEndpoint(faulty=0.33, faults=faults, seed=seed) as endpoint:
        report = ask(endpoint, tmp_path / "p.jsonl")
    assert report.shortfalls == {}
    assert len(read_prompts(tmp_path / "p.jsonl")) == 72
    assert sum(endpoint.given.values()) > endpoint.given["none"]


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_llm_prompts__an_answer_that_never_ends_is_cut_off(tmp_path: Path, fault: str) -> None:
    with FakeEndpoint(faulty=0.4, faults=[fault], seed=3) as endpoint:
        begun = time.monotonic()
        report = ask(endpoint, tmp_path / "p.jsonl", CATEGORIES[:2], timeout=1.0)
    assert report.shortfalls == {}
    assert time.monotonic() - begun < 60
    assert endpoint.given[fault]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("429", "slow down"),
        ("500", "internal"),
        ("html", "not JSON: '<!DOCTYPE html>"),
        ("empty list", "no prompts in the answer"),
        ("half body", "not JSON"),
        ("drop", "no connection"),
        ("huge", "larger than 2 MB"),
    ],
)
def test_llm_prompts__an_endpoint_that_only_fails_is_a_clear_message(tmp_path: Path, fault: str, said: str) -> None:
    with FakeEndpoint(faulty=1, faults=[fault], retry_after=0.01) as endpoint, pytest.raises(EndpointError) as raised:
        ask(endpoint, tmp_path / "p.jsonl", retries=2)
    assert said in str(raised.value)
    assert any(times in str(raised.value) for times in ("3 attempts", "first 3 requests"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("same ten", "(nothing new in the answers: "),
        ("foreign", "not English"),
        ("two objects", "more than one object"),
    ],
)
def test_llm_prompts__useless_answers_end_in_an_honest_shortfall(tmp_path: Path, fault: str, said: str) -> None:
    with FakeEndpoint(faulty=1, faults=[fault]) as endpoint:
        report = ask(endpoint, tmp_path / "p.jsonl", CATEGORIES[:2], per_category=20, concurrency=1)
    assert report.shortfalls.keys() == {"cup", "chair"}
    assert said in report.shortfalls["cup"]
    kept = len(read_prompts(tmp_path / "p.jsonl"))
    assert kept == report.total == (20 if fault == "same ten" else 0)
    assert "10 of 20" in report.shortfalls["cup"] if fault == "same ten" else True


def test_llm_prompts__endpoint_down(tmp_path: Path) -> None:
    with FakeEndpoint() as endpoint:
        url = endpoint.url
    settings = LlmSettings(model="m", base_url=url, backoff=0.01, retries=2)
    with pytest.raises(EndpointError, match="no connection"):
        llm_prompts(CATEGORIES, settings, tmp_path / "p.jsonl", counter=EstimatedTokens())


def test_llm_prompts__what_was_accepted_before_the_end_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    with FakeEndpoint() as endpoint:
        ask(endpoint, out, CATEGORIES[:3])
        ask(endpoint, out, CATEGORIES[:3])
        assert endpoint.asked == {"cup": 12, "chair": 12, "dog": 12}
        ask(endpoint, out, CATEGORIES[:3], per_category=14)
        assert endpoint.asked == {"cup": 14, "chair": 14, "dog": 14}
        ask(endpoint, out, CATEGORIES[:4])
        assert endpoint.asked == {"cup": 14, "chair": 14, "dog": 14, "banana": 12}


def test_llm_prompts__refused_and_said_prompts_go_into_the_next_request(tmp_path: Path) -> None:
    def answer(name: str, count: int, random: Random) -> str:
        texts = [f"a {random.getrandbits(40)} {name}, in a white background" for _ in range(count - 1)]
        return json.dumps([*texts, f"two {name}s, in a white background"])

    with FakeEndpoint(answer=answer) as endpoint:
        ask(endpoint, tmp_path / "p.jsonl", CATEGORIES[:1], concurrency=1)
    second = endpoint.bodies[1]["messages"][1]["content"]
    assert "- two cups, in a white background (more than one object ('two cups'))" in second
    kept = read_prompts(tmp_path / "p.jsonl")
    assert all(f"- {prompt.text}" in second for prompt in kept[:5])


@pytest.mark.parametrize("refused", [["json_schema"], ["json_schema", "json_object"]])
def test_llm_prompts__structured_output_falls_back_once_for_all(tmp_path: Path, refused: list[str]) -> None:
    with FakeEndpoint(refuse_formats=refused) as endpoint:
        report = ask(endpoint, tmp_path / "p.jsonl", concurrency=1)
    assert report.shortfalls == {}
    forms = [body.get("response_format", {}).get("type") for body in endpoint.bodies]
    assert forms[: len(refused)] == refused
    assert len(set(forms[len(refused) :])) == 1


def test_llm_prompts__chatter_is_understood(tmp_path: Path) -> None:
    with FakeEndpoint(faulty=1, faults=["chatter"]) as endpoint:
        assert ask(endpoint, tmp_path / "p.jsonl").shortfalls == {}


def test_llm_prompts__retry_after_holds_for_all(tmp_path: Path) -> None:
    with FakeEndpoint(faulty=0.3, faults=["429"], retry_after=0.4, seed=5) as endpoint:
        begun = time.monotonic()
        ask(endpoint, tmp_path / "p.jsonl", backoff=0.0)
    assert endpoint.given["429"]
    assert time.monotonic() - begun > 0.4


def test_llm_prompts__asked_to_wait_for_a_day(tmp_path: Path) -> None:
    with (
        FakeEndpoint(faulty=1, faults=["429"], retry_after=86400) as endpoint,
        pytest.raises(EndpointError, match="asks to wait 86400 s"),
    ):
        ask(endpoint, tmp_path / "p.jsonl")


def test_llm_prompts__keeps_the_wanted_number_in_flight(tmp_path: Path) -> None:
    with FakeEndpoint(latency=0.1) as endpoint:
        ask(endpoint, tmp_path / "p.jsonl", concurrency=5, per_request=4)
    assert endpoint.most_in_flight == 5


def test_llm_prompts__cost_limit_is_never_exceeded(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    with FakeEndpoint() as endpoint:
        report = ask(endpoint, out, account=Account(price_in=1.0, price_out=1.0, max_cost=0.004))
        assert report.account.cost <= 0.004
        assert "cost limit of 0.004" in next(iter(report.shortfalls.values()))
        served = sum(endpoint.asked.values())
        again = ask(endpoint, out, account=Account(price_in=1.0, price_out=1.0, max_cost=0.004))
        assert again.account.cost <= 0.004
        assert sum(endpoint.asked.values()) - served <= 6


def test_estimate_llm__asks_nothing(tmp_path: Path) -> None:
    settings = LlmSettings(model="m", per_category=40, per_request=16)
    plan = estimate_llm(CATEGORIES, settings, Account(price_in=1, price_out=1), tmp_path / "p.jsonl")
    assert (plan.categories, plan.prompts, plan.requests) == (6, 240, 18)
    assert plan.cost == (plan.prompt_tokens + plan.completion_tokens) / 1e6
    assert list(tmp_path.iterdir()) == []


def test_llm_prompts__the_key_is_sent_but_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with FakeEndpoint(faulty=0.3, faults=["500"]) as endpoint, caplog.at_level(logging.DEBUG):
        ask(endpoint, tmp_path / "p.jsonl")
    assert endpoint.headers[0]["authorization"] == "Bearer sk-very-secret"
    assert all("secret" not in path.read_text() for path in tmp_path.iterdir())
    assert "secret" not in caplog.text


def test_llm_prompts__public_endpoint_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY holds no key"):
        llm_prompts(CATEGORIES, LlmSettings(model="m"), tmp_path / "p.jsonl", counter=EstimatedTokens())
    assert not (tmp_path / "p.jsonl").exists()


def test_llm_prompts__file_of_other_categories(tmp_path: Path) -> None:
    write_prompts(tmp_path / "p.jsonl", grammar_prompts([Category(id=1, name="spoon")], per_category=2))
    with FakeEndpoint() as endpoint, pytest.raises(ConfigError, match="'spoon'"):
        ask(endpoint, tmp_path / "p.jsonl")


@pytest.mark.parametrize("options", [{"per_category": 0}, {"concurrency": 0}, {"patience": 0}])
def test_llm_settings__bad_numbers(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        LlmSettings(model="m", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"banned": ("red", " ")}, "a banned word is empty"),
        ({"model": ""}, "model is empty"),
        ({"timeout": float("nan")}, "timeout is nan"),
    ],
)
def test_llm_settings__what_would_be_paid_for_and_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        LlmSettings(**{"model": "m", **settings})  # type: ignore[arg-type]

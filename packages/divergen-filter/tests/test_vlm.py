"""The judge against an endpoint on loopback."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from divergen_filter.cli import main
from divergen_filter.config import VlmConfig
from divergen_filter.testing import check_score
from divergen_records.endpoint import EndpointError, LimitReached
from divergen_records.endpoint.testing import Loopback, completion

ALL = ("vlm_whole", "vlm_category", "vlm_uncut", "vlm_clean")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


def question(body):
    return body["messages"][0]["content"][0]["text"]


def answer(**said):
    """Yes to everything but what is said."""
    text = json.dumps(dict.fromkeys(ALL, True) | said)
    return lambda exchange: exchange.send(200, completion(text, sent=1000, received=40))


@pytest.fixture
def judge(tmp_path):
    def make(server, **settings):
        return VlmConfig(model="m", base_url=server.url, answers=tmp_path / "answers.jsonl", **settings)

    return make


@pytest.fixture
def batch(table):
    rows = table.select(["id", "image", "mask", "category"])
    return {name: rows[name].to_pylist() for name in rows.column_names}


def test_vlm__keeps_what_every_score_promises(judge, batch):
    with Loopback(answer(vlm_category=False)) as server:
        check_score(judge(server), batch)
    parts = server.bodies[0]["messages"][0]["content"]
    assert "Is this a thing 1?" in {
        line.partition(": ")[2] for body in server.bodies for line in question(body).split("\n")
    }
    assert parts[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert server.bodies[0]["response_format"]["json_schema"]["schema"]["required"] == list(ALL)


def test_vlm__is_not_asked_twice(judge, batch):
    with Loopback(answer(vlm_whole=False)) as server:
        first = judge(server).build()(batch)
        asked = len(server.bodies)
        with judge(server).answers.open("ab") as file:
            file.write(b'{"request": "half')
        assert judge(server).build()(batch) == first and len(server.bodies) == asked == 5
        changed = judge(server, questions={"vlm_whole": "Is it whole?"}).build()
        assert changed(batch) == {"vlm_whole": [0.0] * 5} and len(server.bodies) == 10


@pytest.mark.parametrize("line", ["[", "[" * 100_000, '{"request": "a"}', '{"request": "a", "answers": [1]}', "null"])
def test_vlm__a_damaged_line_of_answers_is_told(judge, batch, line, capsys):
    with Loopback(answer(vlm_whole=False)) as server:
        config = judge(server)
        config.build()(batch)
        assert capsys.readouterr().err == ""
        with config.answers.open("a") as file:
            file.write(f"{line}\n")
        config.build()
    assert "1 lines are no answers" in capsys.readouterr().err


def test_vlm__an_answer_that_is_none_is_told_and_is_no_number(judge, batch):
    def respond(exchange):
        wrong = "thing 9" in question(exchange.body)
        exchange.send(200, completion("I cannot say" if wrong else json.dumps(dict.fromkeys(ALL, "yes"))))

    with Loopback(respond) as server:
        stage = judge(server).build()
        found = stage(batch)["vlm_whole"]
    assert found[:4] == [1.0] * 4 and found[4] != found[4]
    assert list(stage.unanswered) == [batch["id"][4]] and "no JSON object" in str(stage.unanswered)


@pytest.mark.parametrize(
    "form",
    [
        "<think>vlm_whole: no? {{wait}}</think>{}",
        "Let me see {{it}}.</think>\n{}\nDone {{here}}.",
        "```json\n{}\n```",
        "<|channel|>analysis<|message|>vlm_whole: no<|end|><|channel|>final <|constrain|>json<|message|>{}",
    ],
)
def test_vlm__reads_what_follows_a_thought(judge, batch, form):
    with Loopback(
        lambda exchange: exchange.send(200, completion(form.format(json.dumps(dict.fromkeys(ALL, True)))))
    ) as server:
        assert judge(server).build()(batch)["vlm_whole"] == [1.0] * 5


@pytest.mark.parametrize(
    "form",
    [
        *(
            "'{}': True,",
            "**{}**: Yes",
            "- {} = yes",
            "- **{}:** Yes",
            "| {} | Yes |",
            "{} → yes",
            "{}: ✅ Yes",
            "{} — yes",
        ),
        *(
            '"{}": 1,',
            '"{}": {{"answer": true, "reason": "no part is missing"}},',
            '{{"question": "{}", "answer": "yes"}}',
        ),
        *("<{}>yes", '\\"{}\\": true,'),
    ],
)
def test_vlm__reads_what_is_nearly_json_and_lists(judge, batch, form):
    text = "\n".join(map(form.format, ALL))
    with Loopback(lambda exchange: exchange.send(200, completion(text))) as server:
        assert judge(server).build()(batch)["vlm_clean"] == [1.0] * 5


@pytest.mark.parametrize("form", ['"{}": 0.8', '"{}": 10', '"{}": null', "<|channel|>analysis<|message|>{}: yes"])
def test_vlm__what_is_neither_yes_nor_no_is_no_answer(judge, batch, form):
    text = "\n".join(map(form.format, ALL))
    with Loopback(lambda exchange: exchange.send(200, completion(text))) as server, pytest.raises(EndpointError):
        judge(server).build()(batch)


def test_vlm__a_thought_without_end_is_no_answer(judge, batch):
    text = "<think>" + json.dumps(dict.fromkeys(ALL, True))
    with Loopback(lambda exchange: exchange.send(200, completion(text))) as server, pytest.raises(EndpointError):
        judge(server).build()(batch)


def test_vlm__a_model_that_takes_no_temperature_and_paid_answers_of_others(judge, batch):
    def respond(exchange):
        if "temperature" in exchange.body:
            exchange.send(400, {"error": {"message": "Unsupported value: 'temperature'", "param": "temperature"}})
        else:
            answer()(exchange)

    with Loopback(answer()) as server:
        judge(server).build()(batch)
    with Loopback(respond) as server:
        assert judge(server).build()(batch)["vlm_whole"] == [1.0] * 5 and not server.bodies
        assert judge(server, questions={"vlm_whole": "Whole?"}).build()(batch)["vlm_whole"] == [1.0] * 5


def test_vlm__stops_at_the_limit_and_keeps_what_was_paid(judge, batch):
    with Loopback(answer()) as server:
        stage = judge(server, price_in=1000, price_out=1000, max_cost=3.5, max_output_tokens=64).build()
        with pytest.raises(LimitReached, match=r"the cost limit of 3\.5 is reached"):
            stage(batch)
        paid = len(stage.config.answers.read_bytes().splitlines())
        assert 1 <= paid <= 3 and stage.account.cost <= 3.5
        assert judge(server, price_in=1000, price_out=1000, max_cost=3.5).build().account.cost == stage.account.cost
        asked = len(server.bodies)
        judge(server).build()(batch)
        assert len(server.bodies) == asked + 5 - paid


def test_vlm__nobody_asks_on_when_the_key_is_refused(judge, batch):
    with Loopback(lambda exchange: exchange.send(401, {"error": {"message": "no"}})) as server:
        with pytest.raises(EndpointError, match="refuses the key"):
            judge(server, concurrency=1).build()(batch)
        assert len(server.bodies) == 1


def test_cli__judge_fills_the_table_and_rules_read_it(table, tmp_path):
    with Loopback(answer(vlm_clean=False)) as server:
        sets = [f"base_url={server.url}", "model=m", f"answers={tmp_path / 'a.jsonl'}", "price_in=1"]
        line = ["judge", str(table.path), *(part for text in sets for part in ("--set", text))]
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 0 and "5 judged, 0 not ready; cost 0.005" in done.output, done.output
        assert "0 judged" in CliRunner().invoke(main, line).output
    rules = tmp_path / "rules.json"
    rules.write_text('{"rules": [{"score": "vlm_clean", "op": ">=", "threshold": 1}]}')
    assert "kept 0 of 5" in CliRunner().invoke(main, ["decide", str(table.path), "--rules", str(rules)]).output


def test_cli__judge_tells_what_it_has_no_answer_about(table, tmp_path):
    def respond(exchange):
        wrong = "thing 1" in question(exchange.body)
        exchange.send(200, completion("I cannot say" if wrong else json.dumps(dict.fromkeys(ALL, True))))

    with Loopback(respond) as server:
        sets = [f"base_url={server.url}", "model=m", f"answers={tmp_path / 'a.jsonl'}"]
        line = ["judge", str(table.path), *(part for text in sets for part in ("--set", text))]
        done = CliRunner().invoke(main, line)
        shard = CliRunner().invoke(main, [*line, "--shard", "0/1"])
        asked = len(server.bodies)
        server.respond = answer()
        again = CliRunner().invoke(main, line)
    assert done.exit_code == 3 and "3 judged" in done.output and "rows: 5 in, 3 out, 2 lost" in done.output, done.output
    assert "the answer holds no JSON object" in done.output
    assert shard.exit_code == 1 and "2 rows that got no answer before are asked about again" in shard.output
    assert again.exit_code == 0 and "2 judged" in again.output and len(server.bodies) == asked + 2
    assert table.count("vlm_whole = 1") == 5

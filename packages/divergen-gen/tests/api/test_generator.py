"""An image API on loopback: with alpha, without, refusing, slow, out of money."""

import asyncio
import base64
import json
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from divergen_gen import OpenAIImagesConfig, generate, plan
from divergen_gen.api.answers import read_answer
from divergen_gen.cli import main
from divergen_gen.testing import answer_pictures, planned_record
from divergen_records import ConfigError, InstanceTable, PromptRecord
from divergen_records.endpoint import EndpointError, Refused
from divergen_records.endpoint.testing import Loopback
from divergen_records.images import read_image

pytest.importorskip("openai")

KEY = "sk-planted-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def build(server, **changes):
    return OpenAIImagesConfig(**{"model": "m", "base_url": server.url, "backoff": 0.0, **changes}).build()


def make(generator, count=3, category="cup"):
    return list(generator([planned_record(category, seed, generator) for seed in range(count)]))


def test_generator__true_alpha_and_no_background_in_the_prompt():
    with Loopback(answer_pictures) as server:
        made = make(build(server, quality="low", size="1024x1024"))
    assert [record.error for record in made] == [None] * 3
    for record in made:
        assert read_image(record.alpha)[..., 0].max() == 255
        assert read_image(record.alpha)[0, 0, 0] == 0
        assert record.model_extra["request_id"].startswith("req-")
    assert {body["prompt"] for body in server.bodies} == {"a photo of a single cup"}
    assert (server.bodies[0]["quality"], server.bodies[0]["size"]) == ("low", "1024x1024")
    assert [record.seed for record in made] == [0, 1, 2]


def test_generator__in_a_cell_of_a_notebook():
    async def cell(server):
        return make(build(server))

    with Loopback(answer_pictures) as server:
        assert [record.error for record in asyncio.run(cell(server))] == [None] * 3


@pytest.mark.parametrize("refuses", [False, True])
def test_generator__a_model_without_alpha_is_said_once(caplog, refuses):
    def respond(exchange):
        if refuses and "background" in exchange.body:
            exchange.send(400, {"error": {"message": "Unknown parameter: 'background'.", "param": "background"}})
        else:
            answer_pictures(exchange, transparent=False)

    with Loopback(respond) as server:
        generator = build(server)
        made = [*make(generator), *make(generator)]
    assert [record.alpha for record in made] == [None] * 6
    assert caplog.text.count("gives no alpha") == 1
    assert caplog.text.count("takes no seeds") == 1
    assert all(body["prompt"].endswith("in a white background") for body in server.bodies[-5:])
    assert "background" not in server.bodies[-1]


def test_generator__a_refusal_is_that_rows_error_in_the_servers_words(caplog):
    def respond(exchange):
        if "gun" in exchange.body["prompt"]:
            error = {"message": "Your request was rejected by the safety system.", "code": "moderation_blocked"}
            exchange.send(400, {"error": error})
        else:
            answer_pictures(exchange)

    with Loopback(respond) as server:
        generator = build(server)
        records = [planned_record(name, 1, generator) for name in ("cup", "gun", "car")]
        errors = [record.error for record in generator(records)]
    assert errors == [None, "Your request was rejected by the safety system.", None]
    assert KEY not in caplog.text


def test_generator__asks_again_after_429_and_a_slow_answer():
    asked = []

    def respond(exchange):
        asked.append(exchange)
        if len(asked) == 1:
            exchange.send(429, {"error": {"message": "slow down"}}, retry_after_ms="10")
        elif len(asked) == 2:
            threading.Event().wait(0.6)
            answer_pictures(exchange)
        else:
            answer_pictures(exchange)

    with Loopback(respond) as server:
        made = make(build(server, timeout=0.3), count=2)
    assert [record.error for record in made] == [None, None]
    assert len(asked) == 4


def test_generator__several_pictures_of_a_prompt_in_a_request():
    with Loopback(answer_pictures) as server:
        made = make(build(server, n=4), count=9)
    assert [record.error for record in made] == [None] * 9
    assert (
        sorted(body.get("n", 1) for body in server.bodies) == [1, 1, 3, 4]
        or sum(body.get("n", 1) for body in server.bodies) == 9
    )


@pytest.mark.parametrize("how", ["a named refusal", "a plain 400", "one picture instead"])
def test_generator__an_endpoint_that_gives_one_picture_at_a_time(caplog, how):
    def respond(exchange):
        if exchange.body.get("n", 1) == 1:
            answer_pictures(exchange)
        elif how == "one picture instead":
            exchange.body["n"] = 1
            answer_pictures(exchange)
        elif how == "a named refusal":
            exchange.send(400, {"error": {"message": "You must provide n=1 for this model.", "param": "n"}})
        else:
            exchange.send(400, {"error": {"message": "Invalid request."}})

    with Loopback(respond) as server:
        generator = build(server, n=4, concurrency=1)
        made = [*make(generator, count=6), *make(generator, count=6)]
    assert [record.error for record in made] == [None] * 12
    assert len({id(record.image) for record in made}) == 12
    assert len(server.bodies) <= 15
    assert all("n" not in body for body in server.bodies[-6:])
    assert len([record for record in caplog.records if "n=" in record.message or "refuses n" in record.message]) <= 2
    assert caplog.text.count("refuses n ") <= 1 and caplog.text.count("one is asked for at a time") == 1


def test_generator__what_is_left_of_the_money_buys_single_pictures():
    with Loopback(answer_pictures) as server:
        made = make(build(server, n=4, price_picture=0.1, max_cost=0.3), count=4)
    assert sum(record.error is None for record in made) == 3
    assert sum(body.get("n", 1) for body in server.bodies) == 3


def test_generator__money_is_never_passed():
    with Loopback(answer_pictures) as server:
        generator = build(server, price_picture=0.04, max_cost=0.1)
        made = make(generator, count=5)
    assert sum(record.error is None for record in made) == len(server.bodies) == 2
    assert "cost limit of 0.1 is reached" in made[-1].error
    assert generator.account.cost == pytest.approx(0.08)
    with pytest.raises(ConfigError, match="needs prices"):
        build(server, max_cost=1)


def test_generator__money_is_set_aside_for_all_pictures_that_extra_body_asks_for():
    with Loopback(lambda exchange: exchange.send(200, {"data": [{"b64_json": encoded_picture()}] * 4})) as server:
        generator = build(server, price_picture=0.04, max_cost=0.1, extra_body={"num_images": 4})
        assert "cost limit of 0.1 is reached" in make(generator, 1)[0].error
    assert not server.bodies


def test_generator__what_is_paid_for_is_kept_when_the_endpoint_ends():
    def respond(exchange):
        if "zebra" in exchange.body["prompt"]:
            exchange.send(401, {"error": {"message": f"bad key {KEY}"}})
        else:
            answer_pictures(exchange)

    with Loopback(respond) as server:
        generator = build(server, n=2)
        with pytest.raises(EndpointError, match="refuses the key") as ended:
            generator([planned_record(name, 1, generator) for name in ("cup", "zebra")])
        assert [(record.category, record.error) for record in ended.value.made] == [("cup", None)]
        assert KEY not in str(ended.value)
        with pytest.raises(EndpointError, match="refuses the key") as ended:
            make(generator)
        assert ended.value.made == []


@pytest.mark.parametrize("good", [0, 3])
def test_generator__nobody_asks_on_when_the_endpoint_ends(good):
    def respond(exchange):
        if len(server.bodies) <= good:
            answer_pictures(exchange)
        else:
            exchange.send(401, {"error": {"message": "no such key"}})

    with Loopback(respond) as server:
        generator = build(server, background=None, concurrency=1)
        records = [planned_record(f"cup {number}", number, generator) for number in range(8)]
        with pytest.raises(EndpointError, match="refuses the key") as ended:
            generator(records)
        assert [record.error for record in ended.value.made] == [None] * good
        assert len(server.bodies) == good + 1


def test_generator__pictures_given_one_at_a_time_are_kept_when_the_endpoint_ends():
    def respond(exchange):
        if len(server.bodies) <= 2:
            exchange.send(200, {"data": [{"b64_json": encoded_picture()}]})
        else:
            exchange.send(401, {"error": {"message": "no such key"}})

    with Loopback(respond) as server:
        generator = build(server, background=None, n=4)
        with pytest.raises(EndpointError) as ended:
            make(generator, 4)
    assert [record.error for record in ended.value.made] == [None, None]


def test_command__rows_that_nobody_was_asked_for_stay_to_be_made(tmp_path):
    dead = True

    def respond(exchange):
        if dead and len(server.bodies) > 2:
            exchange.send(401, {"error": {"message": "no such key"}})
        else:
            answer_pictures(exchange)

    table = tmp_path / "t.lance"
    with Loopback(respond) as server:
        line = ["run", str(planned_file(tmp_path, 5)), "--table", str(table)]
        line += ["-g", f"openai-images,model=m,base_url={server.url},concurrency=1"]
        first = CliRunner().invoke(main, line)
        assert first.exit_code == 2 and "refuses the key" in first.output, first.output
        assert InstanceTable.open(table).count() == InstanceTable.open(table).count("error IS NULL") == 2
        dead = False
        assert CliRunner().invoke(main, line).exit_code == 0
    assert InstanceTable.open(table).count("error IS NULL") == 4 and len(server.bodies) == 5


def test_generator__servers_that_give_addresses_unless_asked():
    def respond(exchange):
        if exchange.body.get("response_format") == "b64_json":
            answer_pictures(exchange)
        else:
            exchange.send(200, {"data": [{"url": "https://pictures.example/1.png"}]})

    with Loopback(respond) as server:
        assert [record.error for record in make(build(server))] == [None] * 3
        assert [body["response_format"] for body in server.bodies] == ["b64_json"] * 3
        assert server.fetched == []


def test_generator__pictures_behind_addresses_are_fetched():
    """Whatever is asked for; one that has expired is its row's error, paid once."""

    def respond(exchange):
        name = "gone" if "gun" in exchange.body["prompt"] else "there"
        exchange.send(200, {"images": [{"url": f"/{name}/1.png"}]})

    def give(exchange):
        content = base64.b64decode(encoded_picture(background="transparent"))
        exchange.send(200 if "there" in exchange.path else 404, content, "image/png")

    with Loopback(respond, give) as server:
        generator = build(server, price_picture=0.1, concurrency=1)
        names = ("cup", "gun", "zebra")
        made = generator([planned_record(name, 1, generator) for name in names])
    assert [record.error is None for record in made] == [True, False, True]
    assert "answers with status 404: it has expired" in made[1].error
    assert read_image(made[0].alpha)[..., 0].max() == 255
    assert len(server.bodies) == len(server.fetched) == 3 and generator.account.cost == pytest.approx(0.3)


def test_generator__addresses_that_all_give_nothing_end_the_run():
    with Loopback(lambda exchange: exchange.send(200, {"data": [{"url": "/1.png"}]})) as server:
        generator = build(server, price_picture=0.1, concurrency=1)
        with pytest.raises(EndpointError, match=r"any of the first 3 requests; the last: the picture's address .*404"):
            make(generator, count=9)
    assert len(server.bodies) == 3 and generator.account.cost == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("queued", "said"),
    [
        (
            {"id": "1", "status": "starting", "output": None, "urls": {"get": "https://api.example/1"}},
            "status starting",
        ),
        ({"data": {"task_id": "7"}}, "task_id 7"),
    ],
)
def test_generator__a_queue_ends_the_run_after_one(queued, said):
    with Loopback(lambda exchange: exchange.send(200, queued)) as server:
        generator = build(server, price_picture=0.1)
        with pytest.raises(EndpointError, match=rf"queues its pictures \({said}\)"):
            make(generator)
    assert len(server.bodies) == 1 and generator.account.cost == pytest.approx(0.1)


def raw(exchange):
    exchange.send(200, base64.b64decode(encoded_picture()), "image/png")


def listed(exchange):
    exchange.send(200, {"images": [encoded_picture()] * 2, "usage": {"images": 2, "input_tokens": 10}})


def streamed(exchange):
    usage = {"input_tokens": 10, "output_tokens": 272, "total_tokens": 282}
    pieces = [{"type": "image_generation.partial_image", "b64_json": encoded_picture()}]
    pieces += [{"type": "image_generation.completed", "b64_json": encoded_picture(), "usage": usage}]
    exchange.send(200, "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces), "text/event-stream")


@pytest.mark.parametrize(("respond", "cost"), [(raw, 0.3), (listed, 0.6), (streamed, 0.3 + 3 * 272e-5)])
def test_generator__other_forms_of_answer_and_their_cost(respond, cost, caplog):
    with Loopback(respond) as server:
        generator = build(server, background=None, price_picture=0.1, price_out=10)
        assert [record.error for record in make(generator)] == [None] * 3
    assert len(server.bodies) == 3 and generator.account.cost == pytest.approx(cost)
    assert caplog.text.count("more pictures than are asked for") == (respond is listed)


def read(payload):
    return asyncio.run(read_answer(payload, fetch=None))


def encoded_picture(**body):
    shown = {}
    answer_pictures(SimpleNamespace(body=body, send=lambda status, content, **_: shown.update(content)))
    return shown["data"][0]["b64_json"]


@pytest.mark.parametrize(
    "write",
    [
        lambda text: {"b64_json": "\n".join(text[i : i + 76] for i in range(0, len(text), 76))},
        lambda text: {"b64_json": text.rstrip("=")},
        lambda text: {"b64_json": text.replace("+", "-").replace("/", "_")},
        lambda text: {"b64_json": f"data:image/png;base64,{text}"},
        lambda text: {"url": f"data:image/png;base64,{text}", "revised_prompt": "a blue cup"},
    ],
    ids=["lines", "no padding", "url-safe", "data url", "data url as an address"],
)
def test_read_answer__base64_as_servers_write_it(write):
    assert len(read({"data": [write(encoded_picture())]}).pictures) == 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"data": [{"b64_json": None, "finish_reason": "CONTENT_FILTERED"}]}, "CONTENT_FILTERED"),
        ({"data": [{"error": {"code": "moderation_blocked", "message": "not  this"}}]}, "not this"),
        ({"data": [], "refusal": "I cannot draw that."}, "I cannot draw that."),
        ({"data": None, "error": "no"}, "no"),
        ({"data": {}, "message": "prompt contains sensitive content"}, "prompt contains sensitive content"),
        ({"promptFeedback": {"blockReason": "OTHER"}}, '{"promptFeedback": {"blockReason": "OTHER"}}'),
        ({"predictions": [{"raiFilteredReason": "no"}]}, '{"predictions": [{"raiFilteredReason": "no"}]}'),
    ],
)
def test_read_answer__a_refusal_of_status_200(payload, said):
    with pytest.raises(Refused) as error:
        read(payload)
    assert str(error.value) == said


@pytest.mark.parametrize("said", ["GPU out of memory", "model is loading", "Server busy, please try again later"])
@pytest.mark.parametrize("form", [lambda said: {"error": said}, lambda said: {"data": [{"error": {"message": said}}]}])
def test_generator__an_error_of_status_200_that_passes_is_asked_again(said, form):
    def respond(exchange):
        if len(server.bodies) == 1:
            exchange.send(200, form(said))
        else:
            answer_pictures(exchange)

    with Loopback(respond) as server:
        assert [record.error for record in make(build(server, concurrency=1))] == [None] * 3
    assert len(server.bodies) == 4


@pytest.mark.parametrize("broken", ["AAAA", "not base64!", "PHN2Zy8+", None], ids=["bytes", "text", "svg", "cut"])
def test_generator__a_broken_picture_is_that_rows_error(broken):
    def respond(exchange):
        if "gun" in exchange.body["prompt"]:
            text = encoded_picture()
            exchange.send(200, {"data": [{"b64_json": broken or text[: len(text) // 8 * 4]}]})
        else:
            answer_pictures(exchange)

    with Loopback(respond) as server:
        generator = build(server, price_picture=0.1, concurrency=1)
        names = ("cup", "gun", "zebra")
        errors = [record.error for record in generator([planned_record(name, 1, generator) for name in names])]
    assert errors[::2] == [None, None] and "picture cannot be read" in errors[1]
    assert generator.account.cost == pytest.approx(0.5), "three attempts at the broken one are paid for"


def test_generator__one_broken_picture_of_several_costs_no_other():
    def respond(exchange):
        count = exchange.body.get("n", 1)
        data = [{"b64_json": encoded_picture()} for _ in range(count)]
        exchange.send(200, {"data": [*data[:-1], {"b64_json": "AAAA"}] if count > 1 else data})

    with Loopback(respond) as server:
        generator = build(server, n=4, background=None, price_picture=0.1)
        made = make(generator, count=4)
    assert [record.error for record in made] == [None] * 4
    assert len(server.bodies) == 2 and generator.account.cost == pytest.approx(0.5)


def test_generate__keeps_the_requests_id_and_continues(tmp_path):
    prompts = [PromptRecord(text="a red cup, in a white background", category_id=1, category="cup", source="t")]
    table = InstanceTable.create(tmp_path / "t.lance")
    with Loopback(answer_pictures) as server:
        for counts in (2, 3):
            generator = build(server)
            generate(table, plan(prompts, [generator], counts=counts), [generator], progress=False)
    assert len(server.bodies) == 3
    assert all(name.startswith("req-") for name in table.select(["request_id"])["request_id"].to_pylist())


def planned_file(tmp_path, count=1):
    path = tmp_path / "prompts.jsonl"
    rows = [PromptRecord(text=f"a red cup {i}", category_id=1, category="cup", source="t") for i in range(count)]
    path.write_text("\n".join(row.model_dump_json() for row in rows))
    return path


def test_command__the_limit_holds_over_shards_and_resumes(tmp_path):
    """Two shards at once, then one that goes on with more: the server never gives more than the money buys."""
    both = threading.Barrier(2)

    def respond(exchange):
        if len(server.bodies) <= 2:  # each shard's first: a busy machine may begin one after the other has ended
            both.wait(60)
        threading.Event().wait(0.05)
        answer_pictures(exchange)

    with Loopback(respond) as server:
        api = f"openai-images,model=m,base_url={server.url},price_picture=0.1,max_cost=0.6"
        line = ["run", str(planned_file(tmp_path, 30)), "--table", str(tmp_path / "t.lance"), "-g", api]
        line += ["--allow-losses", "--per-category"]
        command = [sys.executable, "-c", "from divergen_gen.cli import main; main()", *line, "20", "--shard"]
        shards = [subprocess.Popen([*command, f"{i}/2"]) for i in (0, 1)]
        assert [shard.wait() for shard in shards] == [0, 0]
        assert len(server.bodies) == 6
        again = CliRunner().invoke(main, [*line, "30"])
    assert again.exit_code == 0, again.output
    assert len(server.bodies) == 6
    assert "cost 0.6 of 0.6 in all" in again.output and "t.lance.spent.jsonl" in again.output
    assert InstanceTable.open(tmp_path / "t.lance").count("image IS NOT NULL") == 6


def test_command__an_estimate_buys_no_picture(tmp_path):
    arguments = ["plan", str(planned_file(tmp_path)), "--per-category", "20", "--dry-run"]
    with Loopback(answer_pictures) as server:
        arguments += ["-g", f"openai-images,model=m,base_url={server.url},price_picture=0.04"]
        refused = CliRunner().invoke(main, arguments)
        given = CliRunner().invoke(main, [*arguments, "--rate", "1", "--picture-kb", "90"])
    assert refused.exit_code == 2 and "give --rate and --picture-kb" in refused.output
    assert given.exit_code == 0 and "cost 0.80" in given.output
    assert server.bodies == []


def test_command__one_line(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text(PromptRecord(text="a red cup", category_id=1, category="cup", source="t").model_dump_json())
    with Loopback(answer_pictures) as server:
        api = f"openai-images,model=m,base_url={server.url},price_picture=0.04,max_cost=1,extra_body={{style: vivid}}"
        arguments = ["run", str(path), "--table", str(tmp_path / "t.lance"), "--per-category", "2", "-g", api]
        result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "2 made, 0 failed" in result.output
    assert server.bodies[0]["style"] == "vivid"


@pytest.mark.parametrize("mark", [{"has_nsfw_concepts": [True]}, {"data": [{"nsfw": True}]}, {"is_nsfw": True}])
def test_generator__a_picture_marked_as_not_safe_is_refused(mark):
    def respond(exchange):
        picture = {"b64_json": encoded_picture()}
        exchange.send(200, mark | {"data": [picture | entry for entry in mark.get("data", [{}])]})

    with Loopback(respond) as server:
        errors = [record.error for record in make(build(server))]
    assert errors == ["the endpoint marks the picture as not safe"] * 3


def test_generator__the_same_picture_for_several_rows_is_said_and_counted(caplog):
    with Loopback(lambda exchange: exchange.send(200, {"data": [{"b64_json": encoded_picture()}]})) as server:
        generator = build(server)
        assert [record.error for record in make(generator)] == [None] * 3
    assert caplog.text.count("the very picture of another row") == 1
    assert "2 rows have another row's picture" in generator.note()


def test_command__rows_that_a_dying_server_cost_are_made_on_request(tmp_path):
    dead = True

    def respond(exchange):
        if dead and len(server.bodies) > 2:
            exchange.send(400, {"error": {"message": "content_policy_violation"}})
        else:
            answer_pictures(exchange)

    prompts, table = planned_file(tmp_path, 4), tmp_path / "t.lance"
    with Loopback(respond) as server:
        line = ["run", str(prompts), "--table", str(table), "-g", f"openai-images,model=m,base_url={server.url}"]
        first = CliRunner().invoke(main, line)
        assert first.exit_code == 3 and f"table retry {table} --stage gen, then this command" in first.output
        dead = False
        InstanceTable.open(table).retry_errors("gen")
        assert CliRunner().invoke(main, line).exit_code == 0
    rows = InstanceTable.open(table).select(["id", "error"]).to_pylist()
    assert len(rows) == len({row["id"] for row in rows}) == 4

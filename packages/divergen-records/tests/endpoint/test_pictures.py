from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from divergen_records.endpoint import Transient
from divergen_records.endpoint.pictures import as_json, is_picture, read_pictures
from divergen_records.endpoint.usage import used

PNG = base64.b64encode(b"\x89PNG" + bytes(40)).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff" + bytes(40)).decode()
URL = "https://pictures.example/1.png?sig=1"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"images": [PNG, JPEG], "parameters": {}, "info": "{}"}, [PNG, JPEG]),
        ({"images": [{"url": URL, "content_type": "image/png"}], "prompt": "a cup"}, [URL]),
        ({"image": PNG, "finish_reason": "SUCCESS", "seed": 1}, [PNG]),
        ({"artifacts": [{"base64": PNG, "finishReason": "SUCCESS"}]}, [PNG]),
        ({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": PNG}]}, [PNG]),
        ({"candidates": [{"content": {"parts": [{"text": "Here"}, {"inlineData": {"data": PNG}}]}}]}, [PNG]),
        ({"output": [{"type": "image_generation_call", "result": PNG}]}, [PNG]),
        ({"output": [URL], "urls": {"get": "https://api.example/1"}, "status": "succeeded"}, [URL]),
        ({"output": {"results": [{"url": URL}], "task_status": "SUCCEEDED"}}, [URL]),
        ({"result": {"image": PNG}, "success": True}, [PNG]),
        ({"result": "ok", "response": {"images": [PNG]}}, [PNG]),
        ({"status": "Ready", "result": {"sample": URL, "prompt": "a cup"}}, [URL]),
        ({"choices": [{"message": {"content": "Here", "images": [{"image_url": {"url": URL}}]}}]}, [URL]),
        ({"data": {"b64_json": PNG}}, [PNG]),
        ({"data": {"image_urls": [URL]}, "base_resp": {"status_code": 0, "status_msg": "success"}}, [URL]),
        ([{"b64_json": PNG}, {"b64_json": JPEG}], [PNG, JPEG]),
        ([PNG], [PNG]),
        (f"data:image/png;base64,{PNG}", [f"data:image/png;base64,{PNG}"]),
    ],
)
def test_read_pictures__wherever_servers_put_them(answer: object, found: list[str]) -> None:
    data = read_pictures(json.dumps(answer))["data"]
    assert [entry.get("url") or entry.get("b64_json") for entry in data] == found
    assert all(("url" in entry) == entry.get("url", "").startswith(("https:", "data:")) for entry in data)


def event(kind: str, **more: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n"


def test_read_pictures__of_a_stream_only_those_that_are_complete() -> None:
    partial = event("image_generation.partial_image", b64_json=JPEG, partial_image_index=0)
    usage = {"input_tokens": 5, "output_tokens": 10}
    whole = read_pictures(partial + event("image_generation.completed", b64_json=PNG, usage=usage))
    assert (whole["data"], whole["usage"]) == ([{"b64_json": PNG}], usage)
    torn = read_pictures(partial)
    assert (torn["data"], torn["pieces"]) == ([], 1)
    nested = {"output": [{"type": "image_generation_call", "result": PNG}], "usage": usage}
    whole = read_pictures(event("response.completed", response=nested))
    assert (whole["data"], whole["usage"]) == ([{"b64_json": PNG}], usage)
    lines = [{"status": "generating", "completed": 1, "total": 9}, {"image": PNG, "done": True}]
    assert read_pictures("\n".join(map(json.dumps, lines)))["data"] == [{"b64_json": PNG}]
    assert read_pictures(event("error", error={"message": "no"}))["error"] == {"message": "no"}


@pytest.mark.parametrize(
    "answer",
    [
        {"created": 1, "data": []},
        {"data": None},
        {"id": "x", "status": "starting", "urls": {"get": URL}, "input": {"image": PNG}, "output": None},
        {"image": PNG, "finish_reason": "CONTENT_FILTERED"},
        {"choices": [{"message": {"content": "I cannot draw that, but here is how it would look like."}}]},
        {"data": [{"error": {"message": "no"}}]},
        json.loads("[" * 50 + "]" * 50),
    ],
)
def test_read_pictures__leaves_an_answer_without_as_it_is(answer: object) -> None:
    whole = answer if isinstance(answer, dict) else {"data": answer}
    assert read_pictures(json.dumps(answer)) == whole


@pytest.mark.parametrize("text", ["", "PK\x03\x04 an archive", '{"data": [', "[" * 100_000])
def test_read_pictures__names_what_is_none(text: str) -> None:
    with pytest.raises(Transient, match=r"neither JSON nor a picture|is empty"):
        read_pictures(text)


def test_is_picture__json_under_any_type_is_none() -> None:
    assert not is_picture(b' {"data": []}', "image/png")
    assert is_picture(b"odd bytes", "image/x-odd") and is_picture(b"\x89PNG", "application/octet-stream")


def test_as_json__a_picture_as_the_whole_answer() -> None:
    content = base64.b64decode(PNG)
    assert is_picture(content, "application/octet-stream") and is_picture(b"<svg/>", "image/svg+xml")
    assert not is_picture(b'{"data": []}', "application/json")
    assert read_pictures(as_json(content, None))["data"][0]["b64_json"] == PNG


@pytest.mark.parametrize(
    ("payload", "pictures"),
    [
        ({"data": [{}, {}]}, 2),
        ({"data": [{}], "usage": {"generated_images": 2, "output_tokens": 9}}, 2),
        ({"data": [], "usage": {"total_tokens": 9}}, 3),
        ({"created": 1}, 3),
        ({"data": [], "refusal": "no"}, 0),
        ({"error": {"message": "no"}}, 0),
    ],
)
def test_used__pictures_that_may_be_paid_for_are_counted(payload: dict[str, Any], pictures: int) -> None:
    assert used(payload, 5, 1000, 3).pictures == pictures

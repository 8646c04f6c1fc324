"""A judge that reads pictures: a vision model behind an endpoint is shown the cut-out and answers yes or no.

Every answer is in a file before the next batch begins, so that what a kill or a broken endpoint ends is not paid for
twice; what is spent is in a ledger beside it, and the limit of cost holds over all processes and earlier runs.
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import Batch, Category, DivergenError
from divergen_records.command import echo
from divergen_records.endpoint import (
    Endpoint,
    EndpointError,
    Ledger,
    LimitReached,
    Memory,
    Option,
    Query,
    Refused,
    SharedAccount,
    Transient,
    Unusable,
    read_completion,
    read_key,
    run_to_end,
)
from divergen_records.files import make_folder
from divergen_records.images import encode_image, read_image
from divergen_records.masks import decode_counts, mask_to_bbox

from .columns import VlmColumns

if TYPE_CHECKING:
    from divergen_records import InstanceTable, Shard

    from .config import VlmConfig

__all__ = ["VlmStage"]

_MARGIN, _PICTURE_TOKENS = 0.08, 800
_ASK = (
    "The picture shows one object, cut out and laid on white. Answer each question about it by yes (true) or no "
    "(false), as a JSON object with these keys.\n{questions}"
)
_THOUGHT = re.compile(
    r"</\w*(?:think|thought|reason)\w*>|◁/think▷|\[/THINK\]|<\|channel\|>\s*final\b[^<]*(?:<\|[^|]*\|>[^<]*)?<\|message\|>",
    re.IGNORECASE,
)
_THINKING = re.compile(
    r"<\w*(?:think|thought|reason)\w*>|◁think▷|\[THINK\]|<\|channel\|>\s*(?:analysis|commentary)", re.IGNORECASE
)
_YES_NO = {"yes": True, "no": False, "true": True, "false": False, "y": True, "n": False, "1": True, "0": False}

Answers = dict[str, bool]


class VlmStage:
    """Asks a vision model about each instance; a `divergen_filter.Score`.

    Args:
        config: Who is asked, and what.

    Attributes:
        account: What was spent, by all that share the file of answers.
        unanswered: Instances that it would not or could not judge: reason by id.
    """

    name = "vlm"
    reads = ("image", "mask", "category")
    columns = VlmColumns

    def __init__(self, config: VlmConfig) -> None:
        self.config = config
        self.writes = tuple(config.questions)
        make_folder(config.answers.parent)
        ledger = Ledger(config.answers.with_suffix(".costs.jsonl"), config.model)
        prices = {name: getattr(config, name) for name in ("price_in", "price_out", "max_cost")}
        self.account = SharedAccount(**prices, ledger=ledger)
        self.unanswered: dict[str, str] = {}
        self._memory = Memory()
        self._known = _read(config.answers)

    def __call__(self, batch: Batch) -> Batch:
        """Answers of a batch of rows: 1 for yes, 0 for no, NaN where there is none.

        Raises:
            EndpointError: The endpoint is down, or refuses for good. What was answered is kept.
            LimitReached: The limit of cost is reached.
            ConfigError: There is no key, or no such address.
        """
        rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        answers = run_to_end(self._run(rows))
        columns: dict[str, list[Any]] = {
            name: [np.nan if found is None else float(found[name]) for found in answers] for name in self.writes
        }
        return columns

    def forget_unanswered(self, table: InstanceTable, shard: Shard) -> int:
        """Make rows pending again that an earlier call got no answer about. Returns their number."""
        names = ", ".join(f"'{name}'" for name in self.without_answer(table) if shard.has(name))
        return table.clear(self.writes, f"id IN ({names})") if names else 0

    def without_answer(self, table: InstanceTable) -> dict[str, str]:
        """Rows that the judge was asked about and gave no answer to: the reason by id, where this stage asked."""
        first = self.writes[0]
        found = table.ids(f"isnan({first}) AND error IS NULL") if first in table.columns else set()
        return {name: self.unanswered.get(name, "no answer from the judge") for name in sorted(found)}

    async def _run(self, rows: Sequence[Mapping[str, Any]]) -> list[Answers | None]:
        config = self.config
        endpoint = Endpoint(
            base_url=config.base_url,
            key=read_key(config.key_variable, config.base_url),
            timeout=config.timeout,
            concurrency=config.concurrency,
            account=self.account,
            extra=config.extra_body,
            memory=self._memory,
        )
        places, ended = asyncio.Semaphore(config.concurrency), list[Exception]()

        async def answer(row: Mapping[str, Any]) -> Answers | None:
            async with places:
                if ended:  # for good: nobody asks on
                    raise ended[0]
                try:
                    return await self._answer(endpoint, row)
                except (EndpointError, LimitReached) as error:
                    ended.append(error)
                    raise

        async with endpoint:
            found = await asyncio.gather(*map(answer, rows), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if not isinstance(one, BaseException)]

    async def _answer(self, endpoint: Endpoint, row: Mapping[str, Any]) -> Answers | None:
        try:
            query = self._query(row)
            asked = {**query.body, "temperature": 0}
            key = sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
            if key not in self._known:
                answers = await endpoint.ask(query, self._read_answers)
                _append(self.config.answers, {"request": key, "id": row["id"], "answers": answers})
                self._known[key] = answers
            return self._known[key]
        except (EndpointError, LimitReached):
            raise
        except (Refused, Transient, DivergenError) as error:
            self.unanswered[row["id"]] = str(error)
            return None

    def _query(self, row: Mapping[str, Any]) -> Query:
        name = Category(id=0, name=row["category"]).label
        asked = {key: text.replace("{name}", name) for key, text in self.config.questions.items()}
        text = _ASK.format(questions="\n".join(f"{key}: {question}" for key, question in asked.items()))
        content = [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": _picture(row["image"], row["mask"], self.config.side)}},
        ]
        return Query(
            {"model": self.config.model, "messages": [{"role": "user", "content": content}]},
            tokens=len(text) // 3 + _PICTURE_TOKENS,
            options=(_structured(list(asked)), Option("temperature", ({"temperature": 0}, {}))),
            limit=self.config.max_output_tokens,
            most=4 * self.config.max_output_tokens,
        )

    def _read_answers(self, payload: dict[str, Any]) -> Answers:
        text = _THOUGHT.split(read_completion(payload).content)[-1]
        found = {} if _THINKING.search(text) else {key: _answer_to(key, text) for key in self.writes}
        if not any(key in text for key in found):
            raise Unusable(f"the answer holds no JSON object of the questions: {text[:80]!r}")
        if unclear := [key for key, answer in found.items() if answer is None]:
            raise Unusable(f"the answer says neither yes nor no to {', '.join(unclear)}: {text[:80]!r}")
        return {key: bool(answer) for key, answer in found.items()}


def _answer_to(key: str, text: str) -> bool | None:
    """Yes or no beside the last mention of a question, in JSON, nearly JSON, or a list."""
    beside = r"(?:\{?\s*[\"']?(?:answer|value|result)[\"']?\s*[:=]\s*)?"  # the question's own object, or the next key
    mark = rf"[\"'*_`\\\\]*\s*[:=|,>→–—✅❌-]+[\s\"'*_`✅❌]*{beside}[\"'*_`]*"
    said = re.findall(rf"(?<!\w){re.escape(key)}{mark}(\w+)\b(?!\.\d)", text)
    return _YES_NO.get(said[-1].lower()) if said else None


def _structured(keys: list[str]) -> Option:
    schema = {
        "type": "object",
        "properties": {key: {"type": "boolean"} for key in keys},
        "required": keys,
        "additionalProperties": False,
    }
    best = {"type": "json_schema", "json_schema": {"name": "answers", "strict": True, "schema": schema}}
    forms: tuple[dict[str, Any], ...] = ({"response_format": best}, {"response_format": {"type": "json_object"}}, {})
    return Option("structured answers", forms, words=("json_schema", "json_object", "schema"))


def _picture(data: bytes, counts: str, side: int) -> str:
    """The object on white with a little room, as an address; at most ``side`` pixels long."""
    import cv2

    picture = read_image(data)
    mask = decode_counts(counts, *picture.shape[:2])
    x, y, width, height = (round(value) for value in mask_to_bbox(mask))
    room = round(_MARGIN * max(width, height))
    cut = np.where(mask[..., None], picture, np.uint8(255))[y : y + height, x : x + width]
    cut = cv2.copyMakeBorder(cut, room, room, room, room, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    scale = side / max(cut.shape[:2])
    if scale < 1:
        cut = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return f"data:image/jpeg;base64,{b64encode(encode_image(np.asarray(cut, np.uint8), 'jpeg', 90)).decode('ascii')}"


def _read(path: Path) -> dict[str, Answers]:
    """Answers by request; what cannot be read is told, but for the end of a last line, which a kill tore."""
    found: dict[str, Answers] = {}
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    damaged = 0
    for line in filter(None, lines):
        try:
            entry = json.loads(line)
            found[str(entry["request"])] = {str(key): bool(answer) for key, answer in entry["answers"].items()}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            damaged += line is not lines[-1]
    if damaged:
        echo(f"{path}: {damaged} lines are no answers; what they answered is asked, and paid, again", err=True)
    return found


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    """A line of its own, also where a kill tore the last one."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            torn = file.read(1) != b"\n"
        else:
            torn = False
        file.write(b"\n" * torn + json.dumps(entry).encode() + b"\n")

"""An image API as a generator: requests side by side within the money, pictures with true alpha where it gives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any

from divergen_records import InstanceRecord
from divergen_records.endpoint import (
    IMAGES,
    Account,
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
    read_key,
    run_to_end,
)
from divergen_records.images import picture_columns

from ..blank import is_blank
from ..columns import GenerationColumns
from .answers import Answer, Picture, read_answer
from .settings import ImageApi

__all__ = ["ImageApiGenerator"]

_LOG = logging.getLogger(__name__)
_ALWAYS_ENCODED = "gpt-image"
"""Begins the names of models that give no addresses, and refuse to be asked for something else."""
_SEVERAL = ("num_images", "num_images_per_prompt", "num_outputs", "number_of_images", "samples", "batch_size")
"""Names under which ``extra_body`` may ask for several pictures at once."""
_REPEATED = (
    "the endpoint gave the very picture of another row: it makes its pictures by one seed, or shows a placeholder. Let "
    "it draw a seed for each (its settings, or mostly extra_body={seed: -1})"
)


class ImageApiGenerator:
    """Asks an OpenAI-compatible image API for pictures.

    Such an API takes no seed: a row's id and seed are the plan's, and another run gives another picture. A transparent
    picture is stored over white, with its alpha beside it, and its prompt is sent without the clause on the background.
    Whether the model gives alpha is seen from the first picture; where it does not, prompts keep the clause, and the
    masks are an annotator's work.

    Args:
        config: What is asked of whom.

    Attributes:
        account: What was spent: by this generator, or with `keep_account` by all that share a file.
        transparent: Whether pictures are asked for with alpha, still.
        together: Pictures of one prompt in a request; 1 where the endpoint gives no more.
        repeated: Rows whose picture another row has, too.
    """

    columns = GenerationColumns

    def __init__(self, config: ImageApi) -> None:
        self.config, self.name, self.revision = config, config.name, config.revision
        self._prices = {name: getattr(config, name) for name in ("price_in", "price_out", "price_picture", "max_cost")}
        self.account = Account(**self._prices)
        self.transparent = config.background == "transparent"
        self.together = config.n
        self._memory = Memory()
        self._probed = not self.transparent
        self._said: set[str] = set()
        self._given: dict[bytes, str] = {}
        self.repeated = 0
        self._down: EndpointError | None = None

    def __call__(self, records: Sequence[InstanceRecord]) -> Sequence[InstanceRecord]:
        """Complete planned records, in order.

        Raises:
            EndpointError: The endpoint is down, or refuses for good; with what was made before.
            ConfigError: There is no key, or no such address.
        """
        if not records:
            return []
        self._say_once("an image API takes no seeds: a picture made again is another one")
        done = run_to_end(self._run(records)) if self._down is None else {}
        if self._down is not None:
            self._down.made = [done[record.id] for record in records if record.id in done]
            raise self._down
        return [done[record.id] for record in records]

    def keep_account(self, path: Path) -> None:
        """Count what is spent in a file, together with all processes and earlier runs that do; the limit is theirs."""
        self.account = SharedAccount(**self._prices, ledger=Ledger(path, self.name))

    def note(self) -> str:
        """What was spent so far, and what came twice; nothing where nothing has a price or did."""
        account = self.account
        limit = "" if account.max_cost is None else f" of {account.max_cost:g}"
        spent = f"{account.pictures} pictures received, cost {account.cost:.4g}{limit} in all" if account.cost else ""
        repeated = f"{self.repeated} rows have another row's picture" if self.repeated else ""
        return "; ".join(filter(None, (spent, repeated)))

    async def _run(self, records: Sequence[InstanceRecord]) -> dict[str, InstanceRecord]:
        config = self.config
        endpoint = Endpoint(
            base_url=config.base_url,
            key=read_key(config.key_variable, config.base_url),
            timeout=config.timeout,
            retries=config.retries,
            backoff=config.backoff,
            concurrency=config.concurrency,
            account=self.account,
            extra=config.extra_body,
            memory=self._memory,
        )
        requests = list(_requests(records, self.together))
        done: dict[str, InstanceRecord] = {}
        async with endpoint:
            while requests and not self._probed and self._down is None:  # one picture says whether there is alpha
                first, *rest = requests
                found = await self._unless_down(endpoint, first[:1])
                if self._lacks_alpha():  # made again, with the background that its prompt asks for
                    break
                done |= found
                requests = [part for part in (first[1:], *rest) if part]
            places = asyncio.Semaphore(config.concurrency)
            for part in await asyncio.gather(*(self._keep(endpoint, part, places) for part in requests)):
                done |= part
        return done

    def _lacks_alpha(self) -> bool:
        """Whether alpha was asked for and is known not to come."""
        return self._probed and not self.transparent

    async def _keep(
        self, endpoint: Endpoint, records: Sequence[InstanceRecord], places: asyncio.Semaphore
    ) -> dict[str, InstanceRecord]:
        async with places:
            return await self._unless_down(endpoint, records)

    async def _unless_down(self, endpoint: Endpoint, records: Sequence[InstanceRecord]) -> dict[str, InstanceRecord]:
        """As `_ask`; of an endpoint that fails for good none, so that nobody asks on and what is paid for is kept."""
        if self._down is None:
            try:
                return await self._ask(endpoint, records)
            except EndpointError as error:
                self._down = self._down or error
        return {}

    async def _ask(self, endpoint: Endpoint, records: Sequence[InstanceRecord]) -> dict[str, InstanceRecord]:
        """The records of one prompt, completed or with the row error that the endpoint's words make."""
        if len(records) > self.together:
            return await self._singly(endpoint, records)
        try:
            query = self._query(records[0].prompt, len(records))
            answer = await endpoint.ask(query, partial(read_answer, fetch=endpoint.fetch))
        except LimitReached as error:
            if len(records) > 1:  # fewer may still be affordable
                return await self._singly(endpoint, records)
            return {records[0].id: records[0].failed("gen", str(error))}
        except Refused as error:
            return {record.id: record.failed("gen", str(error)) for record in records}
        except Transient as error:
            return {record.id: record.failed("gen", f"no usable answer: {error}") for record in records}
        self._probe(answer)
        if len(answer.pictures) > len(records):
            self._say_once("the endpoint gives more pictures than are asked for: the others are paid for and left out")
        made = zip(records, answer.pictures, strict=False)
        done = {record.id: self._complete(record, picture, answer.request_id) for record, picture in made}
        if missing := records[len(done) :]:
            self._part(len(done), len(records))
            done |= await self._singly(endpoint, missing)
        return done

    async def _singly(self, endpoint: Endpoint, records: Sequence[InstanceRecord]) -> dict[str, InstanceRecord]:
        """As `_ask`, a request for each picture."""
        parts = [await self._unless_down(endpoint, [record]) for record in records]
        return {key: record for part in parts for key, record in part.items()}

    def _part(self, given: int, asked: int) -> None:
        """Ask for one picture at a time from now on; said once."""
        if self.together > 1:
            self.together = 1
            _LOG.warning(
                "%s: the endpoint gave %d pictures where n=%d asked for more: one is asked for at a time from now on",
                self.name,
                given,
                asked,
            )

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            _LOG.warning("%s: %s", self.name, text)

    def _query(self, prompt: str, count: int) -> Query:
        config = self.config
        if self.transparent:
            prompt = _without(prompt, config.clause)
        options = [Option("n", ({"n": count}, {}))] if count > 1 else []
        asked = {"quality": config.quality, "size": config.size}
        options += [Option(name, ({name: value},)) for name, value in asked.items() if value is not None]
        alpha: dict[str, Any] = {"background": "transparent", "output_format": "png"}
        if self.transparent:
            options.append(Option("a transparent background", (alpha, {}), ("background", "transparent")))
        if not config.model.startswith(_ALWAYS_ENCODED):
            options.append(Option("response_format", ({"response_format": "b64_json"}, {})))
        body = {"model": config.model, "prompt": prompt}
        several = [value for name in _SEVERAL if isinstance(value := config.extra_body.get(name), int)]
        return Query(body, len(prompt) // 3, IMAGES, tuple(options), pictures=max([count, *several]))

    def _probe(self, answer: Answer) -> None:
        """See from the first picture whether the model gives alpha; said once if not."""
        if self._probed:
            return
        self._probed = True
        if all(picture.alpha is None for picture in answer.pictures):
            self.transparent = False
            _LOG.warning(
                "%s: %s gives no alpha, though asked for a transparent background: prompts keep their clause on the "
                "background from now on, and masks are an annotator's work",
                self.name,
                self.config.model,
            )

    def _complete(self, record: InstanceRecord, picture: Picture, request: str | None) -> InstanceRecord:
        image, config = picture.image, self.config
        if is_blank(image):
            return record.failed("gen", "the picture is blank")
        if self._given.setdefault(blake2b(image.tobytes(), digest_size=16).digest(), record.id) != record.id:
            self.repeated += 1
            self._say_once(_REPEATED)
        columns = picture_columns(image, picture.alpha, config.image_format, config.image_quality)
        return record.model_copy(update={**columns, "request_id": request})


def _requests(records: Sequence[InstanceRecord], most: int) -> Iterator[list[InstanceRecord]]:
    """The records of each prompt, at most so many at a time."""
    ordered = sorted(records, key=lambda record: record.prompt)
    for _, same in groupby(ordered, key=lambda record: record.prompt):
        group = list(same)
        for start in range(0, len(group), most):
            yield group[start : start + most]


def _without(prompt: str, clause: str) -> str:
    """A prompt without its closing clause."""
    plain = prompt.rstrip(" .")
    return plain.removesuffix(clause).rstrip(" ,.") or prompt if clause else prompt

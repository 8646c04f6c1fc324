"""An image API as a generator: requests side by side within the money, pictures with true alpha where it gives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from divergen_records import InstanceRecord
from divergen_records.endpoint import (
    IMAGES,
    Account,
    Endpoint,
    EndpointError,
    LimitReached,
    Option,
    Query,
    Refused,
    Transient,
    read_key,
)
from divergen_records.images import encode_image

from ..columns import GenerationColumns
from .answers import Answer, Picture, read_answer
from .settings import ImageApi

__all__ = ["ImageApiGenerator"]

_LOG = logging.getLogger(__name__)
_BLANK = 4
"""A picture whose grey levels all lie closer together than this is blank."""


class ImageApiGenerator:
    """Asks an OpenAI-compatible image API for pictures.

    Such an API takes no seed: a row's id and seed are the plan's, and another run gives another picture. A transparent
    picture is stored over white, with its alpha beside it, and its prompt is sent without the clause on the background.
    Whether the model gives alpha is seen from the first picture; where it does not, prompts keep the clause, and the
    masks are an annotator's work.

    Args:
        config: What is asked of whom.

    Attributes:
        account: What was spent.
        transparent: Whether pictures are asked for with alpha, still.
    """

    columns = GenerationColumns

    def __init__(self, config: ImageApi) -> None:
        self.config, self.name, self.revision = config, config.name, config.revision
        self.account = Account(
            price_in=config.price_in,
            price_out=config.price_out,
            price_picture=config.price_picture,
            max_cost=config.max_cost,
        )
        self.transparent = config.background == "transparent"
        self._probed = not self.transparent
        self._told = False
        self._down: EndpointError | None = None

    def __call__(self, records: Sequence[InstanceRecord]) -> Sequence[InstanceRecord]:
        """Complete planned records, in order.

        Raises:
            EndpointError: The endpoint is down, or refuses for good. What was made before is kept.
            ConfigError: There is no key, or no such address.
        """
        if self._down is not None:
            raise self._down
        if not records:
            return []
        if not self._told:
            self._told = True
            _LOG.warning("%s: an image API takes no seeds: a picture made again is another one", self.name)
        done = asyncio.run(self._run(records))
        return [done[record.id] for record in records]

    def note(self) -> str:
        """What was spent so far."""
        account = self.account
        return f"{account.pictures} pictures, cost {account.cost:.4g}" if account.cost else ""

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
        )
        requests = list(_requests(records, config.n))
        done: dict[str, InstanceRecord] = {}
        async with endpoint:
            while requests and not self._probed:  # one picture says whether there is alpha
                first, *rest = requests
                found = await self._ask(endpoint, first[:1])
                if self._lacks_alpha():  # made again, with the background that its prompt asks for
                    break
                done |= found
                requests = [part for part in (first[1:], *rest) if part]
            for part in await asyncio.gather(*(self._keep(endpoint, part) for part in requests)):
                done |= part
        return done

    def _lacks_alpha(self) -> bool:
        """Whether alpha was asked for and is known not to come."""
        return self._probed and not self.transparent

    async def _keep(self, endpoint: Endpoint, records: Sequence[InstanceRecord]) -> dict[str, InstanceRecord]:
        """As `_ask`; an endpoint that fails for good ends the next call, so that what is paid for is kept now."""
        try:
            return await self._ask(endpoint, records)
        except EndpointError as error:
            self._down = error
            return {record.id: record.failed("gen", str(error)) for record in records}

    async def _ask(self, endpoint: Endpoint, records: Sequence[InstanceRecord]) -> dict[str, InstanceRecord]:
        """The records of one prompt, completed or with the row error that the endpoint's words make."""
        try:
            answer = await endpoint.ask(self._query(records[0].prompt, len(records)), read_answer)
        except (LimitReached, Refused) as error:
            return {record.id: record.failed("gen", str(error)) for record in records}
        except Transient as error:
            return {record.id: record.failed("gen", f"no usable answer: {error}") for record in records}
        self._probe(answer)
        missing = records[len(answer.pictures) :]
        short = f"the endpoint gave {len(answer.pictures)} pictures where {len(records)} were asked for; set n=1"
        made = zip(records, answer.pictures, strict=False)
        return {
            **{record.id: self._complete(record, picture, answer.request_id) for record, picture in made},
            **{record.id: record.failed("gen", short) for record in missing},
        }

    def _query(self, prompt: str, count: int) -> Query:
        config = self.config
        if self.transparent:
            prompt = _without(prompt, config.clause)
        options = [Option("n", ({"n": count},))] if count > 1 else []
        asked = {"quality": config.quality, "size": config.size}
        options += [Option(name, ({name: value},)) for name, value in asked.items() if value is not None]
        alpha: dict[str, Any] = {"background": "transparent", "output_format": "png"}
        if self.transparent:
            options.append(Option("a transparent background", (alpha, {}), ("background", "transparent")))
        body = {"model": config.model, "prompt": prompt}
        return Query(body, len(prompt) // 3, IMAGES, tuple(options), pictures=count)

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
        if int(image.max()) - int(image.min()) < _BLANK:
            return record.failed("gen", "the picture is blank")
        return record.model_copy(
            update={
                "image": encode_image(image, config.image_format, config.image_quality),
                "image_format": config.image_format,
                "width": image.shape[1],
                "height": image.shape[0],
                "alpha": None if picture.alpha is None else encode_image(picture.alpha, "png"),
                "request_id": request,
            }
        )


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

"""An OpenAI-compatible endpoint, and all the ways in which it may fail."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from importlib import import_module
from importlib.util import find_spec
from random import Random
from typing import Any, TypeVar

from divergen_records import ConfigError, require_extra

from .answers import Completion, read_completion
from .errors import EndpointError, Transient
from .messages import FORMATS, Request

__all__ = ["Endpoint", "read_key"]

T = TypeVar("T")

_LARGEST_ANSWER = 2_000_000
"""Bytes; thousands of prompts fit. What is larger is not read to its end."""
_LONGEST_WAIT = 600.0
"""Seconds; an endpoint that asks for more (a spent quota, a day) is not waited for."""
_LOG = logging.getLogger(__name__)


def read_key(variable: str, base_url: str | None) -> str:
    """The key from the environment; endpoints of your own may need none.

    Raises:
        ConfigError: If the variable is not set and the endpoint is the public one.
    """
    key = os.environ.get(variable, "").strip()
    if not key and base_url is None:
        raise ConfigError(
            f"the environment variable {variable} holds no key; set it, or name your endpoint (--base-url)"
        )
    return key or "none"


class Endpoint:
    """Sends requests, tries again where that makes sense, and says clearly where it does not.

    Use it as an asynchronous context manager.

    Args:
        model: The language model's name at the endpoint.
        base_url: For example ``http://localhost:8000/v1``; None for the public one.
        key: Sent to the endpoint; never written anywhere.
        timeout: Seconds for one attempt, from the connection to the last byte.
        retries: Further attempts at a request.
        backoff: Seconds before the second attempt; doubles with each, with jitter, up to a minute.
        temperature: Sent if given.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        key: str = "none",
        timeout: float = 120.0,
        retries: int = 6,
        backoff: float = 0.5,
        temperature: float | None = None,
    ) -> None:
        with require_extra("divergen-prompts", "llm"):
            import openai  # type: ignore[import-not-found, unused-ignore]
        self._openai: Any = openai
        self._transport = _transport_errors()
        self.model, self.timeout, self.retries, self.backoff = model, timeout, retries, backoff
        self.url = base_url or "the default endpoint"
        self._key = key
        self._client: Any = openai.AsyncOpenAI(api_key=key, base_url=base_url, timeout=timeout, max_retries=0)
        self._options = {} if temperature is None else {"temperature": temperature}
        self._format = 0
        self._resume_at = 0.0
        self._last_success: float | None = None
        self._random = Random(0)

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(self, request: Request, read: Callable[[Completion], T]) -> T:
        """The answer to a request, as ``read`` makes it out.

        Args:
            request: The request.
            read: Makes the result of each completion; raises `Transient` if it is of no use.

        Raises:
            Transient: If every attempt failed while the endpoint answered others.
            EndpointError: If the endpoint is down, or refuses for good.
        """
        begun = time.monotonic()
        failure = Transient("not tried")
        for attempt in range(self.retries + 1):
            if attempt:
                await self._wait(attempt, failure)
            await self._until_resumed()
            try:
                result = read(await self._attempt(request))
            except Transient as error:
                failure = error
                _LOG.debug("attempt %d: %s", attempt + 1, error)
                continue
            self._last_success = time.monotonic()
            return result
        if self._last_success is None or self._last_success < begun:
            raise EndpointError(
                f"{self.url} gave no usable answer in {self.retries + 1} attempts: {failure}. "
                "What was accepted is kept; run the same command again when it is back"
            )
        raise failure

    async def _attempt(self, request: Request) -> Completion:
        """One attempt, by the strictest format that the endpoint has not refused yet."""
        while True:
            form = self._format
            try:
                return await asyncio.wait_for(self._send(request, form), self.timeout)
            except (self._openai.BadRequestError, self._openai.UnprocessableEntityError) as error:
                if form + 1 >= len(FORMATS):
                    raise EndpointError(f"{self.url} refuses the request: {self._said(error)}") from error
                self._format = max(self._format, form + 1)
            except TimeoutError as error:
                raise Transient(f"no answer within {self.timeout:g} s") from error

    async def _send(self, request: Request, form: int) -> Completion:
        create = self._client.chat.completions.with_streaming_response.create
        # In extra_body, as the client would walk through all of it with every request, which takes 3 to 5 ms.
        content = {"messages": list(request.messages), **FORMATS[form]}
        body = bytearray()
        try:
            async with create(model=self.model, messages=[], extra_body=content, **self._options) as response:
                async for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > _LARGEST_ANSWER:
                        raise Transient(f"the answer is larger than {_LARGEST_ANSWER / 1e6:g} MB")
        except self._openai.APIStatusError as error:
            raise self._translated(error) from error
        except self._openai.APITimeoutError as error:
            raise Transient(f"no answer within {self.timeout:g} s") from error
        except (self._openai.APIConnectionError, *self._transport) as error:
            raise Transient(f"no connection to {self.url}: {self._said(error.__cause__ or error)}") from error
        return read_completion(bytes(body))

    def _translated(self, error: Any) -> Exception:
        """What an HTTP status means: another attempt, another format, or the end."""
        status, said = error.status_code, self._said(error)
        if isinstance(error, self._openai.BadRequestError | self._openai.UnprocessableEntityError):
            return error  # type: ignore[no-any-return]
        if status in (401, 403):
            return EndpointError(f"{self.url} refuses the key (status {status}): {said}")
        if status == 404:
            return EndpointError(f"{self.url} does not know the model {self.model!r} or the path (status 404): {said}")
        if getattr(error, "code", None) == "insufficient_quota" or status == 402:
            return EndpointError(f"{self.url}: the quota is spent (status {status}): {said}")
        if status in (408, 409, 425, 429) or status >= 500:
            wait = _retry_after(error.response.headers)
            if wait is not None and wait > _LONGEST_WAIT:
                return EndpointError(f"{self.url} asks to wait {wait:.0f} s (status {status}). Run again after that")
            return Transient(f"status {status}: {said}", retry_after=wait)
        return EndpointError(f"{self.url} answers with status {status}: {said}")

    async def _wait(self, attempt: int, failure: Transient) -> None:
        if failure.retry_after is not None:
            # The limit is the endpoint's, not this request's: nobody asks before it ends.
            self._resume_at = max(self._resume_at, time.monotonic() + failure.retry_after)
            return
        longest = min(60.0, self.backoff * 2 ** (attempt - 1))
        await asyncio.sleep(longest * self._random.uniform(0.5, 1.0))

    async def _until_resumed(self) -> None:
        while (left := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def _said(self, error: object) -> str:
        """An error's text on one line, without the key."""
        text = " ".join(str(error).split())
        return (text if self._key == "none" else text.replace(self._key, "***"))[:300]


def _retry_after(headers: Any) -> float | None:
    """Seconds, from ``retry-after-ms`` or ``Retry-After`` (seconds or a date)."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * scale
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the HTTP library raises while a body is read; which one it is depends on the version of openai."""
    modules = [import_module(name) for name in ("httpx2", "httpx") if find_spec(name)]
    return (*(module.HTTPError for module in modules), OSError)

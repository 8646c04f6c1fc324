"""How prompts are asked for, what that would take, and what it came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from divergen_records import ConfigError
from divergen_records.endpoint import Account

from ..tokens import CLIP_TOKENS

__all__ = ["LlmEstimate", "LlmReport", "LlmSettings", "read_extra_body"]


@dataclass(frozen=True)
class LlmSettings:
    """How prompts are asked for.

    Attributes:
        model: The language model's name at the endpoint.
        base_url: For example ``http://localhost:8000/v1``; None for the public endpoint.
        per_category: Prompts wanted per category.
        per_request: Prompts asked for at once.
        concurrency: Requests in flight; fewer where the endpoint answers one after the other.
        background: How every prompt ends.
        max_tokens: Length limit of a prompt, in tokens of the text encoder.
        patience: Requests in a row without a single new prompt after which a category is given up.
        timeout: Seconds without an answer after which a request is given up.
        retries: Further attempts at a request.
        backoff: Seconds before the second attempt; doubles with each.
        temperature: Sent if given.
        seed: Chooses the attributes that are suggested.
        key_variable: Environment variable that holds the key.
        banned: Words that no prompt may hold.
        max_output_tokens: Limit of output tokens sent with each request, reasoning included; None begins with about
            four times what the prompts need, and doubles where answers are cut off.
        extra_body: Further parameters of every request, as the endpoint wants them.
    """

    model: str
    base_url: str | None = None
    per_category: int = 32
    per_request: int = 16
    concurrency: int = 8
    background: str = "in a white background"
    max_tokens: int = CLIP_TOKENS
    patience: int = 5
    timeout: float = 120.0
    retries: int = 6
    backoff: float = 0.5
    temperature: float | None = None
    seed: int = 0
    key_variable: str = "OPENAI_API_KEY"
    banned: tuple[str, ...] = ()
    max_output_tokens: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("per_category", "per_request", "concurrency", "max_tokens", "patience", "max_output_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
        if not self.model.strip():
            raise ConfigError("model is empty; name the model as the endpoint does")
        if not all(word.strip() for word in self.banned):
            raise ConfigError("a banned word is empty, which every prompt holds; leave it out")
        if not self.timeout > 0:
            raise ConfigError(f"timeout is {self.timeout}; it must be above 0")
        if self.retries < 0 or self.backoff < 0:
            raise ConfigError(f"retries and backoff are {self.retries} and {self.backoff}; they cannot be negative")


def read_extra_body(text: str | None) -> dict[str, Any]:
    """The parameters of ``--extra-body``: a JSON object.

    Raises:
        ConfigError: If it is none. What it holds is not shown: it may be a secret.
    """
    if not text:
        return {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--extra-body is not JSON (at letter {getattr(error, 'pos', 0) + 1}); {_EXAMPLE}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"--extra-body is a JSON {type(values).__name__}; {_EXAMPLE}")
    return values


_EXAMPLE = """expected an object, for example --extra-body '{"reasoning_effort": "low"}'"""


@dataclass(frozen=True)
class LlmEstimate:
    """What a run would take: `estimate_llm`."""

    categories: int
    prompts: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(frozen=True)
class LlmReport:
    """What a run came to.

    Attributes:
        accepted: Prompts accepted in this run.
        total: Prompts that the file now holds for the wanted categories.
        shortfalls: Category name -> why it has fewer prompts than wanted.
        account: Tokens and cost.
    """

    accepted: int
    total: int
    shortfalls: dict[str, str]
    account: Account

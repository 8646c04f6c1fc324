"""Where the prompts of a run come from: each source a config, `PromptsConfig` the union of them.

An installed package adds a source by the entry point ``divergen.prompts``, which names its subclass of
`PromptSourceConfig`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from divergen_records import Category, Config, ConfigError, Frequency, backend_union, short_hash
from divergen_records.endpoint_settings import BaseUrl, ExtraBody
from divergen_records.requirements import InputFile, Requirement, extra_modules
from pydantic import AfterValidator, Field, field_validator, model_validator

if TYPE_CHECKING:
    from .sources import PromptSource

__all__ = [
    "FilePrompts",
    "GrammarPrompts",
    "LlmPrompts",
    "PromptSourceConfig",
    "PromptsConfig",
    "TemplatePrompts",
]

_WHITE = "in a white background"


class PromptSourceConfig(Config, ABC):
    """What all sources have.

    Attributes:
        categories: Names of the categories that it is for; all where left out.
        frequencies: Frequency groups that it is for; all where left out.
        share: Of the pictures of each of its categories, this share is made of its prompts. Sources without share or
            count divide what is left, by turns.
        count: So many pictures of each of its categories are made of its prompts, instead.
    """

    categories: tuple[str, ...] | None = None
    frequencies: tuple[Frequency, ...] | None = None
    share: float | None = Field(default=None, gt=0, le=1)
    count: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if self.share is not None and self.count is not None:
            raise ValueError("give a share or a count, not both")
        return self

    def chosen(self, categories: Sequence[Category]) -> list[Category]:
        """Those of the run's categories that this source is for.

        Raises:
            ConfigError: If the run has none of those that it names.
        """
        absent = self.absent(categories)
        if absent and len(absent) == len(self.categories or ()):
            there = ", ".join(category.name for category in categories[:3])
            raise ConfigError(
                f"prompts.categories: the run generates no category {absent[0]!r}, nor any other named; name some of "
                f"its own ({there}, …), or set prompts anew, for all of them: prompts='[{{kind: grammar}}]'"
            )
        return [
            category
            for category in categories
            if (self.categories is None or category.name in self.categories)
            and (self.frequencies is None or category.frequency in self.frequencies)
        ]

    def absent(self, categories: Sequence[Category]) -> list[str]:
        """What it names and the run does not generate: data that has a part of the categories, or a slip."""
        known = {category.name for category in categories}
        return [name for name in self.categories or () if name not in known]

    def file_name(self) -> str:
        """The name of its prompts file in a run: the same as long as it would hold the same prompts."""
        kind = str(getattr(self, "kind", "source"))
        return f"{kind}-{short_hash('prompts/1', self.model_dump_json(exclude=self.beside()), size=5)}.jsonl"

    def beside(self) -> set[str]:
        """Settings that decide how many prompts there are or are used, not which."""
        return {"share", "count"}

    @abstractmethod
    def build(self) -> PromptSource:
        """Make the source."""


class TemplatePrompts(PromptSourceConfig):
    """One prompt per category from a template of the papers.

    Attributes:
        template: ``xpaste``, ``divergen``, ``plain``, or a text with ``{name}``, ``{definition}`` …; several too.
        synonyms: Also one prompt per synonym.
    """

    kind: Literal["template"] = "template"
    template: str | tuple[str, ...] = "divergen"
    synonyms: bool = False

    @field_validator("template")
    @classmethod
    def _known(cls, template: str | tuple[str, ...]) -> str | tuple[str, ...]:
        from .templates import check_templates

        try:
            check_templates(template)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return template

    def build(self) -> PromptSource:
        """Make the source."""
        from .sources import Composed
        from .templates import template_prompts

        return Composed(lambda found, _: template_prompts(found, template=self.template, synonyms=self.synonyms))


class GrammarPrompts(PromptSourceConfig):
    """Different prompts per category from the attribute grammar.

    Attributes:
        per_category: Prompts per category.
        background: Closing clause.
        attributes: Vary only these, of ``style``, ``size``, ``condition``, ``colour``, ``pattern``, ``material``,
            ``pose`` and ``view``; all where left out.
        styles: How the pictures are made, such as ``a softly lit photo``; photos, paintings, drawings and renderings
            where left out.
    """

    kind: Literal["grammar"] = "grammar"
    per_category: int = Field(default=32, ge=1)
    background: str = _WHITE
    attributes: tuple[str, ...] | None = None
    styles: tuple[str, ...] | None = None

    def build(self) -> PromptSource:
        """Make the source."""
        from .grammar import grammar_prompts
        from .sources import Composed

        return Composed(
            lambda found, seed: grammar_prompts(
                found,
                per_category=self.per_category,
                seed=seed,
                background=self.background,
                attributes=self.attributes,
                styles=self.styles,
            )
        )


class FilePrompts(PromptSourceConfig):
    """Prompts from a file that ``divergen-prompts`` (or anything else) wrote, one `PromptRecord` a line."""

    kind: Literal["file"] = "file"
    path: Annotated[Path, AfterValidator(Path.absolute)]

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield InputFile(self.path, "write it, for example by divergen-prompts, or name another source")

    def build(self) -> PromptSource:
        """Make the source."""
        from .sources import Composed, prompts_of_file

        return Composed(lambda found, _: prompts_of_file(self.path, found))


class LlmPrompts(PromptSourceConfig):
    """Prompts of a language model at any OpenAI-compatible endpoint; see `LlmSettings` for what is not said here.

    Attributes:
        model: The language model's name at the endpoint.
        base_url: For example ``http://localhost:8000/v1``; None for the public endpoint.
        per_category: Prompts wanted per category.
        per_request: Prompts asked for at once.
        concurrency: Requests in flight.
        background: How every prompt ends.
        max_tokens: Length limit of a prompt, in tokens of the text encoder.
        tokenizer: ``tokenizer.json``, its folder, or a hub name; without it lengths are estimated.
        banned: Words that no prompt may hold.
        temperature: Sent if given.
        max_output_tokens: Limit of output tokens sent with each request.
        extra_body: Further parameters of every request.
        price_in: Per million tokens sent.
        price_out: Per million tokens received.
        max_cost: Nothing is sent that could take the cost above this.
        timeout: Seconds without an answer after which a request is given up.
        retries: Further attempts at a request.
        patience: Requests in a row without a new prompt after which a category is given up.
        key_variable: Environment variable that holds the key.
    """

    kind: Literal["llm"] = "llm"
    model: str = Field(min_length=1)
    base_url: BaseUrl = None
    per_category: int = Field(default=32, ge=1)
    per_request: int = Field(default=16, ge=1)
    concurrency: int = Field(default=8, ge=1)
    background: str = _WHITE
    max_tokens: int = Field(default=77, ge=1)
    tokenizer: str | None = None
    banned: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    temperature: float | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    extra_body: ExtraBody = Field(default_factory=dict)
    price_in: float = Field(default=0, ge=0)
    price_out: float = Field(default=0, ge=0)
    max_cost: float | None = Field(default=None, gt=0)
    timeout: float = Field(default=120, gt=0)
    retries: int = Field(default=6, ge=0)
    patience: int = Field(default=5, ge=1)
    key_variable: str = "OPENAI_API_KEY"

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.max_cost is not None and not (self.price_in or self.price_out):
            raise ValueError("max_cost needs price_in and price_out, per million tokens")
        return self

    def beside(self) -> set[str]:
        """Paid prompts are kept whatever these become: a raised limit goes on in the same file."""
        limits = {"per_category", "per_request", "concurrency", "max_output_tokens"}
        money = {"max_cost", "price_in", "price_out"}
        waiting = {"timeout", "retries", "patience", "key_variable", "categories", "frequencies"}
        return super().beside() | limits | money | waiting

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from divergen_records.endpoint.reach import EndpointAnswers

        yield from extra_modules("divergen-prompts", "llm", "json_repair", "openai", "tenacity")
        yield EndpointAnswers(self.model, self.base_url, self.key_variable)

    def build(self) -> PromptSource:
        """Make the source."""
        from .llm.settings import LlmSettings
        from .sources import LlmSource

        own = {"tokenizer", "price_in", "price_out", "max_cost", "kind", *PromptSourceConfig.model_fields}
        settings = {name: getattr(self, name) for name in type(self).model_fields if name not in own}
        return LlmSource(
            LlmSettings(**settings),
            prices=(self.price_in, self.price_out),
            max_cost=self.max_cost,
            tokenizer=self.tokenizer,
        )


PromptsConfig = backend_union("divergen.prompts", TemplatePrompts, GrammarPrompts, FilePrompts, LlmPrompts)
"""Any source of prompts, told apart by ``kind``."""

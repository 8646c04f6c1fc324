"""Prompts from templates: those of X-Paste and DiverGen, and your own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import Formatter
from types import MappingProxyType

from divergen_records import Category, ConfigError, PromptRecord

from .categories import check_categories
from .meanings import definition_clause, gloss
from .naming import names, plural, with_article

__all__ = ["FIELDS", "TEMPLATES", "check_templates", "template_prompts"]

TEMPLATES = MappingProxyType(
    {
        "xpaste": "a photo of a single {name}",
        "divergen": "a photo of a single {name}, {definition}, in a white background",
        "plain": "{a_name}",
    }
)
"""Known templates. ``xpaste``: X-Paste and BSGAL; ``divergen``: DiverGen, section 3.3."""

FIELDS = MappingProxyType(
    {
        "name": "the label: sports ball",
        "a_name": "with its article: an apple",
        "names": "its plural: sports balls",
        "definition": "as in the dataset; left out with its comma where the dataset has none",
        "gloss": "the definition's first clause; left out like the definition",
        "synset": "the WordNet synset; left out like the definition",
    }
)
"""What a template may hold in braces."""


def template_prompts(
    categories: Sequence[Category], *, template: str | Sequence[str] = "divergen", synonyms: bool = False
) -> Iterator[PromptRecord]:
    """One prompt per category and template; with ``synonyms`` one per name.

    Args:
        categories: The categories.
        template: A name of `TEMPLATES` or a text with `FIELDS` in braces, or several of them.
        synonyms: Also make a prompt with each synonym in the label's place.

    Raises:
        ConfigError: For an unknown template or field, before the first prompt.
        DatasetError: For categories that cannot be prompted: duplicate ids, empty names.
    """
    texts = check_templates(template)
    check_categories(categories)
    return _prompts(categories, texts, synonyms)


def check_templates(template: str | Sequence[str]) -> dict[str, str]:
    """Each template and its text; raises `ConfigError` for an unknown field or name."""
    return {name: _parse(name) for name in ([template] if isinstance(template, str) else template)}


def _prompts(categories: Sequence[Category], texts: dict[str, str], synonyms: bool) -> Iterator[PromptRecord]:
    for category in categories:
        seen = set()
        for name in names(category) if synonyms else (category.label,):
            for model, text in texts.items():
                prompt = _fill(text, category, name)
                if prompt not in seen:
                    seen.add(prompt)
                    yield PromptRecord(
                        text=prompt, category_id=category.id, category=category.name, source="template", model=model
                    )


def _parse(template: str) -> str:
    text = TEMPLATES.get(template, template)
    try:
        fields = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise ConfigError(f"template {text!r}: {error}. Write a literal brace twice: {{{{") from error
    unknown = sorted(fields - FIELDS.keys())
    if unknown:
        raise ConfigError(f"template {text!r}: unknown field {unknown[0]!r}. Known fields: {', '.join(FIELDS)}")
    if not fields & {"name", "a_name", "names"}:
        raise ConfigError(
            f"template {text!r} names no category: it needs {{name}}, {{a_name}} or {{names}}, "
            f"or is to be one of {', '.join(TEMPLATES)}"
        )
    try:
        text.format_map(dict.fromkeys(FIELDS, "text"))
    except (ValueError, KeyError) as error:  # {name:d}
        raise ConfigError(f"template {text!r}: fields are texts, {{name}} and no more: {error}") from error
    return text


def _fill(text: str, category: Category, name: str) -> str:
    values = {
        "name": name,
        "a_name": with_article(name),
        "names": plural(name),
        "definition": definition_clause(category),
        "gloss": gloss(category.definition or ""),
        "synset": category.synset or "",
    }
    filled = text.format_map(values)
    if all(values.values()):
        return filled
    return _without_gaps(text, values)


def _without_gaps(text: str, values: dict[str, str]) -> str:
    """Fill the template; a clause between commas whose only field is empty goes with its comma."""
    clauses = []
    for clause in text.split(","):
        fields = [field for _, field, _, _ in Formatter().parse(clause) if field is not None]
        if not fields or any(values[field] for field in fields):
            clauses.append(clause.format_map(values))
    return " ".join(",".join(clauses).split()).strip(" ,")

"""What a pydantic schema allows at a key, and what is wrong with it, as a person would say it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from .text import did_you_mean

__all__ = ["elements", "explain", "kinds_of", "member_of", "models", "unknown_key", "unknown_kind", "unsuitable"]


def explain(schema: Any, error: ValidationError) -> list[str]:
    """One line for each wrong key: its name with dots, what is wrong, what is allowed."""
    said: dict[str, list[str]] = {}
    got: dict[str, Any] = {}
    problems = [(*_problem(schema, problem), problem) for problem in error.errors(include_url=False)]
    for where, what, problem in problems:
        if problem["type"] in _OF_THE_WHOLE and any(inside.startswith(f"{where}.") for inside, _, _ in problems):
            continue
        said.setdefault(where, []).append(what)
        if problem["type"] not in _SPEAK_FOR_THEMSELVES:
            got[where] = problem["input"]
    return [
        f"{where or 'the configuration'}: {' or '.join(dict.fromkeys(whats))}"
        + (f" (got {_short(got[where])})" if where in got else "")
        for where, whats in said.items()
    ]


def unsuitable(said: str) -> PydanticCustomError:
    """What a validator raises whose message says enough: what it got is not shown, for it is long, or a secret."""
    return PydanticCustomError("unsuitable", "{said}", {"said": said})


_SPEAK_FOR_THEMSELVES = {"unsuitable", "extra_forbidden", "missing", "union_tag_invalid", "union_tag_not_found"}
_OF_THE_WHOLE = {"too_short", "tuple_type", "list_type", "model_type", "model_attributes_type", "string_type"}
"""What pydantic also says of a list whose element is wrong, or of a union's other members."""


_WORDS = {
    **dict.fromkeys(["tuple_type", "list_type"], "expected a list"),
    **dict.fromkeys(["model_type", "model_attributes_type", "dict_type"], "expected keys with values"),
    "too_short": "expected at least {min_length} of them",
}
"""What pydantic says in the words of Python."""


def _problem(schema: Any, problem: Mapping[str, Any]) -> tuple[str, str]:
    location = problem["loc"]
    match problem["type"]:
        case "extra_forbidden":
            where, inside = _resolve(schema, location[:-1])
            name = f"{where}.{location[-1]}" if where else str(location[-1])
            known = [key for model in _models(inside) for key in model.model_fields]
            return name, unknown_key(name, known).removeprefix(f"{name}: ")
        case "missing":
            return _resolve(schema, location)[0], "is missing"
        case "union_tag_invalid":
            where = _resolve(schema, location)[0]
            return f"{where}.kind" if where else "kind", unknown_kind(
                problem["ctx"]["tag"], problem["ctx"]["expected_tags"]
            )
        case "union_tag_not_found":
            return _resolve(schema, location)[0], "needs a `kind`"
        case kind if kind in _WORDS:
            return _resolve(schema, location)[0], _WORDS[kind].format(**problem.get("ctx", {}))
        case _:
            message = problem["msg"].removeprefix("Value error, ")
            return _resolve(schema, location)[0], _continued(message)


def unknown_kind(tag: str, expected_tags: str) -> str:
    """That there is no such ``kind``, those that there are, and which are meant."""
    hint = did_you_mean(tag, (kind.strip("'") for kind in expected_tags.split(", ")), n=2)
    return f"{tag!r} is not one of {expected_tags}{hint}"


def _continued(message: str) -> str:
    """A sentence as it goes on after a colon; a path or name that it begins with stays as it is."""
    first = message.partition(" ")[0]
    return f"{message[:1].lower()}{message[1:]}" if first[1:].islower() and first.isalpha() else message


def unknown_key(name: str, known: Iterable[str]) -> str:
    """That there is no key of this dotted name, and which one is meant, or which there are."""
    known = list(known)
    hint = did_you_mean(name.rpartition(".")[2], known) or f"; there are {', '.join(known)}"
    return f"{name}: there is no such key{hint}"


def _members(schema: Any) -> Iterator[Any]:
    """The types that a type stands for: itself, or each of a union, without annotations."""
    origin = get_origin(schema)
    if origin is Annotated:
        yield from _members(get_args(schema)[0])
    elif origin in (Union, UnionType):
        for member in get_args(schema):
            yield from _members(member)
    else:
        yield schema


def member_of(schema: Any, section: Mapping[Any, Any], key: str) -> type[BaseModel] | None:
    """The model that a section is of, which is to have this key too; None where that cannot be told.

    A union is told apart by ``kind``, where its models have none by the keys that are there.
    """
    found = models(schema)
    if len(found) == 1:
        return found[0]
    if kinds_of(schema):
        return next((model for model in found if section.get("kind") in _kinds(model)), None)
    fitting = [model for model in found if section.keys() <= model.model_fields.keys()]
    return next((model for model in fitting if key in model.model_fields), next(iter(fitting), None))


def models(schema: Any) -> list[type[BaseModel]]:
    """The pydantic models among the types that a type stands for."""
    return list(_models(_members(schema)))


def kinds_of(schema: Any) -> list[str]:
    """The ``kind`` of each of these models that has one; some answer to several."""
    return [kind for model in models(schema) for kind in _kinds(model)]


def elements(schema: Any, key: int | str) -> Any:
    """The type of what a list holds at an index, or a mapping under a key; `Any` where the schema does not say."""
    for member in _members(schema):
        origin, arguments = get_origin(member), get_args(member)
        if isinstance(key, str) and origin in (dict, Mapping):
            return arguments[1]
        if isinstance(key, int) and origin is tuple:
            return arguments[0] if arguments[-1] is Ellipsis else arguments[min(key, len(arguments) - 1)]
        if isinstance(key, int) and origin in (list, Sequence, set, frozenset):
            return arguments[0]
    return Any


def _models(types: Iterable[Any]) -> Iterator[type[BaseModel]]:
    return (each for each in types if isinstance(each, type) and issubclass(each, BaseModel))


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    return get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


def _resolve(schema: Any, location: Sequence[int | str]) -> tuple[str, list[Any]]:
    """A pydantic location as a key with dots, and the types that may stand there.

    pydantic also puts the tag of a union, or the name of its member's type, into a location; these are no keys.
    """
    names: list[str] = []
    here = list(_members(schema))
    for part in location:
        fields = [model.model_fields[part] for model in _models(here) if part in model.model_fields]
        tagged = [model for model in _models(here) if part in _kinds(model)]
        inside = [elements(each, part) for each in here if elements(each, part) is not Any]
        if fields or (inside and not tagged):
            names.append(str(part))
            here = [each for found in (field.annotation for field in fields) for each in _members(found)]
            here = here or [each for found in inside for each in _members(found)]
        elif tagged:
            here = list(tagged)
        elif isinstance(part, int):
            names.append(str(part))
    return ".".join(names), here


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."

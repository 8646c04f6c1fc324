"""One door for settings: dotted ``key=value`` pairs, applied to a validated configuration with its defaults.

The syntax is that of OmegaConf's dotlists: ``rules.rules.0.threshold=0.1`` or ``rules.rules[0].threshold=0.1``, values
in YAML, a backslash before a dot or ``=`` that belongs to a key. ``${`` is text here, as it is in our YAML files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from .errors import ConfigError, DivergenError
from .explain import elements, explain, kinds_of, member_of, models, unknown_key, unknown_kind
from .yaml_files import parse_yaml

__all__ = ["Shorthand", "apply_settings", "named_values", "split_pairs", "validate_settings"]


@dataclass(frozen=True, init=False)
class Shorthand:
    """Annotates a field whose section may also be said by one key that its own validator resolves.

    Changing such a key starts the section anew, as changing its ``kind`` does::

        train: Annotated[TrainConfig, BeforeValidator(resolve), Shorthand("preset")]
    """

    keys: frozenset[str]

    def __init__(self, *keys: str) -> None:
        object.__setattr__(self, "keys", frozenset(keys))


def apply_settings(schema: Any, values: Any, pairs: Iterable[str], *, where: str = "") -> Any:
    """A configuration with settings changed.

    A section keeps its ``kind``; a pair that changes it starts that kind with its defaults. The number after a list's
    last appends to it. A value that is a mapping or a list takes the place of the whole section or list.

    Args:
        schema: A pydantic model, or a union of them told apart by ``kind``.
        values: The configuration as it is, or as a file says it: a model or a mapping, valid or still incomplete.
        pairs: ``"key=value"`` each, applied in this order.
        where: What a message begins with, for example the file.

    Returns:
        The validated configuration.

    Raises:
        ConfigError: The message names the key in full, and what is allowed.
    """
    tree = _plain(values)
    done: list[_Pair] = []
    prefix = f"{where}: " if where else ""
    for text in pairs:
        try:
            pair = _Pair.parse(text)
            tree = _changed(schema, tree, pair, done)
        except ConfigError as error:
            raise ConfigError(f"{prefix}{error}") from error
        done.append(pair)
    return validate_settings(schema, tree, where=where)


def validate_settings(schema: Any, values: Any, *, where: str = "") -> Any:
    """Values as the configuration that ``schema`` describes.

    Raises:
        ConfigError: One line for each wrong key: its full name, and what is allowed.
    """
    try:
        return TypeAdapter(schema).validate_python(values)
    except ValidationError as error:
        prefix = f"{where}: " if where else ""
        raise ConfigError("\n".join(f"{prefix}{line}" for line in explain(schema, error))) from error


def split_pairs(text: str) -> list[str]:
    """The parts of ``"a,b=1,c=[{x: 1, y: 2}]"``; a comma inside brackets or quotes belongs to the value.

    Raises:
        ConfigError: If a bracket or a quote is not closed.
    """
    parts: list[str] = []
    pending = ""
    for piece in text.split(","):
        pending = f"{pending},{piece}" if pending else piece
        if _is_complete(pending):
            parts.append(pending.strip())
            pending = ""
    if pending:
        raise ConfigError(f"{pending!r}: a bracket or a quote is not closed")
    return parts


def named_values(pairs: Iterable[str], where: str) -> dict[str, Any]:
    """``["a=1", "b.c=x"]`` as ``{"a": 1, "b.c": "x"}``: names instead of keys, so a dot is part of a name.

    Raises:
        ConfigError: If a text is no pair; the message begins with ``where``.
    """
    found = {}
    for text in pairs:
        name, equals, value = text.rpartition("=")
        if not (equals and name.strip() and value.strip()):
            raise ConfigError(f"{where}: {text!r} is not NAME=VALUE")
        found[name.strip()] = parse_yaml(value, f"{where} {text!r}")
    return found


@dataclass(frozen=True)
class _Pair:
    text: str
    keys: tuple[str, ...]
    value: str

    @classmethod
    def parse(cls, text: str) -> _Pair:
        match = re.fullmatch(r"((?:\\.|[^=\\])+)=(.*)", text, re.DOTALL)
        if match is None:
            raise ConfigError(f"{text!r}: expected key=value")
        return cls(text, _split_key(match[1].strip(), text), match[2])

    def name(self, depth: int | None = None) -> str:
        """The key as a person writes it, up to this depth."""
        return ".".join(self.keys[:depth])

    @cached_property
    def parsed(self) -> Any:
        return parse_yaml(self.value, self.text)

    @property
    def readings(self) -> Iterable[Any]:
        """What the value may mean, the likeliest first: YAML, or the text itself (``name=2024``, ``op=>=``)."""
        try:
            parsed = self.parsed
        except ConfigError:
            if _is_complete(f"={self.value}"):
                return (self.value.strip(),)
            raise
        text = self.value.strip()
        if isinstance(parsed, str):  # "photo #1": to YAML, what follows the # is a comment
            return (text,) if text.startswith(parsed) else (parsed,)
        return (parsed,) if parsed is None and text else (parsed, text)


def _split_key(key: str, text: str) -> tuple[str, ...]:
    from omegaconf import OmegaConf

    keys: list[str] = []
    place: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"{key}=null"]))
    while isinstance(place, dict):
        ((part, place),) = place.items()
        keys.append(str(part))
    plain = re.sub(r"\[([^][]*)\]", r".\1", key).removeprefix(".")
    if not all(keys) or ("\\" not in key and plain != ".".join(keys)):
        raise ConfigError(f"{text!r}: {key!r} is not a key; keys look like rules.0.threshold")
    return tuple(keys)


def _is_complete(pair: str) -> bool:
    value = pair.partition("=")[2].strip()
    if not value.startswith(("[", "{", '"', "'")):
        return True
    try:
        parse_yaml(value, pair)
    except ConfigError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Models as mappings and tuples as lists, copied, so that places in them can be changed."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(warnings=False))
    if isinstance(value, Mapping):
        return {key: _plain(inside) for key, inside in value.items()}
    return [_plain(inside) for inside in value] if isinstance(value, (list, tuple, set, frozenset)) else value


def _valid(schema: Any, value: Any) -> tuple[bool, Any]:
    """Whether a value fits, and it with all defaults, plain."""
    adapter = TypeAdapter(schema)
    try:
        return True, _plain(adapter.dump_python(adapter.validate_python(value), warnings=False))
    except (ValidationError, DivergenError):
        return False, value


def _changed(schema: Any, value: Any, pair: _Pair, done: Sequence[_Pair], depth: int = 0, valid: bool = False) -> Any:
    """A section with the pair's key changed in it; ``valid`` where all its defaults are known to be there."""
    if depth == len(pair.keys):
        return _new_value(schema, value, pair)
    if not valid and value is not None:
        valid, value = _valid(schema, value)
    section = _section(schema, value, pair, depth)
    key, last = pair.keys[depth], depth + 1 == len(pair.keys)
    if last and key in _starters(schema) and section.get(key) != pair.parsed:
        _refuse_loss(pair, done)
        return {key: pair.parsed}
    if isinstance(section, list):
        return _changed_list(schema, section, pair, done, depth, valid)
    place, inside, default = _child(schema, section, pair, depth)
    if not last and place not in section and _starters(schema) - {"kind"} & section.keys():
        validate_settings(schema, section, where=pair.name(depth))  # its other keys are not known before it is valid
    section[place] = _changed(inside, section.get(place, default), pair, done, depth + 1, valid)
    return section


def _changed_list(
    schema: Any, section: list[Any], pair: _Pair, done: Sequence[_Pair], depth: int, valid: bool
) -> list[Any]:
    key = pair.keys[depth]
    if not key.isdecimal() or int(key) > len(section):
        raise ConfigError(f"{pair.name()}: {key!r} is not an index of a list of {len(section)}")
    index = int(key)
    old = section[index] if index < len(section) else None
    new = _changed(elements(schema, index), old, pair, done, depth + 1, valid)
    return [*section[:index], new, *section[index + 1 :]]


def _section(schema: Any, value: Any, pair: _Pair, depth: int) -> Any:
    if isinstance(value, (dict, list)):
        return value
    if value is None and any(models(schema)):
        return {}
    shown = "null" if value is None else repr(value)
    raise ConfigError(f"{pair.name()}: {pair.name(depth)!r} is {shown}, not a section with keys of its own")


def _child(schema: Any, section: dict[Any, Any], pair: _Pair, depth: int) -> tuple[Any, Any, Any]:
    """Where the next key's value lies, what it has to be, and what it is where nothing is said."""
    key = pair.keys[depth]
    model = member_of(schema, section, key)
    if model is None:
        if kinds := kinds_of(schema):
            name, known_kinds = ".".join((*pair.keys[:depth], "kind")), ", ".join(map(repr, kinds))
            if "kind" in section:
                raise ConfigError(f"{name}: {unknown_kind(str(section['kind']), known_kinds)}")
            raise ConfigError(f"{name}: comes first, and is one of {known_kinds}")
        known = {str(place): place for place in section}
        return known.get(key, key), elements(schema, key), None
    if key not in model.model_fields:
        raise ConfigError(unknown_key(pair.name(depth + 1), model.model_fields))
    field = model.model_fields[key]
    default = field.get_default(call_default_factory=True, validated_data={})
    return key, _type_of(field), None if default is PydanticUndefined else _plain(default)


def _type_of(field: FieldInfo) -> Any:
    """The type that a model's field has, with its limits and validators."""
    notes = [*field.metadata, *([Field(discriminator=field.discriminator)] if field.discriminator else [])]
    return Annotated[field.annotation, *notes] if notes else field.annotation


def _starters(schema: Any) -> set[str]:
    """Keys that start a section anew."""
    notes = (note for note in getattr(schema, "__metadata__", ()) if isinstance(note, Shorthand))
    return {"kind"}.union(*(note.keys for note in notes))


def _refuse_loss(pair: _Pair, done: Sequence[_Pair]) -> None:
    """Raise if a section that starts anew would forget what an earlier pair set in it."""
    section = pair.keys[:-1]
    for earlier in done:
        if earlier.keys[: len(section)] == section and len(earlier.keys) > len(section) and earlier.keys != pair.keys:
            raise ConfigError(f"{pair.text} would undo {earlier.text}, which comes before it; say {pair.name()} first")


def _new_value(schema: Any, old: Any, pair: _Pair) -> Any:
    """The pair's value in the reading that fits, or in the likeliest, of which validation will say what is wrong."""
    readings = [_with_kind(schema, old, reading) for reading in pair.readings]
    likeliest = readings[0]
    sections = any(isinstance(one, dict) for one in (likeliest if isinstance(likeliest, list) else [likeliest]))
    if sections and (models(schema) or models(elements(schema, 0))):
        return likeliest  # its wrong key is told; as text it would be a path or a name
    fitting = (reading for reading in readings if _valid(schema, reading)[0])
    return next(fitting, likeliest)


def _with_kind(schema: Any, old: Any, value: Any) -> Any:
    """A mapping without a ``kind`` keeps that of the section whose place it takes."""
    if isinstance(value, dict) and isinstance(old, dict) and "kind" in old and not _starters(schema) & value.keys():
        return {"kind": old["kind"], **value}
    return value

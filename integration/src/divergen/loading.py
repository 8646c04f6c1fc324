"""From a YAML file or the name of a shipped one, and ``key=value`` changes, to a valid `RunConfig`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from divergen_records import ConfigError
from pydantic import BaseModel, ValidationError

from .config import RunConfig

__all__ = ["dump_config", "load_config", "read_yaml", "shipped", "shipped_configs"]


def shipped_configs() -> dict[str, str]:
    """Names of the configs that come with the package, and what the first comment line of each says."""
    return shipped("configs")


def shipped(folder: str) -> dict[str, str]:
    """Names of the YAML files in a folder of this package, and what the first comment line of each says."""
    files = [file for file in (resources.files("divergen") / folder).iterdir() if file.name.endswith(".yaml")]
    texts = {file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8") for file in files}
    return {name: text.splitlines()[0].lstrip("# ") for name, text in sorted(texts.items())}


def load_config(name: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Read, change and check a configuration; nothing is imported, loaded or run.

    Args:
        name: Path of a YAML file, or the name of a shipped config.
        overrides: ``key=value`` with dots in the key and YAML in the value, for example ``train.iterations=100``.

    Raises:
        ConfigError: One sentence that names the file, the key and what is allowed.
    """
    values = _read(name)
    for override in overrides:
        _apply(values, override)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{name}: {line}" for line in _explain(error))) from error


def dump_config(config: RunConfig) -> str:
    """The whole configuration as YAML, defaults included, so that a run says what it was."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _read(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.exists():
        return read_yaml(path)
    if name in shipped_configs():
        return read_yaml(Path(str(resources.files("divergen") / "configs" / f"{name}.yaml")))
    known = ", ".join(shipped_configs())
    raise ConfigError(f"{name!r} is neither a file nor a shipped config; shipped are: {known}")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises `ConfigError` where there is none."""
    name = str(path)
    if not path.is_file():
        raise ConfigError(f"{name}: there is no such file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{name}: expected a mapping of settings, got {type(values).__name__}")
    return values


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"{override!r}: expected key=value, for example train.iterations=100")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{override!r}: the value is not valid YAML") from error
    *parents, last = key.split(".")
    place: Any = values
    for parent in parents:
        place = place[_index(place, parent, key)] if isinstance(place, list) else _child(place, parent, key)
    if isinstance(place, list):
        place[_index(place, last, key)] = value
    else:
        place[last] = value


def _child(place: dict[str, Any], parent: str, key: str) -> Any:
    child = place.get(parent)
    if child is None:
        child = place[parent] = {}
    if not isinstance(child, (dict, list)):
        raise ConfigError(f"{key}: {parent!r} is {child!r}, not a section with keys of its own")
    return child


def _index(place: list[Any], part: str, key: str) -> int:
    if not part.isdecimal() or int(part) >= len(place):
        raise ConfigError(f"{key}: {part!r} is not an index of a list of {len(place)}")
    return int(part)


def _explain(error: ValidationError) -> Iterable[str]:
    """One line for each problem: where, what, and what is allowed."""
    for problem in error.errors(include_url=False):
        where, _ = _resolve(problem["loc"])
        match problem["type"]:
            case "extra_forbidden":
                known = [name for model in _resolve(problem["loc"][:-1])[1] for name in model.model_fields]
                near = get_close_matches(str(problem["loc"][-1]), known, n=1)
                yield f"{where}: there is no such key" + (f"; did you mean {near[0]!r}?" if near else "")
            case "missing":
                yield f"{where}: is missing"
            case "union_tag_invalid":
                yield f"{where}.kind: {problem['ctx']['tag']!r} is not one of {problem['ctx']['expected_tags']}"
            case "union_tag_not_found":
                yield f"{where}: needs a `kind`"
            case _:
                message = problem["msg"].removeprefix("Value error, ")
                yield f"{where}: {message[0].lower()}{message[1:]} (got {problem['input']!r})"


def _resolve(location: Sequence[int | str]) -> tuple[str, list[type[BaseModel]]]:
    """A pydantic location as a person writes it (``generators[0].size``), and the models that may stand there.

    pydantic puts a union's tag into the location of what is inside; the tag is no key of the file.
    """
    text = ""
    models: list[type[BaseModel]] = [RunConfig]
    for part in location:
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        tagged = [
            model for model in models if "kind" in model.model_fields and model.model_fields["kind"].default == part
        ]
        if tagged and not fields:
            models = tagged
            continue
        if fields:
            models = [model for field in fields for model in _models(field.annotation)]
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the configuration", models


def _models(annotation: Any) -> list[Any]:
    """The pydantic models inside an annotation such as ``tuple[A | B, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]

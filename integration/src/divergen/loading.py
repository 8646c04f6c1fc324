"""From a YAML file or the name of a shipped one, and ``key=value`` changes, to a valid `RunConfig`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from divergen_records import ConfigError
from divergen_records.settings import apply_settings
from divergen_records.yaml_files import dump_yaml, read_yaml

from .config import RunConfig

__all__ = ["dump_config", "load_config", "read_mapping", "shipped", "shipped_configs", "shipped_text"]


def shipped_configs() -> dict[str, str]:
    """Names of the configs that come with the package, and what the first comment line of each says."""
    return shipped("configs")


def shipped(folder: str) -> dict[str, str]:
    """Names of the YAML files in a folder of this package, and what the first comment line of each says."""
    files = [file for file in (resources.files("divergen") / folder).iterdir() if file.name.endswith(".yaml")]
    texts = {file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8") for file in files}
    return {name: text.splitlines()[0].lstrip("# ") for name, text in sorted(texts.items())}


def shipped_text(name: str) -> str:
    """A config or ablation that comes with the package, as its file says it.

    Raises:
        ConfigError: If there is none of this name; says which there are.
    """
    for folder in ("configs", "ablations"):
        if name in shipped(folder):
            return (resources.files("divergen") / folder / f"{name}.yaml").read_text(encoding="utf-8")
    known = ", ".join([*shipped("configs"), *shipped("ablations")])
    raise ConfigError(f"{name!r} is not shipped; there are {known}")


def load_config(name: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Read, change and check a configuration; nothing is imported, loaded or run.

    Args:
        name: Path of a YAML file, or the name of a shipped config.
        overrides: ``key=value`` with dots in the key and YAML in the value, for example ``train.iterations=100``; see
            `divergen_records.settings`.

    Raises:
        ConfigError: One sentence that names the file, the key and what is allowed.
    """
    values = _read(name)
    if "data" not in values and not any(pair.partition("=")[0].startswith("data") for pair in overrides):
        raise ConfigError(
            f"{name}: data: is missing; add data=FOLDER, which holds pictures and their annotations, or "
            "data.kind=minilvis, which is drawn on the spot"
        )
    config: RunConfig = apply_settings(RunConfig, values, overrides, where=name)
    return config


def dump_config(config: RunConfig) -> str:
    """The whole configuration as YAML, defaults included, so that a run says what it was."""
    return dump_yaml(config.model_dump(mode="json"))


def _read(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.exists():
        return read_mapping(path)
    if name in shipped_configs():
        return read_mapping(Path(str(resources.files("divergen") / "configs" / f"{name}.yaml")))
    known = ", ".join(shipped_configs())
    raise ConfigError(f"{name!r} is neither a file nor a shipped config; shipped are: {known}")


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises `ConfigError` where there is none."""
    values = read_yaml(path)
    if not isinstance(values, dict):
        got = "nothing" if values is None else f"a {type(values).__name__}"
        raise ConfigError(f"{path}: expected a mapping of settings (key: value), got {got}")
    return values

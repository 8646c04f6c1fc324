"""What a configuration needs before anything is made with it: each need is data, and can be looked at by itself.

A backend's config says what it needs in a method; one of an outside package's is found as well::

    class MyConfig(Config):
        kind: Literal["mine"] = "mine"
        weights: Path

        def requirements(self) -> Iterable[Requirement]:
            yield Module("mine", "pip install mine")
            yield InputFile(self.weights, "it is published at …")
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from .errors import DivergenError, WeightsError, install_line, lacking
from .file_names import from_home
from .weights_files import why_no_weights

__all__ = [
    "Finding",
    "HasRequirements",
    "HubModel",
    "InputFile",
    "InputPath",
    "Module",
    "Requirement",
    "extra_modules",
    "look",
    "requirements_of",
]

_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """What was found of one need.

    Attributes:
        text: One sentence; of a problem, with what to do.
        problem: It would stop the work.
        download: Bytes that will be fetched.
        weights: Bytes of a model's weights, where they are known.
    """

    text: str
    problem: bool = False
    download: int = 0
    weights: int = 0


class Requirement(Protocol):
    """One thing that is needed. Equal ones are looked at once."""

    def look(self) -> Finding | None:
        """What is found; None where there is nothing to say.

        Raises:
            DivergenError: A problem; its message says what to do.
        """


@runtime_checkable
class HasRequirements(Protocol):
    """A config that says what it needs."""

    def requirements(self) -> Iterable[Requirement]:
        """Everything that is needed by what it builds; those of configs inside it are found by themselves."""


def requirements_of(config: Any, place: str = "") -> Iterator[tuple[str, Requirement]]:
    """What a config and all configs inside it need, each with the key where it is named.

    Args:
        config: A pydantic model, or a list or mapping of some.
        place: Key of the config itself.
    """
    if isinstance(config, BaseModel):
        if isinstance(config, HasRequirements):
            yield from ((place, need) for need in config.requirements())
        inside: Iterable[tuple[Any, Any]] = ((name, getattr(config, name)) for name in type(config).model_fields)
    elif isinstance(config, Mapping):
        inside = config.items()
    elif isinstance(config, (list, tuple)):
        inside = enumerate(config)
    else:
        return
    for key, value in inside:
        yield from requirements_of(value, f"{place}.{key}" if place else str(key))


@dataclass(frozen=True)
class Module:
    """A Python module that has to be installed.

    Attributes:
        name: As it is imported.
        install: What installs it.
    """

    name: str
    install: str

    def look(self) -> Finding | None:
        """Nothing where it is there; it is not imported."""
        if find_spec(self.name) is not None:
            return None
        return Finding(lacking(self.name, self.install), problem=True)


def extra_modules(distribution: str, extra: str, *names: str) -> list[Module]:
    """The modules that an extra of a package brings."""
    return [Module(name, install_line(distribution, extra)) for name in names]


@dataclass(frozen=True)
class InputFile:
    """A file that the user has to have.

    Attributes:
        path: The file.
        remedy: Where it can be had.
    """

    path: Path
    remedy: str = ""

    def look(self) -> Finding | None:
        """Whether it is there and holds something."""
        path, remedy = from_home(self.path), self.remedy or "give the path of yours"
        if not path.is_file():
            return Finding(f"{self.path} is {'a folder' if path.is_dir() else 'not there'}; {remedy}", problem=True)
        size = path.stat().st_size
        if not size:
            return Finding(f"{self.path} is empty (0 bytes); {remedy}", problem=True)
        if wrong := why_no_weights(path):
            return Finding(f"{self.path} {wrong}", problem=True)
        return Finding(f"{self.path}: {_size(size)}", weights=size)


@dataclass(frozen=True)
class InputPath:
    """A file or folder that the user has to have.

    Attributes:
        path: Where it is.
        remedy: What to do where it is not.
    """

    path: Path
    remedy: str

    def look(self) -> Finding | None:
        """Nothing where it is there."""
        if from_home(self.path).exists():
            return None
        return Finding(f"{self.path} is not there; {self.remedy}", problem=True)


@dataclass(frozen=True)
class HubModel:
    """A model by its hub id, or in a folder.

    Attributes:
        model: The id or folder.
        revision: Branch, tag or commit of the hub.
        variant: Of the weights, for example ``fp16``.
        layout: What its folder has to be; anything where left out.
    """

    model: str
    revision: str | None = None
    variant: str | None = None
    layout: Literal["pipeline", "transformers"] | None = None

    def look(self) -> Finding | None:
        """Whether it is here, in the hub's cache, or can be downloaded, and how large it is."""
        from .hub import ask_hub, cached_folder, download_size, is_weights, local_model

        folder = local_model(self.model)
        if folder is None and find_spec("huggingface_hub") is None:
            return None  # the module that loads the model is not there either, which is a finding of its own
        here = folder or cached_folder(self.model, self.revision)
        if here is not None:
            files = _files(here)
            if not any(map(is_weights, files)):
                raise WeightsError(f"{here} holds no weights; give a folder in the hub's layout, or a hub id")
            if here.is_dir():
                self._check_layout(files)
            for name in filter(is_weights, files):
                if wrong := why_no_weights(here / name if here.is_dir() else here):
                    raise WeightsError(f"{here / name if here.is_dir() else here} {wrong}")
            size = download_size(files, self.variant)
            where = "" if folder else " is in the hub's cache"
            return Finding(f"{self.model}{where}: {_size(size)}", weights=size)
        answer = ask_hub(self.model, self.revision)
        self._check_layout(answer.files)
        size = download_size(answer.files, self.variant)
        licence = ", its licence is accepted" if answer.gated else ""
        return Finding(f"{self.model}: {_size(size)} to download{licence}", download=size, weights=size)

    def _check_layout(self, files: Collection[str]) -> None:
        index, what = _LAYOUTS.get(self.layout or "", ("", ""))
        if index and index not in files:
            other = next((words for name, words in _LAYOUTS.values() if name in files), "something else")
            raise WeightsError(
                f"{self.model} is not {what}: it holds no {index}, and looks like {other}; name one that is"
            )


_LAYOUTS = {
    "pipeline": ("model_index.json", "a pipeline of diffusers"),
    "transformers": ("config.json", "a model of transformers"),
}
"""Name of a layout -> the file that tells it, and what it is called."""


def look(need: Requirement) -> Finding | None:
    """What is found of a need; an error that a user can act on is a problem."""
    try:
        return need.look()
    except (DivergenError, OSError) as error:
        return Finding(str(error), problem=True)


def _files(folder: Path) -> dict[str, int]:
    if folder.is_file():
        return {folder.name: folder.stat().st_size}
    found = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in found}


def _size(size: int) -> str:
    return f"{size / _GIB:.1f} GB" if size >= _GIB / 10 else f"{size / 2**20:.1f} MB"

"""Where the weights of an embedder come from, by the tables of the libraries that load them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from divergen_records import WeightsError
from divergen_records.requirements import Finding, HubModel, InputFile

__all__ = ["OpenClipWeights", "TimmWeights"]


@dataclass(frozen=True)
class OpenClipWeights:
    """Weights of open_clip.

    Attributes:
        model: As `OpenClipEmbedder` takes it.
        pretrained: As `OpenClipEmbedder` takes it.
    """

    model: str
    pretrained: str | None

    def look(self) -> Finding | None:
        """Whether open_clip knows them, and whether they are there."""
        if (named := _named(self.model)) is not None:
            return named.look()
        if self.pretrained and Path(self.pretrained).suffix:
            return InputFile(Path(self.pretrained)).look()
        spec = find_spec("open_clip")
        if spec is None or spec.origin is None:
            return None
        folder, name = Path(spec.origin).parent, self.model.replace("/", "-")
        if not (folder / "model_configs" / f"{name}.json").is_file():
            raise WeightsError(f"open_clip has no model {self.model!r}; `open_clip.list_models()` lists them")
        tables = _tables(folder)
        tags = tables.list_pretrained_tags_by_model(name)
        found = tables.get_pretrained_cfg(name, self.pretrained or "")
        if not found:
            raise WeightsError(
                f"open_clip has no weights {self.pretrained!r} of {self.model}; set pretrained to a file, or to one of "
                f"{', '.join(tags) or 'none'}"
            )
        hub = str(found.get("hf_hub") or "").rstrip("/")
        return HubModel(hub).look() if hub else Finding(f"{self.model} {self.pretrained}: open_clip downloads it")


@dataclass(frozen=True)
class TimmWeights:
    """Weights of timm.

    Attributes:
        model: As `TimmEmbedder` takes it.
    """

    model: str

    def look(self) -> Finding | None:
        """Whether timm knows them, and whether they are there."""
        if (named := _named(self.model)) is not None:
            return named.look()
        import timm

        try:
            found = timm.models.get_pretrained_cfg(self.model, allow_unregistered=False)
        except RuntimeError as error:
            raise WeightsError(f"timm has no model {self.model!r}; `timm.list_pretrained()` lists them") from error
        if found is None or not found.has_weights:
            raise WeightsError(f"timm has no weights of {self.model!r}; `timm.list_pretrained()` lists those that do")
        return HubModel(found.hf_hub_id).look() if found.hf_hub_id else Finding(f"{self.model}: timm downloads it")


def _tables(folder: Path) -> Any:
    """open_clip's module of weights without the rest of it, which loads torch and takes ten seconds."""
    package = ModuleType("_open_clip_tables")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    try:
        return import_module(f"{package.__name__}.pretrained")
    finally:
        del sys.modules[package.__name__]


def _named(model: str) -> HubModel | None:
    """The repository or folder that a name itself names."""
    scheme, colon, place = model.partition(":")
    if not colon:
        return None
    return HubModel(str(Path(place).absolute()) if scheme == "local-dir" else place)

"""What a configuration of this package needs, beside what `divergen_records.requirements` knows."""

from __future__ import annotations

from dataclasses import dataclass

from divergen_records import DivergenError
from divergen_records.requirements import Finding, HubModel

__all__ = ["TEACHABLE", "TeachableModel", "WholeModel"]

TEACHABLE = "StableDiffusionPipeline"
"""The class of diffusers that weights of single categories are trained for."""


@dataclass(frozen=True)
class WholeModel:
    """A model's files, if they are on this machine: all that its pipeline names, in a form that is loaded.

    Attributes:
        model: Hub id, folder or file.
        variant: Of the weights.
        config: What a single file takes its configuration from.
        allow_pickle: Whether weights may be pickles.
        safety_checker: Whether the parts of the safety checker have to be there.
    """

    model: str
    variant: str | None = None
    config: str | None = None
    allow_pickle: bool = False
    safety_checker: bool = True

    def look(self) -> Finding | None:
        """Nothing, where all is there, and where `HubModel` complains already."""
        from divergen_records.hub import local_model

        from .weights import CHECKER, check_folder, check_single_file, only_variant

        try:
            path = local_model(self.model)
            if path is None:
                return None
            HubModel(self.model, layout="pipeline").look()
        except DivergenError:
            return None
        if path.is_file():
            check_single_file(path, self.config, self.allow_pickle)
        else:
            without = () if self.safety_checker else CHECKER
            variant = self.variant or only_variant(path)
            check_folder(path, variant, allow_pickle=self.allow_pickle, without=without)
        return None


@dataclass(frozen=True)
class TeachableModel:
    """A model that weights of single categories can be trained for.

    Attributes:
        model: Hub id or folder.
        revision: Of the hub.
    """

    model: str
    revision: str | None = None

    def look(self) -> Finding | None:
        """Whether it is of the right class, where the model is here; no other is asked."""
        from divergen_records.hub import cached_folder, local_model

        from .weights import read_index

        folder = local_model(self.model) or cached_folder(self.model, self.revision)
        index = None if folder is None else folder / "model_index.json"
        if index is None or not index.is_file():
            return None
        name = read_index(index.parent).get("_class_name")
        if name == TEACHABLE:
            return None
        text = f"{self.model} is a {name}; weights of single categories are trained for Stable Diffusion 1.x and 2.x"
        return Finding(f"{text}: name such a model, or leave `personal` out", problem=True)

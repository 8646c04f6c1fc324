"""What a configuration of this package needs, beside what `divergen_records.requirements` knows."""

from __future__ import annotations

from dataclasses import dataclass

from divergen_records.requirements import Finding

__all__ = ["TEACHABLE", "TeachableModel"]

TEACHABLE = "StableDiffusionPipeline"
"""The class of diffusers that weights of single categories are trained for."""


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

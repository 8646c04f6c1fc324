"""Two scores as a package of their own: how pleasing an instance looks, and how likely it is not safe for work."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from divergen_records import Columns, Config, ConfigError, Float32, map_rows
from divergen_records.images import read_image


class AestheticColumns(Columns):
    """What `Aesthetic` writes."""

    aesthetic: Float32 | None = None
    """LAION's aesthetic rating of the embedding, about 1 to 10."""


class Aesthetic:
    """A linear rating of CLIP embeddings, as LAION published it (``sa_0_4_vit_l_14_linear.pth``, for ViT-L/14)."""

    name, reads, writes, columns = "aesthetic", ("embedding",), ("aesthetic",), AestheticColumns

    def __init__(self, head: Path) -> None:
        import torch

        state = torch.load(head, weights_only=True, map_location="cpu")
        self.weight, self.bias = state["weight"].double().numpy()[0], float(state["bias"])

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Rate a batch of embeddings (N, D), unit length."""
        vectors = np.asarray(batch["embedding"], dtype=np.float64)
        if vectors.shape[1] != len(self.weight):
            raise ConfigError(
                f"the embeddings have {vectors.shape[1]} numbers and the head takes {len(self.weight)}; it belongs to "
                "another embedder (LAION's: open-clip, model=ViT-L-14, pretrained=openai)"
            )
        return {"aesthetic": (vectors * self.weight).sum(axis=1) + self.bias}  # row by row: no sum depends on the batch


class AestheticConfig(Config):
    """Settings of `Aesthetic`."""

    kind: Literal["aesthetic"] = "aesthetic"
    columns: ClassVar[type[Columns]] = AestheticColumns
    head: Path = Path("sa_0_4_vit_l_14_linear.pth")

    def build(self) -> Aesthetic:
        """Load the head."""
        return Aesthetic(self.head)


class NsfwColumns(Columns):
    """What `Nsfw` writes."""

    nsfw: Float32 | None = None
    """Probability that the picture is not safe for work."""


class Nsfw:
    """A classifier of transformers and the label that counts, for example ``Falconsai/nsfw_image_detection``."""

    name, reads, writes, columns = "nsfw", ("image",), ("nsfw",), NsfwColumns

    def __init__(self, model: str, label: str) -> None:
        self.model, self.label = model, label

    @cached_property
    def _network(self) -> Any:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        network = AutoModelForImageClassification.from_pretrained(self.model).eval()
        if self.label not in network.config.label2id:
            raise ConfigError(f"{self.model} has no label {self.label!r}, but {', '.join(network.config.label2id)}")
        return AutoImageProcessor.from_pretrained(self.model), network

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Classify a batch of encoded pictures, one by one."""
        return map_rows(self._classify, {"image": batch["image"]}, self.writes)

    def _classify(self, image: bytes) -> dict[str, Any]:
        import torch

        processor, network = self._network
        with torch.inference_mode():
            logits = network(**processor(images=read_image(image), return_tensors="pt")).logits[0]
        return {"nsfw": float(logits.softmax(dim=0)[network.config.label2id[self.label]])}


class NsfwConfig(Config):
    """Settings of `Nsfw`."""

    kind: Literal["nsfw"] = "nsfw"
    columns: ClassVar[type[Columns]] = NsfwColumns
    model: str = "Falconsai/nsfw_image_detection"
    label: str = "nsfw"

    def build(self) -> Nsfw:
        """Make the score; the network loads with the first picture."""
        return Nsfw(self.model, self.label)

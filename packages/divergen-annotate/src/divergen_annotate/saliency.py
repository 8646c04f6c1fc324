"""Saliency networks as ONNX or TorchScript files with a model card: U2Net, IS-Net, BiRefNet and others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from divergen_records import MaskError, WeightsError
from divergen_records.cores import usable_cores
from divergen_records.file_names import from_home
from numpy.typing import NDArray
from PIL import Image as PillowImage

from .annotator import Image, Picture, Result, as_arrays
from .batching import Batcher, ahead
from .clipseg import threshold_map
from .confidence import measure_map
from .model_card import ModelCard, card_beside
from .networks import Network, check_range, load_network, read_maps

__all__ = ["ModelCard", "Saliency"]


class Saliency:
    """Masks of what is salient, by a network from a file.

    Args:
        network: Inputs (N, 3, h, w) float32 -> outputs.
        card: How the network wants its input.
        name: Goes into the row's ``annotator`` behind ``saliency``.
        batch_size: Pictures at a time; None starts at one and doubles while memory lasts.
        workers: Threads that prepare pictures; the number of CPU cores where None.
    """

    name = "saliency"

    def __init__(
        self,
        network: Network,
        card: ModelCard,
        *,
        name: str = "",
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        self.network, self.card = network, card
        self.name = f"saliency:{name}" if name else "saliency"
        self.workers = workers or usable_cores()
        self._batcher = Batcher(batch_size, limit=16)

    @classmethod
    def from_file(
        cls,
        model: Path | str,
        card: Path | str | None = None,
        *,
        device: str | None = None,
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> Saliency:
        """From an ``.onnx`` file (extra ``onnx``) or a TorchScript file (needs torch).

        Args:
            model: The file.
            card: Its model card, a file or the name of a known one; where None, the file beside it that is named like
                it, with ``.json`` or ``.yaml``, or the known one that has the file's name.
            device: ``"cuda"`` or ``"cpu"``; a GPU if there is one where None.
            batch_size: See `Saliency`.
            workers: See `Saliency`.

        Raises:
            WeightsError: If there is no such file, or it holds no such network.
            ConfigError: If the card is missing or wrong, or is not that of this network.
            MissingExtra: If what runs it is not installed.
        """
        path = from_home(model)
        if not path.is_file():
            raise WeightsError(
                f"{path}: there is no such network; export U2Net, IS-Net, BiRefNet or another saliency network to ONNX "
                "or TorchScript with its authors' code and weights, and give the file's path"
            )
        read = card_beside(path) if card is None else ModelCard.read(card)
        network, read, fixed = load_network(path, read, device)
        return cls(network, read, name=path.stem, batch_size=fixed or batch_size, workers=workers)

    def __call__(self, images: Sequence[Picture]) -> list[Result]:
        """One prediction per picture; the score is the IoU to expect.

        It is calibrated where the card is, else what the map itself promises; see `ModelCard` and `threshold_map`.
        """
        arrays = as_arrays(images)
        with ThreadPoolExecutor(self.workers) as pool:
            inputs = ahead(pool, self._prepare, arrays, 2 * self._batcher.limit)
            return list(self._batcher.run(zip(inputs, arrays, strict=True), partial(self._predict, pool)))

    def _prepare(self, image: Image) -> NDArray[np.float32]:
        height, width = self.card.size
        resized = PillowImage.fromarray(image).resize((width, height), PillowImage.Resampling.BILINEAR)
        return self.card.normalise(np.asarray(resized, dtype=np.float32))

    def _predict(self, pool: Executor, batch: Sequence[tuple[NDArray[np.float32], Image]]) -> list[Result]:
        outputs = self.network(np.stack([pixels for pixels, _ in batch]))
        maps = read_maps(outputs, self.card, len(batch), self.name)
        return list(pool.map(self._cut, maps, [image for _, image in batch]))

    def _cut(self, value: NDArray[np.float32], image: Image) -> Result:
        check_range(value, self.card, self.name)
        if self.card.activation == "sigmoid":
            value = np.asarray(1 / (1 + np.exp(-value)), dtype=np.float32)
        if self.card.stretch:
            if self.card.activation != "sigmoid" and value.max() < _NOTHING:
                return MaskError(f"nothing stands out: {self.name}'s map has no value above {_NOTHING}")
            value = (value - value.min()) / max(float(np.ptp(value)), 1e-6)
        found = threshold_map(value, image.shape[:2], self.card.threshold)
        if self.card.calibration is None or not found.mask.any() or found.mask.all():
            return found
        return replace(found, score=self.card.calibration.expect(measure_map(image, found.mask, found.score)))


_NOTHING = 0.2
"""A map whose highest value is lower shows no object; stretched, it would be made of noise."""

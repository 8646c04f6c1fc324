"""Saliency networks as ONNX or TorchScript files with a model card: U2Net, IS-Net, SelfReformer, UFO and others."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from divergen_records import Config, ConfigError, WeightsError, require_extra
from divergen_records.settings import validate_settings
from divergen_records.yaml_files import read_yaml
from numpy.typing import NDArray
from PIL import Image as PillowImage
from pydantic import Field

from .annotator import Image, Picture, Result, as_arrays
from .batching import Batcher, ahead
from .clipseg import threshold_map

__all__ = ["ModelCard", "Saliency"]

Network = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]
"""Inputs (N, 3, h, w) -> outputs, each (N, 1, h, w) or (N, h, w)."""


class ModelCard(Config):
    """How a saliency network wants its input, and what its output means.

    Attributes:
        size: Height and width of the input, pixels; pictures are stretched to it.
        scale: What pixels are divided by before normalisation: ``"255"``, or the picture's own maximum (U2Net).
        mean: Per channel RGB, subtracted after that.
        std: Per channel RGB, divided by.
        output: Which of the outputs is the saliency map.
        activation: ``"sigmoid"`` where the network gives logits.
        stretch: Stretch each map to 0 to 1, as U2Net's own script does; not for pictures that may show no object.
        threshold: A pixel belongs to the object from this value on.
    """

    size: tuple[int, int] = (320, 320)
    scale: Literal["255", "maximum"] = "255"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    output: int = Field(default=0, ge=0)
    activation: Literal["none", "sigmoid"] = "none"
    stretch: bool = False
    threshold: float = Field(default=0.5, gt=0, lt=1)

    @classmethod
    def read(cls, path: Path | str) -> ModelCard:
        """From a JSON or YAML file.

        Raises:
            ConfigError: If there is no such file, or something in it is wrong.
        """
        path = Path(path)
        if not path.is_file():
            raise ConfigError(
                f"{path}: there is no such model card; write one with size, mean, std and output, see ModelCard"
            )
        try:
            values = read_yaml(path) if path.suffix in (".yaml", ".yml") else json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: this is no model card: {error}") from error
        card: ModelCard = validate_settings(cls, values, where=str(path))
        return card


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
        self.workers = workers or os.cpu_count() or 1
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
            card: Its model card; beside it and named like it, with ``.json`` or ``.yaml``, where None.
            device: ``"cuda"`` or ``"cpu"``; a GPU if there is one where None.
            batch_size: See `Saliency`.
            workers: See `Saliency`.

        Raises:
            WeightsError: If there is no such file, or it holds no such network.
            ConfigError: If the card is missing or wrong.
            MissingExtra: If what runs it is not installed.
        """
        path = Path(model)
        if not path.is_file():
            raise WeightsError(
                f"{path}: there is no such network; export U2Net, SelfReformer, UFO or another saliency network to "
                "ONNX or TorchScript with its authors' code and weights, and give the file's path"
            )
        read = ModelCard.read(
            card or next((p for p in map(path.with_suffix, _CARDS) if p.is_file()), path.with_suffix(".json"))
        )
        network, fixed = (_load_onnx if path.suffix == ".onnx" else _load_torchscript)(path, device)
        return cls(network, read, name=path.stem, batch_size=fixed or batch_size, workers=workers)

    def __call__(self, images: Sequence[Picture]) -> list[Result]:
        """One prediction per picture; the score is the mean saliency inside the mask."""
        arrays = as_arrays(images)
        with ThreadPoolExecutor(self.workers) as pool:
            inputs = ahead(pool, self._prepare, arrays, 2 * self._batcher.limit)
            return list(self._batcher.run(zip(inputs, arrays, strict=True), self._predict))

    def _prepare(self, image: Image) -> NDArray[np.float32]:
        height, width = self.card.size
        resized = PillowImage.fromarray(image).resize((width, height), PillowImage.Resampling.BILINEAR)
        pixels = np.asarray(resized, dtype=np.float32)
        pixels /= 255.0 if self.card.scale == "255" else max(float(pixels.max()), 1e-6)
        normal = (pixels - np.array(self.card.mean, np.float32)) / np.array(self.card.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1))

    def _predict(self, batch: Sequence[tuple[NDArray[np.float32], Image]]) -> list[Result]:
        outputs = self.network(np.stack([pixels for pixels, _ in batch]))
        if self.card.output >= len(outputs):
            raise ConfigError(f"{self.name} has {len(outputs)} outputs, the card asks for number {self.card.output}")
        maps = np.asarray(outputs[self.card.output], dtype=np.float32)
        maps = maps.reshape(len(batch), *maps.shape[-2:])
        return [self._cut(value, image) for value, (_, image) in zip(maps, batch, strict=True)]

    def _cut(self, value: NDArray[np.float32], image: Image) -> Result:
        if self.card.activation == "sigmoid":
            value = np.asarray(1 / (1 + np.exp(-value)), dtype=np.float32)
        if self.card.stretch:
            value = (value - value.min()) / max(float(np.ptp(value)), 1e-6)
        return threshold_map(value, image.shape[:2], self.card.threshold)


_CARDS = (".json", ".yaml", ".yml")


def _load_onnx(path: Path, device: str | None) -> tuple[Network, int | None]:
    """The network, and its batch size where the export has fixed it."""
    with require_extra("divergen-annotate", "onnx"):
        import onnxruntime
    wanted = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # its errors have no other class in common
        raise WeightsError(f"{path}: this is no ONNX network that can be run: {error}") from error
    source = session.get_inputs()[0]

    def run(inputs: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        outputs: Sequence[NDArray[np.float32]] = session.run(None, {source.name: inputs})
        return outputs

    return run, source.shape[0] if isinstance(source.shape[0], int) else None


def _load_torchscript(path: Path, device: str | None) -> tuple[Network, int | None]:
    with require_extra("divergen-annotate", "sam"):
        import torch
    from .predictor import pick_device

    where, _ = pick_device(device, "float32")
    try:
        with warnings.catch_warnings():  # files in this format are around, whatever PyTorch recommends for new ones
            warnings.simplefilter("ignore")
            network = torch.jit.load(path, map_location=where).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"{path}: this is no TorchScript network: {str(error).splitlines()[0]}") from error

    def run(inputs: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            outputs = network(torch.from_numpy(inputs).to(where))
        parts = outputs if isinstance(outputs, (tuple, list)) else [outputs]
        return [part.float().cpu().numpy() for part in parts]

    return run, None

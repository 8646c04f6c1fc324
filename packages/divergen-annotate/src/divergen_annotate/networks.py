"""Saliency networks from ONNX and TorchScript files, and what their outputs mean by their model card."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import ConfigError, WeightsError, require_extra
from divergen_records.devices import pick_device
from divergen_records.weights_files import why_no_weights
from numpy.typing import NDArray

from .model_card import ModelCard
from .onnx_network import first_line, load_onnx

__all__ = ["Network", "check_range", "load_network", "read_maps"]

Network = Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]]
"""Inputs (N, 3, h, w) -> outputs; see `read_maps`."""


def load_network(path: Path, card: ModelCard, device: str | None) -> tuple[Network, ModelCard, int | None]:
    """The network, its card with what the file decides, and its batch size where the export has fixed it.

    Raises:
        WeightsError: If the file holds no such network.
        ConfigError: If its inputs or outputs are not those of the card.
        MissingExtra: If what runs it is not installed.
    """
    if wrong := why_no_weights(path):
        raise WeightsError(f"{path} {wrong}")
    if path.suffix != ".onnx":
        return _load_torchscript(path, card, device), card, None
    network, card = load_onnx(path, card, device)
    return network, card, network.batch


def read_maps(outputs: Sequence[NDArray[Any]], card: ModelCard, count: int, name: str) -> NDArray[np.float32]:
    """The maps (N, h, w) of N pictures among a network's outputs: probabilities, or logits where the card says so.

    Args:
        outputs: The card's is (N, h, w), with or without an axis of one or two channels behind the batch or at the end,
            and without the batch where N is 1. Of two channels, background and object, the second is the map. Whole
            numbers up to 255 are shares of it.
        card: The network's.
        count: N.
        name: Of the network.

    Raises:
        ConfigError: If the output is not the card's, or is no map.
    """
    if not isinstance(card.output, int) or card.output >= len(outputs):
        raise ConfigError(f"{name} has {len(outputs)} outputs, the card asks for {card.output!r}")
    found = np.asarray(outputs[card.output])
    scale = 255 if found.dtype == np.uint8 and found.size and found.max() > 1 else 1
    maps = found.astype(np.float32) / np.float32(scale)
    if maps.ndim == 4 and maps.shape[-1] in _CHANNELS and maps.shape[1] not in _CHANNELS:
        maps = np.moveaxis(maps, -1, 1)
    if maps.ndim == 3 and count == 1 and maps.shape[0] == 2:
        maps = maps[None]
    if maps.ndim == 4 and len(maps) == count and maps.shape[1] == 2:
        return _of_two(maps, card, name)
    if card.activation == "softmax":
        raise ConfigError(f"{name}: its output is {found.shape}, softmax in the model card is for two channels")
    if maps.ndim < 2 or maps.size != count * maps.shape[-1] * maps.shape[-2]:
        raise ConfigError(
            f"{name}: its output {card.output} is {found.shape} for {count} pictures, expected a map each, "
            "(batch, 1, height, width): set output in the model card"
        )
    _refuse_shape(maps.shape[-2], maps.shape[-1], card, name)
    return maps.reshape(count, *maps.shape[-2:])


def _refuse_shape(height: int, width: int, card: ModelCard, name: str) -> None:
    """Refuse a map that cannot be one of the picture: two numbers, a box, another output, the sides exchanged."""
    stretch = height * card.size[1] / max(1, width * card.size[0])
    if height * width < _SMALLEST or not 1 / _STRETCHED < stretch < _STRETCHED:
        raise ConfigError(
            f"{name}: its output {card.output} is {height} x {width} for pictures of {card.size[0]} x {card.size[1]}, "
            "which is no map of them: set output in the model card"
        )


_SMALLEST, _STRETCHED = 16, 1.25
"""Values of a map, and how far its sides may be from the picture's: small maps are rounded."""
_CHANNELS = (1, 2)


def _of_two(maps: NDArray[np.float32], card: ModelCard, name: str) -> NDArray[np.float32]:
    """The object's probability (N, h, w) of background and object (N, 2, h, w)."""
    shares = bool(maps.min() >= -_SLACK and np.abs(maps.sum(axis=1) - 1).max() <= _SLACK)
    if shares != (card.activation == "none") or card.activation == "sigmoid":
        wanted = "none" if shares else "softmax"
        what = "probabilities already" if shares else "no probabilities"
        raise ConfigError(f"{name}: its two channels are {what}; set activation: {wanted} in the model card")
    return maps[:, 1] if shares else np.asarray(1 / (1 + np.exp(maps[:, 0] - maps[:, 1])), dtype=np.float32)


def check_range(value: NDArray[np.float32], card: ModelCard, name: str) -> None:
    """Refuse a map whose values are not what the card says.

    Args:
        value: (h, w) float32, as the network gives it.
        card: The network's.
        name: Of the network.

    Raises:
        ConfigError: One sentence that says what to set.
    """
    low, high = float(value.min()), float(value.max())
    if not np.isfinite(value).all():
        raise ConfigError(f"{name}: gives values that are no numbers; try precision float32, or another export")
    inside = low >= -_SLACK and high <= 1 + _SLACK
    doubt = f" (of the known card: {card.unverified})" if card.unverified else ""
    if card.activation == "none" and not inside:
        raise ConfigError(
            f"{name}: gives values from {low:.3g} to {high:.3g}, expected 0 to 1; if these are logits, set activation: "
            f"sigmoid in the model card, else mean, std or output are another network's{doubt}"
        )
    if card.activation == "sigmoid" and inside and high - low > _FLAT:
        raise ConfigError(
            f"{name}: gives values from {low:.3g} to {high:.3g}, which are probabilities already; set activation: none "
            f"in the model card{doubt}"
        )


_SLACK, _FLAT = 0.01, 0.5
"""Rounding of half precision; and how much of 0 to 1 a map must span before it is taken for probabilities."""


def _load_torchscript(path: Path, card: ModelCard, device: str | None) -> Network:
    with require_extra("divergen-annotate", "sam"):
        import torch
    where = pick_device(device)
    try:
        with warnings.catch_warnings():  # files in this format are around, whatever PyTorch recommends for new ones
            warnings.simplefilter("ignore")
            network = torch.jit.load(path, map_location=where).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        said = first_line(error).partition(". ")[0]
        raise WeightsError(
            f"{path}: this is no TorchScript network: {said}. Weights alone, as authors publish them (.pth), do not "
            "say what they are weights of: export the network to ONNX or by torch.jit.trace with its authors' code"
        ) from error

    def run(inputs: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            outputs = network(torch.from_numpy(inputs).to(where))
        parts = outputs if isinstance(outputs, (tuple, list)) else [outputs]
        return [part.float().cpu().numpy() for part in parts]

    return run

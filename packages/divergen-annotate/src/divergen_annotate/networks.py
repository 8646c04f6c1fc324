"""Saliency networks from ONNX and TorchScript files, held against their model card before they run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import ConfigError, WeightsError, require_extra
from numpy.typing import NDArray

from .model_card import ModelCard

__all__ = ["Network", "check_range", "load_network"]

Network = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]
"""Inputs (N, 3, h, w) -> outputs, each (N, 1, h, w) or (N, h, w)."""


def load_network(path: Path, card: ModelCard, device: str | None) -> tuple[Network, int | None]:
    """The network, and its batch size where the export has fixed it.

    Raises:
        WeightsError: If the file holds no such network.
        ConfigError: If its inputs or outputs are not those of the card.
        MissingExtra: If what runs it is not installed.
    """
    return (_load_onnx if path.suffix == ".onnx" else _load_torchscript)(path, card, device)


def _load_onnx(path: Path, card: ModelCard, device: str | None) -> tuple[Network, int | None]:
    with require_extra("divergen-annotate", "onnx"):
        import onnxruntime
    wanted = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # its errors have no other class in common
        raise WeightsError(f"{path}: this is no ONNX network that can be run: {_first_line(error)}") from error
    source = _check_inputs(path, card, session.get_inputs())
    _check_outputs(path, card, session.get_outputs())
    dtype = np.float16 if "float16" in source.type else np.float32

    def run(inputs: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        try:
            outputs: Sequence[NDArray[np.float32]] = session.run(None, {source.name: inputs.astype(dtype)})
        except Exception as error:  # its errors have no other class in common
            shape = " x ".join(map(str, inputs.shape))
            raise ConfigError(f"{path}: does not run on an input of {shape}: {_first_line(error)}") from error
        return outputs

    return run, source.shape[0] if isinstance(source.shape[0], int) else None


def _check_inputs(path: Path, card: ModelCard, inputs: Sequence[Any]) -> Any:
    """The one input, if it is a picture of the card's size."""
    if len(inputs) != 1:
        raise ConfigError(f"{path}: has {len(inputs)} inputs, a saliency network has one: the picture")
    source = inputs[0]
    if len(source.shape) != 4 or (isinstance(source.shape[1], int) and source.shape[1] != 3):
        raise ConfigError(f"{path}: its input is {_dims(source.shape)}, expected (batch, 3, height, width) in RGB")
    if "float" not in source.type:
        raise ConfigError(f"{path}: its input is {source.type}, expected float")
    for side, wanted, which in zip(source.shape[2:], card.size, ("high", "wide"), strict=True):
        if isinstance(side, int) and side != wanted:
            raise ConfigError(
                f"{path}: takes pictures {side} pixels {which}, the model card says {wanted}; it is another network's "
                "card: give the right one with card=NAME or card=FILE"
            )
    return source


def _check_outputs(path: Path, card: ModelCard, outputs: Sequence[Any]) -> None:
    if card.output >= len(outputs):
        raise ConfigError(
            f"{path}: has {len(outputs)} outputs ({', '.join(output.name for output in outputs[:8])}), "
            f"the card asks for number {card.output}"
        )
    shape = outputs[card.output].shape
    if len(shape or ()) not in (0, 3, 4) or (len(shape) == 4 and isinstance(shape[1], int) and shape[1] != 1):
        raise ConfigError(
            f"{path}: its output {outputs[card.output].name!r} is {_dims(shape)}, expected one map, "
            "(batch, 1, height, width): set output in the model card"
        )


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


def _dims(shape: Any) -> str:
    return "(" + ", ".join(str(side) for side in shape) + ")"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _load_torchscript(path: Path, card: ModelCard, device: str | None) -> tuple[Network, int | None]:
    with require_extra("divergen-annotate", "sam"):
        import torch
    from .predictor import pick_device

    where, _ = pick_device(device, "float32")
    try:
        with warnings.catch_warnings():  # files in this format are around, whatever PyTorch recommends for new ones
            warnings.simplefilter("ignore")
            network = torch.jit.load(path, map_location=where).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"{path}: this is no TorchScript network: {_first_line(error)}") from error

    def run(inputs: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            outputs = network(torch.from_numpy(inputs).to(where))
        parts = outputs if isinstance(outputs, (tuple, list)) else [outputs]
        return [part.float().cpu().numpy() for part in parts]

    return run, None

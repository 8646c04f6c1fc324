"""Saliency networks from ONNX files of any form that people export; what the file declares is held against the card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import ConfigError, WeightsError, require_extra
from numpy.typing import NDArray

from .batching import is_out_of_memory
from .model_card import RAW, ModelCard

__all__ = ["OnnxNetwork", "first_line", "load_onnx"]

_TYPES = {f"tensor({name})": kind for name, kind in (("float16", "e"), ("float", "f"), ("double", "d"), ("uint8", "B"))}
"""ONNX's names of the kinds of number that a picture can be made of -> numpy's."""

_REMEDIES = {
    "External data path": ". The file with its weights belongs beside it: fetch that one, too",
    "External init": ". The file with its weights, beside it, was cut off: fetch that one again",
    "Protobuf parsing failed": " It was cut off, or is another file: fetch it again",
    "No graph was found": " It was cut off, or is another file: fetch it again",
}
"""Words of ONNX Runtime -> what to do."""


class OnnxNetwork:
    """Inputs (N, 3, h, w) float32 -> outputs, whatever form of input the file declares.

    Args:
        path: The file, for errors.
        session: ONNX Runtime's.
        source: The declared input that is the picture: (batch, 3, height, width), (batch, height, width, 3), or either
            without the batch; of half, single or double precision, or uint8.
    """

    def __init__(self, path: Path, session: Any, source: Any) -> None:
        self._path, self._session, self._source = path, session, source
        shape = source.shape
        self._single, self._last = len(shape) == 3, shape[-1] == 3 and shape[-3] != 3
        self.batch = 1 if self._single else _fixed(shape[0])

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Height and width as the file declares them, pixels; None where any will do."""
        height, width = self._source.shape[-3:-1] if self._last else self._source.shape[-2:]
        return _fixed(height), _fixed(width)

    def __call__(self, inputs: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Every output.

        Raises:
            MemoryError: If memory runs out, or if it does not run on several pictures at once: smaller batches may do.
            ConfigError: If it does not run on one picture either.
        """
        count = len(inputs)
        try:
            outputs: list[NDArray[Any]] = self._session.run(None, {self._source.name: self._as_declared(inputs)})
        except Exception as error:  # its errors have no other class in common
            if count > 1 or is_out_of_memory(RuntimeError(str(error))):
                raise MemoryError(str(error)) from error
            shape = " x ".join(map(str, inputs.shape))
            raise ConfigError(f"{self._path}: does not run on an input of {shape}: {first_line(error)}") from error
        return [output[:count] for output in outputs] if self.batch is not None and count < self.batch else outputs

    def _as_declared(self, inputs: NDArray[np.float32]) -> NDArray[Any]:
        missing = (self.batch or 0) - len(inputs)
        values = np.pad(inputs, [(0, missing), (0, 0), (0, 0), (0, 0)]) if missing > 0 else inputs
        values = values.transpose(0, 2, 3, 1) if self._last else values
        values = values[0] if self._single else values
        kind = _TYPES[self._source.type]
        return np.ascontiguousarray(np.rint(values) if kind == "B" else values, dtype=kind)


def load_onnx(
    path: Path, card: ModelCard, device: str | None, *, optimize: bool = True
) -> tuple[OnnxNetwork, ModelCard]:
    """The network, and the card with what the file decides: size, output, raw pixels.

    Without ``optimize`` it is read only to be held against the card: that takes a part of the time.

    Raises:
        WeightsError: If the file holds no network that runs.
        ConfigError: If its inputs or outputs are not those of the card, or not those of a saliency network.
        MissingExtra: If what runs it is not installed.
    """
    with require_extra("divergen-annotate", "onnx"):
        import onnxruntime
    wanted = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it raises what it logs; the words of a foreign file go to no terminal
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors have no other class in common
        remedy = next((words for mark, words in _REMEDIES.items() if mark in str(error)), "")
        raise WeightsError(f"{path}: this is no ONNX network that can be run: {first_line(error)}{remedy}") from error
    network = OnnxNetwork(path, session, _picture(path, session.get_inputs()))
    card = _sized(path, network, card)
    if session.get_inputs()[0].type == "tensor(uint8)":
        card = _raw(path, card)
    return network, card.model_copy(update={"output": _output(path, card, session.get_outputs())})


def _picture(path: Path, inputs: Sequence[Any]) -> Any:
    """The one input, if it is a picture."""
    if len(inputs) != 1:
        listed = ", ".join(f"{one.name} {_dims(one.shape)}" for one in inputs[:8])
        raise ConfigError(
            f"{path}: has {len(inputs)} inputs ({listed}), a saliency network has one, the picture; export it with the "
            "others fixed"
        )
    source = inputs[0]
    shape = source.shape
    if len(shape) not in (3, 4) or (_fixed(shape[-3]) not in (3, None) and shape[-1] != 3):
        raise ConfigError(
            f"{path}: its input is {_dims(shape)}, expected (batch, 3, height, width) or (batch, height, width, 3), RGB"
        )
    if source.type not in _TYPES:
        raise ConfigError(f"{path}: its input is {source.type}, expected one of {', '.join(_TYPES)}")
    return source


def _sized(path: Path, network: OnnxNetwork, card: ModelCard) -> ModelCard:
    """The card with the file's size where it says none itself; refused where the two disagree."""
    height, width = network.size
    if "size" not in card.model_fields_set and height is not None and width is not None:
        return card.model_copy(update={"size": (height, width)})
    for side, wanted, which in zip((height, width), card.size, ("high", "wide"), strict=True):
        if side is not None and side != wanted:
            raise ConfigError(
                f"{path}: takes pictures {side} pixels {which}, the model card says {wanted}; it is another network's "
                "card: give the right one with card=NAME or card=FILE"
            )
    return card


def _raw(path: Path, card: ModelCard) -> ModelCard:
    """For a network that takes the pixels as they are and normalises them itself."""
    if card.model_fields_set & {"mean", "std", "scale"}:
        raise ConfigError(
            f"{path}: takes pixels as whole numbers and normalises them itself; leave mean, std and scale out of its "
            "model card"
        )
    return card.model_copy(update=RAW)


def _output(path: Path, card: ModelCard, outputs: Sequence[Any]) -> int:
    """The number of the card's output, if it may be a map."""
    names = [output.name for output in outputs]
    number = names.index(card.output) if card.output in names else card.output
    listed = ", ".join(f"{one.name} {_dims(one.shape)}" for one in outputs[:8])
    if isinstance(number, str) or number >= len(outputs):
        which = f"{number!r}" if isinstance(number, str) else f"number {number}"
        raise ConfigError(f"{path}: has {len(outputs)} outputs ({listed}), the card asks for {which}")
    shape = outputs[number].shape or ()
    several = len(shape) == 4 and all((_fixed(shape[at]) or 1) > 2 for at in (1, 3))
    if len(shape) not in (0, 2, 3, 4) or several:
        raise ConfigError(
            f"{path}: its output {names[number]!r} is {_dims(shape)}, expected one map, (batch, 1, height, width); set "
            f"output in the model card, to one of {listed}"
        )
    return number


def _fixed(side: Any) -> int | None:
    """A declared side, None where it is a name or nothing: any number will do."""
    return side if isinstance(side, int) and side > 0 else None


def _dims(shape: Any) -> str:
    return "(" + ", ".join(str(side) for side in shape or ()) + ")"


def first_line(error: Exception) -> str:
    """What a library's error says, in a line."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__

"""What an annotator needs beside files and packages, before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from divergen_records.requirements import Finding

__all__ = ["FitsCard"]


@dataclass(frozen=True)
class FitsCard:
    """A saliency network that has to be what its model card says.

    Attributes:
        file: The network; one that is not there, or is no file of weights, is a finding of its own.
        card: Of `divergen_annotate.model_card`: a file or a known name; None for the one that has the file's name.
    """

    file: Path
    card: str | None

    def look(self) -> Finding | None:
        """Nothing where both fit.

        Raises:
            ConfigError: If the card is missing or wrong, or the network takes or gives something else.
            WeightsError: If the file is no network.
        """
        from divergen_records.weights_files import why_no_weights

        from .model_card import ModelCard, card_beside
        from .onnx_network import load_onnx

        card = card_beside(self.file) if self.card is None else ModelCard.read(self.card)
        whole = self.file.is_file() and self.file.stat().st_size and not why_no_weights(self.file)
        if whole and self.file.suffix == ".onnx" and find_spec("onnxruntime") is not None:
            load_onnx(self.file, card, "cpu", optimize=False)
        return None

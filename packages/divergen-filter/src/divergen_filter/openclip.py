"""CLIP by open_clip: image and text vectors in one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile, is_zipfile

import numpy as np
import torch
from divergen_records import require_extra
from divergen_records.file_names import from_home
from divergen_records.text import did_you_mean
from PIL import Image as PILImage
from torch.nn import functional as F

from .embedder import Embeddings, Image
from .towers import Precision, Runner, check_device, describe, hash_weights, loading

with require_extra("divergen-filter", "open-clip"):
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

__all__ = ["OpenClipEmbedder"]

_TEXTS = 64


class OpenClipEmbedder:
    """Any model of open_clip, with its own preprocessing; DiverGen uses ViT-L-14 with OpenAI's weights.

    >>> OpenClipEmbedder("ViT-L-14", "openai", device="cuda", precision="fp16")  # doctest: +SKIP
    >>> OpenClipEmbedder("ViT-L-14", "weights/ViT-L-14.pt")  # doctest: +SKIP
    >>> OpenClipEmbedder("hf-hub:timm/ViT-B-16-SigLIP")  # doctest: +SKIP
    >>> OpenClipEmbedder("local-dir:models/my-clip")  # doctest: +SKIP

    Args:
        model: Name of an architecture; or ``hf-hub:…`` or ``local-dir:…``, which bring their weights.
        pretrained: Tag of weights that open_clip knows, or a file of them; left out where ``model`` brings them.
        device: Where the model runs, for example ``"cuda"``.
        precision: ``"bf16"`` or ``"fp16"`` are about twice as fast on GPUs.
        resize: How a crop becomes a square: ``shortest`` (and cut the rest off), ``longest`` (and fill up) or
            ``squash``; as the model was trained where None.
        batch: Crops per pass.
        workers: Threads that prepare crops; the number of CPU cores where None.

    Raises:
        WeightsError: If the model is unknown, or its weights are missing, damaged or of another architecture. They
            are never random.
    """

    def __init__(
        self,
        model: str = "ViT-L-14",
        pretrained: str | Path | None = None,
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        resize: Literal["shortest", "longest", "squash"] | None = None,
        batch: int = 32,
        workers: int | None = None,
    ) -> None:
        self.device = check_device(device, precision)
        what = f"open_clip model {model!r} with weights {str(pretrained)!r}" if pretrained else f"open_clip {model!r}"
        with loading(what):
            self.model = _load(model, None if pretrained is None else str(from_home(pretrained))).eval().to(self.device)
            self._tokenize = open_clip.get_tokenizer(model)
        preprocessing = dict(open_clip.get_model_preprocess_cfg(self.model))
        if resize is not None:
            preprocessing["resize_mode"] = resize
        self._run = Runner(
            _prepare(preprocessing),
            self.model.encode_image,
            device=self.device,
            precision=precision,
            batch=batch,
            workers=workers,
        )
        self.dim = self._run.measure()
        shown = {key: preprocessing[key] for key in ("size", "resize_mode", "interpolation", "mean", "std")}
        self.identity = f"open_clip:{_name(model)}@{hash_weights(self.model)}/{describe(**shown)}/{precision}"

    def __call__(self, crops: Sequence[Image]) -> Embeddings:
        """(N, D) float32, unit rows, of N crops (h, w, 3) uint8 RGB of any sizes."""
        return np.concatenate(self._run(crops)) if crops else np.zeros((0, self.dim), dtype=np.float32)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """(N, D) float32, unit rows, of N texts, in the space of the pictures."""
        parts = [np.zeros((0, self.dim), dtype=np.float32)]
        for start in range(0, len(texts), _TEXTS):
            tokens = self._tokenize(list(texts[start : start + _TEXTS])).to(self.device)
            with torch.inference_mode(), self._run.autocast():
                vectors = F.normalize(self.model.encode_text(tokens).float(), dim=1)
            parts.append(np.asarray(vectors.cpu().numpy(), dtype=np.float32))
        return np.concatenate(parts)


def _load(model: str, pretrained: str | None) -> Any:
    """The model with weights; open_clip alone would go on with random ones."""
    brings_weights = model.startswith(("hf-hub:", "local-dir:"))
    known = open_clip.list_models()
    if not brings_weights and model.replace("/", "-") not in known:
        raise ValueError(f"open_clip has no such model{did_you_mean(model, known, n=2)}")
    if not brings_weights and not pretrained:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none; give a file"
        raise ValueError(f"no weights are named; open_clip knows {tags}")
    from_openai = pretrained is not None and _is_script(Path(pretrained))
    tag = {} if brings_weights else open_clip.get_pretrained_cfg(model.replace("/", "-"), pretrained) or {}
    return open_clip.create_model(
        model,
        pretrained=None if brings_weights else pretrained,
        require_pretrained=True,
        # OpenAI's weights, and some others, were trained with another activation than the architecture's default.
        force_quick_gelu=bool(tag.get("quick_gelu")) or from_openai,
        weights_only=not from_openai,
    )


def _is_script(file: Path) -> bool:
    """Whether weights are a TorchScript archive, as OpenAI publishes its own; torch runs no pickle of such a file."""
    if not is_zipfile(file):
        return False
    with ZipFile(file) as archive:
        return any(name.partition("/")[2] == "constants.pkl" for name in archive.namelist())


def _prepare(preprocessing: dict[str, Any]) -> Callable[[Image], torch.Tensor]:
    transform = image_transform_v2(PreprocessCfg(**preprocessing), is_train=False)

    def prepare(crop: Image) -> torch.Tensor:
        tensor: torch.Tensor = transform(PILImage.fromarray(crop))
        return tensor

    return prepare


def _name(model: str) -> str:
    """The model's name without the folders of this machine."""
    return Path(model.removeprefix("local-dir:")).name if model.startswith("local-dir:") else model

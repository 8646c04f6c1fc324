"""Let a pipeline begin from real objects, or see them beside the prompt."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from divergen_records import ConfigError, WeightsError
from divergen_records.hub import local_model
from divergen_records.weights_files import read_header
from numpy.typing import NDArray

from .guide import Guide
from .loading import is_guided, quiet
from .model import Model
from .sources import fetch
from .weights import check_pickle

__all__ = ["Guiding", "native_size"]

_ENCODER = "image_encoder"


class Guiding:
    """What a loaded pipeline is given beside its prompts.

    Args:
        guide: What the user wants.
        model: The model and how it samples.
        pipe: Its picture half; an adapter is loaded into it.

    Raises:
        WeightsError: The adapter's files are missing, damaged or made for another model.
        ConfigError: The pipeline takes no adapter, or knows no strength.
    """

    def __init__(self, guide: Guide, model: Model, pipe: Any) -> None:
        self.guide, self.model, self.pipe = guide, model, pipe
        self.size = model.size or native_size(pipe)
        takes = inspect.signature(pipe.__call__).parameters
        self._given: dict[str, float] = {}
        if guide.begins is not None and "strength" in takes:
            self._given["strength"] = guide.begins
        elif guide.strength is not None:
            raise ConfigError(f"image.strength: {type(pipe).__name__} begins from a picture without one; leave it out")
        if guide.adapter is not None:
            _load_adapter(pipe, guide, model)

    def steps(self, drawn: int) -> int:
        """Steps to ask for so that so many are drawn: a picture of strength 0.5 is spared the first half."""
        return math.ceil(drawn / self._given.get("strength", 1.0) - 1e-9)

    def inputs(self, pictures: Sequence[NDArray[np.uint8]]) -> dict[str, Any]:
        """Arguments of the pipeline's call for a batch.

        Args:
            pictures: For each picture to draw, its real object (H, W, 3) uint8 RGB.
        """
        import torch

        found: dict[str, Any] = dict(self._given)
        if self.guide.begins is not None:
            fitted = np.stack([_resized(picture, self.size) for picture in pictures])
            found["image"] = torch.from_numpy(fitted).permute(0, 3, 1, 2).float() / 255
        if self.guide.adapter is not None:
            found["ip_adapter_image_embeds"] = [self._embeddings(pictures)]
        return found

    def _embeddings(self, pictures: Sequence[NDArray[np.uint8]]) -> Any:
        """(N, 1, …), or (2 N, 1, …) with what guidance leads away from first; each picture's depend on it alone."""
        import torch
        from diffusers.models.embeddings import ImageProjection
        from PIL import Image

        layer = self.pipe.unet.encoder_hid_proj.image_projection_layers[0]
        hidden = not isinstance(layer, ImageProjection)
        device = self.pipe._execution_device
        with torch.inference_mode():
            pairs = [self.pipe.encode_image(Image.fromarray(picture), device, 1, hidden) for picture in pictures]
        seen, unseen = (torch.stack(part) for part in zip(*pairs, strict=True))
        return torch.cat([unseen, seen]) if is_guided(self.pipe, self.model) else seen


def native_size(pipe: Any) -> tuple[int, int]:
    """(height, width) of the pictures that a model was trained for, pixels."""
    side = getattr(pipe, "default_sample_size", None)
    if side is None:
        side = (getattr(pipe, "unet", None) or pipe.transformer).config.sample_size
    height, width = (side, side) if isinstance(side, int) else side
    return height * pipe.vae_scale_factor, width * pipe.vae_scale_factor


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if picture.shape[:2] == size:
        return picture
    fitted: NDArray[np.uint8] = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return fitted


def _load_adapter(pipe: Any, guide: Guide, model: Model) -> None:
    if not hasattr(pipe, "load_ip_adapter") or getattr(pipe, "unet", None) is None:
        raise ConfigError(f"image.adapter: {type(pipe).__name__} takes no IP-Adapter; it is for models with a unet")
    if model.attention_slicing:
        raise ConfigError("image.adapter: attention_slicing undoes an IP-Adapter; leave one of the two out")
    folder, weights = _find_adapter(guide, model.allow_pickle)
    beside = weights.parent / _ENCODER
    encoder = beside if guide.encoder is None else Path(guide.encoder)
    if not (folder / encoder / "config.json").is_file():
        raise WeightsError(
            f"{guide.adapter} has no image encoder in {encoder.as_posix()}; name its folder: image.encoder=…"
        )
    with quiet():
        try:
            pipe.load_ip_adapter(
                str(folder),
                subfolder="",
                weight_name=weights.as_posix(),
                image_encoder_folder=f"./{encoder.as_posix()}",
                local_files_only=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            first = str(error).strip().split("\n")[0]
            raise WeightsError(f"IP-Adapter {guide.adapter} does not fit {type(pipe).__name__}: {first}") from error
    pipe.set_ip_adapter_scale(guide.scale)


def _find_adapter(guide: Guide, allow_pickle: bool) -> tuple[Path, Path]:
    """The adapter's folder on this machine, and its file's path therein."""
    assert guide.adapter is not None
    folder = local_model(guide.adapter)
    if folder is None:
        if guide.weights is None:
            raise ConfigError(
                f"image.adapter: which file of {guide.adapter}? Name it, for example "
                "image.weights=models/ip-adapter_sd15.safetensors"
            )
        encoder = guide.encoder or (Path(guide.weights).parent / _ENCODER).as_posix()
        folder = fetch(guide.adapter, guide.adapter_revision, [guide.weights, f"{encoder}/*"])
    weights = Path(guide.weights) if guide.weights is not None else _only_file(folder)
    file = folder / weights
    if not file.is_file():
        raise WeightsError(f"{guide.adapter} has no file {weights.as_posix()}; correct image.weights")
    if file.suffix == ".safetensors":
        read_header(file)
    else:
        check_pickle(file, allow_pickle)
    return folder, weights


def _only_file(folder: Path) -> Path:
    """The one adapter in a folder."""
    files = [file for file in folder.rglob("*.safetensors") if not (file.parent / "config.json").exists()]
    if len(files) != 1:
        names = ", ".join(sorted(file.relative_to(folder).as_posix() for file in files)[:5])
        raise ConfigError(
            f"image.adapter: {folder} has {len(files)} adapters ({names or 'no .safetensors file'}); name "
            "one: image.weights=…"
        )
    return files[0].relative_to(folder)

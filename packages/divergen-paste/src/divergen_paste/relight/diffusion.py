"""Relight by image-to-image: a model noises the picture a little and draws it again, in one light."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from divergen_records import ConfigError, WeightsError, require_extra, short_hash
from divergen_records.devices import pick_device
from divergen_records.hub import cached_commit, cached_folder, hub_errors, local_model
from numpy.typing import NDArray

__all__ = ["DiffusionRelighter"]

Array = NDArray[np.uint8]

_GREY = 127
"""What IC-Light sees around objects."""

_SAMPLE = 1 << 16
"""Bytes of each file of a model that tell it from another."""


class DiffusionRelighter:
    """Any image-to-image model of diffusers; for the arguments see `RelightConfig`.

    One whose unet takes twice the channels of a picture, as IC-Light's does, is shown the objects alone beside it. The
    model is loaded with the first picture; a copy for another process loads its own.

    Raises:
        WeightsError: There is no such model.
        ConfigError: ``steps`` and ``strength`` leave nothing to draw.
    """

    def __init__(
        self,
        model: str,
        *,
        hub_revision: str | None = None,
        variant: str | None = None,
        prompt: str = "a photo, natural light",
        negative_prompt: str | None = None,
        strength: float = 0.3,
        steps: int | None = None,
        guidance: float | None = None,
        size: int = 512,
        dtype: Literal["float32", "float16", "bfloat16"] = "bfloat16",
        device: str = "auto",
    ) -> None:
        if steps is not None and int(steps * strength) < 1:
            raise ConfigError(f"relight: steps={steps} of strength={strength:g} leave none to draw; raise one of them")
        self.model, self.hub_revision, self.variant = model, hub_revision, variant
        self.size, self.dtype, self.device = size, dtype, device
        asked = {"num_inference_steps": steps, "guidance_scale": guidance, "negative_prompt": negative_prompt}
        self._call = {"prompt": prompt, "strength": strength}
        self._call |= {name: value for name, value in asked.items() if value is not None}
        weights = _fingerprint(model, hub_revision)
        self.identity = short_hash("img2img/1", weights, variant, size, dtype, sorted(self._call.items()), size=8)
        self._pipe: Any = None
        self._shown: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pipe": None, "_shown": None}

    def __call__(self, image: Array, mask: NDArray[np.bool_], seed: int) -> Array:
        """See `Relighter`."""
        import torch

        if self._pipe is None:
            self._pipe = self._load()
            self._show_objects()
        height, width = image.shape[:2]
        shape = working_shape(height, width, self.size)
        small = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        source = torch.Generator("cpu").manual_seed(seed % 2**63)
        with torch.inference_mode():
            if self._sees_objects:
                part = cv2.resize(mask.view(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
                self._shown = self._encode(np.where(part[..., None], small, _GREY).astype(np.uint8))
            try:
                output = self._pipe(image=pixels, generator=source, output_type="np", **self._call)
            except torch.OutOfMemoryError as error:
                raise ConfigError(
                    f"relight: no memory for pictures of {shape[1]} x {shape[0]} on {self.device}; set a lower size"
                ) from error
        relit = np.nan_to_num(output.images[0][..., :3])
        back = cv2.resize(relit, (width, height), interpolation=cv2.INTER_CUBIC)
        done: Array = (back.clip(0, 1) * 255).round().astype(np.uint8)
        return done

    @property
    def _sees_objects(self) -> bool:
        unet, vae = getattr(self._pipe, "unet", None), getattr(self._pipe, "vae", None)
        return unet is not None and vae is not None and unet.config.in_channels == 2 * vae.config.latent_channels

    def _show_objects(self) -> None:
        """Give the unet, with every picture, what was encoded of its objects."""
        if not self._sees_objects:
            return
        import torch

        plain = self._pipe.unet.forward

        def forward(sample: Any, *arguments: Any, **named: Any) -> Any:
            shown = self._shown.to(sample).expand(len(sample), -1, -1, -1)
            return plain(torch.cat([sample, shown], dim=1), *arguments, **named)

        self._pipe.unet.forward = forward

    def _encode(self, image: Array) -> Any:
        """Latents (1, C, h, w)."""
        import torch

        vae = self._pipe.vae
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(vae.device, vae.dtype) / 127.5 - 1
        return vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor

    def _load(self) -> Any:
        with require_extra("divergen-paste", "relight"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import diffusers
            import torch
            from diffusers import AutoPipelineForImage2Image
        quieted = diffusers.utils.logging
        level = quieted.get_verbosity()
        quieted.set_verbosity_error()
        quieted.disable_progress_bar()
        try:
            with nullcontext() if local_model(self.model) else hub_errors(self.model):
                pipe = AutoPipelineForImage2Image.from_pretrained(
                    self._place(),
                    revision=self.hub_revision,
                    variant=self.variant,
                    dtype=getattr(torch, self.dtype),
                    use_safetensors=True,
                )
            pipe.to(pick_device(self.device))
        except WeightsError:
            raise
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WeightsError(f"relight: {self.model} cannot be loaded as an image-to-image model: {first}") from error
        finally:
            quieted.set_verbosity(level)
            quieted.enable_progress_bar()
        if getattr(pipe, "safety_checker", None) is not None:
            pipe.safety_checker = None  # it would blacken real photos
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _place(self) -> str:
        """The folder of the model where it is on this machine, else its hub id."""
        return str(local_model(self.model) or cached_folder(self.model, self.hub_revision) or self.model)


def working_shape(height: int, width: int, longer: int) -> tuple[int, int]:
    """(height, width) of about the same form whose longer side is ``longer``, both multiples of 8."""
    scale = longer / max(height, width)
    rows, columns = (max(round(side * scale / 8), 1) * 8 for side in (height, width))
    return rows, columns


def _fingerprint(model: str, revision: str | None) -> str:
    """Hash of a folder's configurations and a sample of its weights; of a hub id, the commit as far as it is known."""
    folder = local_model(model)
    if folder is None:
        return f"{model}@{cached_commit(model, revision) or revision or 'main'}"
    files = sorted(file for file in Path(folder).rglob("*") if file.suffix in (".json", ".safetensors", ".txt"))
    digest = blake2b(digest_size=16)
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}".encode())
        with file.open("rb") as data:
            digest.update(data.read(_SAMPLE))
    if not files:
        raise WeightsError(
            f"relight: {model} is no model in the hub's layout: it has no .json and no .safetensors file"
        )
    return digest.hexdigest()

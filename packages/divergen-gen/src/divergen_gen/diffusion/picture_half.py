"""The half of a pipeline that draws: embeddings and generators in, pixels out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from divergen_records import ConfigError
from divergen_records.text import did_you_mean

from .adapters import fuse_loras
from .clock import DeviceClock
from .guide import Guide
from .guiding import Guiding
from .loading import denoiser_name, load_pipeline
from .model import Lora, Model
from .stream import Drawn, is_out_of_memory
from .text import stack

__all__ = ["PictureHalf", "to_drawn"]

_OWN = {
    "prompt": "the prompts",
    "negative_prompt": "negative_prompt",
    "num_inference_steps": "steps",
    "guidance_scale": "guidance",
    "height": "size",
    "width": "size",
    "generator": "each picture's seed",
    "output_type": "what is stored",
    "image": "image",
    "strength": "image.strength",
}
"""Arguments of a pipeline's call that a setting of its own decides."""

_SETTINGS = {"steps": "num_inference_steps", "guidance": "guidance_scale", "size": "height"}
"""Settings of a model, and the argument of the pipeline's call that each is."""

_REFUSALS = (TypeError, ValueError, AttributeError, KeyError, IndexError, NotImplementedError, RuntimeError)


class PictureHalf:
    """One model on the device, without its text encoders.

    Args:
        model: The model.
        device: Where it runs.
        clock: Counts the time in the denoiser and the decoder.
        loras: LoRA weights for good.
        first: Whether it begins from text; False for a later stage of a cascade.
        whole: Keep the text encoders: the pipeline takes prompts only.
        guide: What its pictures stay near.
    """

    def __init__(
        self,
        model: Model,
        device: Any,
        clock: DeviceClock,
        *,
        loras: Sequence[Lora] = (),
        first: bool = True,
        whole: bool = False,
        guide: Guide | None = None,
    ) -> None:
        self.model, self.device, self.clock = model, device, clock
        pictures = guide is not None and guide.begins is not None
        self.pipe = load_pipeline(model, None if whole else "picture", first=first, pictures=pictures)
        fuse_loras(self.pipe, loras, "picture")
        self.guiding = None if guide is None else Guiding(guide, model, self.pipe)
        self._set_up()
        self._takes = inspect.signature(self.pipe.__call__).parameters
        self._check_call()
        if first and not pictures:  # else the size is that of the picture that it begins with
            self._check_settings()

    def __call__(
        self, inputs: Sequence[Mapping[str, Any]], generators: Sequence[Any], steps: int | None = None, **extra: Any
    ) -> Any:
        """Draw a batch.

        Args:
            inputs: For each picture, its embeddings, or its prompt.
            generators: For each picture, the source of its noise.
            steps: Instead of the model's.
            extra: Further arguments of the pipeline's call.

        Returns:
            The pipeline's output; its `pictures` are a tensor (N, 3, H, W) on the device.
        """
        import torch

        model = self.model
        height, width = model.size or (None, None)
        asked = {
            "num_inference_steps": steps or model.steps,
            "guidance_scale": model.guidance,
            "height": height,
            "width": width,
        }
        given = {name: value for name, value in asked.items() if value is not None and name in self._takes}
        with torch.inference_mode():
            try:
                named = {**self._batch(inputs), **given, **model.call, **extra}
                return self.pipe(**named, generator=list(generators), output_type="pt")
            except _REFUSALS as error:
                if is_out_of_memory(error):
                    raise
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise ConfigError(
                    f"{model.model} cannot draw with these settings (scheduler, call, size, pipeline): {first}"
                ) from error

    def pictures(self, output: Any) -> Any:
        """The pictures in the pipeline's output; raises `ConfigError` where it makes something else."""
        for name in ("images", "image"):
            if name in output:
                return output[name]
        raise ConfigError(
            f"{self.model.model}: {type(self.pipe).__name__} makes {', '.join(output)}, no pictures; take a "
            "text-to-image model"
        )

    def _batch(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the pipeline is given of the prompts."""
        if "prompt" in inputs[0]:
            return {name: [one[name] for one in inputs] for name in inputs[0]}
        batch = stack(list(inputs), self.device)
        if "negative_prompt_embeds" in batch and "negative_prompt" in self._takes:
            batch["negative_prompt"] = None  # some have "" for a default, and refuse both
        return batch

    def _check_call(self) -> None:
        """Refuse further arguments that nobody reads: many pipelines take any and say nothing."""
        reads = getattr(self.pipe, "encode_prompt", None)
        known = set(self._takes) | (set() if reads is None else set(inspect.signature(reads).parameters))
        for name in self.model.call:
            if name in _OWN:
                raise ConfigError(f"call: {name!r} is set by {_OWN[name]}")
            if name not in known or name in ("args", "kwargs", "self"):
                hint = did_you_mean(name, known)
                raise ConfigError(f"call: {type(self.pipe).__name__} has no argument {name!r}{hint}")

    def _check_settings(self) -> None:
        """Refuse settings that the pipeline has no argument for: they would change nothing."""
        for setting, argument in _SETTINGS.items():
            if getattr(self.model, setting) is not None and argument not in self._takes:
                own = [name for name in self._takes if argument in name]
                remedy = f"set call={{{own[0]}: …}}" if own else "leave it out"
                raise ConfigError(f"{setting}: {type(self.pipe).__name__} takes no {argument}; {remedy}")

    def to(self, device: Any) -> None:
        """Move the networks; for models that take turns on the device."""
        if self.model.offload == "none":
            for module in self._networks():
                module.to(device)

    def _networks(self) -> list[Any]:
        import torch

        return [part for part in self.pipe.components.values() if isinstance(part, torch.nn.Module)]

    def _set_up(self) -> None:
        import torch

        pipe, model = self.pipe, self.model
        denoiser, vae = getattr(pipe, denoiser_name(pipe)), getattr(pipe, "vae", None)
        if model.offload == "none" or self.device.type == "cpu":
            self.to(self.device)
        if model.attention_slicing:
            pipe.enable_attention_slicing()
        if vae is not None and model.vae_slicing:
            vae.enable_slicing()
        if vae is not None and model.vae_tiling:
            vae.enable_tiling()
        if model.channels_last:
            for module in filter(None, (denoiser, vae)):
                module.to(memory_format=torch.channels_last)
        if model.compile:
            mode = model.compile if isinstance(model.compile, str) else None
            denoiser.forward = torch.compile(denoiser.forward, mode=mode)
        denoiser.forward = self.clock.wrap(denoiser.forward)
        if vae is not None:
            vae.decode = self.clock.wrap(vae.decode)
        if self.device.type != "cpu":
            self._offload()

    def _offload(self) -> None:
        import torch

        if self.model.offload == "model":
            self.pipe.enable_model_cpu_offload(device=self.device)
        elif self.model.offload == "sequential":
            self.pipe.enable_sequential_cpu_offload(device=self.device)
        elif self.model.offload == "group":
            self.pipe.enable_group_offload(
                onload_device=self.device,
                offload_device=torch.device("cpu"),
                offload_type="block_level",
                num_blocks_per_group=1,
                use_stream=True,
            )


def _as_tensor(images: Any) -> Any:
    """Pictures as a tensor (N, C, H, W), 0 to 1; those of PIL keep their alpha."""
    import numpy as np
    import torch

    if isinstance(images, torch.Tensor):
        return images
    if isinstance(images[0], torch.Tensor):
        return torch.stack(list(images))
    pixels = np.stack([np.asarray(image) for image in images])
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    scale = 255 if pixels.dtype == np.uint8 else 1
    return torch.from_numpy(pixels.astype(np.float32) / scale).permute(0, 3, 1, 2)


def to_drawn(output: Any, images: Any) -> Drawn:
    """Pixels on their way to the CPU, without waiting for the device.

    Args:
        output: The pipeline's output, which may say what the safety checker found.
        images: (N, C, H, W), 0 to 1, or what other pipelines give: pictures of PIL, arrays (N, H, W, C).
    """
    import torch

    images = _as_tensor(images)
    finite = torch.isfinite(images).all(dim=(1, 2, 3))
    pixels = (
        images.float().nan_to_num(0.0).clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    )
    flags = getattr(output, "nsfw_content_detected", None) or getattr(output, "nsfw_detected", None)
    flagged = [bool(flag) for flag in flags] if flags is not None else [False] * len(images)
    if not images.is_cuda:
        return Drawn(pixels, finite, flagged, lambda: None)
    pinned = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
    pinned.copy_(pixels, non_blocking=True)
    known = torch.empty(finite.shape, dtype=finite.dtype, pin_memory=True)
    known.copy_(finite, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()
    return Drawn(pinned, known, flagged, copied.synchronize)

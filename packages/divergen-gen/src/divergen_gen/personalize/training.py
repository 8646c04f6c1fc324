"""Train the small weights of a category on its crops: Perfusion, or LoRA as the plain alternative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from divergen_records import ConfigError, RowError, require_extra
from torch import Tensor

from ..crops import Crops
from ..diffusion.loading import load_pipeline, quiet
from ..diffusion.model import Model
from ..diffusion.needs import TEACHABLE
from ..diffusion.perfusion import (
    BETA_TRAIN,
    TAU_TRAIN,
    Edit,
    Perfusion,
    cross_attentions,
    edit_attention,
    replaced_words,
    word_positions,
)

__all__ = ["TEMPLATES", "LoraWeights", "Trainer", "Training"]

TEMPLATES = (
    "a photo of a {}",
    "a photo of a single {}",
    "a close-up photo of a {}",
    "a cropped photo of the {}",
    "a bright photo of one {}",
    "a good photo of the {}",
    "a {} in the background",
    "a small {}",
)
"""Prompts that the crops are learned under."""

EMA = 0.99
"""How slowly i* follows the concept's encoding."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes:
        method: ``"perfusion"`` or ``"lora"``.
        steps: Optimizer steps.
        batch_size: Crops at a time.
        lr: Learning rate of the values o*, or of LoRA.
        word_lr: Learning rate of the words.
        background: Weight of the loss outside the object's mask, 0 to 1.
        rank: Of LoRA.
    """

    method: Literal["perfusion", "lora"] = "perfusion"
    steps: int = 400
    batch_size: int = 4
    lr: float = 0.03
    word_lr: float = 0.006
    background: float = 0.1
    rank: int = 4


@dataclass(frozen=True)
class LoraWeights:
    """LoRA weights of one category, as diffusers reads them."""

    category: str
    label: str
    tensors: dict[str, Tensor]

    def save(self, path: Any, training: str = "") -> None:
        """Write a safetensors file, whole or not at all; ``training`` says how they were trained."""
        from ..diffusion.perfusion import write_weights

        write_weights(path, self.tensors, category=self.category, label=self.label, method="lora", training=training)


class Trainer:
    """Stable Diffusion 1.x, loaded once for all categories.

    Args:
        model: The model.
        device: A torch device.
        training: How to train.
        corpus: Captions whose encodings give the covariance C; many different words.

    Raises:
        ConfigError: The model is no Stable Diffusion 1.x or 2.x.
    """

    def __init__(self, model: Model, device: Any, training: Training, corpus: Sequence[str]) -> None:
        self.device, self.training = device, training
        pipe = load_pipeline(model, None)
        if type(pipe).__name__ != TEACHABLE:
            raise ConfigError(f"{model.model} is a {type(pipe).__name__}; personalize works with Stable Diffusion 1.x")
        self.pipe = pipe
        for module in (pipe.unet, pipe.vae, pipe.text_encoder):
            module.requires_grad_(False).to(device)
        from diffusers import DDPMScheduler

        self.noise = DDPMScheduler.from_config(pipe.scheduler.config)
        self._inverse = self._inverse_covariance(corpus) if training.method == "perfusion" else None

    def train(self, category: str, label: str, crops: Crops, seed: int) -> Iterator[tuple[float, Any]]:
        """Train on crops.

        Yields:
            After each step its loss and None; at last the last loss again, and the weights.
        """
        source = torch.Generator("cpu").manual_seed(seed)
        make = self._perfusion if self.training.method == "perfusion" else self._lora
        with torch.enable_grad():
            yield from make(category, label, crops, source)

    def loss(self, encodings: Tensor, moments: Tensor, masks: Tensor, source: torch.Generator) -> Tensor:
        """The denoising loss of a batch with fresh noise; the object counts most.

        Args:
            encodings: (N, L, D), or (N, L, 2 D) under an edit.
            moments: (N, 2 c, h, w) of the crops' latents.
            masks: (N, 1, h, w) weights.
            source: Of all that is random.
        """
        mean, log_variance = moments.chunk(2, dim=1)
        shape = mean.shape
        spread = torch.exp(0.5 * log_variance.clamp(-30, 20))
        latents = (mean + spread * self._random(shape, source)) * self.pipe.vae.config.scaling_factor
        noise = self._random(shape, source)
        times = torch.randint(self.noise.config.num_train_timesteps, (shape[0],), generator=source).to(self.device)
        noisy = self.noise.add_noise(latents, noise, times)
        predicted = self.pipe.unet(noisy, times, encoder_hidden_states=encodings).sample
        velocity = self.noise.config.prediction_type == "v_prediction"
        target = self.noise.get_velocity(latents, noise, times) if velocity else noise
        error = F.mse_loss(predicted.float(), target.float(), reduction="none")
        return (error * masks).sum() / (masks.sum() * error.shape[1])

    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Encodings (N, L, D), with gradients to replaced words."""
        encodings: Tensor = self.pipe.text_encoder(self._ids(prompts).to(self.device))[0]
        return encodings

    @torch.no_grad()
    def latents(self, crops: Crops) -> tuple[Tensor, Tensor]:
        """Latents' moments (2 N, 2 c, h, w) of the crops and their mirror images, and weights (2 N, 1, h, w)."""
        pixels = torch.from_numpy(crops.images).permute(0, 3, 1, 2).float() / 127.5 - 1
        masks = torch.from_numpy(crops.masks)[:, None].float()
        pixels, masks = (torch.cat([tensor, tensor.flip(-1)]) for tensor in (pixels, masks))
        vae = self.pipe.vae
        moments = [vae.encode(one[None].to(self.device, vae.dtype)).latent_dist.parameters.float() for one in pixels]
        small = F.interpolate(masks, moments[0].shape[-2:], mode="area").to(self.device)
        return torch.cat(moments), small.clamp(min=self.training.background)

    def _perfusion(
        self, category: str, label: str, crops: Crops, source: torch.Generator
    ) -> Iterator[tuple[float, Any]]:
        embeddings = self.pipe.text_encoder.get_input_embeddings().weight
        ids = self.pipe.tokenizer(label, add_special_tokens=False)["input_ids"]
        words = embeddings[ids].detach().clone().float().requires_grad_()
        prompts, positions = self._prompts(label, len(ids))
        with torch.no_grad():
            plain = self.encode(prompts)
        rows = torch.arange(len(prompts))
        start = plain[rows, positions].mean(0)
        edit = Edit(start, self._dual(start), BETA_TRAIN, TAU_TRAIN)
        targets = {
            name: module.to_v(start).detach().clone().requires_grad_()
            for name, module in cross_attentions(self.pipe.unet).items()
        }
        moments, masks = self.latents(crops)
        training = self.training
        optimizer = torch.optim.AdamW(
            [{"params": list(targets.values()), "lr": training.lr}, {"params": [words], "lr": training.word_lr}],
            weight_decay=0.0,
        )
        restore = edit_attention(self.pipe.unet, edit, targets)
        try:
            for _ in range(training.steps):
                pick = torch.randint(len(moments), (training.batch_size,), generator=source)
                which = torch.randint(len(prompts), (training.batch_size,), generator=source)
                with replaced_words(self.pipe, label, words):
                    own = self.encode([prompts[at] for at in which])
                ends = [positions[at] for at in which]
                with torch.no_grad():
                    seen = own[torch.arange(len(which)), ends].mean(0)
                    edit.concept = EMA * edit.concept + (1 - EMA) * seen
                    edit.dual = self._dual(edit.concept)
                loss = self.loss(torch.cat([own, plain[which]], dim=-1), moments[pick], masks[pick], source)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                yield loss.item(), None
        finally:
            restore()
        trained = {name: tensor.detach() for name, tensor in targets.items()}
        yield loss.item(), Perfusion(category, label, words.detach(), edit.concept, edit.dual, trained)

    def _prompts(self, label: str, tokens: int) -> tuple[list[str], list[int]]:
        """The prompts in which the tokenizer finds the label, and where its last token stands.

        Raises:
            RowError: It finds it in none.
        """
        prompts = [template.format(label) for template in TEMPLATES]
        found = [word_positions(self.pipe.tokenizer, label, row) for row in self._ids(prompts).tolist()]
        pairs = [(prompt, at[0] + tokens - 1) for prompt, at in zip(prompts, found, strict=True) if at]
        if not pairs:
            limit = self.pipe.tokenizer.model_max_length
            raise RowError(f"{label!r} is not found in any prompt of {limit} tokens, so nothing can be tied to it")
        return [prompt for prompt, _ in pairs], [at for _, at in pairs]

    def _lora(self, category: str, label: str, crops: Crops, source: torch.Generator) -> Iterator[tuple[float, Any]]:
        with require_extra("divergen-gen", "personalize"):
            from peft import LoraConfig
            from peft.utils import get_peft_model_state_dict
        unet, training = self.pipe.unet, self.training
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=source)))  # peft draws A with the global generator
        unet.add_adapter(
            LoraConfig(r=training.rank, lora_alpha=training.rank, target_modules=["to_q", "to_k", "to_v", "to_out.0"]),
            adapter_name="personal",
        )
        try:
            prompts = [template.format(label) for template in TEMPLATES]
            with torch.no_grad():
                plain = self.encode(prompts)
            moments, masks = self.latents(crops)
            parameters = [parameter for parameter in unet.parameters() if parameter.requires_grad]
            optimizer = torch.optim.AdamW(parameters, lr=training.lr)
            for _ in range(training.steps):
                pick = torch.randint(len(moments), (training.batch_size,), generator=source)
                which = torch.randint(len(prompts), (training.batch_size,), generator=source)
                loss = self.loss(plain[which], moments[pick], masks[pick], source)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                yield loss.item(), None
            state = get_peft_model_state_dict(unet, adapter_name="personal")
            tensors = {f"unet.{name}": tensor.detach().clone() for name, tensor in state.items()}
        finally:
            unet.unload_lora()
        yield loss.item(), LoraWeights(category, label, tensors)

    def _inverse_covariance(self, corpus: Sequence[str]) -> Tensor:
        """C^-1 of the encodings of all tokens of a corpus; a small ridge makes it invertible."""
        width = self.pipe.text_encoder.config.hidden_size
        total, count = torch.zeros(width, width, dtype=torch.float64), 0
        with torch.no_grad():
            for at in range(0, len(corpus), 64):
                part = list(corpus[at : at + 64])
                lengths = [len(ids) for ids in self.pipe.tokenizer(part, truncation=True)["input_ids"]]
                for row, length in zip(self.encode(part).double().cpu(), lengths, strict=True):
                    total += row[:length].T @ row[:length]
                    count += length
        total /= max(count, 1)
        ridge = 1e-4 * total.diagonal().mean() * torch.eye(width, dtype=torch.float64)
        inverse: Tensor = torch.linalg.inv(total + ridge).float().to(self.device)
        return inverse

    def _dual(self, concept: Tensor) -> Tensor:
        assert self._inverse is not None
        dual: Tensor = self._inverse @ concept.float()
        return dual

    def _ids(self, prompts: Sequence[str]) -> Tensor:
        tokenizer = self.pipe.tokenizer
        with quiet():
            found = tokenizer(
                list(prompts),
                padding="max_length",
                max_length=tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
        ids: Tensor = found["input_ids"]
        return ids

    def _random(self, shape: Sequence[int], source: torch.Generator) -> Tensor:
        return torch.randn(tuple(shape), generator=source).to(self.device)

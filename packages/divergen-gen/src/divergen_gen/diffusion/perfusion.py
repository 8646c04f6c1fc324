"""Key-locked rank-one editing of cross-attention (Perfusion: Tewel et al., SIGGRAPH 2023), its weights and their use.

Symbols: e (…, D) an encoding of a prompt's token, i* (D) the concept's encoding, C (D, D) the uncentred covariance of
encodings, s = e C^-1 i* / (i* C^-1 i*) how much of the concept is in e, o* (E) what a value projection W gives for the
concept.

* Values: ``W (e - s i*) + o* sigmoid((s - beta) / tau)``, eq. (3): rank one, and shut for other words.
* Keys: global key-locking. They come from the same prompt with the super-category's own word, so the concept is
  attended to exactly where any object of the category would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from divergen_records import ConfigError, RowError, WeightsError
from divergen_records.files import write_bytes
from torch import Tensor, nn

from .loading import Half

__all__ = ["Edit", "LockedKey", "Perfusion", "cross_attentions", "edit_attention", "replaced_words", "word_positions"]

BETA, TAU = 0.5, 0.15
"""Gate when pictures are made: the paper has 0.4 to 0.6 with global locking, and 0.15."""

BETA_TRAIN, TAU_TRAIN = 0.75, 0.1


@dataclass
class Edit:
    """What all value projections share.

    Attributes:
        concept: (D,) i*.
        dual: (D,) C^-1 i*.
        beta: Where the gate is half open.
        tau: How soft it is.
    """

    concept: Tensor
    dual: Tensor
    beta: float = BETA
    tau: float = TAU

    def share(self, encodings: Tensor) -> Tensor:
        """How much of the concept is in encodings (…, D): (…, 1), 1 for the concept itself."""
        return (encodings @ self.dual)[..., None] / (self.concept @ self.dual)


class LockedKey(nn.Module):
    """A key projection that reads the super-category's half of (…, 2 D) encodings."""

    def __init__(self, linear: nn.Module, width: int) -> None:
        super().__init__()
        self.linear, self.width = linear, width

    def forward(self, encodings: Tensor) -> Tensor:
        """Keys (…, E)."""
        locked: Tensor = self.linear(encodings[..., self.width :])
        return locked


class EditedValue(nn.Module):
    """A value projection with the gated rank-one edit; reads the concept's half of (…, 2 D) encodings."""

    def __init__(self, linear: nn.Module, width: int, edit: Edit, target: Tensor) -> None:
        super().__init__()
        self.linear, self.width, self.edit = linear, width, edit
        self.target = target

    def forward(self, encodings: Tensor) -> Tensor:
        """Values (…, E)."""
        own, edit = encodings[..., : self.width], self.edit
        share = edit.share(own)
        gate = torch.sigmoid((share - edit.beta) / edit.tau)
        edited: Tensor = self.linear(own - share * edit.concept) + gate * self.target
        return edited


def cross_attentions(unet: Any) -> dict[str, Any]:
    """The cross-attention modules of a U-Net, by name."""
    found = {name: module for name, module in unet.named_modules() if name.endswith("attn2")}
    if not found:
        raise ConfigError(f"{type(unet).__name__} has no cross-attention to edit; Perfusion needs Stable Diffusion 1.x")
    return found


def edit_attention(unet: Any, edit: Edit, targets: dict[str, Tensor]) -> Callable[[], None]:
    """Put the edit into every cross-attention; what is returned takes it out again, to the bit."""
    found = cross_attentions(unet)
    if set(found) != set(targets):
        raise WeightsError("these Perfusion weights were made for a model with other attention layers")
    before = {name: (module.to_k, module.to_v) for name, module in found.items()}
    width = len(edit.concept)
    for name, module in found.items():
        module.to_k = LockedKey(module.to_k, width)
        module.to_v = EditedValue(module.to_v, width, edit, targets[name])

    def restore() -> None:
        for name, module in found.items():
            module.to_k, module.to_v = before[name]

    return restore


def word_positions(tokenizer: Any, label: str, ids: list[int]) -> list[int]:
    """Where the label's tokens begin in a prompt's token ids."""
    word = tokenizer(label, add_special_tokens=False)["input_ids"]
    return [at for at in range(len(ids) - len(word) + 1) if ids[at : at + len(word)] == word]


@contextmanager
def replaced_words(pipe: Any, label: str, words: Tensor) -> Iterator[None]:
    """While inside, the text encoder reads the learned words (n, D) in place of the label's n tokens."""

    def replace(_: nn.Module, arguments: tuple[Tensor, ...], embedded: Tensor) -> Tensor:
        (ids,) = arguments
        result = embedded.clone()
        for row, tokens in enumerate(ids.reshape(-1, ids.shape[-1]).tolist()):
            for at in word_positions(pipe.tokenizer, label, tokens):
                result[row, at : at + len(words)] = words.to(embedded)
        return result

    hook = pipe.text_encoder.get_input_embeddings().register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()


class Perfusion:
    """Trained weights of one category.

    Args:
        category: Name of the category.
        label: The super-category's words as prompts have them.
        words: (n, D) learned embeddings of the label's n tokens.
        concept: (D,) i*.
        dual: (D,) C^-1 i*.
        targets: Attention layer -> (E,) o*.
    """

    method = "perfusion"

    def __init__(
        self, category: str, label: str, words: Tensor, concept: Tensor, dual: Tensor, targets: dict[str, Tensor]
    ) -> None:
        self.category, self.label, self.words, self.targets = category, label, words, targets
        self.concept, self.dual = concept, dual
        self._restore: Callable[[], None] | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of ``divergen-gen personalize``.

        Raises:
            WeightsError: It is damaged or of another kind.
        """
        from safetensors import safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls(
                about["divergen_category"],
                about["divergen_label"],
                tensors.pop("words"),
                tensors.pop("concept"),
                tensors.pop("dual"),
                {name.removeprefix("value."): tensor for name, tensor in tensors.items()},
            )
        except (OSError, KeyError, ValueError) as error:
            raise WeightsError(f"{path} has no Perfusion weights: {error}") from error

    def save(self, path: Path, training: str = "") -> None:
        """Write a safetensors file, whole or not at all; ``training`` says how they were trained."""
        tensors = {"words": self.words, "concept": self.concept, "dual": self.dual}
        tensors |= {f"value.{name}": tensor for name, tensor in self.targets.items()}
        write_weights(path, tensors, category=self.category, label=self.label, method=self.method, training=training)

    def attach(self, pipe: Any, half: Half) -> None:
        """Edit the attention of the picture half; the text half stays as it is between calls of `encode`."""
        if half == "picture":
            weight = next(pipe.unet.parameters())
            edit = Edit(self.concept.to(weight), self.dual.to(weight))
            targets = {name: tensor.to(weight) for name, tensor in self.targets.items()}
            self._restore = edit_attention(pipe.unet, edit, targets)

    def detach(self, pipe: Any, half: Half) -> None:
        """Take the edit out again."""
        if half == "picture" and self._restore is not None:
            self._restore()
            self._restore = None

    def encode(self, pipe: Any, prompt: str, encode: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        """Encodings (1, L, 2 D) of a prompt: with the concept's words, and with the super-category's."""
        ids = pipe.tokenizer(prompt, truncation=True, max_length=pipe.tokenizer.model_max_length)["input_ids"]
        if not word_positions(pipe.tokenizer, self.label, ids):
            raise RowError(
                f"the prompt does not say {self.label!r}, so the weights of {self.category!r} cannot act: {prompt!r}"
            )
        plain = encode(prompt)["prompt_embeds"]
        with replaced_words(pipe, self.label, self.words):
            own = encode(prompt)["prompt_embeds"]
        return {"prompt_embeds": torch.cat([own, plain], dim=-1)}

    def negative(self, embeddings: dict[str, Any]) -> dict[str, Any]:
        """Both halves of what guidance leads away from are the same."""
        return {name: torch.cat([tensor, tensor], dim=-1) for name, tensor in embeddings.items()}


def write_weights(
    path: Path, tensors: dict[str, Tensor], *, category: str, label: str, method: str, training: str
) -> None:
    """Write trained weights of a category with what they are for and how they were made, whole or not at all."""
    from safetensors.torch import save

    about = {"divergen_category": category, "divergen_label": label, "divergen_method": method, "format": "pt"}
    about["divergen_training"] = training
    plain = {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, about), overwrite=True)

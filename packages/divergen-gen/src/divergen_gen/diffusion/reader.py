"""The pass over the prompts: each unique one is encoded once, then the text encoders leave the device."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from divergen_records import Progress, RowError

from .adapters import CategoryWeights, fuse_loras, load_inversions
from .loading import check_negative, is_guided, load_pipeline, pipeline_type, quiet, reads_prompt_apart
from .model import Lora, Model
from .store import EmbeddingStore
from .text import Truncation, UnknownForm, encode_prompt, truncations

__all__ = ["PromptReader"]

Key = tuple[str | None, str]
"""(category with weights of its own or None, prompt)."""


class PromptReader:
    """Encodes prompts with the text half of a model, and keeps the result.

    Args:
        model: The model.
        negative: The negative prompt.
        loras: LoRA weights for the whole run.
        inversions: Textual inversions, word -> file.
        personal: Weights of single categories.
        memory: Bytes of embeddings to keep in memory; the rest goes to a temporary file.
        first: Whether the model's pipeline begins from text; False for a later stage with text encoders of its own.
        pictures: Whether it begins from pictures, too.

    Attributes:
        encoded: Number of prompts that were encoded.
        truncated: Prompts that are longer than a text encoder reads.
        whole: The pipeline reads its prompts itself, so nothing can be encoded apart.
    """

    def __init__(
        self,
        model: Model,
        *,
        negative: str | None = None,
        loras: Sequence[Lora] = (),
        inversions: Mapping[str, Path] | None = None,
        personal: Mapping[str, CategoryWeights] | None = None,
        memory: int = 2 * 2**30,
        first: bool = True,
        pictures: bool = False,
    ) -> None:
        self.model, self.negative, self.loras = model, negative, loras
        self.first, self.pictures = first, pictures
        self.inversions, self.personal = inversions or {}, personal or {}
        self.encoded = 0
        self.truncated: list[Truncation] = []
        self.whole = False
        self._store = EmbeddingStore(memory)
        self._refused: dict[Key, str] = {}

    def lacks(self, keys: Iterable[Key]) -> list[Key]:
        """The keys that are not encoded yet."""
        if self.whole:
            return []
        return [key for key in dict.fromkeys(keys) if key not in self._store and key not in self._refused]

    def refusal(self, key: Key) -> str | None:
        """Why a prompt could not be encoded."""
        return self._refused.get(key)

    def inputs(self, key: Key) -> dict[str, Any]:
        """What the picture half is given for a prompt."""
        if self.whole:
            negative = {} if self.negative is None else {"negative_prompt": self.negative}
            return {"prompt": key[1], **negative}
        return {**self._store.get(key), **self._store.get((key[0], None))}

    def read(self, keys: Sequence[Key], device: Any, progress: bool = False) -> None:
        """Encode prompts: load the text half, encode each, and free it."""
        if not reads_prompt_apart(pipeline_type(self.model, first=self.first, pictures=self.pictures)):
            self.whole = True
            return
        pipe = load_pipeline(self.model, "text", first=self.first, pictures=self.pictures)
        if not reads_prompt_apart(type(pipe)):
            self.whole = True
            return
        for name in ("text_encoder", "text_encoder_2", "text_encoder_3"):
            if getattr(pipe, name, None) is not None:
                getattr(pipe, name).to(device)
        self.teach(pipe)
        groups: dict[str | None, list[Key]] = {}
        for key in keys:
            groups.setdefault(key[0], []).append(key)
        bar = Progress("prompts", len(keys), unit="prompts") if progress else None
        with quiet():
            try:
                for category, group in groups.items():
                    self._read_group(pipe, category, group, device, bar)
            except UnknownForm:
                self.whole = True
        del pipe
        free_device()

    def teach(self, pipe: Any) -> None:
        """Give a pipeline that reads prompts what changes how it does: LoRA weights, and words of one's own."""
        check_negative(pipe, self.model, self.negative)
        fuse_loras(pipe, self.loras, "text")
        load_inversions(pipe, self.inversions)

    def _read_group(
        self, pipe: Any, category: str | None, keys: Sequence[Key], device: Any, bar: Progress | None
    ) -> None:
        weights = None if category is None else self.personal[category]
        if weights is not None:
            weights.attach(pipe, "text")

        def encode(prompt: str) -> dict[str, Any]:
            # What guidance leads away from is the same for all prompts: it comes with the first.
            fresh = (category, None) not in self._store
            guided = fresh and is_guided(pipe, self.model)
            found = encode_prompt(pipe, prompt, device, settings=self.model.call, negative=self.negative, guided=guided)
            if fresh:
                negative = {name: tensor for name, tensor in found.items() if name.startswith("negative_")}
                self._store.put((category, None), negative if weights is None else weights.negative(negative))
            return {name: tensor for name, tensor in found.items() if not name.startswith("negative_")}

        for key in keys:
            prompt = key[1]
            try:
                found = encode(prompt) if weights is None else weights.encode(pipe, prompt, encode)
                self._store.put(key, found)
                self.encoded += 1
                self.truncated += truncations(pipe, prompt, self.model.call)
            except RowError as error:
                self._refused[key] = str(error)
            if bar is not None:
                bar.update(1)
        if weights is not None:
            weights.detach(pipe, "text")

    def close(self) -> None:
        """Forget all embeddings."""
        self._store.close()


def free_device() -> None:
    """Give back memory of what was deleted."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

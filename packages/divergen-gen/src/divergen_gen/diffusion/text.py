"""Encode prompts through a pipeline's own ``encode_prompt``, whatever its signature, and count their tokens."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from divergen_records import ConfigError

__all__ = ["Truncation", "UnknownForm", "encode_prompt", "stack", "truncations"]

PLAIN = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
MASKED = (
    "prompt_embeds",
    "prompt_attention_mask",
    "negative_prompt_embeds",
    "negative_prompt_attention_mask",
)
QWEN = ("prompt_embeds", "prompt_embeds_mask")
ORDERS = (MASKED, QWEN, PLAIN)
"""What ``encode_prompt`` returns, in order: pipelines with attention masks alternate, the others do not."""


class UnknownForm(Exception):
    """What a pipeline makes of a prompt has no form that is known here, so that it must read its prompts itself."""


@dataclass(frozen=True)
class Truncation:
    """A prompt that is longer than a text encoder reads.

    Attributes:
        prompt: The prompt.
        encoder: Name of the encoder's tokenizer in the pipeline.
        tokens: Its length.
        limit: What the encoder reads; the rest has no effect through this encoder.
    """

    prompt: str
    encoder: str
    tokens: int
    limit: int


def encode_prompt(
    pipe: Any, prompt: str, device: Any, *, settings: Mapping[str, Any], negative: str | None, guided: bool
) -> dict[str, Any]:
    """Encode one prompt; with ``guided`` also what guidance leads away from.

    One prompt at a time: an embedding then depends on its prompt alone, to the bit.

    Args:
        pipe: A pipeline with its text encoders.
        prompt: The prompt.
        device: Where to encode.
        settings: Arguments of the pipeline's call; those that ``encode_prompt`` has too are passed on.
        negative: The negative prompt; None for the pipeline's own idea of none.
        guided: Whether the ``negative_…`` embeddings are wanted.

    Returns:
        Arguments of the pipeline's call -> tensors (1, …).

    Raises:
        ConfigError: The pipeline refuses these settings.
        UnknownForm: They are not, or not all, what its call takes.
    """
    import torch

    known, accepted = (inspect.signature(one).parameters for one in (pipe.encode_prompt, pipe.__call__))
    order = next(names for names in ORDERS if set(names[:2]) <= set(known) or names is PLAIN)
    names = [name for name in order if name in known]
    given: dict[str, Any] = {
        "prompt": prompt,
        "device": device,
        "num_images_per_prompt": 1,
        "do_classifier_free_guidance": guided,
        **({} if negative is None or not guided else {"negative_prompt": negative}),
        **{name: value for name, value in settings.items() if name not in order},
    }
    arguments = {name: value for name, value in given.items() if name in known}
    for name, parameter in known.items():  # SD3 wants prompt_2 and prompt_3 said, even as None
        if parameter.default is inspect.Parameter.empty and name not in arguments:
            arguments[name] = None
    try:
        with torch.inference_mode():
            named = _name(names, pipe.encode_prompt(**arguments))
            # Those with a true_cfg_scale are guided by a negative prompt alone; others take none for an empty one.
            if guided and "negative_prompt" not in known and (negative or "true_cfg_scale" not in accepted):
                plain = _name(names, pipe.encode_prompt(**{**arguments, "prompt": negative or ""}))
                named |= {f"negative_{name}": value for name, value in plain.items()}
    except AttributeError as error:  # it looks at a part that draws, as SD3 does without its T5
        raise UnknownForm(str(error)) from error
    except (TypeError, ValueError, KeyError, IndexError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{type(pipe).__name__} cannot read prompts with these settings (call, config): {first}"
        ) from error
    _check_form(named, accepted)
    return {name: value for name, value in _with_masks(named).items() if name in accepted and value is not None}


def _check_form(named: Mapping[str, Any], accepted: Iterable[str]) -> None:
    """Refuse, by names and shapes, what is not all that the call takes of a prompt; raises `UnknownForm`."""
    import torch

    wanted = {name for name in accepted if ("embeds" in name or "mask" in name) and "image" not in name}
    if lacking := sorted(name for name in wanted - set(named) if not name.startswith("negative_")):
        raise UnknownForm(f"no {', '.join(lacking)}")
    for name, value in named.items():
        rank = 2 if "pooled" in name or "mask" in name else 3
        if value is not None and not (isinstance(value, torch.Tensor) and value.ndim == rank and len(value) == 1):
            raise UnknownForm(name)


def _with_masks(named: Mapping[str, Any]) -> dict[str, Any]:
    """Masks of ones where a pipeline gives None for them: in a batch its prompts may have other lengths."""
    import torch

    whole = dict(named)
    for name, value in named.items():
        embeds = named.get(name.replace("_mask", ""))
        if value is None and name.endswith("embeds_mask") and embeds is not None:
            whole[name] = torch.ones(embeds.shape[:2], dtype=torch.long, device=embeds.device)
    return whole


def stack(embeddings: list[Mapping[str, Any]], device: Any) -> dict[str, Any]:
    """Embeddings of several prompts as one batch; shorter ones are padded with zeros where a mask says so."""
    import torch
    import torch.nn.functional as F

    batch = {}
    masked = any("mask" in name for name in embeddings[0])
    for name in embeddings[0]:
        tensors = [one[name] for one in embeddings]
        longest = max(tensor.shape[1] for tensor in tensors)
        if masked and any(tensor.shape[1] != longest for tensor in tensors):
            pad = [(0, 0) * (tensor.ndim - 2) + (0, longest - tensor.shape[1]) for tensor in tensors]
            tensors = [F.pad(tensor, by) for tensor, by in zip(tensors, pad, strict=True)]
        batch[name] = torch.cat(tensors).to(device, non_blocking=True)
    return batch


def truncations(pipe: Any, prompt: str, settings: Mapping[str, Any]) -> list[Truncation]:
    """The text encoders that do not read all of a prompt."""
    found = []
    for name in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        tokenizer = getattr(pipe, name, None)
        if tokenizer is None:
            continue
        limit = _limit(pipe, tokenizer, settings)
        tokens = len(tokenizer(prompt, truncation=False, verbose=False)["input_ids"])
        if tokens > limit:
            found.append(Truncation(prompt, name, tokens, limit))
    return found


def _limit(pipe: Any, tokenizer: Any, settings: Mapping[str, Any]) -> int:
    if "CLIP" in type(tokenizer).__name__:
        return int(tokenizer.model_max_length)
    known = inspect.signature(pipe.encode_prompt).parameters
    if "max_sequence_length" in known:
        asked = settings.get("max_sequence_length", known["max_sequence_length"].default)
        return int(asked or tokenizer.model_max_length)
    return min(int(tokenizer.model_max_length), 77)  # DeepFloyd-IF cuts T5 at 77


def _name(names: list[str], returned: Any) -> dict[str, Any]:
    values = returned if isinstance(returned, tuple) else (returned,)
    if len(values) < len(names):
        raise UnknownForm(f"{len(values)} values instead of {', '.join(names)}")
    return dict(zip(names, values, strict=False))

"""Small weights on top of a model: LoRA for the whole run or a category, and textual inversion."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from divergen_records import ConfigError, WeightsError, require_extra
from divergen_records.hub import local_model
from divergen_records.pretrained import why_not_loaded
from divergen_records.weights_files import read_header

from .loading import Half, denoiser_name, quiet
from .model import Lora, PersonalTraining
from .weights import fingerprint_file, identify

__all__ = ["CategoryLora", "CategoryWeights", "fuse_loras", "identify_lora", "load_inversions", "open_personal"]

Encode = Callable[[str], dict[str, Any]]


class CategoryWeights(Protocol):
    """Weights that act on the pictures of one category."""

    def attach(self, pipe: Any, half: Half) -> None:
        """Put them into a half of a pipeline."""

    def detach(self, pipe: Any, half: Half) -> None:
        """Take them out again; the half is then as it was, to the bit."""

    def encode(self, pipe: Any, prompt: str, encode: Encode) -> dict[str, Any]:
        """Embeddings of a prompt, with the weights attached; raises `RowError` if they do not fit the prompt."""

    def negative(self, embeddings: dict[str, Any]) -> dict[str, Any]:
        """What guidance leads away from, in the form that `encode` gives."""


class CategoryLora:
    """LoRA weights of one category.

    Args:
        path: A safetensors file, or a folder with one.
    """

    def __init__(self, path: Path) -> None:
        self.lora = Lora(path=str(path))

    def attach(self, pipe: Any, half: Half) -> None:
        """Put them into a half of a pipeline."""
        load_lora(pipe, self.lora, half, "category")

    def detach(self, pipe: Any, half: Half) -> None:
        """Take them out again."""
        pipe.unload_lora_weights()

    def encode(self, pipe: Any, prompt: str, encode: Encode) -> dict[str, Any]:
        """Embeddings of a prompt."""
        return encode(prompt)

    def negative(self, embeddings: dict[str, Any]) -> dict[str, Any]:
        """They are as they are."""
        return embeddings


def open_personal(personal: PersonalTraining | Mapping[str, Path] | Path | None) -> dict[str, CategoryWeights]:
    """The weights of each category, by category name.

    Args:
        personal: Category name -> safetensors file, a folder of ``divergen-gen personalize``, or how those in a folder
            were trained.

    Raises:
        WeightsError: A file is missing or damaged.
        ConfigError: They are to be trained, and nobody said where they are.
    """
    return {name: _open(path) for name, path in personal_files(personal).items()}


def personal_files(personal: PersonalTraining | Mapping[str, Path] | Path | None) -> dict[str, Path]:
    """Category name -> file; the files of a folder say their category themselves."""
    if personal is None:
        return {}
    if isinstance(personal, Mapping):
        return {name: Path(path) for name, path in personal.items()}
    if isinstance(personal, PersonalTraining):
        if personal.folder is None:
            raise ConfigError(
                "personal: to train weights takes real data, which `divergen run` has; or train them with "
                "`divergen-gen personalize` and give personal=FOLDER"
            )
        return _files_in(personal.folder)  # none where no category has an object to learn from
    found = _files_in(Path(personal))
    if not found:
        raise WeightsError(f"{personal} has no weights of `divergen-gen personalize` (*.safetensors)")
    return found


def _files_in(folder: Path) -> dict[str, Path]:
    named = ((read_header(file).get("__metadata__", {}), file) for file in sorted(folder.glob("*.safetensors")))
    return {about["divergen_category"]: file for about, file in named if "divergen_category" in about}


def identify_personal(personal: PersonalTraining | Mapping[str, Path] | Path | None) -> tuple[object, ...]:
    """What identifies the weights: of those that a run trains, how; so that a category more costs only its pictures."""
    if isinstance(personal, PersonalTraining):
        return personal.identity()
    return tuple((name, fingerprint_file(path)) for name, path in sorted(personal_files(personal).items()))


def identify_lora(lora: Lora) -> tuple[str, str | None, float]:
    """What identifies LoRA weights; raises `WeightsError` for files that no pipeline would load."""
    path = local_model(lora.path)
    if path is not None:
        _check_lora(path, lora.weight_name)
    return identify(lora.path), lora.weight_name, lora.scale


def _check_lora(path: Path, name: str | None) -> None:
    """Refuse pickles, weights in peft's own form, and a folder of several files of which none is named."""
    files = [path] if path.is_file() else sorted(path.glob(name or "*.safetensors"))
    if len(files) > 1 and not any(file.name == "pytorch_lora_weights.safetensors" for file in files):
        names = ", ".join(file.name for file in files[:3])
        raise WeightsError(
            f"{path} holds {len(files)} files of weights ({names}, …); name one: lora={{path: …, weight_name: …}}"
        )
    for file in files[:1]:
        if file.suffix != ".safetensors":
            raise WeightsError(f"{file} is no .safetensors file; LoRA weights in another form are not read")
        if any(key.startswith("base_model.model.") for key in read_header(file)):
            raise WeightsError(
                f"{file} holds LoRA weights in the form of peft's save_pretrained, which no pipeline reads; write them "
                "with the pipeline's save_lora_weights"
            )


def _open(path: Path) -> CategoryWeights:
    if path.is_file() and read_header(path).get("__metadata__", {}).get("divergen_method") == "perfusion":
        from .perfusion import Perfusion

        weights: CategoryWeights = Perfusion.load(path)
        return weights
    return CategoryLora(path)


def fuse_loras(pipe: Any, loras: Sequence[Lora], half: Half) -> None:
    """Add LoRA weights to a half of a pipeline for good, which then runs as fast as without."""
    for lora in loras:
        if touched := load_lora(pipe, lora, half, "run"):
            pipe.fuse_lora(components=touched, lora_scale=lora.scale)
            pipe.unload_lora_weights()


def load_lora(pipe: Any, lora: Lora, half: Half, name: str) -> list[str]:
    """Load LoRA weights into the parts that a half of a pipeline has.

    Returns:
        Names of the parts that have some.

    Raises:
        WeightsError: The file is missing, damaged or made for another model.
        ConfigError: The pipeline takes no LoRA.
    """
    with require_extra("divergen-gen", "diffusers"):
        import peft  # noqa: F401
    if not hasattr(pipe, "lora_state_dict"):
        raise ConfigError(f"{type(pipe).__name__} takes no LoRA weights")
    path = local_model(lora.path)
    options = {"unet_config": pipe.unet.config} if getattr(pipe, "unet", None) is not None else {}
    with quiet():
        try:
            found = pipe.lora_state_dict(
                lora.path if path is None else str(path), weight_name=lora.weight_name, use_safetensors=True, **options
            )
            state, alphas = (*found, None)[:2] if isinstance(found, tuple) else (found, None)
            if half == "text":
                return _load_text(pipe, state, alphas, name)
            return _load_denoiser(pipe, state, alphas, name)
        except (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            reason = why_not_loaded(error)
            raise WeightsError(f"LoRA {lora.path} does not fit {type(pipe).__name__}: {reason}") from error


def _load_text(pipe: Any, state: Mapping[str, Any], alphas: Any, name: str) -> list[str]:
    loaded = []
    for part in ("text_encoder", "text_encoder_2"):
        own = {key: value for key, value in state.items() if key.startswith(f"{part}.")}
        if own and getattr(pipe, part, None) is not None:
            pipe.load_lora_into_text_encoder(
                own, alphas, getattr(pipe, part), prefix=part, adapter_name=name, _pipeline=pipe
            )
            loaded.append(part)
    return loaded


def _load_denoiser(pipe: Any, state: Mapping[str, Any], alphas: Any, name: str) -> list[str]:
    part = denoiser_name(pipe)
    own = {key: value for key, value in state.items() if not key.startswith("text_encoder")}
    if not own:
        return []
    loader = getattr(pipe, f"load_lora_into_{part}")
    known = inspect.signature(loader).parameters
    extra = {"network_alphas": alphas} if "network_alphas" in known else {}
    loader(own, **{part: getattr(pipe, part)}, adapter_name=name, _pipeline=pipe, **extra)
    if name not in getattr(getattr(pipe, part), "peft_config", {}):
        raise ValueError(f"it has no weights for the {part}")
    return [part]


def load_inversions(pipe: Any, inversions: Mapping[str, Path]) -> None:
    """Teach a pipeline's text encoders new words.

    Args:
        pipe: The text half.
        inversions: Word as it stands in prompts -> safetensors file.

    Raises:
        WeightsError: A file is missing, damaged or made for another model.
    """
    from safetensors.torch import load_file

    for token, path in inversions.items():
        read_header(path)
        state = load_file(str(path))
        named = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}  # of SDXL; others hold one tensor
        parts = {part: state[key] for part, key in named.items() if key in state}
        for part, tensor in (parts or {"text_encoder": next(iter(state.values()))}).items():
            try:
                _teach_word(pipe, part, token, tensor)
            except (AttributeError, RuntimeError, ValueError) as error:
                reason = why_not_loaded(error)
                raise WeightsError(f"{path}: {token!r} does not fit {type(pipe).__name__}: {reason}") from error


def _teach_word(pipe: Any, part: str, token: str, tensor: Any) -> None:
    encoder, tokenizer = getattr(pipe, part), getattr(pipe, part.replace("text_encoder", "tokenizer"))
    width = encoder.get_input_embeddings().weight.shape[-1]
    if tensor.ndim > 2 or tensor.shape[-1] != width:
        raise ValueError(
            f"its vectors have the shape {tuple(tensor.shape)} where the model's words have {width} numbers"
        )
    with quiet():
        pipe.load_textual_inversion({token: tensor}, token=token, tokenizer=tokenizer, text_encoder=encoder)

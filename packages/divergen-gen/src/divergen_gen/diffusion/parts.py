"""Files and folders that are a part of a text-to-image model, or change one, and are given in place of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from divergen_records import WeightsError
from divergen_records.files import parse_json

__all__ = ["kind_of_folder", "kind_of_tensors"]

_LORA = "LoRA weights, which change a model: give them as lora=, and the model that they were made for as model="
_LORA_MARKS = (".lora_", "lora_A", "lora_B", "lora_down", "lora_up", "hada_w", "lokr_w")
_BEGINNINGS = {
    ("emb_params", "clip_l", "clip_g", "string_to_param"): "a learned word: give it as textual_inversion={WORD: FILE}",
    ("control_model.", "controlnet_", "input_hint_block"): "a ControlNet, which steers a model, and is none",
    ("ip_adapter.", "image_proj."): "an IP-Adapter: give it as image={from: real-crops, adapter: …, weights: …}",
}
"""How tensors' names begin -> what their file holds."""


def kind_of_tensors(names: Iterable[str]) -> str | None:
    """What a file with tensors of these names holds, where that is no whole model; what to do with it."""
    listed = list(names)
    if any(mark in name for mark in _LORA_MARKS for name in listed):
        return _LORA
    return next((kind for marks, kind in _BEGINNINGS.items() if any(name.startswith(marks) for name in listed)), None)


def kind_of_folder(folder: Path) -> str | None:
    """What a folder without a ``model_index.json`` holds, as far as its files say; what to do with it."""
    if (folder / "adapter_config.json").is_file() or (folder / "pytorch_lora_weights.safetensors").is_file():
        return _LORA
    config = folder / "config.json"
    if config.is_file():
        values = parse_json(config.read_text(encoding="utf-8"), str(config), error=WeightsError)
        named = values.get("_class_name") or values.get("model_type") if isinstance(values, dict) else None
        if named:
            return f"{named} alone, a part of a model; give the folder of the whole, or its hub id"
    inner = sorted(path.parent.name for path in folder.glob("*/model_index.json"))
    return f"the model in a folder of its own: give {folder / inner[0]}" if inner else None

"""What the commands do between parsing and printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_records import Category, ConfigError
from divergen_records.data_options import open_categories, open_dataset
from divergen_records.files import refuse_existing, write_bytes
from divergen_records.losses import Losses
from divergen_records.settings import apply_settings, named_values, split_pairs, validate_settings

from .config import GeneratorConfig
from .counts import CountsConfig
from .estimate import estimate
from .planning import Plan, plan
from .prompts import read_prompts
from .protocol import Generator, RealData

if TYPE_CHECKING:
    from divergen_records.coco import Dataset
    from divergen_records.formats import OnProblem

__all__ = ["build", "estimate_table", "make_plan", "plan_tables", "write_sheet"]


def make_plan(
    *,
    prompts: Path,
    generators: Sequence[str],
    dataset: Path | None,
    per_category: int | None,
    per_frequency: str | None,
    total: int | None,
    floor: int,
    weights: Sequence[str],
    seed: int,
    crops: Path | None,
    images: Path | None,
    on_problem: OnProblem,
) -> tuple[Plan, list[Any]]:
    """The plan that the options describe, and the generators' configs."""
    configs = [parse_generator(text) for text in generators]
    if crops is not None:
        configs = _on_real(configs, open_dataset(crops, images, split="train", on_problem=on_problem))
    if per_category is None and per_frequency is None and total is None:
        per_category = 4
    groups = None if per_frequency is None else named_values(per_frequency.split(","), "--per-frequency")
    counts = validate_settings(
        CountsConfig,
        {
            "per_category": per_category,
            "per_frequency": groups,
            "total": total,
            "floor": floor,
            "weights": named_values(weights, "--weight"),
        },
        where="counts",
    )
    categories: Sequence[Category] | None = None if dataset is None else open_categories(dataset)
    return plan(read_prompts(prompts), configs, categories=categories, counts=counts, seed=seed), configs


def parse_generator(text: str) -> Any:
    """A generator's config from ``"kind,key=value,…"``; raises `ConfigError` for what it does not know."""
    kind, *settings = split_pairs(text)
    return apply_settings(GeneratorConfig, {"kind": kind}, settings, where=f"generator {kind!r}")


def _on_real(configs: Sequence[Any], dataset: Dataset) -> list[Any]:
    if not any(isinstance(config, RealData) and config.begins_from_real for config in configs):
        raise ConfigError("--crops: no generator begins from real objects; add to one image={from: real-crops}")
    return [config.on(dataset) if isinstance(config, RealData) else config for config in configs]


def build(configs: Sequence[Any]) -> list[Generator]:
    """Make the generators."""
    return [config.build() for config in configs]


def plan_tables(planned: Plan) -> str:
    """How many pictures per frequency group, generator and category."""
    groups: dict[str, Mapping[Any, int]] = {
        "frequency": planned.per_frequency(),
        "generator": planned.per_generator(),
        "category": planned.per_category(),
    }
    lines = []
    for title, counts in groups.items():
        width = max(len(title), *(len(str(key or "none")) for key in counts), 0)
        lines += [
            f"{title:<{width}}  pictures",
            *(f"{key or 'none'!s:<{width}}  {n:>8,}" for key, n in counts.items()),
            "",
        ]
    return "\n".join([*lines, f"{len(planned):,} pictures of {planned.unique_prompts():,} prompts"])


def estimate_table(
    planned: Plan, configs: Sequence[Any], *, rates: Sequence[str], picture_kb: float | None, devices: int
) -> str:
    """Time and disk of each generator's part, and of all; what a rate and a size are given for is not loaded."""
    given = _rates(rates, [config.name for config in configs])
    size = None if picture_kb is None else round(picture_kb * 1000)
    parts = [estimate(planned, config, rate=given.get(config.name), picture_bytes=size) for config in configs]
    lines = [
        f"{each.generator}: {each.pictures:,} pictures at {each.rate:.1f}/s: {_readable_time(each.seconds)}, "
        f"{_readable_size(each.bytes)}{_readable_cost(config, each.pictures)}"
        for config, each in zip(configs, parts, strict=True)
    ]
    seconds, disk = sum(each.seconds for each in parts), sum(each.bytes for each in parts)
    hours = f"{seconds / 3600:,.2f} device-hours"
    spread = f" ({_readable_time(seconds / devices)} on {devices} devices)" if devices > 1 else ""
    return "\n".join([*lines, f"all: {hours}{spread}, {_readable_size(disk)}"])


def _readable_cost(config: Any, pictures: int) -> str:
    price = getattr(config, "price_picture", 0)
    return f", cost {pictures * price:,.2f}" if price else ""


def _rates(rates: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """``["4"]`` for all generators, or ``["sd=4", "if=0.7"]``."""
    found: dict[str, float] = {}
    for text in rates:
        name, equals, value = text.rpartition("=")
        if equals and name not in names:
            raise ConfigError(f"--rate: no generator is called {name!r}; there are {', '.join(names)}")
        try:
            rate = float(value)
        except ValueError as error:
            raise ConfigError(f"--rate {text!r}: {value!r} is not a number") from error
        if not rate > 0:
            raise ConfigError(f"--rate {text!r}: pictures per second must be above 0")
        found.update(dict.fromkeys([name] if equals else names, rate))
    return found


def _readable_time(seconds: float) -> str:
    return (
        f"{seconds / 3600:.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:.1f} min"
        if seconds >= 60
        else f"{seconds:.0f} s"
    )


def _readable_size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def write_sheet(
    out: Path, planned: Plan, generators: Sequence[Generator], each: int, overwrite: bool, losses: Losses
) -> int:
    """Write a contact sheet and return how many pictures were wanted; those that failed are losses.

    Raises:
        ConfigError: If ``out`` is no picture's name.
        ExistsError: If it is there.
    """
    from divergen_records.images import encode_image

    from .preview import contact_sheet

    formats = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}
    kind: Any = formats.get(out.suffix.lower())
    if kind is None:
        raise ConfigError(f"{out}: the name of a contact sheet ends in {', '.join(formats)}")
    refuse_existing(out, overwrite=overwrite)
    data = encode_image(contact_sheet(planned, generators, each=each, losses=losses), kind, 90)
    write_bytes(out, data, overwrite=overwrite)
    return sum(len(planned.only(generator=generator.name).limit(each)) for generator in generators)

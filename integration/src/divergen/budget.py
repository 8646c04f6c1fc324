"""What a run will make and cost, step by step, before anything is made: a plan that one can buy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

from divergen_records import ConfigError, DivergenError
from divergen_records.alike import remedies_once
from divergen_records.command import answer, echo
from divergen_records.console import TextConsole
from divergen_records.temporary import scratch_folder
from rich.table import Table

from .check import check_run, problems_of
from .data import Splits
from .personal import is_trained, personal_status, unlearnable
from .pipeline import Pipeline
from .plans import StandIn, picture_bytes, sketch_data, sketch_extra
from .prompting import costs, paid_plans, sketch_prompts
from .rates import (
    Rate,
    on_gpu,
    parse_rates,
    published_detector_rate,
    published_rate,
    published_token_rate,
    published_training_rate,
    rate_of,
)
from .run import Run

if TYPE_CHECKING:
    from divergen_gen import Plan
    from divergen_records import Category
    from divergen_records.coco import Dataset

__all__ = ["RunPlan", "Work", "budget", "describe_plan", "plan_run", "show_plan"]


@dataclass(frozen=True)
class Work:
    """What one step, or one generator of it, has to do.

    Attributes:
        step: The step.
        name: The step or generator, as `--rate` names it.
        unit: What is counted, in the plural.
        total: So many in all.
        done: Of them there are already.
        rate: Units per second; None where nobody knows.
        gpu: Whether it works on a GPU.
        bytes: Disk for what is left.
        fee: Money that others take for it, beside a GPU's hours; None where nobody said how much.
    """

    step: str
    name: str
    unit: str
    total: int
    done: int
    rate: Rate | None
    gpu: bool
    bytes: float = 0.0
    fee: float | None = 0.0

    @property
    def left(self) -> int:
        """Units that are still to be done."""
        return max(self.total - self.done, 0)

    @property
    def hours(self) -> float | None:
        """Hours of one device for what is left."""
        return 0.0 if not self.left else None if self.rate is None else self.left / self.rate.per_second / 3600


@dataclass(frozen=True)
class RunPlan:
    """What a run would make.

    Attributes:
        pictures: To be planned in all.
        categories: That they show.
        prompts: That differ.
        by_generator: Pictures of each.
        by_frequency: Pictures of each group; None for categories without one.
        paid: What language models would write, and its cost, a sentence each.
        work: Of the costly steps.
    """

    pictures: int
    categories: int
    prompts: int
    by_generator: Mapping[str, int]
    by_frequency: Mapping[Any, int]
    paid: Sequence[str]
    work: Sequence[Work]

    def text(self, gpu_price: float | None = None) -> str:
        """In words, with the price of GPU hours in whatever currency."""
        lines = [f"{self.pictures:,} pictures of {self.categories} categories, {self.prompts:,} prompts"]
        lines += [f"  by {name}: {count:,}" for name, count in self.by_generator.items()]
        lines += [f"  frequency {frequency or '?'}: {count:,}" for frequency, count in self.by_frequency.items()]
        lines += [f"  prompts by {line}" for line in self.paid]
        return "\n".join([*lines, "", _table(self.work, gpu_price)])

    def values(self, gpu_price: float | None = None) -> dict[str, Any]:
        """As lists and mappings."""
        known = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "work"}
        return {**known, "work": [_values(work, gpu_price) for work in self.work]}


def describe_plan(run: Run, *, rates: Sequence[str] = (), gpu_price: float | None = None) -> str:
    """`plan_run` in words."""
    return plan_run(run, rates=rates).text(gpu_price)


def plan_run(run: Run, *, rates: Sequence[str] = ()) -> RunPlan:
    """What a run would make and cost. Nothing is written where the run will be.

    Args:
        run: The run, which need not be there.
        rates: ``NAME=PER_SECOND`` of steps and generators.

    Raises:
        ConfigError: If a rate names nothing of this run.
    """
    with scratch_folder() as folder:
        pipeline = Pipeline(Run(folder, run.config))
        train = sketch_data(run.config, run.data)
        pipeline.splits = Splits(train, train)
        pipeline.extra_categories = sketch_extra(run.config.extra_categories, train)
        stand_ins: list[Any] = [StandIn(config.name) for config in run.config.generators]
        pipeline.generators = stand_ins
        sketch_prompts(pipeline.run, pipeline.categories)
        plan, paid, categories = pipeline.plan, costs(run, pipeline.categories), pipeline.categories
    works = budget(run, plan, train, categories)
    said = parse_rates(rates, [work.name for work in works])
    works = [replace(work, rate=rate_of(work.name, run, said, work.rate)) for work in works]
    return RunPlan(
        len(plan), len(categories), plan.unique_prompts(), plan.per_generator(), plan.per_frequency(), paid, works
    )


def show_plan(run: Run, rates: Sequence[str] = (), gpu_price: float | None = None) -> None:
    """Print what would stop the run, then what it would make and cost; the first on standard error.

    Raises:
        ConfigError: If something would stop it.
    """
    problems = problems_of(check_run(run))
    answer(problems=problems)
    told = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}"
    if problems:
        echo("\n".join([f"{told} to mend before it can run:", *remedies_once(problems), ""]), err=True)
    try:
        plan = plan_run(run, rates=rates)
    except DivergenError as error:
        if not problems:
            raise
        raise ConfigError(f"{told}, told above; there is no price before that is mended: {error}") from error
    answer(**plan.values(gpu_price))
    echo(plan.text(gpu_price))
    if problems:
        raise ConfigError(f"{told}, told above; the run would stop before it makes anything")


def _values(work: Work, gpu_price: float | None) -> dict[str, Any]:
    hours, priced = work.hours, work.gpu and gpu_price is not None
    names = ("step", "name", "unit", "total", "done", "gpu", "bytes")
    price = None if hours is None or not priced or gpu_price is None else hours * gpu_price
    return {**{name: getattr(work, name) for name in names}, "hours": hours, "price": price}


def budget(run: Run, plan: Plan, train: Dataset, categories: Sequence[Category]) -> list[Work]:
    """The work of a run's costly steps, with the rates that others published; what is done already counts as done."""
    made = _made(run)
    works = [*_prompts(run, categories), *_personal(run, plan, train, categories), *_pictures(run, plan, made)]
    config, pictures = run.config, len(plan)
    for step, section in (("annotate", config.annotator), ("embed", config.embedder)):
        rate = published_rate(section)
        works.append(Work(step, step, "pictures", pictures, _stage_done(run, step), rate, on_gpu(section)))
    return [*works, *_trainings(run)]


def _prompts(run: Run, categories: Sequence[Category]) -> Iterator[Work]:
    """What language models are asked for."""
    for source, left, wanted in paid_plans(run, categories):
        tokens = published_token_rate(source.settings.model, source.settings.concurrency)
        rate = tokens and Rate(tokens.per_second * left.prompts / max(left.completion_tokens, 1), tokens.source)
        fee = left.cost if any(source.prices) else None
        unit = f"of {left.completion_tokens:,} tokens"
        yield Work("prompts", "prompts", unit, wanted, wanted - left.prompts, rate, gpu=False, fee=fee)


def _personal(run: Run, plan: Plan, train: Dataset, categories: Sequence[Category]) -> Iterator[Work]:
    known = {category.name for category in train.categories}
    chosen = [category for category in categories if category.name in known]
    without = unlearnable(train, chosen) if train.annotations else {}
    trained = {status.generator: status.trained for status in personal_status(run)}
    for config in filter(is_trained, run.config.generators):
        pictures, steps = plan.only(generator=config.name).per_category(), config.personal.steps
        wanted = [one for one in chosen if pictures.get(one.name) and one.name not in without]
        done, rate = trained.get(config.name, 0) * steps, published_training_rate(config)
        yield Work("personal", "personal", "steps", len(wanted) * steps, done, rate, gpu=True)


def _pictures(run: Run, plan: Plan, made: Mapping[str, int]) -> Iterator[Work]:
    for config in run.config.generators:
        total, done = plan.per_generator().get(config.name, 0), made.get(config.name, 0)
        size = picture_bytes(run.config.model_copy(update={"generators": (config,)}))
        left = max(total - done, 0) * size
        yield Work("gen", config.name, "pictures", total, done, published_rate(config), on_gpu(config), left)


def _trainings(run: Run) -> Iterator[Work]:
    """The detectors: without generated instances, the control, and with them."""
    config = run.config
    if config.train is None:
        return
    names = [*(["real"] if config.baseline else []), *(["control"] if config.control else []), "generated"]
    steps = getattr(config.train, "iterations", 0) or 1
    done = sum((run.training(name) / "metrics.json").exists() for name in names)
    unit = f"steps, {len(names)} detectors" if steps > 1 else "detectors"
    rate = published_detector_rate(config.train)
    yield Work("train", "train", unit, len(names) * steps, done * steps, rate, on_gpu(config.train))


def _made(run: Run) -> dict[str, int]:
    """Pictures that are there, by generator."""
    if not run.has_table():
        return {}
    counts = run.table.select(["generator"])["generator"].value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in counts}


def _stage_done(run: Run, stage: str) -> int:
    from .status import run_status

    return next(one.done + one.failed for one in run_status(run).stages if one.stage == stage)


def _table(works: Sequence[Work], gpu_price: float | None) -> str:
    """The works as a table with a line of sums, and where each rate is from."""
    price = [] if gpu_price is None else ["price"]
    table = Table("step", "", "to do", "done", "per second", "hours", "disk GB", *price, box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for work in works:
        rate, hours = "?" if work.rate is None else f"{work.rate.per_second:.3g}", _hours(work.hours)
        cells = [work.step, f"{work.name}, {work.unit}", f"{work.left:,}", f"{work.done:,}", rate, hours]
        table.add_row(*cells, f"{work.bytes / 2**30:,.1f}" if work.bytes else "", *_price(work, gpu_price))
    known = sum(work.hours or 0 for work in works if work.gpu)
    total = ["all", "hours of one GPU", "", "", "", _hours(known), f"{sum(w.bytes for w in works) / 2**30:,.1f}"]
    fees = sum(work.fee or 0 for work in works)
    table.add_row(*total, *([] if gpu_price is None else [f"{known * gpu_price + fees:,.2f}"]))
    text = StringIO()
    TextConsole(file=text, width=120).print(table)
    return "\n".join([line.rstrip() for line in text.getvalue().splitlines()] + _notes(works, gpu_price))


def _hours(hours: float | None) -> str:
    return "?" if hours is None else f"{hours:,.1f}" if hours >= 0.1 or not hours else f"{hours:.2g}"


def _price(work: Work, gpu_price: float | None) -> list[str]:
    if gpu_price is None:
        return []
    if work.fee is None or (work.gpu and work.hours is None):
        return ["?"]
    return [f"{(work.hours or 0) * gpu_price * work.gpu + work.fee:,.2f}" if work.gpu or work.fee else "no GPU"]


def _notes(works: Sequence[Work], gpu_price: float | None) -> list[str]:
    """Where the rates are from, and what is not in the sums."""
    notes = dict.fromkeys(f"rate of {work.name}: {work.rate.source}" for work in works if work.rate and work.left)
    unknown = [work.name for work in works if work.hours is None]
    if unknown:
        names = ", ".join(unknown)
        notes[f"not in the sums, for nobody knows how fast: {names}; say it: --rate {unknown[0]}=PER_SECOND"] = None
    if any(work.fee is None for work in works):
        prices = "prompts.1.price_in=0.5 prompts.1.price_out=1.5"
        notes[f"not in the price: the language model's tokens; say what a million costs, as in {prices}"] = None
    if gpu_price is None and any(work.gpu and work.left for work in works):
        notes["the price of these hours: say what one costs: --gpu-price 2"] = None
    return list(notes)

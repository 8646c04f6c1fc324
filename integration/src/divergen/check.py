"""Everything that would stop a run, found before anything is made: one list, each problem with its remedy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from divergen_records import ConfigError, DatasetError, DivergenError
from divergen_records.alike import remedies_once
from divergen_records.data_options import shared_pictures
from divergen_records.hub import cache_folder
from divergen_records.requirements import Finding, Requirement, look, requirements_of
from divergen_records.stores import StorePath
from divergen_records.stores.errors import StoreError

from .config import LvisData, RunConfig
from .data import check_evaluated, select_categories
from .gpu_memory import memory_findings
from .personal import drawn_as_it_is, is_trained, unlearnable
from .plans import picture_bytes, planned_pictures, sketch_data, sketch_extra
from .prompting import told_absent
from .splits import read_split

if TYPE_CHECKING:
    from divergen_records import Category
    from divergen_records.coco import Dataset

    from .run import Run

__all__ = ["Entry", "check_run", "problems_of", "refuse_problems"]

_SECTIONS = {
    "prompts": "prompts",
    "extra_categories": "extra",
    "generators": "gen",
    "annotator": "annotate",
    "embedder": "embed",
    "scores": "score",
    "executor": "gen",
    "train": "train",
}
"""Section of the configuration -> the step that needs what it names."""

_GENERATED = ("prompts", "extra_categories", "generators", "annotator", "embedder", "scores")
_LOOKED_AT = 64
"""Pictures of a split that are read whole."""

_GIB = 2**30
_LARGER_DISK = "; lower counts, or give a folder on a larger disk with {}"


@dataclass(frozen=True)
class Entry:
    """A line of the list.

    Attributes:
        place: The key of the configuration that it is about.
        finding: What was found.
    """

    place: str
    finding: Finding

    def __str__(self) -> str:
        return f"{self.place}: {self.finding.text}"


def check_run(run: Run, steps: Collection[str] | None = None) -> list[Entry]:
    """Look at everything that the steps of a run need; nothing is made, downloaded or loaded.

    Args:
        run: Its configuration, and the folder, which need not be there.
        steps: Names of the steps that are still to be done; all where None.

    Returns:
        What was found, problems and the rest.
    """
    config = run.config

    def wanted(step: str) -> bool:
        return steps is None or step in steps

    train, entries = _data(run, pictures=wanted("data"))
    categories = _categories(config, train, entries)
    if wanted("decide"):
        entries += _rules(run)
    if wanted("prompts") and categories:
        entries += _sources(config, categories)
    if wanted("personal") and train is not None:
        entries += _personal(run, train, categories)
    needs = _needs(config, [section for section, step in _SECTIONS.items() if wanted(step)])
    entries += needs
    entries += _writable(run)
    if wanted("gen") and categories and config.pastes != "real":
        entries += _disk(run, categories, needs)
    weights = [(entry.place, entry.finding.weights) for entry in needs]
    memory = [Entry(place, finding) for place, finding in memory_findings(config, weights)]
    differs = [Entry("differs", Finding(text)) for text in config.differs]
    return [*entries, *memory, *differs]


def refuse_problems(entries: Iterable[Entry]) -> None:
    """Raise one `ConfigError` of all problems, if there are any."""
    problems = problems_of(entries)
    if len(problems) == 1:
        raise ConfigError(problems[0])
    if problems:
        raise ConfigError("\n".join([f"{len(problems)} problems, nothing was made:", *remedies_once(problems)]))


def problems_of(entries: Iterable[Entry]) -> list[str]:
    """What would stop the run, a sentence each."""
    return [str(entry) for entry in entries if entry.finding.problem]


def _needs(config: RunConfig, sections: Collection[str]) -> list[Entry]:
    """What the named backends need: packages, files, models of the hub, endpoints."""
    found: dict[Requirement, str] = {}
    for section in sections:
        if config.pastes == "real" and section in _GENERATED:
            continue
        for place, need in requirements_of(getattr(config, section), section):
            found.setdefault(need, place)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(look, found))
    return [Entry(place, answer) for place, answer in zip(found.values(), answers, strict=True) if answer is not None]


def _data(run: Run, *, pictures: bool) -> tuple[Dataset | None, list[Entry]]:
    """The training set, None where it cannot be read, and what is to be said of the data."""
    config = run.config
    if not isinstance(config.data, LvisData):
        return sketch_data(config), []
    read: dict[str, Dataset] = {}
    entries = []
    for name, split in (("train", config.data.train), ("val", config.data.val)):
        if split is None or not (pictures or name == "train"):
            continue
        try:
            read[name] = read_split(split, config.data.on_problem, notes=run.data)
            found = _look_at(read[name]) if pictures else None
        except (DivergenError, OSError) as error:
            found = Finding(str(error), problem=True)
        if found is not None:
            entries.append(Entry(f"data.{name}", found))
    if len(read) == 2 and (shared := shared_pictures(read["train"], read["val"])):
        entries.append(Entry("data.val", Finding(shared)))
    if len(read) == 2 and config.train is not None:
        try:
            check_evaluated(read["train"], read["val"])
        except DatasetError as error:
            entries.append(Entry("data.val", Finding(str(error), problem=True)))
    return read.get("train"), entries


def _look_at(dataset: Dataset) -> Finding:
    """How much it holds, and whether pictures spread over it can be read."""
    from divergen_records.images import read_image

    chosen = dataset.images[:: max(1, -(-len(dataset.images) // _LOOKED_AT))]
    reasons = []
    for image in chosen:
        try:
            read_image(dataset.image_path(image))
        except (DivergenError, OSError) as error:
            reasons.append(str(error))
    if reasons:
        text = f"{len(reasons)} of {len(chosen)} pictures looked at cannot be read, the first: {reasons[0]}"
        return Finding(f"{text}; copy them again, or take them out of the file", problem=True)
    left_out = f", {len(dataset.problems):,} left out" if dataset.problems else ""
    return Finding(
        f"{dataset.path} with the pictures in {dataset.image_dir}: {len(dataset.images):,} pictures, "
        f"{len(dataset.annotations):,} objects, {len(dataset.categories):,} categories{left_out}; "
        f"{len(chosen)} pictures looked at"
    )


def _categories(config: RunConfig, train: Dataset | None, entries: list[Entry]) -> list[Category]:
    """What will be generated, as far as it can be told; what is wrong with it goes to the entries."""
    if train is None or config.pastes == "real":
        return []
    categories: list[Category] = []
    finders: dict[str, Callable[[], list[Category]]] = {
        "categories": partial(select_categories, train, config.categories),
        "extra_categories": partial(sketch_extra, config.extra_categories, train),
    }
    for place, find in finders.items():
        try:
            categories += find()
        except (DivergenError, OSError) as error:
            entries.append(Entry(place, Finding(str(error).removeprefix(f"{place}: "), problem=True)))
    return categories


def _rules(run: Run) -> Iterator[Entry]:
    """Scores that rules name and nothing here gives."""
    from divergen_filter.decision import rule_columns
    from divergen_filter.known import check_rules, scores_for

    config = run.config
    try:
        check_rules(config.rules, run.table if run.has_table() else None)
        scores_for(rule_columns(config.rules), config.scores)
    except ConfigError as error:
        yield Entry("rules", Finding(str(error), problem=True))
    if "clip_score" in rule_columns(config.rules) and getattr(config.embedder, "has_texts", True) is False:
        yield Entry(
            "rules",
            Finding(
                f"a rule names clip_score, which compares pictures with texts, and the embedder "
                f"{config.embedder.kind!r} has none; set embedder.kind=open-clip, or take the rule out",
                problem=True,
            ),
        )


def _sources(config: RunConfig, categories: list[Category]) -> Iterator[Entry]:
    """Categories that no source of prompts is for."""
    covered: set[str] = set()
    try:
        for number, source in enumerate(config.prompt_sources):
            covered |= {category.name for category in source.chosen(categories)}
            if absent := source.absent(categories):
                yield Entry(f"prompts.{number}", Finding(told_absent(absent)))
    except ConfigError as error:
        yield Entry("prompts", Finding(str(error).removeprefix("prompts: "), problem=True))
        return
    lacking = [category.name for category in categories if category.name not in covered]
    if lacking:
        yield Entry("prompts", Finding(_uncovered(lacking, categories), problem=True))


def _personal(run: Run, train: Dataset, categories: list[Category]) -> Iterator[Entry]:
    """What generators with weights of single categories will train, and categories that they can learn nothing of."""
    known = {category.id for category in train.categories}
    chosen = [category for category in categories if category.id in known]
    without = unlearnable(train, chosen) if train.annotations else {}
    for number, config in enumerate(run.config.generators):
        if is_trained(config) and categories:
            text = f"weights of {len(chosen) - len(without):,} categories take {config.personal.steps:,} steps each"
            text += f"; {drawn_as_it_is(without)}" if without else ""
            yield Entry(f"generators.{number}.personal", Finding(text))


def _uncovered(lacking: list[str], categories: Collection[Category]) -> str:
    shown = ", ".join(lacking[:5]) + (", …" if len(lacking) > 5 else "")
    return (
        f"{len(lacking)} of {len(categories)} categories have no source of prompts ({shown}); add one without "
        "`categories` and `frequencies`, for example {kind: template}"
    )


def _disk(run: Run, categories: list[Category], needs: Iterable[Entry]) -> Iterator[Entry]:
    """Room for the pictures, and for what is downloaded where the cache is on the same disk."""
    try:
        pictures = planned_pictures(run.config, categories)
    except ConfigError as error:
        yield Entry("counts", Finding(str(error).removeprefix("counts: "), problem=True))
        return
    wanted = round(pictures * picture_bytes(run.config))
    downloads = sum(entry.finding.download for entry in needs)
    place, cache = _existing(run.folder), _existing(cache_folder("any").parent) if downloads else None
    free = shutil.disk_usage(place).free
    where = " on the store, their pool here as much" if isinstance(run.place, StorePath) else ""
    text = f"{pictures:,} pictures take about {wanted / _GIB:,.1f} GB{where}, and {free / _GIB:,.1f} GB are free"
    beside = cache is not None and cache.stat().st_dev == place.stat().st_dev
    if beside:
        text += f" for them and for {downloads / _GIB:,.1f} GB of models, which will be downloaded"
    short = wanted + downloads * beside > free
    yield Entry("counts", Finding(text + (_LARGER_DISK.format(_where(run)) if short else ""), problem=short))
    if cache is not None and not beside:
        free = shutil.disk_usage(cache).free
        text = f"{downloads / _GIB:,.1f} GB will be downloaded to {cache}, where {free / _GIB:,.1f} GB are free"
        remedy = "; set HF_HOME to a folder on a larger disk" if downloads > free else ""
        yield Entry("downloads", Finding(f"{text}{remedy}", problem=downloads > free))


def _writable(run: Run) -> Iterator[Entry]:
    """Whether the run's folder can be made or written; an unnamed file that vanishes tells it."""
    place = _existing(run.folder)
    try:
        with TemporaryFile(dir=place):
            pass
        if isinstance(run.place, StorePath):
            (run.place / ".writable").write_bytes(b"")
            (run.place / ".writable").unlink()
    except StoreError as error:
        yield Entry("out", Finding(str(error), problem=True))
    except OSError as error:
        text = f"{place} cannot be written ({error.strerror}); give another folder with {_where(run)}"
        yield Entry("out", Finding(text, problem=True))


def _where(run: Run) -> str:
    """What says where the run's folder is on this machine."""
    return "DIVERGEN_CACHE" if isinstance(run.place, StorePath) else "--out"


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())

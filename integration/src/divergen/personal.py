"""Personalised models of a run: weights for each category, learned from the training set's own objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from divergen_gen.diffusion.model import PersonalTraining
from divergen_records import Category, ConfigError
from divergen_records.command import echo
from divergen_records.files import read_json, write_text

if TYPE_CHECKING:
    from divergen_gen import Plan
    from divergen_records.coco import Dataset
    from divergen_records.losses import Losses

    from .run import Run

__all__ = [
    "PersonalStatus",
    "drawn_as_it_is",
    "is_trained",
    "located_generators",
    "personal_status",
    "plan_personal",
    "train_personal",
    "trained_generators",
    "unlearnable",
    "untrained",
]


@dataclass(frozen=True)
class PersonalStatus:
    """The personal weights of one generator at one moment.

    Attributes:
        generator: Its name.
        wanted: Categories that have an object to learn from.
        trained: Those of them whose weights are there.
        without: Category name -> why the model draws it as it is.
    """

    generator: str
    wanted: int
    trained: int
    without: dict[str, str]


def located_generators(run: Run) -> list[Any]:
    """Configs of the generators; weights to train lie in the run's folder where a config names none."""
    return [_located(config, run.personal) for config in run.config.drawing_generators]


def _located(config: Any, folder: Path) -> Any:
    if not is_trained(config) or config.personal.folder is not None:
        return config
    own = config.personal.model_copy(update={"folder": (folder / config.name).absolute()})
    return config.model_copy(update={"personal": own})


def is_trained(config: Any) -> bool:
    """Whether a generator's config wants weights of single categories that the run trains."""
    return isinstance(getattr(config, "personal", None), PersonalTraining)


def trained_generators(run: Run) -> list[Any]:
    """Configs of the generators whose weights of single categories the run trains."""
    return [config for config in located_generators(run) if is_trained(config)]


def plan_personal(run: Run, train: Dataset, categories: Sequence[Category], plan: Plan, losses: Losses) -> None:
    """Note which categories each generator wants weights of; those that nothing can be learned of are told and lost.

    Args:
        run: The run.
        train: Its training set.
        categories: What is generated.
        plan: Which pictures each generator makes.
        losses: Grows by the categories that the model draws as it is.
    """
    notes = {}
    for config in trained_generators(run):
        pictures = plan.only(generator=config.name).per_category()
        chosen = [category for category in categories if pictures.get(category.name)]
        without = unlearnable(train, chosen)
        names = [category.name for category in chosen if category.name not in without]
        folder = config.personal.folder
        told = folder.name if folder.parent == run.personal.absolute() else str(folder)  # true on other machines, too
        notes[config.name] = {"folder": told, "wanted": names, "without": without}
        losses.extend((name, f"{config.name} draws it as it is: {reason}") for name, reason in without.items())
        if without:
            echo(f"{config.name}: {drawn_as_it_is(without)}", err=True)
    write_text(run.personal / "plan.json", json.dumps(notes, indent=1), overwrite=True)


def unlearnable(train: Dataset, categories: Sequence[Category]) -> dict[str, str]:
    """Category name -> why nothing can be learned of it."""
    from divergen_gen.crops import check_objects

    known = {category.name for category in train.categories}
    found = {}
    for category in categories:
        try:
            if category.name not in known:
                raise ConfigError("an extra category has no real object")
            check_objects(train, category)
        except ConfigError as error:
            found[category.name] = str(error)
    return found


def drawn_as_it_is(without: Mapping[str, str]) -> str:
    """A sentence on categories without weights of their own."""
    shown = ", ".join(list(without)[:5]) + (", …" if len(without) > 5 else "")
    who = "1 category has" if len(without) == 1 else f"{len(without)} categories have"
    return f"{who} no object to learn from and will be drawn by the model as it is: {shown}"


def train_personal(run: Run, train: Dataset, *, progress: bool = True) -> None:
    """Train what is missing; several processes share the categories out, and each ends when all are there.

    Raises:
        ConfigError: If the model is of a kind that cannot be taught, or there are weights that were trained otherwise.
    """
    from divergen_gen.personalize.run import personalize_for

    for config in trained_generators(run):
        wanted = _plan(run)[config.name]["wanted"]
        done = personalize_for(config, train, wanted, seed=run.config.seed, progress=progress) if wanted else ()
        for one in done:
            if one.error:
                echo(f"{config.name}, {one.category}: {one.error}", err=True)


def untrained(run: Run) -> Iterator[tuple[str, str]]:
    """Categories that should have weights of their own and have none, each with a reason."""
    for name, note in _plan(run).items():
        missing = (one for one in note["wanted"] if not _is_there(run, note, one))
        yield from ((one, f"{name} draws it as it is: its weights could not be trained") for one in missing)


def personal_status(run: Run) -> tuple[PersonalStatus, ...]:
    """How far the personal weights of each generator are; nothing before they are planned."""
    return tuple(
        PersonalStatus(
            name, len(note["wanted"]), sum(_is_there(run, note, one) for one in note["wanted"]), note["without"]
        )
        for name, note in _plan(run).items()
    )


def _plan(run: Run) -> dict[str, Any]:
    path = run.personal / "plan.json"
    return read_json(path, "run the same line again, which writes it anew") if path.exists() else {}


def _is_there(run: Run, note: Mapping[str, Any], category: str) -> bool:
    from divergen_gen.personalize.files import personal_file

    return personal_file(run.personal / note["folder"], category).exists()

"""Fixtures: a few categories with every difficulty, the real LVIS list where it lies beside the checkout, a WordNet."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from divergen_prompts.cli import main
from divergen_records import Category


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def categories() -> list[Category]:
    return [
        Category(id=1, name="banana", synset="banana.n.02", definition="elongated yellow fruit with soft sweet flesh"),
        Category(id=2, name="bow_(weapon)", synonyms=("bow_(weapon)",), definition="a weapon for shooting arrows"),
        Category(id=3, name="sports_ball", synonyms=("sports_ball", "ball")),
        Category(id=4, name="scissors", definition="a tool having two crossed pivoting blades; for cutting"),
        Category(id=5, name="chair", definition="a seat for one person, with a support for the back"),
        Category(id=6, name="apple", definition="fruit with red or yellow or green skin"),
    ]


def _shared(name: str) -> Path:
    for parent in Path(__file__).resolve().parents:
        path = parent.parent / "shared" / "data" / name
        if path.exists():
            return path
    pytest.skip(f"shared/data/{name} does not lie beside the checkout")


@pytest.fixture(scope="session")
def lvis_file() -> Path:
    return _shared("lvis_v1_categories.json")


@pytest.fixture(scope="session")
def coco_file() -> Path:
    return _shared("coco100_train/annotations.json")


@pytest.fixture
def nltk_leaves_files_open() -> Iterator[None]:
    """Collects them while their warnings are ignored, not in somebody else's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        gc.collect()
        sys.unraisablehook = hook


@pytest.fixture
def run() -> Callable[..., Result]:
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


SYNSETS = [
    ("entity", None, "that which exists"),
    ("animal", "entity", "a living organism"),
    ("bird", "animal", "a feathered animal"),
    ("crane", "bird", "large wading bird of marshes"),
    ("dog", "animal", "a domestic animal that barks"),
    ("artifact", "entity", "a man-made object"),
    ("machine", "artifact", "a mechanical device"),
    ("crane", "machine", "lifts and moves heavy objects"),
    ("chair", "artifact", "a seat for one person"),
]
LEXNAMES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social "
    "verb.stative verb.weather adj.ppl"
)


@pytest.fixture(scope="session")
def wordnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine synsets in WordNet's own file format."""
    return write_wordnet(tmp_path_factory.mktemp("nltk_data"))


def write_wordnet(nltk_data: Path) -> Path:
    """Nine synsets in WordNet's own file format (wndb(5WN)), offsets and all, where nltk looks for them."""
    folder = nltk_data / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    for name in ("adj", "adv", "verb"):
        (folder / f"data.{name}").touch()
        (folder / f"index.{name}").touch()
    for name in ("adj.exc", "adv.exc", "verb.exc", "noun.exc", "index.sense", "cntlist.rev"):
        (folder / name).touch()
    numbers = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
    (folder / "lexnames").write_text(
        "".join(f"{i:02d}\t{n}\t{numbers[n.split('.')[0]]}\n" for i, n in enumerate(LEXNAMES.split()))
    )
    offsets: dict[int, int] = {}
    position = 0
    for number, synset in enumerate(SYNSETS):  # every offset has eight digits, so one pass gives the lengths
        offsets[number] = position
        position += len(_data_line(synset, {}, 0))
    above = {number: _parent(number, parent) for number, (_, parent, _) in enumerate(SYNSETS)}
    lines = [
        _data_line(synset, {} if above[n] is None else {"@": offsets[above[n]]}, offsets[n])
        for n, synset in enumerate(SYNSETS)
    ]
    (folder / "data.noun").write_text("".join(lines))
    words = sorted({name for name, _, _ in SYNSETS})
    senses = {word: [offsets[n] for n, (name, _, _) in enumerate(SYNSETS) if name == word] for word in words}
    (folder / "index.noun").write_text(
        "".join(
            f"{word} n {len(found)} 1 @ {len(found)} 0 {' '.join(f'{o:08d}' for o in found)}  \n"
            for word, found in senses.items()
        )
    )
    return nltk_data


def _parent(number: int, name: str | None) -> int | None:
    return next((n for n, (other, _, _) in enumerate(SYNSETS[:number]) if other == name), None)


def _data_line(synset: tuple[str, str | None, str], pointers: dict[str, int], offset: int) -> str:
    name, parent, definition = synset
    count = 0 if parent is None else 1
    target = next(iter(pointers.values()), 0)
    pointer = "" if parent is None else f"@ {target:08d} n 0000 "
    return f"{offset:08d} 03 n 01 {name} 0 {count:03d} {pointer}| {definition}  \n"

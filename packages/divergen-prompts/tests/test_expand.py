from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from divergen_prompts.categories import read_categories
from divergen_prompts.expand import select_extra_categories, write_categories, write_choices
from divergen_records import Category, ConfigError, DatasetError

BASE = [Category(id=1, name="dog", synonyms=("dog", "hound")), Category(id=5, name="chair")]
CANDIDATES = [
    Category(id=0, name="wolf"),
    Category(id=1, name="volcano", synset="n09472597", definition="a mountain"),
    Category(id=2, name="hound"),
    Category(id=3, name="geyser"),
]


class Table:
    name = "table"

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = np.array(rows, dtype=np.float32)

    def __call__(self, candidates: object, base: object) -> np.ndarray:
        return self.rows


NAN = float("nan")
SIMILARITY = Table([[0.5, 0.1], [0.1, 0.2], [NAN, NAN], [0.399, 0.1]])


def test_select_extra_categories__says_why() -> None:
    wolf, volcano, hound, geyser = select_extra_categories(BASE, CANDIDATES, similarity=SIMILARITY)
    assert (wolf.taken, wolf.reason) == (False, "too like 'dog': 0.500, not below 0.4")
    assert (volcano.taken, volcano.reason) == (True, "unlike all: at most 0.200, to 'chair'")
    assert volcano.nearest == BASE[1]
    assert volcano.similarity == pytest.approx(0.2)
    assert (hound.taken, hound.reason) == (False, "bears a name of 'dog'")
    assert geyser.taken


def test_select_extra_categories__unplaced() -> None:
    (choice,) = select_extra_categories(BASE, CANDIDATES[:1], similarity=Table([[NAN, NAN]]))
    assert (choice.taken, choice.reason) == (False, "cannot be placed: no synset of its name")


def test_select_extra_categories__draws_by_seed_and_name_not_by_order() -> None:
    many = [Category(id=n, name=f"thing{n}") for n in range(40)]
    low = Table([[0.1, 0.1]] * 40)

    def drawn(candidates: list[Category], seed: int) -> set[str]:
        choices = select_extra_categories(BASE, candidates, similarity=low, count=10, seed=seed)
        left = [choice for choice in choices if not choice.taken]
        assert all("not among the 10 of 40 drawn with seed" in choice.reason for choice in left)
        return {choice.candidate.name for choice in choices if choice.taken}

    assert len(drawn(many, 0)) == 10
    assert drawn(many, 0) == drawn(many[::-1], 0)
    assert drawn(many, 0) != drawn(many, 1)
    assert len([c for c in select_extra_categories(BASE, many, similarity=low, count=None) if c.taken]) == 40


@pytest.mark.parametrize("options", [{"count": 0}, {"threshold": 0.0}, {"threshold": 1.5}])
def test_select_extra_categories__bad_options(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        select_extra_categories(BASE, CANDIDATES, similarity=SIMILARITY, **options)  # type: ignore[arg-type]


def test_select_extra_categories__duplicate_ids() -> None:
    with pytest.raises(DatasetError, match="base categories"):
        select_extra_categories([BASE[0]] * 2, CANDIDATES, similarity=SIMILARITY)


def test_write_categories__read_back_with_ids_of_their_own(tmp_path: Path) -> None:
    choices = select_extra_categories(BASE, CANDIDATES, similarity=SIMILARITY)
    assert write_categories(tmp_path / "extra.json", choices, first_id=6) == 2
    volcano, geyser = read_categories(tmp_path / "extra.json")
    assert (volcano.id, volcano.name, volcano.definition) == (6, "volcano", "a mountain")
    assert geyser.id == 7


def test_write_choices__a_row_for_each(tmp_path: Path) -> None:
    choices = select_extra_categories(BASE, CANDIDATES, similarity=SIMILARITY)
    write_choices(tmp_path / "why.csv", choices)
    with (tmp_path / "why.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["taken"] for row in rows] == ["0", "1", "0", "1"]
    assert rows[1]["nearest"] == "chair"
    assert rows[2]["similarity"] == ""

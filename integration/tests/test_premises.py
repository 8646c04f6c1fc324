from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.premises.appearance import ENOUGH, Looks, look_premises, thinned
from divergen.premises.counting import count_premises, rare_categories
from divergen.premises.detector import _heart, _strange, _wider
from divergen.premises.report import PremiseReport, at_least, at_most, over_seeds, unmeasured
from divergen_filter import References
from divergen_minilvis import make_minilvis
from divergen_records import Category
from divergen_records.coco import Annotation, Dataset, ImageInfo

TINY = (
    "data={kind: minilvis, box: modes, train_images: 12, val_images: 10, size: 64, categories: [apple, cup]}",
    "train.warmup=1",
    "train.iterations=2",
    "train.image_size=64",
    "prompts.per_category=2",
    "generators=[{kind: procedural, name: a, size: 64}, {kind: procedural, name: b, style: cgi, size: 64}]",
)


def dataset(frequencies: str, objects: tuple[int, ...], images: int = 600) -> Dataset:
    """A category for each letter, with so many objects, each in an image of its own as far as they go."""
    counts = {"r": 4, "c": 40, "f": 400}
    categories = [
        Category(id=n, name=f"thing {n}", frequency=letter, image_count=counts[letter], instance_count=counts[letter])
        for n, letter in enumerate(frequencies, 1)
    ]
    shown = [ImageInfo(id=n, width=8, height=8, file_name=f"{n}.jpg") for n in range(1, images + 1)]
    owners = [n for n, count in enumerate(objects, 1) for _ in range(count)]
    notes = [
        Annotation(k, k % images + 1, owner, (0.0, 0.0, 4.0, 4.0), 16.0, [[0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]])
        for k, owner in enumerate(owners, 1)
    ]
    return Dataset(Path("val.json"), Path(), shown, notes, categories)


def verdicts(premises: list) -> list[str]:
    return [premise.verdict for premise in premises]


@pytest.mark.parametrize(
    ("objects", "images", "expected"),
    [
        ((15,) * 10, 600, ["holds", "holds", "holds"]),
        ((15,) * 10, 599, ["fails", "holds", "holds"]),
        ((15,) * 9, 600, ["holds", "fails", "holds"]),
        ((15,) * 9 + (14,), 600, ["holds", "holds", "fails"]),
    ],
)
def test_count_premises(objects: tuple[int, ...], images: int, expected: list[str]) -> None:
    data = dataset("r" * len(objects), objects, images)
    assert verdicts(count_premises(data, data)) == expected


def test_count_premises__names_the_category_with_the_fewest() -> None:
    data = dataset("rrf", (20, 3, 1))
    assert rare_categories(data) == ["thing 1", "thing 2"]
    assert "3 (thing 2 has the fewest)" in count_premises(data, data)[2].measured


def test_count_premises__without_rare_categories() -> None:
    data = dataset("cf", (20, 20))
    assert verdicts(count_premises(data, data)) == ["holds", "fails", "not measured"]


def looks(angles: dict[int, list[float]]) -> References:
    every = np.radians(np.array([angle for some in angles.values() for angle in some], np.float32))
    owners = np.array([category for category, some in angles.items() for _ in some], np.int64)
    return References("e", np.stack([np.cos(every), np.sin(every)], -1), owners, np.arange(1, len(every) + 1))


def test_thinned__keeps_all_of_the_few() -> None:
    val = dataset("rf", (7, 300))
    kept = thinned(val)
    assert [len([note for note in kept.annotations if note.category_id == n]) for n in (1, 2)] == [7, ENOUGH]
    assert len(val.annotations) == 307


@pytest.mark.parametrize(("rare", "verdict"), [([0.0], "fails"), ([90.0], "holds")])
def test_look_premises__rare_looks_that_training_shows_or_not(rare: list[float], verdict: str) -> None:
    train = dataset("rf", (1, 40))
    frequent = [float(angle) for angle in range(40)]
    found = look_premises(train, Looks(looks({1: rare, 2: frequent}), looks({1: [0.0, 1.0], 2: frequent})))
    assert verdicts(found) == [verdict, "holds"]


def metrics(rare: float | None, frequent: float | None) -> Any:
    return SimpleNamespace(mask=SimpleNamespace(AP=0.3, APr=rare, APc=0.3, APf=frequent))


@pytest.mark.parametrize(
    ("before", "after", "heart", "wider"),
    [
        ((0.6, 0.5), (0.1, 0.3), "holds", "holds"),
        ((0.2, 0.5), (0.15, 0.3), "fails", "fails"),
        ((0.6, None), (0.1, None), "holds", "not measured"),
        ((0.6, 0.5), (0.0, 0.3), "holds", "holds"),
    ],
)
def test_detector_premises__of_average_precisions(before: Any, after: Any, heart: str, wider: str) -> None:
    pair = metrics(*before), metrics(*after)
    assert (_heart(*pair).verdict, _wider(*pair).verdict) == (heart, wider)


def test_detector_premises__of_energies() -> None:
    known, strange = np.random.default_rng(0).normal(0, 1, 100), np.random.default_rng(1).normal(1, 1, 100)
    assert _strange({"r": (known, strange), "f": (known, known)}).verdict == "holds"
    assert _strange({"r": (known, known), "f": (known, known)}).verdict == "fails"


def test_report__says_what_fails() -> None:
    premises = (at_least("a", 3, 2, "3", "why"), at_most("b", 3, 2, "3", "why"), unmeasured("c", "none", "why"))
    nothing = at_least("d", float("nan"), 2, "nan", "why")
    report = PremiseReport(data="these", premises=(*premises, nothing))
    assert [premise.name for premise in report.failing] == ["b"]
    assert report.table().splitlines()[-1] == "1 holds, 1 fails, 2 not measured"


def test_over_seeds__by_the_means() -> None:
    def report(strange: float, shown: float) -> PremiseReport:
        return PremiseReport(
            data="these",
            premises=(
                at_least("a", strange, 0.5, "", "why"),
                at_most("b", shown, 50, "", "why"),
                unmeasured("c", "", ""),
            ),
        )

    found = over_seeds([report(0.1, 40.0), report(0.9, 70.0), report(0.8, 55.0)])
    assert verdicts(list(found.premises)) == ["holds", "fails", "not measured"]
    assert found.premises[0].measured == "0.6 ± 1.1 over 3 seeds: 0.1, 0.9, 0.8"
    assert found.data == "these and 2 more"


def test_premises__over_seeds_at_the_command(tmp_path: Path) -> None:
    arguments = ["premises", "proof", *TINY, "--without", "looks", "--without", "detector", "--without", "pictures"]
    result = CliRunner().invoke(main, [*arguments, "--seeds", "2", "--out", str(tmp_path / "run")])
    assert result.exit_code == 1, result.output  # so few images fail
    assert "10 ± 0 over 2 seeds: 10, 10; needed: at least 600" in result.output
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"seed-0", "seed-1"}


def test_premises__of_a_tiny_box(tmp_path: Path) -> None:
    arguments = ["minilvis", "--premises", *TINY, "--out", str(tmp_path / "run")]  # the other door
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1, result.output  # so few images fail
    assert "fails         validation images" in result.output
    report = json.loads((tmp_path / "run" / "premises" / "premises.json").read_text())
    found = {premise["name"].split(" (")[0]: premise for premise in report["premises"]}
    assert len(found) == 12
    assert found["generators differ from each other"]["value"] is not None
    again = CliRunner().invoke(main, ["premises", "proof", *arguments[2:]])  # from what is there
    assert "real crops" not in again.output
    assert again.output.splitlines()[-1] == result.output.splitlines()[-1]


def test_premises__of_categories_that_no_generator_draws(tmp_path: Path) -> None:
    make_minilvis(tmp_path / "data", train_images=10, val_images=10, size=64, categories=["apple", "cup"])
    for name in ("train", "val"):  # as COCO has it: no frequencies
        path = tmp_path / "data" / f"{name}.json"
        values = json.loads(path.read_text())
        for category in values["categories"]:
            category["name"] = {"apple": "gizmo", "cup": "widget"}[category["name"]]
            for key in ("frequency", "image_count", "instance_count", "synonyms", "synset", "def"):
                category.pop(key, None)
        path.write_text(json.dumps(values))
    small = ("generators=[{kind: procedural, size: 64}]", "prompts.per_category=2")
    arguments = ["premises", "coco100", f"data={tmp_path / 'data'}", *small, "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, [*arguments, "--without", "detector"])
    assert result.exit_code == 1, result.output
    assert "no picture could be drawn and masked" in result.output
    report = json.loads((tmp_path / "run" / "premises" / "premises.json").read_text())
    assert report["premises"][1]["value"] == 2  # rare categories, counted

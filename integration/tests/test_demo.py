"""The first look: words in, pictures with masks and a page out; what cannot be drawn is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.demo import make_demo
from divergen_records.errors import ConfigError, WeightsError


def test_demo__words_become_pictures_masks_and_a_page(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["demo", "umbrella", "wine glass", "flying carpet", "--per-category", "2",
                                     "--out", str(tmp_path / "demo")])  # fmt: skip
    assert done.exit_code == 3, done.output
    assert "4 pictures, 4 masks" in done.stdout
    assert "flying carpet" in done.stderr
    assert "--generator" in done.stderr
    page = (tmp_path / "demo" / "sheet.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 4
    assert "wine glass" in page


def test_demo__goes_on_with_more_words(tmp_path: Path) -> None:
    first = make_demo(["apple"], tmp_path, per_category=2)
    more = make_demo(["apple", "cup"], tmp_path, per_category=2)
    assert (first.pictures, more.pictures, more.table.count()) == (2, 4, 4)


def test_demo__refuses_what_nothing_draws(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no 'bycicle'; near: bicycle"):
        make_demo(["bycicle"], tmp_path / "demo")
    with pytest.raises(ConfigError, match="name something to draw"):
        make_demo(["  "], tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_demo__another_generator_draws_any_word(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        make_demo(["flying carpet"], tmp_path / "demo", generators=["diffusers,model=./missing"])

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from divergen_records import Category, ConfigError
from divergen_train.bsgal import Belief, Candidates
from divergen_train.bsgal.config import BeliefConfig


def candidates(count: int = 200, generators: int = 5) -> Candidates:
    """Two categories, each generator making as much of both."""
    names: list[str | None] = [f"g{i // 2 % generators}" for i in range(count)]
    return Candidates([f"i{i}" for i in range(count)], [7 + i % 2 for i in range(count)], names, [None] * count)


def judged(belief: Belief, visits: int = 300, harm: float = 1.0, seed: int = 0, step: int = 0) -> Belief:
    """Generator g0 is harmful; the second category's contributions are larger altogether."""
    rng = np.random.default_rng(seed)
    for row in rng.integers(len(belief.candidates), size=visits).tolist():
        worse = harm * (belief.candidates.generators[row] == "g0")
        belief.add([f"i{row}"], [rng.normal() - worse + 5 * (row % 2)], step)
    return belief


def drawn(belief: Belief, generator: str, step: int = 0) -> float:
    mask = np.array([name == generator for name in belief.candidates.generators])
    return float(belief.weights(step)[mask].mean())


def test_belief__a_harmful_generator_is_drawn_less_in_each_category_and_seen_or_not() -> None:
    belief = judged(Belief(candidates(), half_life=100))
    assert drawn(belief, "g0") < 0.4 * min(drawn(belief, f"g{i}") for i in range(1, 5))
    unseen = [row for row in np.flatnonzero(belief.judged == 0).tolist() if belief.candidates.generators[row] == "g0"]
    assert unseen
    assert (belief.weights(0)[unseen] < 0.5).all()
    for category in (0, 1):
        assert belief.weights(0)[category::2].mean() == pytest.approx(1)


def test_belief__without_a_difference_all_are_drawn_nearly_alike() -> None:
    weights = judged(Belief(candidates(), half_life=100), visits=1000, harm=0).weights(0)
    assert weights.std() < 0.3
    assert (Belief(candidates(), half_life=100).weights(0) == 1).all()


def test_belief__no_generator_names_and_a_single_generator_fall_back_to_instances() -> None:
    rng = np.random.default_rng(0)
    for names in ([None] * 40, ["only"] * 40):
        found = Belief(Candidates([f"i{i}" for i in range(40)], [1] * 40, names, [None] * 40), half_life=100)
        for _ in range(30):
            for row in range(40):
                found.add([f"i{row}"], [rng.normal() - 3 * (row < 10)], 0)
        assert found.weights(0)[:10].max() < found.weights(0)[10:].min()


def test_belief__the_floor_keeps_everything_drawable() -> None:
    belief = judged(Belief(candidates(), half_life=100, floor=0.02), harm=20)
    for category in (0, 1):
        weights = belief.weights(0)[category::2]
        assert weights.min() >= 0.0199 * weights.max()


def test_belief__old_judgements_are_discounted() -> None:
    belief = judged(Belief(candidates(), half_life=10), harm=-1)
    judged(belief, harm=1, seed=1, step=100)
    assert drawn(belief, "g0", 100) < 0.5


def test_belief__what_is_no_number_or_no_candidate_is_passed_over() -> None:
    belief = Belief(candidates(10), half_life=10)
    belief.add(["i1", "i2", "elsewhere"], [float("nan"), float("inf"), 1.0], 0)
    assert not belief.judged.any()


def test_belief__state_goes_by_id_and_survives_a_pool_that_was_built_anew() -> None:
    before = judged(Belief(candidates(), half_life=100))
    all_of_them = candidates()
    fewer = Candidates(*([list(reversed(column))[50:] for column in vars(all_of_them).values()]))
    other = Belief(fewer, half_life=100)
    other.load_state_dict(before.state_dict())
    again = Belief(candidates(), half_life=100)
    again.load_state_dict(other.state_dict())
    assert np.array_equal(again.weights(3), before.weights(3))
    assert other.judged.sum() < before.judged.sum() == again.judged.sum()


def test_candidates__of_different_length() -> None:
    columns: list[Any] = [["a"], [1, 2], [None], [None]]
    with pytest.raises(ValueError, match="differ in number"):
        Candidates(*columns)


def test_candidates__what_they_lack_is_said() -> None:
    names: list[str | None] = [None, None]
    assert "does not say" in str(Candidates(["a", "b"], [1, 1], names, names).lacking())
    assert "by 'sd'" in str(Candidates(["a", "b"], [1, 1], ["sd", "sd"], names).lacking())
    assert Candidates(["a", "b"], [1, 1], ["sd", "if"], names).lacking() is None
    assert Candidates(["a", "b"], [1, 1], ["sd", "sd"], ["template", "llm"]).lacking() is None


def test_belief__a_prior_counts_where_nothing_is_known_and_only_there() -> None:
    scores = np.array([float(i // 2 % 5) for i in range(200)])  # g4's are the best, g0's the worst
    scores[10:20] = np.nan
    begun = Belief(candidates(), half_life=100, prior=scores)
    assert drawn(begun, "g0") < 0.6 < drawn(begun, "g2") < 1.3 < drawn(begun, "g4")
    assert begun.weights(0)[10:20] == pytest.approx(np.ones(10), abs=0.1), "unknown counts as average"
    assert begun.weights(0)[::2].mean() == pytest.approx(1)
    known = judged(Belief(candidates(), half_life=1e6, prior=scores), visits=20_000, harm=-1)
    assert drawn(known, "g0") > 1.2 > drawn(known, "g4"), "what was seen often overrules it"


@pytest.mark.parametrize("scored", [True, False])
def test_build__a_prior_is_said_or_refused(scored: bool, capsys: pytest.CaptureFixture[str]) -> None:
    draws = ScoredDraws(candidates(10), np.linspace(0, 1, 10) if scored else np.full(10, np.nan))
    config = BeliefConfig(prior="inter_similarity")
    categories = [Category(id=7, name="a"), Category(id=8, name="b")]
    if not scored:
        with pytest.raises(ConfigError, match="no instance of the pool has the score 'inter_similarity'; measure it"):
            config.build(categories, draws, 100)
        return
    config.build(categories, draws, 100)
    assert "drawn by inter_similarity, known of 10 of 10" in capsys.readouterr().err
    assert draws.weights()[0] < draws.weights()[8], "from the first step on"


class ScoredDraws:
    """Weights in memory, with scores."""

    def __init__(self, found: Candidates, scores: np.ndarray) -> None:
        self.candidates, self._scores, self._weights = found, scores, np.ones(len(found))

    def weights(self) -> np.ndarray:
        return self._weights

    def set_weights(self, weights: np.ndarray) -> None:
        self._weights = weights

    def scores(self, name: str) -> np.ndarray:
        return self._scores

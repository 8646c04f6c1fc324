"""What the planted-truth benchmarks share: the estimators compared, and the table of how well they tell."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

VARIANTS: dict[str, dict[str, Any]] = {
    "directional, momentum 0.1, raw": {"momentum": 0.1},
    "directional, momentum 0.9, raw": {"momentum": 0.9},
    "directional, momentum 0.9, /loss": {"momentum": 0.9, "normalize": "loss"},
    "directional, all real, /loss": {"momentum": 0.0, "normalize": "loss"},
    "last-layer, momentum 0.9, /loss": {"mode": "last-layer", "momentum": 0.9, "normalize": "loss"},
    "random-projection, 0.9, /loss": {"mode": "random-projection", "momentum": 0.9, "normalize": "loss"},
    "gradient, momentum 0.1, cosine": {"mode": "gradient", "momentum": 0.1, "normalize": "cosine"},
    "lookahead": {"mode": "lookahead"},
}
REFERENCE = "directional, momentum 0.9, /loss"
ALL_REAL = "directional, all real, /loss"


class Table:
    """AUC of each variant at telling harmful samples from good ones, and its rank correlation with `REFERENCE`.

    Args:
        kinds: What was done to each sample; ``good`` where nothing was.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds = tuple(kinds)
        self.harms = sorted({kind for kind in self.kinds if kind != "good"})
        self.sums: dict[str, Tensor] = {}

    def add(self, stage: str, scores: dict[str, Tensor], show: bool) -> None:
        """Take in one judgement of all samples; where shown, the last columns are each kind of harm by the mean."""
        if show:
            print(f"\n{stage:<36}{'now':>6}{'mean':>7}{'corr.':>8}" + "".join(f"{harm:>8}" for harm in self.harms))
        for name, values in scores.items():
            values = values.double().nan_to_num(-1e9)
            self.sums[name] = self.sums.get(name, torch.zeros(())) + values
            if show:
                mean = self.sums[name]
                found = f"{name:<36}{self.auc(values):>6.2f}{self.auc(mean):>7.2f}"
                each = "".join(f"{self.auc(mean, harm):>8.2f}" for harm in self.harms)
                print(f"{found}{spearman(values, scores[REFERENCE]):>8.2f}{each}", flush=True)

    def auc(self, scores: Tensor, harm: str | None = None) -> float:
        """Chance that a good sample's score is above a harmful one's, of one kind or any."""
        good = torch.tensor([kind == "good" for kind in self.kinds])
        bad = torch.tensor([kind == harm if harm else kind != "good" for kind in self.kinds])
        return auc(scores[good | bad], bad[good | bad])


def ranks(values: Tensor) -> Tensor:
    _, place, count = values.unique(return_inverse=True, return_counts=True)
    return (count.cumsum(0) - (count - 1) / 2).double()[place]


def auc(scores: Tensor, harmful: Tensor) -> float:
    good, bad = int((~harmful).sum()), int(harmful.sum())
    return float((ranks(scores)[~harmful].sum() - good * (good + 1) / 2) / (good * bad))


def spearman(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([ranks(first), ranks(second.double())]))[0, 1])

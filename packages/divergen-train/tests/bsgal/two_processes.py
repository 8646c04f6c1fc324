"""Trains a small network by selective steps as one of several processes: two_processes.py RANK WORLD PORT OUT."""

import os
import sys

import torch
import torch.nn.functional as F
from divergen_train.bsgal import AcceptanceThreshold, ContributionEstimator, SelectiveStep
from torch import Tensor, nn


def losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def make_batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(8, 16, generator=generator), torch.randint(0, 4, (8,), generator=generator)


def train(rank: int, world: int, mode: str, out: str) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(16, 24), nn.Tanh(), nn.Linear(24, 4))
    estimator = ContributionEstimator(model, losses, mode=mode, derivative="differences")  # type: ignore[arg-type]
    threshold = AcceptanceThreshold(rate=0.5, warmup=8, queue=24, per="category")
    step = SelectiveStep(estimator, threshold, torch.optim.SGD(model.parameters(), lr=0.1))
    mine = slice(rank * 8 // world, (rank + 1) * 8 // world)
    accepted = []
    for iteration in range(10):
        real, generated = ([part[mine] for part in make_batch(2 * iteration + which)] for which in (0, 1))
        accepted.append(step(real, generated, generated[1].tolist()).accepted)
    state = {"model": model.state_dict(), "threshold": threshold.state_dict(), "accepted": torch.stack(accepted)}
    torch.save({**state, "cache": estimator.state_dict()["cache"]}, f"{out}/{mode}-{world}-{rank}.pt")


if __name__ == "__main__":
    rank, world, port = (int(number) for number in sys.argv[1:4])
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    if world > 1:
        torch.distributed.init_process_group("gloo", rank=rank, world_size=world)
    for mode in ("directional", "random-projection"):
        train(rank, world, mode, sys.argv[4])
    if world > 1:
        torch.distributed.destroy_process_group()

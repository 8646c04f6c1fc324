"""What the steps of a run work with: its data, models and table, each made when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from divergen_records import Category, Shard, Stage, fill
from divergen_records.coco import Dataset
from divergen_records.losses import Losses

from .config import BakeConfig, RunConfig
from .data import Splits, extend, load_splits, select_categories, unseen
from .draws import PoolDraws
from .extras import extra_categories
from .personal import located_generators
from .prompting import portions
from .run import Run
from .trainers.protocol import Trainer

if TYPE_CHECKING:
    from divergen_annotate import Annotator
    from divergen_filter import Embedder, References
    from divergen_filter.score import Score
    from divergen_gen import Generator, Plan
    from divergen_paste import Chain, InstancePool, Paster

__all__ = ["Pipeline"]


class Pipeline:
    """A run with its data, models and stages, each made when it is first needed.

    Args:
        run: The run's folder and configuration.
        shard: The part of the table's work that is this process's.
        quiet: Show no progress.
    """

    def __init__(self, run: Run, shard: Shard | None = None, *, quiet: bool = False) -> None:
        self.run, self.shard, self.quiet = run, shard or Shard(), quiet
        self.losses = Losses()

    @property
    def config(self) -> RunConfig:
        """The run's configuration."""
        return self.run.config

    @cached_property
    def splits(self) -> Splits:
        """The real data."""
        return load_splits(self.run)

    @cached_property
    def categories(self) -> list[Category]:
        """What is generated, the extra categories last."""
        return [*select_categories(self.splits.train, self.config.categories), *self.extra_categories]

    @cached_property
    def extra_categories(self) -> list[Category]:
        """Categories that the real data lacks: learned from generated instances only, and not evaluated."""
        return extra_categories(self.run, self.splits.train)

    @cached_property
    def canvas(self) -> Dataset:
        """The real images that generated instances are pasted into, with the extra categories."""
        return extend(self.splits.train, self.extra_categories)

    @cached_property
    def generators(self) -> list[Generator]:
        """The text-to-image models; built lazily by each, weights load with the first picture."""
        from divergen_gen.protocol import RealData

        configs = located_generators(self.run)
        real = [isinstance(config, RealData) and config.begins_from_real for config in configs]
        return [
            (config.on(unseen(self.splits)) if begins else config).build()
            for config, begins in zip(configs, real, strict=True)
        ]

    @cached_property
    def plan(self) -> Plan:
        """Every picture that the run wants, by id."""
        return self.plan_with(self.generators)

    def plan_with(self, generators: Sequence[Any]) -> Plan:
        """Every picture that the run wants of these generators, of which only name and revision are looked at."""
        from divergen_gen import Plan, plan

        if self.config.pastes == "real":
            return Plan(())
        prompts, own = portions(self.run, self.categories)
        return plan(
            prompts,
            generators,
            portions=own,
            seed=self.config.seed,
            categories=self.categories,
            counts=self.config.counts,
        )

    @cached_property
    def annotator(self) -> Annotator:
        """What makes the masks."""
        annotator: Annotator = self.config.annotator.build()
        return annotator

    @cached_property
    def embedder(self) -> Embedder:
        """What embeds real and generated instances."""
        embedder: Embedder = self.config.embedder.build()
        return embedder

    @cached_property
    def score_configs(self) -> list[Any]:
        """The scores of the configuration, and installed ones that a rule names, with their default settings."""
        from divergen_filter.decision import rule_columns
        from divergen_filter.known import scores_for

        return scores_for(rule_columns(self.config.rules), self.config.scores)

    @cached_property
    def scores(self) -> list[Score]:
        """What measures instances beside the similarity to real ones."""
        return [config.build() for config in self.score_configs]

    @cached_property
    def references(self) -> References:
        """Embeddings of the real crops."""
        from divergen_filter import References

        return References.load(self.run.references)

    @cached_property
    def pools(self) -> list[InstancePool]:
        """What is pasted: the training images' own objects, kept generated instances, or both; none that is empty.

        Categories are those of `canvas`, found by name.
        """
        from divergen_paste import InstancePool

        paths = {"real": [self.run.real_pool], "generated": [self.run.pool]}
        wanted = paths.get(self.config.pastes, [self.run.real_pool, self.run.pool])
        return [pool.matched(self.canvas.categories) for pool in map(InstancePool.open, wanted) if len(pool)]

    @property
    def has_control(self) -> bool:
        """Whether the training images' own objects are pasted alike, to compare with."""
        return self.config.control and self.config.train is not None and self.config.pastes != "real"

    @cached_property
    def control_pools(self) -> list[InstancePool]:
        """The training images' own objects, as the control pastes them; none where there is no control."""
        from divergen_paste import InstancePool

        pools = [InstancePool.open(self.run.real_pool)] if self.has_control else []
        return [pool for pool in pools if len(pool)]

    @cached_property
    def paster(self) -> Paster | Chain:
        """Pastes instances into training images."""
        return self.paster_of(self.pools)

    def paster_of(self, pools: Sequence[InstancePool]) -> Paster | Chain:
        """Pastes what is in these pools into training images, as the configuration says."""
        from divergen_paste import Chain, area_statistics

        statistics, draws = area_statistics(self.splits.train), self.draws
        weights = {pool.path: draws.pool_weights for pool in pools if draws and pool.path == self.run.pool}
        return Chain(
            *(
                self.config.paste.build(pool, statistics, weights=weights.get(pool.path), seed=self.config.seed)
                for pool in pools
            )
        )

    @cached_property
    def draws(self) -> PoolDraws | None:
        """How often each generated instance is pasted, where the training decides that."""
        judged = getattr(self.config.train, "bsgal", None) is not None
        pool = next((pool for pool in self.pools if pool.path == self.run.pool), None)
        return PoolDraws(pool, self.run.table) if judged and pool is not None else None

    @cached_property
    def trainer(self) -> Trainer:
        """Who trains the detectors."""
        assert self.config.train is not None
        trainer: Trainer = self.config.train.build()
        return trainer

    @property
    def bake(self) -> BakeConfig | None:
        """How pasted images go to disk: as the configuration says, or because the trainer cannot paste itself."""
        if self.config.bake is None and self.config.train is not None and not self.trainer.pastes:
            return BakeConfig()
        return self.config.bake

    def fill(self, stage: Stage, batch_size: int = 32) -> None:
        """Run a stage over this shard's pending rows."""
        self.run.note_rate(
            fill(self.run.table, stage, shard=self.shard, batch_size=batch_size, progress=not self.quiet)
        )

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Let one process at a time make what all shards share."""
        with self.run.lock_shared():
            yield

"""The steps of a run, in order. Each continues what an earlier run began, and skips what is done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from divergen_records.command import echo
from divergen_records.files import write_text

from .config import BakeConfig
from .data import select_categories
from .extras import choose_extra_categories
from .personal import plan_personal, train_personal, trained_generators, untrained
from .pipeline import Pipeline
from .plans import StandIn
from .prompting import make_prompts, prompts_status
from .undoing import (
    clear,
    forget_baked,
    forget_data,
    forget_embeddings,
    forget_extra,
    forget_masks,
    forget_pool,
    forget_prompts,
    forget_report,
    forget_scores,
    forget_training,
)

if TYPE_CHECKING:
    from divergen_paste import InstancePool

__all__ = ["STEPS", "RunStep"]


@dataclass(frozen=True)
class RunStep:
    """One step of a run.

    Attributes:
        name: As on the command line and in the state of a run.
        what: What it makes, for people.
        do: Does the work, or what is left of it.
        undo: Forgets its results, so that it is done again; None where that would throw pictures away.
        settings: Keys of the configuration that decide its result. A run refuses to go on where they changed.
        cheap: Is undone by itself where they changed.
        sharded: Several processes may share the work.
        before: What one process does first, where others then share the work.
    """

    name: str
    what: str
    do: Callable[[Pipeline], None]
    undo: Callable[[Pipeline], None] | None
    settings: tuple[str, ...] = ()
    cheap: bool = False
    sharded: bool = False
    before: Callable[[Pipeline], None] | None = None


def _data(pipeline: Pipeline) -> None:
    with pipeline.shared():
        splits = pipeline.splits
    select_categories(splits.train, pipeline.config.categories)
    if not (pipeline.run.previews / "real.jpg").exists():
        from .previews import real_preview

        real_preview(pipeline.run, splits.train)


def _extra(pipeline: Pipeline) -> None:
    with pipeline.shared():
        choose_extra_categories(pipeline.run, pipeline.splits.train)
    _ = pipeline.categories


def _prompts(pipeline: Pipeline) -> None:
    with pipeline.shared():
        if not pipeline.run.prompts.exists():
            make_prompts(pipeline.run, pipeline.categories)
    for source in prompts_status(pipeline.run):
        pipeline.losses.extend((name, f"{source.source}: {why}") for name, why in source.shortfalls.items())


def _plan_personal(pipeline: Pipeline) -> None:
    if trained_generators(pipeline.run):
        generators = [StandIn(config.name) for config in pipeline.config.generators]
        plan = pipeline.plan_with(generators)  # the real ones are built when the weights are there
        plan_personal(pipeline.run, pipeline.splits.train, pipeline.categories, plan, pipeline.losses)


def _personal(pipeline: Pipeline) -> None:
    with pipeline.shared():
        _plan_personal(pipeline)
    if trained_generators(pipeline.run):
        train_personal(pipeline.run, pipeline.splits.train, progress=not pipeline.quiet)


def _gen(pipeline: Pipeline) -> None:
    from divergen_gen import generate
    from divergen_gen.protocol import PaidGenerator

    from .previews import generated_preview, stored_preview

    plan, run = pipeline.plan, pipeline.run
    _note_plan(pipeline)
    preview = run.previews / "generated.jpg"
    paid = [generator for generator in pipeline.generators if isinstance(generator, PaidGenerator)]
    with pipeline.shared():
        if len(plan) and not preview.exists():
            generated_preview(run, plan, [generator for generator in pipeline.generators if generator not in paid])
    for report in generate(run.table, plan, pipeline.generators, shard=pipeline.shard, progress=not pipeline.quiet):
        run.note_rate(report)
    for generator in paid:
        echo(f"      {generator.name}: {generator.note() or 'no cost known'}", err=True)
    with pipeline.shared():
        if len(plan) and not preview.exists():
            stored_preview(run)


def _note_plan(pipeline: Pipeline) -> None:
    plan = pipeline.plan
    pipeline.losses.extend(untrained(pipeline.run))
    frequencies = {frequency or "?": count for frequency, count in plan.per_frequency().items()}
    note = {"frequencies": frequencies, "generators": plan.per_generator()}
    write_text(pipeline.run.folder / "plan.json", json.dumps(note, indent=1), overwrite=True)


def _annotate(pipeline: Pipeline) -> None:
    from divergen_annotate import AnnotateStage
    from divergen_annotate.objects import append_objects

    pipeline.fill(AnnotateStage(pipeline.annotator, repair=pipeline.config.repair.build()))
    append_objects(pipeline.run.table, shard=pipeline.shard, progress=not pipeline.quiet)


def _embed(pipeline: Pipeline) -> None:
    from divergen_filter import EmbedStage, reference_embeddings

    if not len(pipeline.plan):
        return
    with pipeline.shared():
        if not pipeline.run.references.exists():
            crops = pipeline.config.real_crops.model_dump(exclude={"whole"})
            unfinished = pipeline.run.references.with_suffix(".parts")
            found = reference_embeddings(pipeline.splits.train, pipeline.embedder, resume=unfinished, **crops)
            found.save(pipeline.run.references)
    pipeline.fill(EmbedStage(pipeline.embedder, **pipeline.config.crops.model_dump()), batch_size=64)


def _score(pipeline: Pipeline) -> None:
    from divergen_filter import ScoreStage

    if not len(pipeline.plan):
        return
    pipeline.fill(ScoreStage(pipeline.references), batch_size=4096)
    with pipeline.shared():
        pipeline.run.note_scores(pipeline.score_configs)
    for score in pipeline.scores:
        pipeline.fill(score)
        unanswered: dict[str, str] = getattr(score, "unanswered", {})  # a judge's
        if unanswered:
            told = f"no answer about {len(unanswered)} rows, for example {': '.join(next(iter(unanswered.items())))}"
            echo(f"      {score.name}: {told}; --redo score asks about those again", err=True)


def _decide(pipeline: Pipeline) -> None:
    from divergen_filter import decide_table

    table = pipeline.run.table
    if len(pipeline.plan):
        _further_scores(pipeline)
        _note_unanswered(pipeline)
    if table.count("kept IS NULL AND error IS NULL"):
        report = decide_table(table, pipeline.config.rules, pipeline.references)
        for line in (f"kept {report.kept:,} of {report.kept + report.rejected:,}", *report.lines()):
            echo(f"      {line}", err=True)
        if report.reviewed:
            echo(f"      people decided about {report.reviewed:,}, against the rules in {report.overruled:,}", err=True)


def _note_unanswered(pipeline: Pipeline) -> None:
    """Rows that a judge was asked about and gave no answer to are losses of the run."""
    from divergen_filter.vlm import VlmStage

    for score in pipeline.scores:
        if isinstance(score, VlmStage):
            found = score.without_answer(pipeline.run.table)
            pipeline.losses.extend((name, f"{score.name}: {reason}") for name, reason in found.items())


def _further_scores(pipeline: Pipeline) -> None:
    """What the rules look at that takes all rows, the real crops or texts."""
    from divergen_filter.decision import rule_columns
    from divergen_filter.scoring import TABLE_SCORES, further_scores

    prior = getattr(getattr(pipeline.config.train, "bsgal", None), "prior", None)
    named = [*rule_columns(pipeline.config.rules), *([prior] if prior else [])]
    wanted = [name for name in dict.fromkeys(named) if name in TABLE_SCORES]
    if wanted:
        embedder = pipeline.embedder if "clip_score" in wanted else None
        for line in further_scores(pipeline.run.table, wanted, pipeline.references, embedder):
            echo(line, err=True)


def _pool(pipeline: Pipeline) -> None:
    from divergen_paste import InstancePool, pool_from_dataset, pool_from_table

    run, pastes = pipeline.run, pipeline.config.pastes
    if (pastes != "generated" or pipeline.has_control) and not run.real_pool.exists():
        pool_from_dataset(pipeline.splits.train, run.real_pool, workers=None, losses=pipeline.losses)
    where = "kept" if pipeline.config.where is None else f"kept AND ({pipeline.config.where})"
    if pastes == "real" or (run.pool.exists() and InstancePool.open(run.pool).is_current(run.table, where)):
        return
    shutil.rmtree(run.pool, ignore_errors=True)
    pool_from_table(run.table, run.pool, where=where, workers=None, losses=pipeline.losses)


def _bake(pipeline: Pipeline) -> None:
    run, pools = pipeline.run, pipeline.pools
    for folder, pasted in ((run.baked, pools), (run.baked_control, pipeline.control_pools)):
        if pasted and pipeline.bake is not None and not (folder / "annotations.json").exists():
            _bake_one(pipeline, pipeline.bake, pasted, folder)
    if pools and not (run.previews / "pasted.jpg").exists():
        from .previews import pasted_preview

        pasted_preview(run, pipeline.canvas, pipeline.paster)


def _bake_one(pipeline: Pipeline, config: BakeConfig, pools: Sequence[InstancePool], folder: Path) -> None:
    from divergen_paste import bake

    bake(
        pipeline.canvas,
        pipeline.paster_of(pools),
        folder,
        copies=config.copies,
        formats=config.formats,
        val=pipeline.splits.val if config.formats else None,
        workers=None,
        losses=pipeline.losses,
    )


def _report(pipeline: Pipeline) -> None:
    from .report import write_report

    write_report(pipeline.run)


def _train(pipeline: Pipeline) -> None:
    from .training import train_all

    train_all(pipeline)


STEPS = (
    RunStep("data", "the real data", _data, forget_data, ("data", "seed")),
    RunStep("extra", "categories beside the data set's", _extra, forget_extra, ("data", "extra_categories")),
    RunStep(
        "prompts",
        "prompts for each category",
        _prompts,
        forget_prompts,
        ("prompts", "categories", "extra_categories", "seed"),
    ),
    RunStep(
        "personal",
        "weights of single categories, learned from real objects",
        _personal,
        None,
        ("data", "seed"),
        sharded=True,
        before=_plan_personal,
    ),
    RunStep("gen", "a picture for each planned prompt", _gen, None, sharded=True, before=_note_plan),
    RunStep(
        "annotate",
        "a mask for each picture",
        _annotate,
        forget_masks,
        ("annotator", "repair"),
        sharded=True,
    ),
    RunStep(
        "embed",
        "embeddings, real and generated",
        _embed,
        forget_embeddings,
        ("embedder", "data", "crops", "real_crops"),
        sharded=True,
    ),
    RunStep(
        "score",
        "similarity to the real crops",
        _score,
        forget_scores,
        ("embedder", "data", "crops", "real_crops"),
        sharded=True,
    ),
    RunStep("decide", "what is kept", _decide, clear("divergen_filter", "DecideStage"), ("rules",), cheap=True),
    RunStep("pool", "instances, ready to paste", _pool, forget_pool, ("pastes", "where"), cheap=True),
    RunStep(
        "bake", "generated instances in real photos", _bake, forget_baked, ("pastes", "where", "paste", "bake", "seed")
    ),
    RunStep(
        "train",
        "a detector without, and one with them",
        _train,
        forget_training,
        ("train", "pastes", "where", "paste", "bake", "from_baseline", "seed"),
    ),
    RunStep("report", "one page to look at", _report, forget_report, cheap=True),
)
"""Every step, in order."""

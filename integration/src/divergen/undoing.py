"""How the results of a run's steps are forgotten, so that they are done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib import import_module

from .pipeline import Pipeline

__all__ = [
    "clear",
    "forget_baked",
    "forget_data",
    "forget_embeddings",
    "forget_extra",
    "forget_masks",
    "forget_pool",
    "forget_prompts",
    "forget_report",
    "forget_scores",
    "forget_training",
]


def forget_data(pipeline: Pipeline) -> None:
    """Undo the data that the run made; the user's own stays."""
    shutil.rmtree(pipeline.run.data, ignore_errors=True)


def forget_extra(pipeline: Pipeline) -> None:
    """Undo the choice of extra categories."""
    for path in (pipeline.run.extra_categories, pipeline.run.extra_reasons):
        path.unlink(missing_ok=True)


def forget_prompts(pipeline: Pipeline) -> None:
    """Undo the file of all prompts; the sources' own files stay: some were paid for."""
    pipeline.run.prompts.unlink(missing_ok=True)


def clear(package: str, stage: str) -> Callable[[Pipeline], None]:
    """Undo a stage: its columns become NULL again, for failed rows too."""

    def undo(pipeline: Pipeline) -> None:
        if pipeline.run.has_table():
            found = getattr(import_module(package), stage)
            pipeline.run.table.retry_errors(found.name)
            pipeline.run.table.clear(found.writes)

    return undo


def forget_masks(pipeline: Pipeline) -> None:
    """Undo the masks; the rows that further objects of a picture got go with them."""
    from divergen_annotate.objects import remove_objects

    if pipeline.run.has_table():
        remove_objects(pipeline.run.table)
    clear("divergen_annotate", "AnnotateStage")(pipeline)


def forget_embeddings(pipeline: Pipeline) -> None:
    """Undo the embeddings of generated instances and of the real ones that they are compared with."""
    pipeline.run.references.unlink(missing_ok=True)
    shutil.rmtree(pipeline.run.references.with_suffix(".parts"), ignore_errors=True)
    clear("divergen_filter", "EmbedStage")(pipeline)


def forget_scores(pipeline: Pipeline) -> None:
    """Undo the scores, also those that only the rules asked for, and those of other packages."""
    from divergen_filter.columns import SimilarityColumns
    from divergen_filter.scoring import OPTIONAL_SCORES

    clear("divergen_filter", "ScoreStage")(pipeline)
    if pipeline.run.has_table():
        own = [name for name in SimilarityColumns.model_fields if name not in ("embedder", "embedding")]
        pipeline.run.table.clear(dict.fromkeys([*own, *OPTIONAL_SCORES, *pipeline.run.forget_scores()]))


def forget_pool(pipeline: Pipeline) -> None:
    """Undo the pools."""
    for pool in (pipeline.run.pool, pipeline.run.real_pool):
        shutil.rmtree(pool, ignore_errors=True)


def forget_baked(pipeline: Pipeline) -> None:
    """Undo the pasted training images."""
    for folder in (pipeline.run.baked, pipeline.run.baked_control):
        shutil.rmtree(folder, ignore_errors=True)
    (pipeline.run.previews / "pasted.jpg").unlink(missing_ok=True)


def forget_report(pipeline: Pipeline) -> None:
    """Undo the report."""
    pipeline.run.report.unlink(missing_ok=True)


def forget_training(pipeline: Pipeline) -> None:
    """Undo the trainings, and what they learned of the instances."""
    from .feedback import forget_feedback

    if pipeline.run.has_table():
        forget_feedback(pipeline.run.table)
    shutil.rmtree(pipeline.run.folder / "train", ignore_errors=True)

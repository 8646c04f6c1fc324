"""Scores of a training on resampled validation images, computed once and kept beside its metrics."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from divergen_records import DatasetError
from divergen_records.array_files import NO_ARRAYS
from divergen_records.files import write_bytes
from numpy.typing import NDArray

from ..data import load_splits
from ..run import Run

__all__ = ["ImageScores", "image_scores", "keep_image_scores"]

ImageScores = Mapping[str, NDArray[np.float32]]
"""By kind and metric, for example ``"mask APr"``: (resamples,) float32, 0 to 1."""

_RESAMPLES = 1000


def keep_image_scores(run: Run, trainings: tuple[str, ...] = ("real", "control", "generated")) -> None:
    """Resample the validation images for every training of a run that is done and has no such scores yet."""
    from divergen_evaluate import read_results, resampled_scores

    for name in trainings:
        folder = run.training(name)
        if (folder / "metrics.json").exists() and not (folder / "resamples.npz").exists():
            results = read_results(folder / "results.json")
            found = resampled_scores(results, load_splits(run, told=True).val, resamples=_RESAMPLES)
            data = io.BytesIO()
            np.savez(data, **found)  # type: ignore[arg-type]
            write_bytes(folder / "resamples.npz", data.getvalue())


def image_scores(folder: Path) -> ImageScores | None:
    """What `keep_image_scores` kept in a training's folder, None where it has not."""
    path = folder / "resamples.npz"
    if not path.exists():
        return None
    try:
        with np.load(path) as found:
            return dict(found)
    except NO_ARRAYS as error:
        raise DatasetError(f"{path}: damaged ({error}); remove it, and it is computed again") from error

"""How large the objects of each category are in a dataset: mean and standard deviation of sqrt(area fraction)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import DatasetError
from divergen_records.files import parse_json, read_text, write_text

if TYPE_CHECKING:
    from divergen_records.coco import Annotation, Dataset

__all__ = ["Statistics", "area_statistics", "checked_statistics", "read_statistics", "write_statistics"]

SAMPLE = 1000
"""Objects of a category that are measured at most: a mean of so many is known to 3 % of the deviation."""

Statistics = Mapping[int, tuple[float, float]]
"""Category id -> mean and standard deviation of sqrt(mask area / picture area), both in 0..1."""


def area_statistics(dataset: Dataset, *, cache: str | Path | None = None) -> dict[int, tuple[float, float]]:
    """Object sizes of a training set, per category (X-Paste, section 3.4: what pasted instances are scaled to).

    Args:
        dataset: The training set. What counts is each object's mask, whatever area the file declares; crowds, and
            objects without a mask, are left out. Of a category at most 1,000 objects are measured, spread evenly
            over the file.
        cache: JSON file that keeps the result: read if it is there, else written.

    Returns:
        Category id -> (mean, standard deviation) of sqrt(area / picture area), categories without objects left out.

    Raises:
        DatasetError: If the cache is malformed.
        MaskError: If a mask does not fit its picture.
    """
    if cache is not None and Path(cache).exists():
        return read_statistics(cache)
    objects: dict[int, list[Annotation]] = {}
    for annotation in dataset.annotations:
        if annotation.has_mask and not annotation.iscrowd:
            objects.setdefault(annotation.category_id, []).append(annotation)
    scales = {key: _scales(dataset, found[:: -(-len(found) // SAMPLE)]) for key, found in sorted(objects.items())}
    result = {key: (float(np.mean(values)), float(np.std(values))) for key, values in scales.items() if values}
    if cache is not None:
        write_statistics(cache, result)
    return result


def _scales(dataset: Dataset, annotations: Sequence[Annotation]) -> list[float]:
    """sqrt(area fraction) of each object that covers a pixel."""
    scales = []
    for annotation in annotations:
        image = dataset.image(annotation.image_id)
        if area := dataset.measure(annotation)[1]:
            scales.append(math.sqrt(area / (image.height * image.width)))
    return scales


def read_statistics(path: str | Path) -> dict[int, tuple[float, float]]:
    """Read statistics of the published form, ``{"category id": [mean, standard deviation, …]}``.

    Raises:
        DatasetError: If the file is missing or malformed; the message names the key.
    """
    path = Path(path)
    try:
        entries = parse_json(read_text(path), f"{path}: not a file of area statistics")
    except OSError as error:
        raise DatasetError(f"{path}: not a file of area statistics: {error}") from error
    if not isinstance(entries, dict):
        raise DatasetError(
            f"{path}: expected {{category id: [mean, standard deviation]}}, found a {type(entries).__name__}"
        )
    return checked_statistics(entries, str(path))


def checked_statistics(entries: Mapping[Any, Any], where: str = "statistics") -> dict[int, tuple[float, float]]:
    """Statistics as they are given: ids may be text, as in JSON, and more numbers may follow the two.

    Raises:
        DatasetError: If an entry is malformed; the message names its key.
    """
    result = {}
    for key, value in entries.items():
        try:
            mean, deviation = float(value[0]), float(value[1])
            valid = 0 < mean <= 1 and 0 <= deviation <= 1
            result[int(key)] = mean, deviation
        except (ValueError, TypeError, IndexError, KeyError):
            valid = False
        if not valid:
            raise DatasetError(
                f"{where}: key {key!r}: expected {{category id: [mean, standard deviation]}}, the two in 0..1, "
                f"found {value!r}"
            )
    return result


def write_statistics(path: str | Path, statistics: Statistics, *, overwrite: bool = False) -> None:
    """Write statistics in the published form; raises `ExistsError` if the file is there and not to be replaced."""
    text = json.dumps({str(key): list(value) for key, value in statistics.items()}, indent=0)
    write_text(path, text, overwrite=overwrite)

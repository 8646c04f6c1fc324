"""COCO and LVIS data sets: read, load, write.

>>> from divergen_records.coco import load_sample, read_dataset
>>> dataset = read_dataset("annotations.json", image_dir="images")  # doctest: +SKIP
>>> sample = load_sample(dataset, dataset.images[0])  # doctest: +SKIP
"""

from .dataset import Annotation, Dataset, ImageInfo, frequency_of
from .formats.coco.read import read_dataset
from .formats.coco.write import DatasetWriter, write_coco, write_dataset, write_lvis
from .loading import check_samples, load_sample

__all__ = [
    "Annotation",
    "Dataset",
    "DatasetWriter",
    "ImageInfo",
    "check_samples",
    "frequency_of",
    "load_sample",
    "read_dataset",
    "write_coco",
    "write_dataset",
    "write_lvis",
]

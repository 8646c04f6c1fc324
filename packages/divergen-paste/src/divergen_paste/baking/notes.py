"""Notes of finished pictures: their rows in the annotations, kept until all are done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from divergen_records.coco import Annotation, ImageInfo
from divergen_records.sample import Instance, Sample

from ..functional import instance_annotation

__all__ = ["Note", "NotedObject", "copied_image", "copied_objects", "noted_annotation", "original_object"]


class NotedObject(msgspec.Struct):
    """An annotation in a note; the id is None for what has none yet."""

    id: int | None
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: bool
    segmentation: msgspec.Raw
    extra: dict[str, Any]


class Note(msgspec.Struct):
    """A finished picture, as it will be in the annotations."""

    image: ImageInfo
    objects: list[NotedObject]


def original_object(annotation: Annotation) -> NotedObject:
    """An object as the file has it."""
    return NotedObject(
        annotation.id,
        annotation.category_id,
        annotation.bbox,
        annotation.area,
        bool(annotation.iscrowd),
        msgspec.Raw(msgspec.json.encode(annotation.stored_segmentation)),
        dict(annotation.extra or {}),
    )


def copied_objects(before: Sample, after: Sample, originals: Mapping[int, NotedObject]) -> list[NotedObject]:
    """The objects of a copy; those that nothing covered are as they were.

    Args:
        before: The image as it was.
        after: The image with pasted instances.
        originals: Annotation id -> object of the file.
    """
    untouched = {id(instance) for instance in before.instances}
    objects = []
    for instance in after.instances:
        old = None if instance.annotation_id is None else originals[instance.annotation_id]
        if old is not None and id(instance) in untouched:
            objects.append(msgspec.structs.replace(old, id=None))
        else:
            objects.append(_changed(instance, before.image.shape[:2], {} if old is None else old.extra))
    return objects


def _changed(instance: Instance, size: tuple[int, ...], extra: dict[str, Any]) -> NotedObject:
    """What was pasted, or partly covered; what the file says besides of a covered object stays."""
    row = instance_annotation(instance, size)
    segmentation = msgspec.Raw(msgspec.json.encode(row["segmentation"]))
    source = {} if instance.source is None else {"source": instance.source}
    x, y, width, height = row["bbox"]
    return NotedObject(
        None, instance.category_id, (x, y, width, height), row["area"], instance.iscrowd, segmentation, extra | source
    )


def copied_image(info: ImageInfo, image_id: int, file_name: str, before: Sample, after: Sample) -> ImageInfo:
    """A copy's row, its lists of categories as they are after the paste."""
    pasted = _shown(instance for instance in after.instances if instance.source is not None)
    unseen = pasted - _shown(before.instances) - set(info.neg_category_ids)
    return msgspec.structs.replace(
        info,
        id=image_id,
        file_name=file_name,
        neg_category_ids=tuple(sorted(set(info.neg_category_ids) - pasted)),
        not_exhaustive_category_ids=tuple(sorted(set(info.not_exhaustive_category_ids) | unseen)),
        extra={**(info.extra or {}), "original_id": info.id},
    )


def _shown(instances: Iterable[Instance]) -> set[int]:
    return {instance.category_id for instance in instances}


def noted_annotation(item: NotedObject, image_id: int) -> Annotation:
    """A noted object, which has its id by now, as the file will have it."""
    assert item.id is not None
    # COCO's readers ask every object whether it is a crowd.
    extra = {**item.extra, "iscrowd": int(item.iscrowd)}
    return Annotation(item.id, image_id, item.category_id, item.bbox, item.area, item.segmentation, item.iscrowd, extra)

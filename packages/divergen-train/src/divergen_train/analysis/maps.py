"""Maps of embeddings: where do real and generated objects lie (DiverGen, section 3.1)?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from divergen_records import Config, Progress
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, DatasetError, require_extra
from numpy.typing import NDArray

__all__ = ["EmbeddingMap", "MapSet", "embed_objects", "embedding_map"]

Floats = NDArray[np.float32]

SIDE = 224
"""Of the crops that are embedded, pixels."""


class MapSet(Config):
    """One data set on the map.

    Attributes:
        name: The data set's.
        points: (x, y) of each object.
        spread: Root mean square distance of its embeddings from their mean, relative to the first set's: how diverse.
        distance: Of its mean from the first set's mean, in the same unit.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    spread: float
    distance: float


class EmbeddingMap(Config):
    """Several data sets on one map.

    Attributes:
        method: How it was drawn.
        explained: Share of the variance that the map shows; None for UMAP.
        sets: Of each data set; the first is what the others are compared with.
    """

    method: Literal["pca", "umap"]
    explained: float | None
    sets: tuple[MapSet, ...]

    def table(self) -> str:
        """A line for each data set."""
        width = max(len("data"), *(len(one.name) for one in self.sets))
        lines = [f"{'data':<{width}}  objects   spread  distance"]
        lines += [
            f"{one.name:<{width}}  {len(one.points):>7}  {one.spread:>7.2f}  {one.distance:>8.2f}" for one in self.sets
        ]
        return "\n".join(lines)


def embedding_map(
    embeddings: Mapping[str, Floats], *, method: Literal["pca", "umap"] = "pca", seed: int = 0
) -> EmbeddingMap:
    """A map of embeddings; each is brought to length 1 first.

    Args:
        embeddings: (N, D) of each data set by name, all of one embedder.
        method: ``"pca"``, which anyone can repeat, or ``"umap"`` (extra ``umap``), which shows clusters.
        seed: Of UMAP.

    Raises:
        ConfigError: If the widths differ.
        DatasetError: If there are fewer than three embeddings.
    """
    widths = {values.shape[1] for values in embeddings.values()}
    if len(widths) > 1:
        raise ConfigError(f"the embeddings have different widths, {sorted(widths)}: use one embedder for all")
    parts = [
        values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12) for values in embeddings.values()
    ]
    if sum(map(len, parts)) < 3 or not all(map(len, parts)):
        raise DatasetError("a map needs at least three embeddings, and one of each data set")
    everything = np.concatenate(parts).astype(np.float64)
    points, explained = _pca(everything) if method == "pca" else (_umap(everything, seed), None)
    centres = [part.mean(axis=0) for part in parts]
    spreads = [
        float(np.sqrt(((part - centre) ** 2).sum(axis=1).mean())) for part, centre in zip(parts, centres, strict=True)
    ]
    unit = spreads[0] or 1.0
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return EmbeddingMap(
        method=method,
        explained=explained,
        sets=tuple(
            MapSet(
                name=name,
                points=tuple((float(x), float(y)) for x, y in placed.round(4)),
                spread=spread / unit,
                distance=float(np.linalg.norm(centre - centres[0])) / unit,
            )
            for name, placed, spread, centre in zip(embeddings, np.split(points, ends), spreads, centres, strict=True)
        ),
    )


def _pca(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """(N, 2) along the two directions of largest variance, and the share of the variance in them."""
    centred = values - values.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    # A direction's sign is arbitrary: the largest part is made positive, so that a map looks the same everywhere.
    chosen = directions[:2] * np.sign(directions[:2][np.arange(2), np.abs(directions[:2]).argmax(axis=1)])[:, None]
    return centred @ chosen.T, float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-12))


def _umap(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    with require_extra("divergen-train", "umap"):
        from umap import UMAP
    neighbours = min(15, len(values) - 1)
    placed: NDArray[np.float64] = UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(values)
    return placed


def embed_objects(dataset: Dataset, *, limit: int | None = None, batch_size: int = 32, seed: int = 0) -> Floats:
    """ImageNet features, (N, 1280) float32, of the objects of a data set, black outside of the mask.

    Args:
        dataset: Objects; crowds, and those without a pixel, are left out.
        limit: Look at so many objects only, drawn by chance.
        batch_size: Crops at once.
        seed: Decides which.
    """
    import timm
    import torch

    from ..detectors.weights import load_efficientnet_lite0

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    load_efficientnet_lite0(network)
    network.train(False)
    objects = [annotation for annotation in dataset.annotations if not annotation.iscrowd]
    if limit is not None and len(objects) > limit:
        chosen = np.sort(np.random.default_rng(seed).choice(len(objects), limit, replace=False))
        objects = [objects[index] for index in chosen]
    wanted: dict[int, set[int]] = {}
    for annotation in objects:
        wanted.setdefault(annotation.image_id, set()).add(annotation.id)
    crops: list[NDArray[np.uint8]] = []
    found: list[Floats] = []
    with Progress("embed", len(objects), unit="objects") as bar, torch.inference_mode():
        for image_id, ids in wanted.items():
            crops += _crops(dataset, image_id, ids)
            bar.update(len(ids))
            while len(crops) >= batch_size:
                found.append(_embed(network, crops[:batch_size]))
                crops = crops[batch_size:]
        if crops:
            found.append(_embed(network, crops))
    if not found:
        raise DatasetError(f"{dataset.path}: has no object to embed")
    return np.concatenate(found)


def _crops(dataset: Dataset, image_id: int, ids: set[int]) -> list[NDArray[np.uint8]]:
    """(SIDE, SIDE, 3) uint8 of each object in a square around its box."""
    import cv2
    from divergen_records.coco import load_sample

    sample = load_sample(dataset, dataset.image(image_id), 0)
    crops = []
    for instance in sample.instances:
        if instance.annotation_id not in ids:
            continue
        cut = sample.image[instance.slices] * instance.mask[..., None]
        height, width = cut.shape[:2]
        side = max(height, width)
        square = np.zeros((side, side, 3), np.uint8)
        y, x = (side - height) // 2, (side - width) // 2
        square[y : y + height, x : x + width] = cut
        crops.append(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC))
    return crops


def _embed(network: object, crops: list[NDArray[np.uint8]]) -> Floats:
    import torch

    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    # The weights' own normalisation, (0.5, 0.5).
    features: Floats = network((pixels - 0.5) / 0.5).numpy()  # type: ignore[operator]
    return features

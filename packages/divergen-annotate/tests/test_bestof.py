from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from divergen_annotate import Annotator, BestOf, ColourKey, GrabCut, Prediction, TrueAlpha
from divergen_annotate.config import AnnotatorConfig, BestOfConfig, build_annotator
from divergen_annotate.scorers import ClipScorer, OutlineScorer, Scorer, cut_out
from divergen_annotate.testing import plain_picture
from divergen_records import ConfigError, MaskError, RowError
from models import save_clip
from pydantic import TypeAdapter


class Square:
    """Masks of a square, ``size`` pixels; nothing or an error where told so."""

    def __init__(self, name, size, refuse=()):
        self.name, self.size, self.refuse, self.texts = name, size, refuse, None

    def __call__(self, images):
        return [
            RowError("out of memory") if n in self.refuse else self._square(image) for n, image in enumerate(images)
        ]

    def _square(self, image):
        mask = np.zeros(image.shape[:2], dtype=bool)
        mask[4 : 4 + self.size, 4 : 4 + self.size] = True
        return Prediction(mask, 0.5, f"size={self.size}")


class Area:
    """Prefers the area closest to ``best`` pixels."""

    name = "area"

    def __init__(self, best):
        self.best = best

    def __call__(self, images, masks, texts=None):
        return [1 / (1 + abs(int(mask.sum()) - self.best)) for mask in masks]


@pytest.fixture
def images():
    return [np.zeros((40, 40, 3), dtype=np.uint8)] * 3


def test_best_of__keeps_the_preferred_and_records_the_others(images):
    annotator = BestOf([Square("a", 5), Square("b", 20), Square("c", 10)], Area(100), repair=False)
    prediction = annotator(images)[0]
    assert prediction.mask.sum() == 100 and prediction.score == 1
    assert prediction.note == "[area: c 1.000, a 0.013, b 0.003] size=10"


def test_best_of__an_annotator_that_fails_or_finds_nothing_is_out(images):
    parts = [Square("a", 10, refuse=[0, 1]), Square("b", 0, refuse=[2]), Square("c", 20, refuse=[1])]
    results = BestOf(parts, Area(100), repair=False)(images)
    assert results[0].mask.sum() == 400 and results[2].mask.sum() == 100
    assert isinstance(results[1], MaskError) and "none of a, b, c" in str(results[1])


def test_best_of__needs_two_that_look_at_the_picture():
    with pytest.raises(ConfigError, match="at least two"):
        BestOf([GrabCut()])
    with pytest.raises(ConfigError, match="true-alpha reads another column"):
        BestOf([GrabCut(), TrueAlpha()])


def test_best_of__from_data():
    config = TypeAdapter(AnnotatorConfig).validate_python(
        {"kind": "best-of", "annotators": ["grabcut", {"kind": "colour-key", "threshold": 20}], "scorer": "outline"}
    )
    annotator = config.build()
    assert isinstance(annotator, Annotator) and [part.name for part in annotator.annotators] == [
        "grabcut",
        "colour-key",
    ]
    assert annotator.annotators[1].threshold == 20 and isinstance(annotator.scorer, OutlineScorer)
    assert build_annotator("best-of", ["annotators=grabcut,colour-key"]).name == "best-of"
    assert BestOfConfig.model_validate(config.model_dump()) == config


def test_outline_scorer__prefers_the_truth():
    scorer = OutlineScorer()
    assert isinstance(scorer, Scorer)
    for seed in range(4):
        image, truth = plain_picture(seed)
        moved = np.roll(truth, 12, axis=1)
        half = truth & (np.arange(256) < 128)
        large = np.roll(truth, 9, axis=0) | np.roll(truth, -9, axis=0) | truth
        right, *wrong = scorer([image] * 4, [truth, moved, half, large])
        assert right > 0.9 and right > max(wrong) + 0.1


def test_best_of__outline_scorer_picks_grabcut_under_a_strong_shadow():
    image, _ = plain_picture(1, shadow=0.6)
    assert "[outline: grabcut" in BestOf([ColourKey(), GrabCut()])([image])[0].note


def test_cut_out__is_black_outside_and_close_to_the_box():
    image = np.full((40, 60, 3), 200, dtype=np.uint8)
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:20, 20:40] = True
    made = cut_out(image, mask, margin=0.1)
    assert made.shape == (10 + 6, 20 + 6, 3)
    assert made.sum() == 10 * 20 * 3 * 200


def test_clip_scorer__equals_the_model_one_by_one(tmp_path, mixed):
    save_clip(tmp_path)
    scorer = ClipScorer(str(tmp_path), device="cpu", batch_size=2)
    assert scorer.takes_texts and BestOf([GrabCut(), ColourKey()], scorer).takes_texts
    masks = [np.indices(image.shape[:2]).sum(axis=0) < 60 for image in mixed]
    texts = ["cup", "red cup", "dog", "apple", "shoe"]
    processor = transformers.AutoProcessor.from_pretrained(tmp_path)
    model = transformers.CLIPModel.from_pretrained(tmp_path)
    for score, image, mask, text in zip(scorer(mixed, masks, texts), mixed, masks, texts, strict=True):
        inputs = processor(
            text=[f"a photo of a {text}"], images=[cut_out(image, mask)], padding="max_length", return_tensors="pt"
        )
        with torch.no_grad():
            expected = float(model(**inputs).logits_per_image[0, 0] / model.logit_scale.exp())
        assert score == pytest.approx(max(0, expected), abs=1e-5)

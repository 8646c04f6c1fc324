from __future__ import annotations

import numpy as np
import pytest
import torch
from divergen_annotate import Annotator, Predictor, SamBackground, load_predictor
from divergen_annotate.config import SamBackgroundConfig, build_annotator
from divergen_annotate.predictor import Decoded, Encoded, Frame, Prepared
from divergen_annotate.sam import score_candidates
from divergen_annotate.testing import plain_picture
from divergen_records import ConfigError, MaskError, RowError
from PIL import Image
from pydantic import ValidationError


class Candidates:
    """A predictor whose candidates are given; it runs out of memory above ``room`` pictures or pixels."""

    name = "fake"

    def __init__(self, logits, iou, *, room=99, widest=10**9):
        self.logits, self.iou, self.room, self.widest, self.batches = logits, iou, room, widest, []

    def prepare(self, image):
        return Prepared(torch.from_numpy(image.transpose(2, 0, 1).copy()), Frame(*image.shape[:2], *image.shape[:2]))

    def encode(self, batch):
        self.batches.append(len(batch))
        if len(batch) > self.room or any(picture.frame.width > self.widest for picture in batch):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Encoded(len(batch), tuple(picture.frame for picture in batch))

    def decode(self, encoded, points):
        assert points.shape == (encoded.features, 4, 2)
        count = encoded.features
        return Decoded(self.logits.expand(count, -1, -1, -1), self.iou.expand(count, -1), encoded.frames)

    def upscale(self, logits, frame):
        size = (frame.height, frame.width)
        return torch.nn.functional.interpolate(logits[None], size, mode="nearest")[0]


@pytest.fixture
def candidates():
    """Of 8 x 8: all but an object, sure; the same, unsure; everything; a half."""
    logits = torch.full((4, 8, 8), 5.0)
    logits[0, 2:6, 2:6] = logits[1, 3:5, 3:5] = -5.0
    logits[1, 2:6, 2:6] = torch.where(logits[1, 2:6, 2:6] > 0, 0.5, -5.0)
    logits[3, :, 4:] = -5.0
    return logits[[1, 0, 3]], torch.tensor([0.95, 0.9, 0.99])


def test_score_candidates__by_hand(candidates):
    decoded = Decoded(candidates[0][None], candidates[1][None], (Frame(80, 80, 8, 8),))
    scores = score_candidates(decoded, 0)
    assert scores.iou == pytest.approx((0.95, 0.9, 0.99))
    assert scores.stability == pytest.approx((48 / 60, 1, 1))
    assert scores.border == pytest.approx((1, 1, 14 / 28))
    assert scores.combined(2) == pytest.approx(0.99 / 2)
    assert [scores.pick(choice) for choice in ("published", "iou", "score")] == [2, 2, 1]


def test_score_candidates__a_background_without_an_object_scores_nothing():
    decoded = Decoded(torch.full((1, 2, 8, 8), 3.0), torch.ones(1, 2), (Frame(8, 8, 8, 8),))
    assert score_candidates(decoded, 0).border == (0, 0)


def test_score_candidates__the_padding_does_not_count(candidates):
    logits = torch.full((1, 1, 8, 8), -5.0)
    logits[:, :, :4] = 5.0
    logits[:, :, 1:3, 3:5] = -5.0
    scores = score_candidates(Decoded(logits, torch.ones(1, 1), (Frame(40, 80, 64, 128),)), 0)
    assert scores.border == (1,)


def test_score_candidates__unordered_candidates_are_told_by_their_area(candidates):
    decoded = Decoded(candidates[0][None], candidates[1][None], (Frame(80, 80, 8, 8),), by_scope=False)
    assert score_candidates(decoded, 0).widest == 0


@pytest.mark.parametrize(("choice", "area"), [("published", 0.5), ("score", 0.25)])
def test_sam_background__choice_is_recorded(candidates, choice, area):
    predictor = Candidates(*candidates)
    assert isinstance(predictor, Predictor) and isinstance(SamBackground(predictor), Annotator)
    prediction = SamBackground(predictor, choice=choice)([np.zeros((80, 80, 3), np.uint8)])[0]
    assert prediction.mask.mean() == area
    taken = {"published": "mask=2 iou=0.990 stability=1.000 border=0.500", "score": "mask=1 iou=0.900"}[choice]
    assert prediction.note.startswith(taken)
    assert prediction.score == pytest.approx({"published": 0.495, "score": 0.9}[choice])


def test_sam_background__out_of_memory_does_not_end_the_run(candidates):
    predictor = Candidates(*candidates, room=3, widest=100)
    pictures = [np.zeros((20, 120 if number == 4 else 30, 3), np.uint8) for number in range(9)]
    results = SamBackground(predictor, batch_size=8)(pictures)
    assert [isinstance(result, RowError) for result in results] == [number == 4 for number in range(9)]
    assert predictor.batches[:3] == [8, 4, 2]


def test_sam_background__refuses_a_busy_picture_if_it_is_told_to(candidates):
    predictor = Candidates(*candidates)
    busy = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    images = [busy, plain_picture(1, height=64, width=64)[0], busy]
    assert not any(isinstance(one, MaskError) for one in SamBackground(predictor)(images))
    first, second, third = SamBackground(predictor, plain=0.5)(images)
    assert "no plain background" in str(first) and isinstance(third, MaskError)
    assert np.array_equal(second.mask, SamBackground(predictor)(images[1:2])[0].mask)


def test_sam_background__pictures_in_any_form(original, tmp_path, mixed):
    annotator = SamBackground(load_predictor(original[0]))
    Image.fromarray(mixed[0]).save(tmp_path / "a.png")
    palette = Image.fromarray(mixed[0]).quantize(8)
    forms = [mixed[0], Image.fromarray(mixed[0]), tmp_path / "a.png", str(tmp_path / "a.png"), palette]
    masks = [np.asarray(mask) for mask in annotator(forms)]
    assert all(np.array_equal(mask, masks[0]) for mask in masks[:4])
    assert masks[4].shape == masks[0].shape and masks[0].dtype == bool


def test_sam_background__does_not_depend_on_the_batch(original, mixed):
    together = SamBackground(load_predictor(original[0]), batch_size=5)(mixed)
    alone = [SamBackground(load_predictor(original[0]), batch_size=1)([image])[0] for image in mixed]
    for one, other in zip(together, alone, strict=True):
        assert np.mean(one.mask != other.mask) < 1e-3


@pytest.mark.parametrize("layout", ["corners", "margin", "ring", "grid"])
def test_sam_background__pictures_of_one_pixel_and_of_one_line(original, thin, layout):
    annotator = SamBackground(load_predictor(original[0]), points=layout)
    assert [result.mask.shape for result in annotator(thin)] == [image.shape[:2] for image in thin]


def test_config__builds_from_a_command_line(original):
    annotator = build_annotator(
        "sam-background", [f"checkpoint={original[0]}", "points=ring", "choice=score", "count=8"]
    )
    assert (annotator.points, annotator.choice, annotator.count) == ("ring", "score", 8)
    assert annotator.predictor.name == "vit_32x2"


def test_config__no_checkpoint_says_which_file_and_where():
    with pytest.raises(ConfigError, match=r"sam_vit_h_4b8939\.pth.*github\.com/facebookresearch"):
        build_annotator("sam-background")
    with pytest.raises(ValidationError, match="needs a checkpoint"):
        SamBackgroundConfig()

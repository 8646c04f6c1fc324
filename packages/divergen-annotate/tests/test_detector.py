from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from divergen_annotate.detector import TextDetector, drop_double_boxes
from divergen_annotate.testing import plain_picture
from divergen_records import WeightsError
from models import save_grounding_dino, save_owlv2, save_sam3


@pytest.fixture(scope="module", params=[save_grounding_dino, save_owlv2])
def folder(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("detector"))


def reference(folder, image, text):
    """Scores and boxes of one text alone, by the model's own processor."""
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    inputs = processor(images=image, text=[[text]], return_tensors="pt", input_data_format="channels_last")
    with torch.no_grad():
        outputs = model(**inputs)
    found = processor.post_process_grounded_object_detection(outputs, threshold=0.0, target_sizes=[image.shape[:2]])[0]
    boxes = found["boxes"].numpy().clip(0, [image.shape[1], image.shape[0]] * 2)
    large = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)  # the others show no object
    return boxes[large], found["scores"].numpy()[large]


def test_detector__equals_the_processor_text_by_text(folder):
    image = plain_picture(1, height=96, width=128)[0]
    texts = ["cup", "red dog", "a"]
    detector = TextDetector(str(folder), threshold=0.0, device="cpu")
    for (boxes, scores), text in zip(detector(image, texts), texts, strict=True):
        expected, their_scores = reference(folder, image, text)
        assert len(scores) and scores[0] == pytest.approx(float(their_scores.max()), abs=1e-4)
        assert (np.diff(scores) <= 0).all()
        assert boxes[0] == pytest.approx(expected[their_scores.argmax()], abs=0.05)


def test_detector__a_dot_and_a_long_name_are_one_text(folder):
    image = plain_picture(1, height=96, width=128)[0]
    detector = TextDetector(str(folder), threshold=0.0, device="cpu")
    (one, *_), (other, *_) = (detector(image, [name])[0][1] for name in ("st. dog", "st  dog"))
    assert one == pytest.approx(other)
    assert len(detector(image, ["a very long name of an object that has no end " * 8])) == 1


def test_detector__another_model(tmp_path):
    with pytest.raises(WeightsError, match="cannot be loaded"):
        TextDetector(str(save_sam3(tmp_path)))


def test_drop_double_boxes__the_better_one_stays():
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 4.1], [2, 0, 6, 4], [0, 0, 1, 1]], dtype=np.float32)
    kept, scores = drop_double_boxes(boxes, np.array([0.9, 0.8, 0.7, 0.6], np.float32), 0.7)
    assert kept.tolist() == boxes[[0, 2, 3]].tolist() and scores == pytest.approx([0.9, 0.7, 0.6])
    assert len(drop_double_boxes(boxes[:0], np.zeros(0, np.float32), 0.7)[0]) == 0

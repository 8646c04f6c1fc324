from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from divergen_annotate import Annotator, Finder, Sam3
from divergen_annotate.config import Sam3Config, build_annotator
from divergen_records import MaskError, WeightsError
from models import save_sam3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_sam3(tmp_path_factory.mktemp("sam3"))


def reference(folder, image, text):
    """Scores and masks, one picture alone, by the model's own processor."""
    processor = transformers.Sam3Processor.from_pretrained(folder)
    model = transformers.Sam3Model.from_pretrained(folder).eval()
    inputs = processor(images=image, text=text, return_tensors="pt", input_data_format="channels_last")
    with torch.no_grad():
        outputs = model(**inputs)
    return processor.post_process_instance_segmentation(outputs, threshold=0.0, target_sizes=[image.shape[:2]])[0]


def test_sam3__equals_the_processor_picture_by_picture(folder, mixed):
    annotator = Sam3(str(folder), threshold=0.0, device="cpu", batch_size=3)
    assert isinstance(annotator, Annotator)
    texts = ["red cup", "dog", "cup", "apple", "coffee mug"]
    for prediction, image, text in zip(annotator(mixed, texts=texts), mixed, texts, strict=True):
        expected = reference(folder, image, text)
        best = int(expected["scores"].argmax())
        assert prediction.score == pytest.approx(float(expected["scores"][best]), abs=1e-4)
        assert np.mean(prediction.mask != (expected["masks"][best].numpy() > 0)) < 1e-3
        assert prediction.note == "[best of 6 instances]"


def test_sam3__finds_all_instances_of_each_name(folder, mixed):
    annotator, texts = Sam3(str(folder), threshold=0.0, device="cpu"), ["red cup", "dog", "a longer name of a thing"]
    assert isinstance(annotator, Finder)
    for found, text in zip(annotator.find(mixed[0], texts), texts, strict=True):
        expected = reference(folder, mixed[0], text)
        order = expected["scores"].argsort(descending=True)
        assert [one.score for one in found] == pytest.approx(expected["scores"][order].tolist(), abs=1e-3)
        for one, at in zip(found, order, strict=True):
            assert np.mean(one.mask != (expected["masks"][at].numpy() > 0)) < 5e-3


def test_sam3__nothing_found_says_what_was_looked_for(folder, mixed):
    result = Sam3(str(folder), threshold=0.999, device="cpu")(mixed[:1], texts=["cup"])[0]
    assert isinstance(result, MaskError) and "sam3 looked for 'cup' and found nothing" in str(result)


def test_sam3__no_such_model_or_another_one(tmp_path):
    with pytest.raises(WeightsError, match="hub"):
        Sam3Config().build()
    with pytest.raises(WeightsError, match=r"holds no config\.json"):
        build_annotator("sam3", [f"model={tmp_path}"])


def test_sam3__a_name_longer_than_the_text_encoder_is_cut(folder, mixed):
    annotator = Sam3(str(folder), threshold=0.0, device="cpu", batch_size=2)
    long = "a very long name of a thing that has no end at all and goes on"
    assert [len(found) for found in annotator.find(mixed[0], ["cup", long])] == [6, 6]
    assert all(
        one.mask.shape == image.shape[:2]
        for one, image in zip(annotator(mixed[:2], [long, "cup"]), mixed[:2], strict=True)
    )

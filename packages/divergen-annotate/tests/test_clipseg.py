from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from divergen_annotate import AnnotateStage, Annotator, ClipSeg
from divergen_annotate.config import ClipSegConfig, build_annotator
from divergen_records import WeightsError
from models import save_clipseg


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_clipseg(tmp_path_factory.mktemp("clipseg"))


def reference(folder, image, text):
    """Probabilities (h, w), one picture at a time, by the model's own processor."""
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.CLIPSegForImageSegmentation.from_pretrained(folder)
    inputs = processor(text=[text], images=[image], padding="max_length", return_tensors="pt")
    with torch.no_grad():
        return model(**inputs).logits.sigmoid().reshape(64, 64).numpy()


def test_clipseg__equals_the_processor_picture_by_picture(folder, mixed):
    annotator = ClipSeg(str(folder), threshold=0.5, device="cpu", batch_size=3)
    texts = ["red cup", "dog", "cup", "apple", "coffee mug"]
    for prediction, image, text in zip(annotator(mixed, texts=texts), mixed, texts, strict=True):
        expected = torch.from_numpy(reference(folder, image, f"a photo of a {text}"))[None, None]
        scaled = torch.nn.functional.interpolate(expected, image.shape[:2], mode="bilinear", align_corners=False)
        assert np.mean(prediction.mask != (scaled[0, 0].numpy() > 0.5)) < 1e-3
        inside, outside = scaled[scaled > 0.5], scaled[scaled <= 0.5]
        expected_iou = float(inside.sum() / (len(inside) + outside.sum())) if len(inside) else 0.0
        assert prediction.score == pytest.approx(expected_iou, abs=1e-3)


def test_clipseg__the_text_matters(folder, mixed):
    annotator = ClipSeg(str(folder), text="{}", device="cpu")
    one, other = (annotator(mixed[:1], texts=[text])[0].mask for text in ("cup", "a very different thing"))
    assert not np.array_equal(one, other)


def test_clipseg__the_table_gives_the_category(folder, table):
    annotator = ClipSeg(str(folder), device="cpu")
    stage = AnnotateStage(annotator, repair=None)
    assert isinstance(annotator, Annotator) and stage.reads == ("image", "category")
    row = next(table.records("alpha IS NOT NULL"))
    given = []
    annotator.model.register_forward_pre_hook(
        lambda module, args, kwargs: given.append(kwargs["input_ids"]), with_kwargs=True
    )
    stage({"image": [row.image], "category": ["bow_(weapon)"]})
    expected = annotator.processor.tokenizer(["a photo of a bow"], padding="max_length", return_tensors="pt")
    assert torch.equal(given[0], expected["input_ids"])


def test_clipseg__a_tokenizer_without_words_is_refused(tmp_path):
    folder = save_clipseg(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(WeightsError, match="holds no words"):
        build_annotator("clipseg", [f"model={folder}"])


def test_clipseg__no_such_model_or_another_one(tmp_path):
    with pytest.raises(WeightsError, match="hub"):
        ClipSegConfig().build()
    with pytest.raises(WeightsError, match=r"holds no config\.json"):
        build_annotator("clipseg", [f"model={tmp_path}"])

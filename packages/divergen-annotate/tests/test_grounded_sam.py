from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from divergen_annotate import Annotator, Finder, GroundedSam, load_predictor
from divergen_annotate.config import build_annotator
from divergen_annotate.testing import plain_picture
from divergen_records import MaskError, WeightsError
from models import save_grounding_dino, save_hub_sam, save_hub_sam2

IMAGE = plain_picture(1, height=96, width=128)[0]
BOXES = np.array([[40, 20, 90, 70], [10, 8, 60, 90]], dtype=np.float32)


def fixed(image, texts):
    """A detector that finds two boxes of the first text and none of the others."""
    found = BOXES, np.array([0.8, 0.4], np.float32)
    return [found if number == 0 else (BOXES[:0], found[1][:0]) for number in range(len(texts))]


def hub_reference(folder, model, processor):
    """Masks and guessed IoU of the boxes by the model's own processor."""
    loaded = getattr(transformers, model).from_pretrained(folder).eval()
    prepare = getattr(transformers, processor).from_pretrained(folder)
    inputs = prepare(images=IMAGE, input_boxes=[BOXES.tolist()], return_tensors="pt", input_data_format="channels_last")
    with torch.no_grad():
        out = loaded(**{key: inputs[key] for key in ("pixel_values", "input_boxes")}, multimask_output=False)
    sizes = [inputs[key] for key in ("original_sizes", "reshaped_input_sizes") if key in inputs]
    masks = prepare.image_processor.post_process_masks(out.pred_masks, *sizes)[0]
    return masks[:, 0].numpy(), out.iou_scores[0, :, 0].numpy()


def original_reference(checkpoint):
    """Those of the original ``SamPredictor``."""
    from segment_anything import SamPredictor

    predictor = SamPredictor(checkpoint)
    predictor.set_image(IMAGE)
    found = [predictor.predict(box=box, multimask_output=False) for box in BOXES]
    return np.stack([mask[0] for mask, _, _ in found]), np.array([iou[0] for _, iou, _ in found])


@pytest.mark.parametrize("kind", ["original", "sam", "sam_hq", "sam2"])
def test_grounded_sam__equals_the_reference_box_by_box(kind, original, tmp_path):
    if kind == "original":
        path, (masks, ious) = original[0], original_reference(original[1])
    elif kind == "sam2":
        path = save_hub_sam2(tmp_path)
        masks, ious = hub_reference(path, "Sam2Model", "Sam2Processor")
    else:
        path = save_hub_sam(tmp_path, hq=kind == "sam_hq")
        name = "SamHQModel" if kind == "sam_hq" else "SamModel"
        masks, ious = hub_reference(path, name, "SamProcessor")
    annotator = GroundedSam(fixed, load_predictor(path, device="cpu"))
    assert isinstance(annotator, Annotator) and isinstance(annotator, Finder)
    found, nothing = annotator.find(IMAGE, ["cup", "dog"])
    assert nothing == []
    expected = sorted(zip(np.clip(ious, 0, 1) * [0.8, 0.4], masks, strict=True), key=lambda pair: -pair[0])
    for prediction, (score, mask) in zip(found, expected, strict=True):
        assert prediction.score == pytest.approx(score, abs=1e-3)
        assert np.mean(prediction.mask != (mask > 0)) < 2e-3


def test_grounded_sam__a_row_gets_the_best_and_nothing_is_an_error(original):
    annotator = GroundedSam(fixed, load_predictor(original[0], device="cpu"))
    best = annotator([IMAGE], texts=["cup"])[0]
    assert best.note.startswith("box=0.") and best.note.endswith("[best of 2 instances]")
    empty = GroundedSam(lambda image, texts: [(BOXES[:0], BOXES[:0, 0]) for _ in texts], annotator.predictor)
    result = empty([IMAGE], texts=["cup"])[0]
    assert isinstance(result, MaskError) and "grounded-sam looked for 'cup'" in str(result)


def test_grounded_sam__from_a_command_line(tmp_path):
    detector, sam = tmp_path / "detector", tmp_path / "sam"
    detector.mkdir()
    settings = [f"detector={save_grounding_dino(detector)}", f"sam={save_hub_sam2(sam)}", "threshold=0", "device=cpu"]
    annotator = build_annotator("grounded-sam", settings)
    assert annotator.find(IMAGE, ["cup"])[0]
    with pytest.raises(WeightsError, match="hub"):
        build_annotator("grounded-sam")

from __future__ import annotations

import numpy as np
import pytest
import torch
from divergen_annotate.points import background_points
from divergen_annotate.sam import SamBackground, load_predictor
from divergen_annotate.sam_original import SamPredictorBatch, load_sam
from divergen_records import WeightsError
from models import save_original_sam
from segment_anything import SamPredictor
from segment_anything.utils.transforms import ResizeLongestSide


@pytest.fixture(scope="module")
def predictor(original):
    return load_predictor(original[0], device="cpu")


def reference(model, image, layout):
    """Logits (3, H, W), predicted IoU (3,) and low-resolution logits of ``SamPredictor``."""
    loop = SamPredictor(model)
    loop.set_image(image)
    points = background_points(*image.shape[:2], layout=layout)
    return loop.predict(points, np.ones(len(points)), multimask_output=True, return_logits=True)


@pytest.mark.parametrize("layout", ["corners", "ring", "grid"])
def test_decode__equals_sam_predictor_picture_by_picture(predictor, original, mixed, layout):
    encoded = predictor.encode([predictor.prepare(image) for image in mixed])
    points = np.stack([background_points(*image.shape[:2], layout=layout) for image in mixed])
    decoded = predictor.decode(encoded, points)
    for number, image in enumerate(mixed):
        logits, iou, low = reference(original[1], image, layout)
        assert torch.allclose(decoded.logits[number], torch.from_numpy(low), rtol=1e-4, atol=1e-3)
        assert np.allclose(decoded.iou[number], iou, rtol=1e-4, atol=1e-4)
        ours = predictor.upscale(decoded.logits[number], decoded.frames[number]).numpy()
        assert ours.shape == (3, *image.shape[:2])
        assert np.allclose(ours, logits, rtol=1e-4, atol=1e-3)


def test_sam_background__is_the_inverse_of_the_third_mask(predictor, original, mixed):
    predictions = SamBackground(predictor, batch_size=3)(mixed)
    for prediction, image in zip(predictions, mixed, strict=True):
        logits, iou, _ = reference(original[1], image, "corners")
        assert np.mean(prediction.mask != ~(logits[2] > 0)) < 1e-3
        taken, guess = prediction.note.split()[:2]
        assert taken == "mask=2" and float(guess[4:]) == pytest.approx(min(1, iou[2]), abs=1e-3)


def test_prepare__equals_resize_longest_side(predictor, mixed):
    for image in mixed:
        ours = predictor.prepare(image).pixels.permute(1, 2, 0).numpy()
        assert np.array_equal(ours, ResizeLongestSide(predictor.side).apply_image(image))


def test_fused_attention__has_no_matrix_of_all_pairs_but_its_result(original, mixed):
    model, _ = load_sam(original[0])
    picture = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = original[1].image_encoder(picture)
        fused = SamPredictorBatch(model, device="cpu").model.image_encoder(picture)
    assert torch.allclose(expected, fused, rtol=1e-4, atol=1e-4)


def test_encode__low_precision_is_close(original, mixed):
    exact, rough = (load_predictor(original[0], device="cpu", precision=name) for name in ("float32", "bfloat16"))
    features = [one.encode([one.prepare(mixed[0])]).features for one in (exact, rough)]
    assert features[1].dtype == torch.float32
    difference = (features[0] - features[1]).abs().mean() / features[0].abs().mean()
    assert 0 < difference < 0.05


@pytest.mark.parametrize(
    "settings", [{}, {"width": 48, "depth": 3, "heads": 3, "window": 4}, {"side": 192, "window": 5}]
)
def test_load_sam__reads_the_sizes_from_the_weights(tmp_path, settings):
    expected = save_original_sam(tmp_path / "sam.pth", **settings)
    model, name = load_sam(tmp_path / "sam.pth")
    assert name == f"vit_{settings.get('width', 32)}x{settings.get('depth', 2)}"
    assert model.image_encoder.img_size == settings.get("side", 128)
    picture = torch.randn(1, 3, model.image_encoder.img_size, model.image_encoder.img_size)
    with torch.no_grad():
        assert torch.allclose(model.image_encoder(picture), expected.image_encoder(picture), atol=1e-5)


def test_load_sam__recognises_the_published_sizes():
    """The shapes of vit_b's own weights, without the weights."""
    from divergen_annotate.sam_original import _read_sizes
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        state = sam_model_registry["vit_b"]().state_dict()
    sizes = _read_sizes(state, "vit_b")
    assert (sizes["embed_dim"], sizes["depth"], sizes["num_heads"], sizes["img_size"]) == (768, 12, 12, 1024)
    assert (sizes["window_size"], sizes["global_attn_indexes"]) == (14, (2, 5, 8, 11))


def test_load_sam__no_file_says_where_to_get_it(tmp_path):
    with pytest.raises(WeightsError, match=r"sam_vit_h_4b8939\.pth.*download one"):
        load_predictor(tmp_path / "sam_vit_h.pth")


def test_load_sam__another_architecture(original):
    with pytest.raises(WeightsError, match=r"holds vit_32x2 \(width 32, 2 blocks\), not vit_b"):
        load_sam(original[0], architecture="vit_b")


def _spoil(case, state, path):
    if case == "no weights":
        path.write_bytes(b"no weights")
    elif case == "half":
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:9000])
    elif case == "missing":
        torch.save({key: value for key, value in state.items() if "mask_tokens" not in key}, path)
    elif case == "incomplete":
        torch.save({key: value for key, value in state.items() if "neck.3" not in key}, path)
    elif case == "more":
        torch.save({**state, "mask_decoder.hf_token.weight": torch.zeros(1)}, path)
    elif case == "other":
        torch.save({"fc.weight": torch.zeros(3)}, path)
    else:
        torch.save({"state": Exploit()}, path)


class Exploit:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("case", ["no weights", "half", "missing", "incomplete", "more", "other", "code"])
def test_load_sam__what_is_no_checkpoint_is_refused(tmp_path, original, case, capsys):
    path = tmp_path / "sam.pth"
    _spoil(case, original[1].state_dict(), path)
    with pytest.raises(WeightsError):
        load_sam(path)
    assert "executed" not in capsys.readouterr().out


def test_load_sam__what_a_training_saved(tmp_path, original):
    state = {f"module.{name}": tensor for name, tensor in original[1].state_dict().items()}
    torch.save({"epoch": 3, "model": state, "optimizer": {"state": {}}}, tmp_path / "last.pth")
    assert load_sam(tmp_path / "last.pth")[1] == "vit_32x2"


@pytest.mark.parametrize(
    ("tensor", "named"),
    [("image_encoder.trunk.pos_embed", "SAM 2's.*sam2.1"), ("mask_decoder.hf_token.weight", "SAM-HQ's.*sam-hq")],
)
def test_load_sam__its_successors_are_named(tmp_path, original, tensor, named):
    torch.save({"model": {**original[1].state_dict(), tensor: torch.zeros(1)}}, tmp_path / "sam.pt")
    with pytest.raises(WeightsError, match=named):
        load_predictor(tmp_path / "sam.pt")


def test_load_sam__a_whole_model_instead_of_its_weights(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "sam.pth")
    with pytest.raises(WeightsError, match=r"objects of Python beside tensors.*torch.save\(model.state_dict"):
        load_sam(tmp_path / "sam.pth")

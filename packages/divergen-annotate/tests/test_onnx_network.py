"""ONNX files in the forms that people export: each gives the same masks, or is refused in one sentence."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from divergen_annotate import Saliency
from divergen_annotate.testing import plain_picture
from divergen_records import ConfigError, WeightsError
from onnx import TensorProto, helper
from PIL import Image

HEIGHT, WIDTH = 24, 32
MEAN, STD = [0.9, 0.85, 0.8], [0.2, 0.25, 0.5]
WEIGHTS = np.array([-1.0, -1.0, -0.5], np.float32)
NORMAL = {"mean": MEAN, "std": STD}
NCHW, NHWC = ["n", 3, HEIGHT, WIDTH], ["n", HEIGHT, WIDTH, 3]
PROBABILITY = [("Sigmoid", "logits", "out", {})]
SWAPPED = [("Sigmoid", "logits", "upright", {}), ("Transpose", "upright", "out", {"perm": [0, 1, 3, 2]})]
TWO = [("Concat", "zeros logits", "two", {"axis": 1})]


@pytest.fixture(scope="module")
def pictures():
    sizes = [(96, 128), (60, 50), (50, 60)]
    return [plain_picture(seed, height=height, width=width)[0] for seed, (height, width) in enumerate(sizes)]


def save(path, *, shape, kind=TensorProto.FLOAT, nodes, outputs, before=(), constants=(), further=()):
    """A file whose input goes by ``before`` to ``picture``, by a convolution to ``logits``, and to its outputs."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, (1, 3, 1, 1), WEIGHTS)
    whole = [
        *(before or [("Identity", "x", "picture", {})]),
        ("Conv", "picture w", "logits", {}),
        ("Sub", "logits logits", "zeros", {}),
        *nodes,
    ]
    made = [helper.make_node(op, source.split(), [to], **rest) for op, source, to, rest in whole]
    inputs = [helper.make_tensor_value_info(name, *rest) for name, *rest in [("x", kind, shape), *further]]
    declared = [helper.make_tensor_value_info(*one) for one in outputs]
    graph = helper.make_graph(made, "saliency", inputs, declared, [weight, *constants])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def vector(name, values, kind=TensorProto.FLOAT):
    return helper.make_tensor(name, kind, np.shape(values), np.ravel(values))


def out(shape=None, kind=TensorProto.FLOAT, name="out"):
    return (name, kind, shape)


CAST = ("Cast", "x", "cast", {"to": TensorProto.FLOAT})
LAST = ("Transpose", "cast", "picture", {"perm": [0, 3, 1, 2]})
RAW = [
    CAST,
    ("Transpose", "cast", "moved", {"perm": [0, 3, 1, 2]}),
    ("Sub", "moved mean", "apart", {}),
    ("Div", "apart std", "picture", {}),
]
CENTRE = [vector("mean", np.reshape(MEAN, (3, 1, 1)) * 255), vector("std", np.reshape(STD, (3, 1, 1)) * 255)]
ONE = [vector("one", [0], TensorProto.INT64)]
BYTES = [
    ("Sigmoid", "logits", "share", {}),
    ("Mul", "share full", "many", {}),
    ("Cast", "many", "out", {"to": TensorProto.UINT8}),
]
FORMS = {
    "symbolic size": {"shape": ["batch", 3, "height", "width"], "nodes": PROBABILITY, "outputs": [out()]},
    "size of the file": {
        "shape": NCHW,
        "nodes": PROBABILITY,
        "outputs": [out(["n", 1, HEIGHT, WIDTH])],
        "card": NORMAL,
    },
    "all symbolic": {"shape": ["a", "b", "c", "d"], "nodes": PROBABILITY, "outputs": [out(["a", "m", "o", "p"])]},
    "batch of two": {"shape": [2, 3, HEIGHT, WIDTH], "nodes": PROBABILITY, "outputs": [out([2, 1, HEIGHT, WIDTH])]},
    "channels last": {
        "shape": NHWC,
        "before": [CAST, LAST],
        "nodes": [("Sigmoid", "logits", "p", {}), ("Transpose", "p", "out", {"perm": [0, 2, 3, 1]})],
        "outputs": [out(["n", HEIGHT, WIDTH, 1])],
    },
    "half precision": {
        "shape": NCHW,
        "kind": TensorProto.FLOAT16,
        "before": [("Cast", "x", "picture", {"to": TensorProto.FLOAT})],
        "nodes": [("Sigmoid", "logits", "p", {}), ("Cast", "p", "out", {"to": TensorProto.FLOAT16})],
        "outputs": [out(None, TensorProto.FLOAT16)],
    },
    "double precision": {
        "shape": NCHW,
        "kind": TensorProto.DOUBLE,
        "before": [("Cast", "x", "picture", {"to": TensorProto.FLOAT})],
        "nodes": PROBABILITY,
        "outputs": [out()],
    },
    "pixels as they are": {
        "shape": NHWC,
        "kind": TensorProto.UINT8,
        "before": RAW,
        "constants": CENTRE,
        "nodes": PROBABILITY,
        "outputs": [out()],
        "card": {},
    },
    "one picture without a batch": {
        "shape": [3, HEIGHT, WIDTH],
        "before": [("Unsqueeze", "x one", "picture", {})],
        "constants": ONE,
        "nodes": [("Sigmoid", "logits", "p", {}), ("Squeeze", "p", "out", {})],
        "outputs": [out([HEIGHT, WIDTH])],
    },
    "squeezed at one only": {
        "shape": NCHW,
        "nodes": [("Sigmoid", "logits", "p", {}), ("Squeeze", "p", "out", {})],
        "outputs": [out()],
    },
    "one at a time whatever it says": {
        "shape": NCHW,
        "nodes": [("Sigmoid", "logits", "p", {}), ("Reshape", "p sides", "out", {})],
        "constants": [vector("sides", [1, 1, HEIGHT, WIDTH], TensorProto.INT64)],
        "outputs": [out()],
    },
    "by name, second of three": {
        "shape": NCHW,
        "nodes": PROBABILITY,
        "outputs": [out(name="zeros"), out(), out(name="logits")],
        "card": {**NORMAL, "output": "out"},
    },
    "logits": {
        "shape": NCHW,
        "nodes": [],
        "outputs": [out(name="logits")],
        "card": {**NORMAL, "activation": "sigmoid"},
    },
    "two channels of logits": {
        "shape": NCHW,
        "nodes": TWO,
        "outputs": [out(["n", 2, HEIGHT, WIDTH], name="two")],
        "card": {**NORMAL, "activation": "softmax"},
    },
    "two channels of probabilities at the end": {
        "shape": NCHW,
        "nodes": [
            *TWO,
            ("Softmax", "two", "shares", {"axis": 1}),
            ("Transpose", "shares", "out", {"perm": [0, 2, 3, 1]}),
        ],
        "outputs": [out(["n", HEIGHT, WIDTH, 2])],
    },
    "a picture of the mask": {
        "shape": NCHW,
        "nodes": BYTES,
        "constants": [vector("full", 255.0)],
        "outputs": [out(None, TensorProto.UINT8)],
    },
}


def network(folder, card=None, **form):
    save(folder / "net.onnx", **form)
    (folder / "net.json").write_text(json.dumps({"size": [HEIGHT, WIDTH], **NORMAL} if card is None else card))
    return Saliency.from_file(folder / "net.onnx", device="cpu", workers=1)


def by_hand(image):
    """The probabilities (HEIGHT, WIDTH) by the formula."""
    small = np.asarray(Image.fromarray(image).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR), np.float64) / 255
    return 1 / (1 + np.exp(-(((small - MEAN) / STD) @ WEIGHTS.astype(np.float64))))


@pytest.mark.parametrize("form", FORMS)
def test_saliency__whatever_form_the_file_has(form, tmp_path, pictures):
    import cv2

    results = network(tmp_path, **FORMS[form])(pictures)
    for prediction, image in zip(results, pictures, strict=True):
        expected = cv2.resize(by_hand(image), image.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        assert np.mean(prediction.mask != expected) < 0.01 and 0.05 < expected.mean() < 0.95


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"shape": ["n", 1, HEIGHT, WIDTH]}, "its input is .*, expected .batch, 3, height, width. or"),
        ({"shape": ["n", 4, "h", "w"]}, "its input is .n, 4, h, w., expected .batch, 3, height, width. or"),
        ({"nodes": SWAPPED}, "is 32 x 24 for pictures of 24 x 32, which is no map of them: set output"),
        ({"kind": TensorProto.INT64}, r"its input is tensor\(int64\), expected one of tensor\(float16\)"),
        ({"further": [("size", TensorProto.INT64, [2])]}, r"has 2 inputs \(x .*, size \(2\)\), a saliency network has"),
        ({"kind": TensorProto.UINT8}, "normalises them itself; leave mean, std and scale out"),
        ({"card": {**NORMAL, "output": "mask"}}, r"has 1 outputs \(out .*\), the card asks for 'mask'"),
        ({"card": {**NORMAL, "activation": "softmax"}}, "softmax in the model card is for two channels"),
        (
            {"nodes": TWO, "outputs": [out(name="two")]},
            "its two channels are no probabilities; set activation: softmax",
        ),
        ({"shape": ["a", "b", "c", 5]}, "takes pictures 5 pixels wide, the model card says 32"),
    ],
)
def test_saliency__what_cannot_be_is_one_sentence(form, message, tmp_path, pictures):
    plain = {"shape": NCHW, "nodes": PROBABILITY, "outputs": [out()]}
    if form.get("kind"):
        plain["before"] = [("Cast", "x", "picture", {"to": TensorProto.FLOAT})]
    with pytest.raises(ConfigError, match=message) as caught:
        network(tmp_path, **{**plain, **form})(pictures)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("isnet.onnx", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("isnet.onnx", b"<!DOCTYPE html><html>", "is a web page, not the file"),
        ("isnet.onnx", b"", "is empty; fetch it again"),
        ("isnet.onnx", b"\x08\x08\x12", "cut off, or is another file: fetch it again"),
        ("isnet.pth", b"weights", "this is no TorchScript network: .*Weights alone, as authors publish them"),
    ],
)
def test_saliency__what_downloads_leave_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        Saliency.from_file(tmp_path / name, "isnet", device="cpu")


def test_saliency__weights_in_a_file_beside_it(tmp_path, pictures):
    save(tmp_path / "whole.onnx", shape=["n", 3, "h", "w"], nodes=PROBABILITY, outputs=[out()])
    model = onnx.load(tmp_path / "whole.onnx")
    for tensor in model.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    onnx.save_model(model, tmp_path / "isnet.onnx", save_as_external_data=True, location="far.data", size_threshold=0)
    assert len(Saliency.from_file(tmp_path / "isnet.onnx", "isnet", device="cpu")(pictures[:1])) == 1
    (tmp_path / "far.data").unlink()
    with pytest.raises(WeightsError, match=r"far\.data.*belongs beside it: fetch that one"):
        Saliency.from_file(tmp_path / "isnet.onnx", "isnet", device="cpu")

"""The README's examples, in one go; those of detectron2 where it is installed."""

import re
import warnings
from pathlib import Path

import pytest
from divergen_paste import Paster, bake

README = Path(__file__).parents[1] / "README.md"


def test_examples__run(dataset, pool, tmp_path, monkeypatch, capsys):
    pytest.importorskip("albumentations")
    pytest.importorskip("torchvision")
    bake(dataset, Paster(pool), tmp_path / "train", copies=0, progress=False)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(?:python|py)\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.M | re.S)
    names: dict[str, object] = {}
    for block in blocks:
        with warnings.catch_warnings():
            if "detectron2" in block:
                warnings.simplefilter("ignore")
                try:
                    import detectron2  # noqa: F401
                except ImportError:
                    continue
            exec(block, names)
    assert "(96, 128, 3)" in capsys.readouterr().out
    assert len(names["result"]["labels"]) == len(names["result"]["masks"]) == len(names["result"]["bboxes"])
    assert names["weights"].version == 2

"""Print what lvis-api says of the fixed cases: ``python packages/divergen-evaluate/benchmarks/_lvis_api.py``.

The numbers of lvis 0.5.3 stand in ``test_evaluate_reference.py``: its wheel wants opencv-python, which cannot be
installed beside the opencv-python-headless of ours, so that a test session cannot count on it.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR@300", "ARs@300", "ARm@300", "ARl@300")


def lvis_api(truth: dict[str, Any], results: list[dict[str, Any]], kind: str) -> list[float]:
    """The 13 numbers, -1 where undefined; ``kind`` is ``bbox`` or ``segm``."""
    import lvis

    np.float = float  # type: ignore[attr-defined]  # lvis-api 0.5.3 is from before numpy 1.24
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = Path(folder) / "lvis.json"
            path.write_text(json.dumps(truth))
            ground_truth = lvis.LVIS(str(path))
            rows = [dict(row) for row in results]
            evaluation = lvis.LVISEval(ground_truth, lvis.LVISResults(ground_truth, rows), kind)
            evaluation.run()
    finally:
        logging.disable(logging.NOTSET)
        del np.float  # type: ignore[attr-defined]
    return [float(evaluation.results[name]) for name in NAMES]


if __name__ == "__main__":
    from divergen_evaluate.testing import lvis_case

    for seed, settings in enumerate(({}, {"crowds": 0.3}, {"images": 1}, {"objects": 30}, {"images": 40})):
        truth, results = lvis_case(seed, **settings)  # type: ignore[arg-type]
        for kind in ("bbox", "segm"):
            numbers = ", ".join(f"{value:.8f}" for value in lvis_api(truth, results, kind))
            print(f'    ({seed}, {settings}, "{kind}", [{numbers}]),')

"""Fit the scores of GrabCut and colour key to the IoU: prints what stands in `divergen_annotate.confidence`.

Run: python packages/divergen-annotate/benchmarks/calibrate.py --cutouts DIR --photos FILE --images DIR
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from annotators import PLAIN, cutouts, every, hard, render
from divergen_annotate import ColourKey, GrabCut
from divergen_annotate.background import border_ring, fit_background
from divergen_annotate.confidence import MEASURES, measure
from divergen_annotate.quality import iou
from divergen_annotate.truth import read_examples
from scipy.optimize import minimize


def rows(annotator, examples):
    """Measures and IoU of every mask that is neither empty nor full."""
    for example, prediction in zip(examples, annotator([example.image for example in examples]), strict=True):
        mask = prediction.mask
        if mask.any() and not mask.all():
            background = fit_background(example.image, border_ring(*mask.shape, share=0.03))
            yield measure(example.image, mask, background), iou(mask, example.truth)


def fit(measures, overlap, ridge=1e-4):
    """Weights and bias of a logistic function, least squares."""
    design = np.c_[measures, np.ones(len(measures))]

    def loss(weights):
        expected = 1 / (1 + np.exp(-design @ weights))
        slope = 2 * design.T @ ((expected - overlap) * expected * (1 - expected)) / len(overlap)
        penalty = np.append(weights[:-1], 0)
        return np.square(expected - overlap).mean() + ridge * (penalty**2).sum(), slope + 2 * ridge * penalty

    return minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cutouts", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = every(render(Path(folder), "plain", 2, PLAIN), arguments.limit)
    examples = [e for made in cutouts(arguments.cutouts, arguments.limit).values() for e in made] + plain
    kinds = ("gradient", "shadow", "border", "same colour")
    examples += [hard(example, kinds[number % 4], number) for number, example in enumerate(plain)]
    photos = [e for batch in read_examples(arguments.photos, images=arguments.images, limit=10_000) for e in batch]
    examples += every([e for e in photos if min(e.image.shape[:2]) >= 96], arguments.limit)
    for annotator in (GrabCut(workers=1, plain=0), ColourKey(plain=0)):
        measures, overlap = map(np.array, zip(*rows(annotator, examples), strict=True))
        folds, expected = np.arange(len(overlap)) % 5, np.zeros(len(overlap))
        for fold in range(5):
            weights = fit(measures[folds != fold], overlap[folds != fold])
            expected[folds == fold] = 1 / (1 + np.exp(-np.c_[measures, np.ones(len(overlap))][folds == fold] @ weights))
        held_out = np.corrcoef(expected, overlap)[0, 1]
        print(f"{annotator.name}: {len(overlap)} masks, correlation of held-out fifths {held_out:.3f}, {MEASURES}")
        print(fit(measures, overlap).round(2).tolist())


if __name__ == "__main__":
    main()

"""Fit the scores of GrabCut and colour key to the IoU: prints what stands in `divergen_annotate.confidence`.

Run: python packages/divergen-annotate/benchmarks/calibrate.py --cutouts DIR --photos FILE --images DIR
With --onnx FILE --card CARD it fits those of a saliency network, and prints what stands in its card.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from annotators import PLAIN, cutouts, hard, render
from divergen_annotate import ColourKey, GrabCut, Prediction, Saliency
from divergen_annotate.background import border_ring, fit_background
from divergen_annotate.confidence import MAP_MEASURES, MEASURES, measure, measure_map
from divergen_annotate.quality import iou
from divergen_annotate.truth import read_examples, spread
from scipy.optimize import minimize


def of_picture(image, prediction):
    background = fit_background(image, border_ring(*prediction.mask.shape, share=0.03))
    return measure(image, prediction.mask, background)


def of_map(image, prediction):
    return measure_map(image, prediction.mask, prediction.score)


def rows(annotator, examples, measured):
    """Measures and IoU of every mask that is neither empty nor full."""
    for example in examples:
        prediction = annotator([example.image])[0]
        if isinstance(prediction, Prediction) and prediction.mask.any() and not prediction.mask.all():
            yield measured(example.image, prediction), iou(prediction.mask, example.truth)


def show(name, measures, overlap, names, ridge):
    """Print the correlation on pictures that were not fitted, and the fit of all."""
    folds, expected = np.random.default_rng(0).permutation(len(overlap)) % 5, np.zeros(len(overlap))
    for fold in range(5):
        weights = fit(measures[folds != fold], overlap[folds != fold], ridge)
        expected[folds == fold] = 1 / (1 + np.exp(-np.c_[measures, np.ones(len(overlap))][folds == fold] @ weights))
    held_out = np.corrcoef(expected, overlap)[0, 1]
    confident = (expected[overlap < 0.5] > 0.8).mean()
    print(f"{name}: {len(overlap)} masks, correlation of held-out fifths {held_out:.3f}, {names}")
    print(f"of {(overlap < 0.5).sum()} masks with an IoU below 0.5 {confident:.0%} have a score above 0.8")
    print(fit(measures, overlap, ridge).round(2).tolist())


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
    parser.add_argument("--onnx", type=Path, help="A saliency network.")
    parser.add_argument("--card", help="Its model card: a name or a file.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = spread(render(Path(folder), "plain", 2, PLAIN), arguments.limit)
    examples = [e for made in cutouts(arguments.cutouts, arguments.limit).values() for e in made] + plain
    if not arguments.onnx:  # these are what a plain background's measures are for
        kinds = ("gradient", "shadow", "border", "same colour")
        examples += [hard(example, kinds[number % 4], number) for number, example in enumerate(plain)]
    photos = [e for batch in read_examples(arguments.photos, images=arguments.images, limit=10_000) for e in batch]
    examples += spread([e for e in photos if min(e.image.shape[:2]) >= 96], arguments.limit)
    if arguments.onnx:
        network = Saliency.from_file(arguments.onnx, arguments.card, device="cpu", workers=1)
        network.card = network.card.model_copy(update={"calibration": None})
        measures, overlap = map(np.array, zip(*rows(network, examples, of_map), strict=True))
        show(network.name, measures, overlap, MAP_MEASURES, ridge=1e-5)
        return
    for annotator in (GrabCut(workers=1, plain=0), ColourKey(plain=0)):
        measures, overlap = map(np.array, zip(*rows(annotator, examples, of_picture), strict=True))
        show(annotator.name, measures, overlap, MEASURES, ridge=1e-4)


if __name__ == "__main__":
    main()

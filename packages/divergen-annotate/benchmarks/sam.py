"""SAM-background, batched, against the loop over `SamPredictor`: pictures/s with random weights, which cost the same.

CPU, small encoder:  OMP_NUM_THREADS=1 python packages/divergen-annotate/benchmarks/sam.py
GPU, ViT-H at 1,024: python packages/divergen-annotate/benchmarks/sam.py --device cuda --architecture vit_h \
                         --precision bfloat16 --batches 1 2 4 8 16 --pictures 64 --size 1024
The loop is always float32, as published. Rounds are interleaved, so a busy machine slows both alike.
"""

import argparse
import time

import numpy as np
import torch
from divergen_annotate import SamBackground
from divergen_annotate.points import background_points
from divergen_annotate.sam_original import SamPredictorBatch
from divergen_annotate.testing import plain_picture
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer


def small_sam(side=512):
    """The original classes with an encoder of 12 blocks, 192 wide, as a ViT-Tiny."""
    grid = side // 16
    return Sam(
        ImageEncoderViT(
            img_size=side,
            embed_dim=192,
            depth=12,
            num_heads=3,
            use_rel_pos=True,
            window_size=14,
            global_attn_indexes=(2, 5, 8, 11),
        ),
        PromptEncoder(256, (grid, grid), (side, side), 16),
        MaskDecoder(transformer_dim=256, transformer=TwoWayTransformer(2, 256, 8, 2048)),
    ).eval()


def loop(model, images):
    """The published way: one picture after the other."""
    predictor, masks = SamPredictor(model), []
    for image in images:
        predictor.set_image(image)
        points = background_points(*image.shape[:2])
        masks.append(~predictor.predict(points, np.ones(len(points)), multimask_output=True)[0][2])
    return masks


def timed(function, clock, device):
    start = clock()
    result = function()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--architecture", default="small", choices=["small", "vit_b", "vit_l", "vit_h"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    make = small_sam if arguments.architecture == "small" else sam_model_registry[arguments.architecture]
    reference = make().eval().to(arguments.device)
    ours = make().eval()
    ours.load_state_dict(reference.state_dict())
    predictor = SamPredictorBatch(
        ours, device=arguments.device, precision=arguments.precision, compile=arguments.compile
    )
    images = [
        plain_picture(seed, height=arguments.size, width=arguments.size * 3 // 4)[0]
        for seed in range(arguments.pictures)
    ]
    clock = time.process_time if arguments.device == "cpu" else time.perf_counter
    ways = {"SamPredictor loop, float32": lambda: loop(reference, images)}
    for batch in arguments.batches:
        annotator = SamBackground(predictor, batch_size=batch)
        ways[f"ours, {arguments.precision}, batch {batch}"] = lambda annotator=annotator: annotator(images)
    best, masks = dict.fromkeys(ways, float("inf")), {}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            seconds, masks[name] = timed(way, clock, arguments.device)
            best[name] = min(best[name], seconds)
    first = next(iter(ways))
    for name, seconds in best.items():
        differ = np.mean(
            [np.mean(np.asarray(a) != np.asarray(b)) for a, b in zip(masks[name], masks[first], strict=True)]
        )
        print(
            f"{name:<28} {len(images) / seconds:8.2f} pictures/s   {best[first] / seconds:5.2f} x   "
            f"{100 * differ:.3f} % of pixels differ"
        )


if __name__ == "__main__":
    main()

"""Mask post-processing of 512 x 512: decode, components, holes, RLE; pictures/s of CPU time on one core.

Run: OMP_NUM_THREADS=1 python packages/divergen-annotate/benchmarks/postprocess.py

The other side restates the published cleaning step: components are labelled by a search in Python's scientific stack
(scipy.ndimage.label), each one's area is counted by comparing the whole picture with its label, the largest is kept,
and the mask is written and read as PNG.
"""

import time
from io import BytesIO

import cv2
import numpy as np
from divergen_annotate import repair
from divergen_annotate.quality import border_contact, count_components
from divergen_annotate.testing import plain_picture
from divergen_records.masks import decode_rle, encode_rle, mask_to_bbox
from PIL import Image

cv2.setNumThreads(1)


def dirty(seed):
    """A mask with the islands and holes that SAM leaves, and its picture."""
    image, mask = plain_picture(seed, height=512, width=512)
    random = np.random.default_rng(seed)
    for y, x in random.integers(8, 500, (60, 2)):
        radius = int(random.integers(1, 6))
        mask[y - radius : y + radius, x - radius : x + radius] ^= True
    return image, mask


def ours(rle, image):
    mask = decode_rle(rle)
    count_components(mask)
    mended = repair(mask, image)
    return encode_rle(mended), mask_to_bbox(mended), border_contact(mended)


def published(png):
    from scipy import ndimage

    mask = np.asarray(Image.open(BytesIO(png))) > 127
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = [np.sum(labels == label) for label in range(1, count + 1)]
    mask = labels == 1 + int(np.argmax(areas))
    out = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(out, "PNG")
    return out.getvalue()


def rate(function, inputs, rounds=3):
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for arguments in inputs:
            function(*arguments)
        best = min(best, time.process_time() - start)
    return len(inputs) / best


pairs = [dirty(seed) for seed in range(40)]
print(f"ours       {rate(ours, [(encode_rle(mask), image) for image, mask in pairs]):6.0f} pictures/s")
pngs = []
for _, mask in pairs:
    buffer = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG")
    pngs.append((buffer.getvalue(),))
try:
    print(f"published  {rate(published, pngs[:10]):6.0f} pictures/s (restated)")
except ImportError:
    print("published  needs scipy")

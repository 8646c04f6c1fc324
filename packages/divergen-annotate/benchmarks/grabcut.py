"""GrabCut on synthetic plain pictures of 256 px: mean IoU and pictures/s on one core.

Run: OMP_NUM_THREADS=1 python packages/divergen-annotate/benchmarks/grabcut.py
"""

import time

import cv2
from divergen_annotate import GrabCut, repair
from divergen_annotate.quality import iou
from divergen_annotate.testing import plain_picture

cv2.setNumThreads(1)
pairs = [plain_picture(seed, shadow=0.4) for seed in range(64)]
images = [image for image, _ in pairs]
annotator = GrabCut(workers=1)
annotator(images[:4])
start = time.process_time()
predictions = annotator(images)
cut = time.process_time() - start
start = time.process_time()
masks = [repair(prediction.mask, image) for prediction, image in zip(predictions, images, strict=True)]
mend = time.process_time() - start
mean = sum(iou(mask, truth) for mask, (_, truth) in zip(masks, pairs, strict=True)) / len(pairs)
print(f"GrabCut {len(pairs) / cut:.1f} pictures/s, repair {len(pairs) / mend:.0f} pictures/s, mean IoU {mean:.4f}")

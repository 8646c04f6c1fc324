"""A training of one page for `train: {kind: command}`: torchvision's Mask R-CNN on COCO files, resumed after a kill."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from pycocotools import mask as rle_of
from pycocotools.coco import COCO
from torchvision.io import ImageReadMode, read_image
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

data, images, val_data, val_images, out, results, seed, iterations, size = sys.argv[1:]
train, val = COCO(data), COCO(val_data)
categories = sorted(train.cats)  # ids may have gaps; the network counts from 1


def read(folder, info):
    return read_image(str(Path(folder, info["file_name"])), ImageReadMode.RGB) / 255


def target(info):
    found = [one for one in train.loadAnns(train.getAnnIds(info["id"], iscrowd=False)) if min(one["bbox"][2:]) >= 1]
    masks = np.array([train.annToMask(one) for one in found], np.uint8).reshape(-1, info["height"], info["width"])
    boxes = torch.tensor([one["bbox"] for one in found], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = torch.tensor([1 + categories.index(one["category_id"]) for one in found], dtype=torch.int64)
    return {"boxes": boxes, "labels": labels, "masks": torch.from_numpy(masks)}


torch.manual_seed(int(seed))
backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
model = MaskRCNN(backbone, len(categories) + 1, min_size=int(size), max_size=int(size), box_score_thresh=0.001)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
checkpoint, begin, rows = Path(out, "last.pt"), 0, []
if checkpoint.exists():  # it was stopped: go on
    begin, weights, momenta = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(weights)
    optimizer.load_state_dict(momenta)
for step in range(begin, int(iterations)):
    batch = [train.imgs[key] for key in np.random.default_rng([int(seed), step]).choice(sorted(train.imgs), 2)]
    loss = sum(model([read(images, info) for info in batch], [target(info) for info in batch]).values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 99 or step + 1 == int(iterations):
        torch.save((step + 1, model.state_dict(), optimizer.state_dict()), checkpoint.with_suffix(".new"))
        checkpoint.with_suffix(".new").replace(checkpoint)  # a kill leaves the one before whole
model.eval()
for key, info in val.imgs.items():
    with torch.inference_mode():
        found = model([read(val_images, info)])[0]
    for box, label, score, mask in zip(*map(found.get, ("boxes", "labels", "scores", "masks")), strict=True):
        rle = rle_of.encode(np.asfortranarray(mask[0] > 0.5, np.uint8))
        bbox = torch.cat([box[:2], box[2:] - box[:2]]).tolist()
        row = {"image_id": key, "category_id": categories[label - 1], "bbox": bbox, "score": float(score)}
        rows.append(row | {"segmentation": {**rle, "counts": rle["counts"].decode()}})
Path(results).write_text(json.dumps(rows))

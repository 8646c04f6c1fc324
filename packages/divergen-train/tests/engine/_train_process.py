"""One process of `test_fit__two_processes_equal_one`, started by torchrun: trains, and tells what it got."""

import json
import os
import sys
from pathlib import Path

import torch
from divergen_records.coco import read_dataset
from divergen_train import TrainConfig, fit

torch.set_num_threads(1)
data, config, out = (Path(argument) for argument in sys.argv[1:])
dataset = read_dataset(data)
result = fit(dataset, out=out, config=TrainConfig.model_validate_json(config.read_text()), val=dataset)
assert result.metrics is not None
threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in threads if "gloo" in name], "outlives its group, and may abort the process"
told = {"AP": result.metrics.mask.AP, "detections": result.metrics.detections, "size": int(os.environ["WORLD_SIZE"])}
(out / f"rank{os.environ['RANK']}.json").write_text(json.dumps(told))

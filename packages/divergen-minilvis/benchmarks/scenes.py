"""Speed of MiniLVIS scenes and of planning, on one core.

python benchmarks/scenes.py
"""

import argparse
import time

import cv2
import numpy as np
from divergen_gen import ProceduralConfig, plan
from divergen_minilvis.renderer import category_names
from divergen_minilvis.scenes.scene import draw_scene
from divergen_records import Category, PromptRecord


def scenes(count: int, size: int) -> None:
    names = category_names()
    draw_scene(names[:2], seed=0, size=size)
    start, shown = time.process_time(), 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        chosen = rng.choice(names, rng.integers(1, 7), replace=False).tolist()
        shown += len(draw_scene(chosen, seed=seed, size=size).masks)
    seconds = time.process_time() - start
    print(f"scenes at {size} px: {count / seconds:.1f}/s of CPU time, {shown / count:.1f} instances each")


def planning(categories: int, count: int) -> None:
    found = [Category(id=i, name=f"category {i}") for i in range(categories)]
    prompts = [
        PromptRecord(text=f"prompt {i}", category_id=category.id, category=category.name, source="benchmark")
        for category in found
        for i in range(32)
    ]
    generators = [ProceduralConfig(name=name) for name in ("a", "b")]
    start = time.process_time()
    planned = plan(prompts, generators, categories=found, counts=count)
    made = time.process_time()
    for _ in planned:
        pass
    end = time.process_time()
    print(f"plan of {len(planned):,}: {made - start:.2f} s, {len(planned) / (end - made):,.0f} records/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    scenes(arguments.scenes, arguments.size)
    planning(1203, 200)

"""1,203 categories x 128 grammar prompts checked for duplicates, then measured: seconds of one core, and memory.

python packages/divergen-prompts/benchmarks/bench_grammar.py [CATEGORIES]

CATEGORIES is any file of categories, for example lvis_v1_categories.json; without it 1,203 made-up ones are used.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from divergen_prompts import diversity, grammar_prompts, read_categories, read_prompts, write_prompts
from divergen_records import Category

NOUNS = ("chair", "cup", "dog", "car", "hat", "banana", "guitar", "knife", "laptop", "boat", "bird", "shirt", "book")


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    if len(sys.argv) > 1:
        categories = read_categories(sys.argv[1])
    else:
        categories = [Category(id=n, name=f"model {n} {NOUNS[n % len(NOUNS)]}") for n in range(1203)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prompts.jsonl"
        begun = time.process_time()
        count = write_prompts(path, grammar_prompts(categories, per_category=128, seed=0))
        print(f"grammar: {count:,} prompts in {time.process_time() - begun:.1f} s of one core, {megabytes():.0f} MB")
        begun = time.process_time()
        prompts = read_prompts(path)
        print(f"read:    {len(prompts):,} prompts in {time.process_time() - begun:.1f} s, {megabytes():.0f} MB")
        begun = time.process_time()
        figures = diversity(prompts).overall
        print(f"measure: {time.process_time() - begun:.1f} s, {megabytes():.0f} MB; {figures}")


if __name__ == "__main__":
    main()

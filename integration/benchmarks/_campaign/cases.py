"""Every command that writes, each on small inputs of its own; all that it writes lies below one folder."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

__all__ = ["CASES", "CATEGORIES", "RUN", "TRAINED", "Case"]

CATEGORIES = "apple,cup,banana"
RUN = (
    "data={kind: minilvis, train_images: 12, val_images: 10, size: 96, categories: [apple, cup, banana]}",
    "counts={per_category: 4}",
    "prompts.per_category=3",
    "generators=[{kind: procedural, size: 96}]",
)
TRAINED = (
    "train={preset: quickstart, iterations: 4, warmup: 1, batch_size: 2, image_size: 64, "
    "bsgal: {kind: belief, start: 0, every: 1}}"
)
"""So short a training that it is one of the harmed commands; it judges, as `grow` wants."""

TRAIN = ("iterations=4", "warmup=1", "batch_size=2", "image_size=64", "checkpoint_every=2")


@dataclass(frozen=True)
class Case:
    """A command.

    Attributes:
        name: For people.
        words: The command; ``IN`` stands for the folder of inputs, ``OUT`` for the folder of what is written.
        copies: Inputs that the command changes: copied from ``IN`` to ``OUT`` first.
        settings: Further words, with blanks in them.
        needs: Modules without which it is left out.
        ends: Exit statuses of one that did its work.
    """

    name: str
    words: str
    copies: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    ends: tuple[int, ...] = (0, 3)

    def command(self, inputs: Path, out: Path) -> list[str]:
        """The command as words, its program from this environment or one of this folder."""
        program, *words = self.words.split()
        filled = [word.replace("IN/", f"{inputs}/").replace("OUT/", f"{out}/") for word in (*words, *self.settings)]
        return [str(Path(sys.executable).with_name(program)), *filled]

    @property
    def can_run(self) -> bool:
        """Whether all is installed that it needs."""
        return all(find_spec(name) for name in self.needs)

    def prepare(self, inputs: Path, out: Path) -> None:
        """Put what the command changes into ``out``."""
        out.mkdir(parents=True, exist_ok=True)
        for name in self.copies:
            shutil.copytree(inputs / name, out / name)


REAL = "IN/real/train.json"
CASES = (
    Case("prompts template", f"divergen-prompts template --categories {REAL} --out OUT/p.jsonl"),
    Case("prompts grammar", f"divergen-prompts grammar --categories {REAL} --per-category 400 --out OUT/p.jsonl"),
    Case(
        "minilvis make",
        f"divergen-minilvis make --out OUT/m --train-images 20 --val-images 10 --size 64 --categories {CATEGORIES}",
    ),
    Case(
        "gen run",
        "divergen-gen run IN/prompts.jsonl --table OUT/t.lance --per-category 12 -g procedural,size=96",
    ),
    Case("annotate table", "divergen-annotate table OUT/drawn.lance", copies=("drawn.lance",)),
    Case(
        "annotate images",
        "divergen-annotate images IN/pictures --folders-are-categories --out OUT/m.json --png-masks OUT/masks "
        "--preview OUT/m.html",
    ),
    Case("filter embed-real", f"divergen-filter embed-real {REAL} --out OUT/r.npz"),
    Case(
        "filter score",
        "divergen-filter score OUT/masked.lance --references IN/references.npz",
        copies=("masked.lance",),
    ),
    Case(
        "filter decide",
        "divergen-filter decide OUT/scored.lance --references IN/references.npz --rules IN/rules.json",
        copies=("scored.lance",),
    ),
    Case(
        "filter images",
        f"divergen-filter images IN/pictures --real {REAL} --masks IN/masks.json --out OUT/f",
    ),
    Case("paste pool", f"divergen-paste pool {REAL} --min-area 1 --out OUT/pool"),
    Case("paste stats", f"divergen-paste stats {REAL} --out OUT/s.json"),
    Case("paste preview", f"divergen-paste preview {REAL} IN/pool --out OUT/s.jpg"),
    Case(
        "paste bake",
        f"divergen-paste bake {REAL} IN/pool --out OUT/baked --copies 2 --yolo --val IN/real/val.json",
    ),
    Case("records convert yolo", f"divergen-records convert {REAL} OUT/yolo --format yolo"),
    Case("records convert coco", f"divergen-records convert {REAL} OUT/coco --format coco"),
    Case("evaluate export", "divergen-evaluate export IN/results.json --gt IN/real/val.json --out OUT/r.json"),
    Case("train fit", f"divergen-train fit {REAL} --out OUT/t --preset quickstart {' '.join(TRAIN)}"),
    Case("divergen run, table", "divergen quickstart --out OUT/run --until decide", settings=RUN),
    Case("divergen demo", "divergen demo apple cup --per-category 4 --out OUT/demo"),
    Case("divergen export", "divergen export IN/run --format coco --out OUT/kept"),
    Case("divergen push --folder", "divergen push IN/run org/name --folder OUT/hub"),
    Case("divergen pull", "divergen pull IN/hub --out OUT/pulled.lance"),
    Case("divergen correct", "divergen correct OUT/run IN/fix --who bob", copies=("run",)),
    Case("divergen results", "divergen results IN/ablations --out OUT/r.md"),
    Case("divergen report", "divergen report OUT/run", copies=("run",)),
    Case(
        "divergen premises",
        "divergen premises quickstart --out OUT/p --without detector --without pictures",
        settings=RUN,
        ends=(0, 1),
    ),
    Case(
        "divergen grow",
        "divergen grow IN/trained --budget 3 --out OUT/grown",
    ),
    Case(
        "prompts llm",
        f"divergen-prompts llm --categories {REAL} --model m --per-category 24 --per-request 4 --concurrency 2 "
        "--out OUT/p.jsonl",
        needs=("openai",),
    ),
    Case(
        "prompts expand",
        f"divergen-prompts expand --base {REAL} --similarity words --count 5 --out OUT/extra.json",
    ),
    Case("prompts check", "divergen-prompts check IN/prompts.jsonl --out OUT/checked.jsonl", ends=(0, 1)),
    Case("prompts measure", "divergen-prompts measure IN/prompts.jsonl --out OUT/measured.json"),
    Case("gen preview", "divergen-gen preview IN/prompts.jsonl --per-category 6 -g procedural,size=96 --out OUT/s.jpg"),
    Case("annotate compare", f"divergen-annotate compare {REAL} --out OUT/c.jpg --limit 6"),
    Case(
        "filter judge",
        "divergen-filter judge OUT/masked.lance --set model=m",
        copies=("masked.lance",),
        needs=("openai",),
    ),
    Case(
        "filter sheet",
        "divergen-filter sheet IN/scored.lance --references IN/references.npz --rules IN/rules.json --out OUT/s.html",
    ),
    Case(
        "filter calibrate",
        "divergen-filter calibrate IN/reviewed.lance --from review --references IN/references.npz --out OUT/rules.json",
    ),
    Case("records compact", "divergen-records table compact OUT/scored.lance", copies=("scored.lance",)),
    Case("evaluate ap", "divergen-evaluate ap IN/results.json --gt IN/real/val.json --json OUT/ap.json"),
    Case("train predict", "divergen-train predict IN/fit/checkpoint.pt IN/real/val.json --out OUT/r.json"),
    Case(
        "train truncate", "divergen-train truncate IN/fit/checkpoint.pt --categories IN/real/val.json --out OUT/cut.pt"
    ),
    Case("train analyse curve", "divergen-train analyse curve fit=IN/fit/log.jsonl --out OUT/curve"),
    Case(
        "gen personalize",
        f"divergen-gen personalize {REAL} --model IN/sd --out OUT/personal -c apple -c cup --steps 3 --size 32 "
        "--batch-size 1 --device cpu",
        needs=("diffusers",),
    ),
    Case(
        "annotate photos",
        "divergen-annotate photos IN/pictures --categories apple,cup --annotator sam3 --checkpoint IN/sam3 "
        "--set device=cpu --out OUT/found.json --preview OUT/found.html",
        needs=("transformers",),
    ),
    Case(
        "paste bake, relight",
        "divergen-paste bake IN/real/val.json IN/pool --out OUT/baked --copies 1 --workers 1",
        settings=(
            "-s",
            "harmonize={kind: relight, model: IN/sd, strength: 0.5, steps: 2, size: 32, dtype: float32, device: cpu}",
        ),
        needs=("diffusers",),
    ),
)

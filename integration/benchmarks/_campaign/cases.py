"""Every command that writes, each on small inputs of its own; all that it writes lies below one folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from divergen_records import InstanceTable

__all__ = ["CASES", "Case", "make_inputs"]

CATEGORIES = "apple,cup,banana"
RUN = (
    "data={kind: minilvis, train_images: 12, val_images: 10, size: 96, categories: [apple, cup, banana]}",
    "counts={per_category: 4}",
    "prompts.per_category=3",
    "generators=[{kind: procedural, size: 96}]",
)
TRAIN = ("iterations=4", "warmup=1", "batch_size=2", "image_size=64", "checkpoint_every=2")


@dataclass(frozen=True)
class Case:
    """A command.

    Attributes:
        name: For people.
        words: The command; ``IN`` stands for the folder of inputs, ``OUT`` for the folder of what is written.
        copies: Inputs that the command changes: copied from ``IN`` to ``OUT`` first.
        more: Files of ``IN`` that it reads beside those that its words name.
    """

    name: str
    words: str
    copies: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Files of ``IN`` that hostile inputs take the place of."""
        named = (word.removeprefix("IN/") for word in self.words.split() if word.startswith("IN/") and "." in word)
        return (*named, *self.more)

    def command(self, inputs: Path, out: Path) -> list[str]:
        """The command as words, its program from this environment."""
        program, *words = self.words.split()
        filled = [word.replace("IN/", f"{inputs}/").replace("OUT/", f"{out}/") for word in words]
        return [str(Path(sys.executable).with_name(program)), *filled, *self.settings(out)]

    def settings(self, out: Path) -> tuple[str, ...]:
        """Words with blanks in them."""
        return RUN if self.words.startswith("divergen quickstart") else ()

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
        more=("pictures/apple/0.png",),
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
        more=("pictures/apple/0.png",),
    ),
    Case("paste pool", f"divergen-paste pool {REAL} --min-area 1 --out OUT/pool"),
    Case("paste stats", f"divergen-paste stats {REAL} --out OUT/s.json"),
    Case("paste preview", f"divergen-paste preview {REAL} IN/pool --out OUT/s.jpg", more=("pool/pool.json",)),
    Case(
        "paste bake",
        f"divergen-paste bake {REAL} IN/pool --out OUT/baked --copies 2 --yolo --val IN/real/val.json",
        more=("pool/pool.json",),
    ),
    Case("records convert yolo", f"divergen-records convert {REAL} OUT/yolo --format yolo"),
    Case("records convert coco", f"divergen-records convert {REAL} OUT/coco --format coco"),
    Case("evaluate export", "divergen-evaluate export IN/results.json --gt IN/real/val.json --out OUT/r.json"),
    Case("train fit", f"divergen-train fit {REAL} --out OUT/t --preset quickstart {' '.join(TRAIN)}"),
    Case("divergen run, table", "divergen quickstart --out OUT/run --until decide"),
    Case("divergen demo", "divergen demo apple cup --per-category 4 --out OUT/demo"),
    Case("divergen export", "divergen export IN/run --format coco --out OUT/kept", more=("run/config.yaml",)),
    Case("divergen push --folder", "divergen push IN/run org/name --folder OUT/hub", more=("run/config.yaml",)),
)


def make_inputs(place: Path) -> None:
    """Make all inputs, with our own commands."""
    scenes = f"divergen-minilvis make --out real --train-images 20 --val-images 10 --size 96 --categories {CATEGORIES}"
    _call(place, scenes)
    _call(place, "divergen-prompts grammar --categories real/train.json --per-category 6 --out prompts.jsonl")
    _call(place, "divergen-gen run prompts.jsonl --table drawn.lance --per-category 6 -g procedural,size=96")
    for record in InstanceTable.open(place / "drawn.lance").records("image IS NOT NULL"):
        folder = place / "pictures" / record.category
        folder.mkdir(parents=True, exist_ok=True)
        assert record.image is not None
        (folder / f"{len(list(folder.iterdir()))}.png").write_bytes(record.image)
    _call(place, "divergen-annotate images pictures --folders-are-categories --out masks.json")
    shutil.copytree(place / "drawn.lance", place / "masked.lance")
    _call(place, "divergen-annotate table masked.lance")
    _call(place, "divergen-filter embed-real real/train.json --out references.npz")
    shutil.copytree(place / "masked.lance", place / "scored.lance")
    _call(place, "divergen-filter score scored.lance --references references.npz")
    (place / "rules.json").write_text('{"rules": [{"score": "area_fraction", "op": ">=", "threshold": 0.05}]}')
    (place / "results.json").write_text('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5}]')
    _call(place, "divergen-paste pool real/train.json --min-area 1 --out pool")
    _call(place, "divergen quickstart --out run --until decide", *RUN)


def _call(place: Path, words: str, *more: str) -> None:
    program, *rest = words.split()
    command = [str(Path(sys.executable).with_name(program)), *rest, *more]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"{words}: status {done.returncode}\n{done.stderr}")

"""Every file that a command reads: the command, the file, and what is put in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import binaries, poisons
from .cases import Case
from .poisons import ANY, Poison

__all__ = ["DOORS", "Door"]


@dataclass(frozen=True)
class Door:
    """A file that a command reads.

    Attributes:
        case: The command.
        file: The file, below ``IN``.
        kinds: What else than `ANY` its content may be: of the file, name and poison.
    """

    case: Case
    file: str
    kinds: tuple[Callable[[Path], Iterator[tuple[str, Poison]]], ...] = ()

    def poisons(self, inputs: Path) -> list[tuple[str, Poison]]:
        """All that is put in the file's place, by name."""
        path = inputs / self.file
        general = () if path.is_dir() else ANY.items()
        return [*general, *(one for kind in self.kinds for one in kind(path))]


def _texts(path: Path) -> Iterator[tuple[str, Poison]]:
    yield from poisons.texts.items()


JSON = (_texts, poisons.fields)
REAL, VAL = "real/train.json", "real/val.json"


def _door(
    words: str,
    file: str,
    *kinds: Callable[[Path], Iterator[tuple[str, Poison]]],
    copies: str = "",
    needs: tuple[str, ...] = (),
) -> Door:
    program, command, *_ = words.split()
    case = Case(f"{program.removeprefix('divergen-')} {command}", words, tuple(copies.split()), needs=needs)
    return Door(case, file, kinds)


DOORS = (
    _door(f"divergen-records check IN/{REAL} --decode", REAL, *JSON),
    _door(f"divergen-records convert IN/{REAL} OUT/y --format yolo", REAL, *JSON),
    _door(f"divergen-records convert IN/{REAL} OUT/l --format labelme --on-problem repair", REAL, *JSON),
    _door(f"divergen-records convert IN/{REAL} OUT/l --format coco --on-problem skip", REAL, *JSON),
    _door("divergen-records convert IN/yolo OUT/c --format coco", "yolo/data.yaml", _texts),
    _door("divergen-records convert IN/yolo OUT/c --format coco", "yolo/labels/train/000001.txt", _texts),
    _door("divergen-records convert IN/labelme OUT/c --format coco", "labelme/train/000001.json", *JSON),
    _door("divergen-records convert IN/xp OUT/c --format coco", "xp/instance_pools.json", *JSON),
    _door(f"divergen-prompts template --categories IN/{REAL} --out OUT/p.jsonl", REAL, *JSON),
    _door(f"divergen-prompts grammar --categories IN/{REAL} --per-category 2 --out OUT/p.jsonl", REAL, *JSON),
    _door("divergen-prompts template --categories IN/names.txt --out OUT/p.jsonl", "names.txt", _texts),
    _door("divergen-prompts check IN/prompts.jsonl", "prompts.jsonl", _texts, poisons.lines),
    _door("divergen-prompts measure IN/prompts.jsonl", "prompts.jsonl", _texts, poisons.lines),
    _door(
        "divergen-gen run IN/prompts.jsonl --table OUT/t.lance --per-category 1 -g procedural,size=32",
        "prompts.jsonl", _texts, poisons.lines,
    ),
    _door(
        f"divergen-gen plan IN/prompts.jsonl --dataset IN/{REAL} --per-frequency r=2,c=1,f=1 -g procedural,size=32",
        REAL, *JSON,
    ),
    _door(
        "divergen-annotate images IN/pictures --out OUT/m.json --preview OUT/m.html",
        "pictures/apple/0.png", poisons.images, binaries.bombs,
    ),
    _door(
        "divergen-annotate images IN/pictures --annotator saliency,model=IN/u2net.onnx,device=cpu --out OUT/m.json",
        "u2net.onnx", binaries.onnx, needs=("onnx", "onnxruntime"),
    ),
    _door(
        "divergen-gen run IN/prompts.jsonl --table OUT/t.lance --per-category 1 "
        "-g diffusers,model=IN/sd,steps=1,size=32,device=cpu",
        "sd/unet/diffusion_pytorch_model.safetensors", binaries.safetensors, needs=("diffusers",),
    ),
    _door("divergen-train analyse map real=IN/embedded.npy --out OUT/map", "embedded.npy", binaries.npy),
    _door(f"divergen-annotate evaluate IN/{REAL} --limit 2", REAL, *JSON),
    _door("divergen-annotate table OUT/drawn.lance", "drawn.lance", poisons.tables, copies="drawn.lance"),
    _door(f"divergen-filter embed-real IN/{REAL} --out OUT/r.npz --max-per-category 2", REAL, *JSON),
    _door(f"divergen-filter embed-real IN/{REAL} --out OUT/r.npz", "real/train/000001.jpg", poisons.images),
    _door(
        "divergen-filter score OUT/masked.lance --references IN/references.npz",
        "references.npz", poisons.npz, binaries.archives, copies="masked.lance",
    ),
    _door(
        "divergen-filter diversity IN/scored.lance --references IN/references.npz",
        "references.npz", poisons.npz, binaries.archives,
    ),
    _door("divergen-filter calibrate --references IN/references.npz", "references.npz", poisons.npz, binaries.archives),
    _door(
        "divergen-filter decide OUT/scored.lance --references IN/references.npz --rules IN/rules.json",
        "rules.json", *JSON, copies="scored.lance",
    ),
    _door("divergen-filter sheet IN/scored.lance --out OUT/s.html", "scored.lance", poisons.tables),
    _door(
        f"divergen-filter images IN/pictures --real IN/{REAL} --masks IN/masks.json --out OUT/f",
        "masks.json", *JSON,
    ),
    _door(f"divergen-paste pool IN/{REAL} --min-area 1 --out OUT/pool", REAL, *JSON),
    _door("divergen-paste pool IN/scored.lance --out OUT/pool", "scored.lance", poisons.tables),
    _door("divergen-paste pool IN/xp --out OUT/pool", "xp/instance_pools.json", *JSON),
    _door(f"divergen-paste stats IN/{REAL} --out OUT/s.json", REAL, *JSON),
    _door("divergen-paste verify IN/pool", "pool/pool.json", *JSON),
    _door("divergen-paste verify IN/pool", "pool/index.npy", binaries.npy),
    _door(f"divergen-paste preview IN/{REAL} IN/pool --out OUT/s.jpg --count 1", "pool/pool.json", *JSON),
    _door(
        f"divergen-paste preview IN/{REAL} IN/pool --out OUT/s.jpg --count 1",
        "real/train/000001.jpg", poisons.images,
    ),
    _door("divergen-evaluate ap IN/results.json --gt IN/real/val.json", "results.json", *JSON),
    _door(f"divergen-evaluate ap IN/results.json --gt IN/{VAL}", VAL, *JSON),
    _door("divergen-evaluate export IN/results.json --gt IN/real/val.json --out OUT/r.json", "results.json", *JSON),
    _door(
        "divergen-train predict IN/fit/checkpoint.pt IN/real/val.json --out OUT/r.json",
        "fit/checkpoint.pt", poisons.weights, binaries.archives,
    ),
    _door(
        "divergen-train truncate IN/fit/checkpoint.pt --categories IN/real/val.json --out OUT/c.pt",
        "fit/checkpoint.pt", poisons.weights, binaries.archives,
    ),
    _door(
        f"divergen-train fit IN/{REAL} --out OUT/t --preset quickstart iterations=1 warmup=1 image_size=32",
        REAL, *JSON,
    ),
    _door("divergen-train analyse curve fit=IN/fit/log.jsonl --out OUT/curve", "fit/log.jsonl", _texts),
    _door("divergen check IN/config.yaml", "config.yaml", _texts),
    _door("divergen run IN/config.yaml --dry-run --out OUT/r", "config.yaml", _texts),
    _door("divergen status IN/run", "run/config.yaml", _texts),
    _door("divergen status IN/run", "run/plan.json", *JSON),
    _door("divergen status IN/run", "run/instances.lance", poisons.tables),
    _door("divergen report OUT/run", "run/config.yaml", _texts, copies="run"),
    _door("divergen report OUT/run", "run/steps/decide.json", *JSON, copies="run"),
    _door("divergen export IN/run --format coco --out OUT/kept", "run/instances.lance", poisons.tables),
    _door("divergen pull IN/hub --out OUT/p.lance", "hub/README.md", _texts),
    _door("divergen pull IN/hub --out OUT/p.lance", "hub/data/instances-00000.parquet", binaries.parquet),
    _door("divergen results IN/ablations", "ablations/models/ablation.json", *JSON),
    _door("divergen correct OUT/run IN/fix --who bob", "fix/annotations.json", *JSON, copies="run"),
)  # fmt: skip

"""The commands ``divergen-train analyse curve | energy | gap | map``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import click
from divergen_records.array_files import NO_ARRAYS
from divergen_records.command import Group, answer, echo
from divergen_records.data_options import on_problem_option, open_dataset
from divergen_records.errors import ConfigError, DatasetError
from divergen_records.files import write_text
from divergen_records.folders import new_files
from divergen_records.formats import OnProblem

__all__ = ["analyse"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_STEM = click.Path(path_type=Path)


@click.group(cls=Group)
def analyse() -> None:
    """Explain a gain as the paper does (DiverGen, section 3.1): figures as PNG and SVG, numbers as JSON.

    \b
    divergen-train analyse curve real=run/log.jsonl --out curve
    divergen-train analyse energy run/checkpoint.pt train=train.json generated=baked.json --out energy
    divergen-train analyse gap real=train.json,val.json --out gap
    divergen-train analyse map real=train.json generated=baked.json --out map
    """


@analyse.command()
@click.argument("logs", nargs=-1, required=True, metavar="NAME=LOG...")
@click.option("--out", type=_STEM, required=True, help="OUT.json, OUT.png and OUT.svg are written.")
@click.option("--kind", type=click.Choice(["box", "mask"]), default="mask", show_default=True, help="Whose AP.")
@click.option("--overwrite", is_flag=True, help="Replace the files if they exist.")
def curve(logs: tuple[str, ...], out: Path, kind: Literal["box", "mask"], overwrite: bool) -> None:
    """AP over a training, per frequency: has it converged? From log.jsonl of `fit --val` with eval_every.

    \b
    divergen-train fit train.json --val val.json --out run --preset quickstart iterations=2000 eval_every=100
    divergen-train analyse curve quickstart=run/log.jsonl --out curve
    """
    pairs = _pairs(logs)
    from ..analysis.curve import learning_curves
    from ..analysis.plots import draw_curves
    from ..training.log import read_log

    with _files(out, overwrite) as files:
        report = learning_curves({name: read_log(path) for name, path in pairs}, kind)
        _write(report, draw_curves, files)
    _tell(report, out)


@analyse.command()
@click.argument("checkpoint", type=_FILE)
@click.argument("data", nargs=-1, required=True, metavar="NAME=FILE...")
@click.option("--out", type=_STEM, required=True, help="OUT.json, OUT.png and OUT.svg are written.")
@click.option("--temperature", default=0.9, show_default=True, help="Of the energy.")
@click.option("--limit", type=click.IntRange(min=1), help="Look at so many images of each only.")
@on_problem_option
@click.option("--overwrite", is_flag=True, help="Replace the files if they exist.")
def energy(
    checkpoint: Path,
    data: tuple[str, ...],
    out: Path,
    temperature: float,
    limit: int | None,
    on_problem: OnProblem,
    overwrite: bool,
) -> None:
    """Free energy of what CHECKPOINT's classifier says of the objects of data sets.

    The first data set is what the others are compared with: name the training data first.

    \b
    divergen-train analyse energy run/checkpoint.pt train=train.json val=val.json generated=baked.json --out energy
    """
    pairs = _pairs(data)
    from ..analysis.energy import energy_report, free_energy, object_logits
    from ..analysis.plots import draw_energies

    energies, frequencies = {}, {}
    with _files(out, overwrite) as files:
        for name, path in pairs:
            dataset = open_dataset(path, on_problem=on_problem)
            found = object_logits(checkpoint, dataset, limit=limit)
            energies[name] = free_energy(found.logits, temperature)
            frequencies[name] = [dataset.category(id_).frequency for id_ in found.category.tolist()]
        report = energy_report(energies, frequencies=frequencies, temperature=temperature)
        _write(report, draw_energies, files)
    _tell(report, out)


@analyse.command()
@click.argument("models", nargs=-1, required=True, metavar="NAME=TRAIN,VAL...")
@click.option("--out", type=_STEM, required=True, help="OUT.json, OUT.png and OUT.svg are written.")
@click.option("--kind", type=click.Choice(["box", "mask"]), default="mask", show_default=True, help="Whose AP.")
@click.option("--overwrite", is_flag=True, help="Replace the files if they exist.")
def gap(models: tuple[str, ...], out: Path, kind: Literal["box", "mask"], overwrite: bool) -> None:
    """Train-val gap per frequency, from metrics that `evaluate --json` wrote of training and of validation images.

    Give a name several times for several models that were trained alike: how much they vary tells whether another
    name's gap is another one (three sigma).

    \b
    divergen-train analyse gap real=a/train.json,a/val.json real=b/train.json,b/val.json \\
        generated=c/train.json,c/val.json generated=d/train.json,d/val.json --out gap
    """
    from divergen_evaluate.metrics import Metrics

    from ..analysis.gap import train_val_gap
    from ..analysis.plots import draw_gaps

    sets: dict[str, list[tuple[Metrics, Metrics]]] = {}
    for text in models:
        name, _, paths = text.partition("=")
        train, comma, val = paths.partition(",")
        if not name or not comma:
            raise ConfigError(f"{text!r}: expected NAME=TRAIN.json,VAL.json")
        sets.setdefault(name, []).append((_metrics(Path(train)), _metrics(Path(val))))
    report = train_val_gap(sets, kind=kind)
    with _files(out, overwrite) as files:
        _write(report, draw_gaps, files)
    _tell(report, out)


@analyse.command("map")
@click.argument("data", nargs=-1, required=True, metavar="NAME=FILE...")
@click.option("--out", type=_STEM, required=True, help="OUT.json, OUT.png and OUT.svg are written.")
@click.option("--method", type=click.Choice(["pca", "umap"]), default="pca", show_default=True, help="How to draw it.")
@click.option("--limit", type=click.IntRange(min=1), default=2000, show_default=True, help="Objects of each at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which objects, and UMAP's chance.")
@on_problem_option
@click.option("--overwrite", is_flag=True, help="Replace the files if they exist.")
def map_(
    data: tuple[str, ...],
    out: Path,
    method: Literal["pca", "umap"],
    limit: int,
    seed: int,
    on_problem: OnProblem,
    overwrite: bool,
) -> None:
    """Where objects of data sets lie among each other, by embeddings.

    FILE is an LVIS or COCO file, whose objects are embedded by EfficientNet-Lite0, or a .npy file with embeddings of
    your own, one a row, for example CLIP's: all files must be of one kind.

    \b
    divergen-train analyse map real=train.json generated=baked.json --out map
    divergen-train analyse map real=real.npy generated=generated.npy --method umap --out map
    """
    pairs = _pairs(data)
    import numpy as np

    from ..analysis.maps import embed_objects, embedding_map
    from ..analysis.plots import draw_map

    rng, embeddings = np.random.default_rng(seed), {}
    with _files(out, overwrite) as files:
        for name, path in pairs:
            if path.suffix == ".npy":
                rows = _embeddings(path)
                chosen = np.sort(rng.permutation(len(rows))[:limit])
                embeddings[name] = rows[chosen]
            else:
                embeddings[name] = embed_objects(open_dataset(path, on_problem=on_problem), limit=limit, seed=seed)
        report = embedding_map(embeddings, method=method, seed=seed)
        _write(report, draw_map, files)
    _tell(report, out)


def _pairs(data: tuple[str, ...]) -> list[tuple[str, Path]]:
    pairs = []
    for text in data:
        name, equals, path = text.partition("=")
        if not name or not equals:
            raise ConfigError(f"{text!r}: expected NAME=FILE, for example real=train.json")
        if not Path(path).is_file():
            raise ConfigError(f"{text!r}: there is no file {path}")
        pairs.append((name, Path(path)))
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ConfigError(f"the names {names} are not all different")
    return pairs


def _metrics(path: Path) -> Any:
    from divergen_evaluate.metrics import Metrics
    from pydantic import ValidationError

    try:
        return Metrics.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise DatasetError(f"{path}: not metrics as `divergen-train evaluate --json` writes them") from error


def _embeddings(path: Path) -> Any:
    import numpy as np

    try:
        rows = np.load(path, allow_pickle=False)
    except NO_ARRAYS as error:
        raise DatasetError(f"{path}: not a .npy file ({error})") from error
    if not isinstance(rows, np.ndarray):
        raise DatasetError(f"{path}: holds several arrays (.npz); expected one, as np.save writes it")
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise DatasetError(f"{path}: expected floats (objects, width), found {rows.dtype} {rows.shape}")
    return rows.astype(np.float32)


def _files(out: Path, overwrite: bool) -> AbstractContextManager[list[Path]]:
    return new_files(*(out.with_name(out.name + suffix) for suffix in (".png", ".svg", ".json")), overwrite=overwrite)


def _write(report: Any, draw: Callable[[Any, Path], None], files: list[Path]) -> None:
    *figures, numbers = files
    for figure in figures:
        draw(report, figure)
    write_text(numbers, report.model_dump_json(indent=1))


def _tell(report: Any, out: Path) -> None:
    answer(report=report, out=out)
    echo(report.table())
    echo(f"{out}.json, {out}.png, {out}.svg")

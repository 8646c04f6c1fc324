"""The command ``divergen-evaluate``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import click
from divergen_records.answers import begin_answer
from divergen_records.command import Group, answer, echo
from divergen_records.data_options import finish_reading, on_problem_option, open_dataset
from divergen_records.errors import ConfigError, DatasetError
from divergen_records.files import refuse_existing, write_text
from divergen_records.losses import Losses, finish, finishing, losses_options

from .files import exhaustive_notice, frequency_notice, results_notices, unseen_notice

if TYPE_CHECKING:
    from divergen_records.coco import Dataset
    from divergen_records.formats import OnProblem

    from .metrics import Metrics

    Results = Sequence[Mapping[str, Any]]

__all__ = ["evaluate", "export_results", "main"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DATA = click.Path(exists=True, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="divergen-evaluate")
def main() -> None:
    """LVIS and COCO AP of anyone's results, how sure it is, and whether one is better than the other.

    \b
    divergen-evaluate ap results.json --gt lvis_v1_val.json
    divergen-evaluate export results.json --gt lvis_v1_val.json --out submission.json
    """


def _or_print(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """The file of ``--json``; without one the option is what it is for every command."""
    begin_answer(context, parameter, value == Path("-"))
    return None if value == Path("-") else value


@main.command("ap")
@click.argument("results", type=_FILE, nargs=-1, required=True)
@click.option("--gt", "truth", type=_DATA, required=True, help="Ground truth: LVIS, COCO, YOLO or labelme.")
@click.option("--style", type=click.Choice(["lvis", "coco"]), default="lvis", show_default=True, help="Whose rules.")
@click.option("--federated/--exhaustive", default=None, help="LVIS: judge only what an image tells of; as the file is.")
@click.option("--fixed", is_flag=True, help="LVIS: AP-fixed too, 10,000 detections a category, not 300 an image.")
@click.option("--intervals", is_flag=True, help="How sure each AP is, by a bootstrap over images.")
@click.option("--resamples", type=click.IntRange(min=40), default=1000, show_default=True, help="Of the bootstrap.")
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Of the intervals.")
@click.option("--categories", is_flag=True, help="A line for each category too.")
@click.option(
    "--json",
    "out",
    type=_NEW_FILE,
    is_flag=False,
    flag_value="-",
    callback=_or_print,
    help="Write the metrics, or the comparison, here; without a file (put it last), print them as JSON.",
)
@on_problem_option
@losses_options
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def evaluate(
    results: tuple[Path, ...],
    truth: Path,
    style: Literal["lvis", "coco"],
    federated: bool | None,
    fixed: bool,
    intervals: bool,
    resamples: int,
    level: float,
    categories: bool,
    out: Path | None,
    on_problem: OnProblem,
    overwrite: bool,
) -> None:
    """LVIS or COCO AP of anyone's RESULTS, a COCO results file with boxes, masks or both.

    Of two files it says what the second gains, and whether that is more than luck.

    \b
    divergen-evaluate ap results.json --gt lvis_v1_val.json --json metrics.json
    divergen-evaluate ap before.json after.json --gt lvis_v1_val.json
    divergen-evaluate ap results.json --gt instances_val2017.json --style coco
    """
    refuse_existing(out, overwrite=overwrite)
    if style == "coco" and (fixed or federated):
        raise ConfigError("--fixed and --federated are LVIS's; leave them out with --style coco")
    if len(results) > 2:
        raise ConfigError(f"{len(results)} results files: give one, or two to compare")
    if len(results) == 2 and (fixed or categories):
        raise ConfigError("--fixed and --categories are for one results file; leave them out to compare two")
    from .bootstrap import compare_results
    from .evaluate import read_results

    dataset, lost = _open_truth(truth, on_problem), Losses()
    rows = [_fit(path, read_results(path), dataset, None if on_problem == "stop" else lost) for path in results]
    _tell_judgement(rows, dataset, style, federated)
    rules: _Rules = {"style": style, "federated": federated}
    bootstrap: _Bootstrap = {"resamples": resamples, "level": level}
    with _naming(*results):
        if len(rows) == 2:
            comparison = compare_results(rows[0], rows[1], dataset, **rules, **bootstrap)
            text, found = comparison.table(), comparison.model_dump_json(indent=2)
        else:
            metrics = _metrics(rows[0], dataset, rules, fixed=fixed, bootstrap=bootstrap if intervals else None)
            text, found = metrics.table(per_category=categories), metrics.model_dump_json(indent=2)
    answer(**json.loads(found))
    if out is not None:
        write_text(out, found, overwrite=overwrite)
    echo(text)
    finish_reading(dataset, out, results=sum(map(len, rows)), lost=lost)


def _open_truth(path: Path, on_problem: OnProblem) -> Dataset:
    """The ground truth: boxes are enough, and the pictures need not be there."""
    dataset = open_dataset(path, split="val", on_problem=on_problem, boxes=True, need_pictures=False, progress=True)
    if any(annotation.id == 0 for annotation in dataset.annotations):
        echo(
            "note: there is an annotation id 0, which pycocotools takes for no match (cocoapi#507): its AP is lower",
            err=True,
        )
    return dataset


def _fit(path: Path, results: list[dict[str, Any]], dataset: Dataset, lost: Losses | None) -> Results:
    """Results as they are judged; what is read in other words is said."""
    from .fitting import fit_results

    told: Counter[str] = Counter()
    losses = None if lost is None else Losses()
    with _naming(path):
        fitted = fit_results(results, dataset, losses=losses, told=told)
    _tell_words(path, told)
    if lost is not None:
        lost.extend((f"{path.name}, {name}", reason) for name, reason in losses or ())
    return fitted


@contextmanager
def _naming(*paths: Path, advice: str = "--on-problem skip leaves out results that do not fit") -> Iterator[None]:
    """Let an error of a result say which file it is in, and what leaves it out."""
    try:
        yield
    except DatasetError as error:
        files = " or ".join(map(str, paths))
        raise DatasetError(f"{files}: {error}; {advice}") from error


def _tell_words(path: Path, told: Counter[str]) -> None:
    for sentence, count in told.items():
        echo(f"note: {path}: {sentence} ({count} results)", err=True)


def _tell_judgement(
    results: Sequence[Results], dataset: Dataset, style: Literal["lvis", "coco"], federated: bool | None
) -> None:
    """What a person should know of how the results are judged, each once."""
    notices: list[str | None] = [notice for rows in results for notice in results_notices(rows, dataset)]
    if style == "lvis":
        exhaustive = exhaustive_notice(dataset)
        notices += [frequency_notice(dataset), exhaustive if federated is None else None]
        if federated or (federated is None and exhaustive is None):
            notices.append(unseen_notice(dataset))
    for notice in dict.fromkeys(filter(None, notices)):
        echo(f"note: {notice}", err=True)


class _Rules(TypedDict):
    style: Literal["lvis", "coco"]
    federated: bool | None


class _Bootstrap(TypedDict):
    resamples: int
    level: float


def _metrics(
    results: Results, dataset: Dataset, rules: _Rules, *, fixed: bool, bootstrap: _Bootstrap | None
) -> Metrics:
    from .bootstrap import evaluate_with_intervals
    from .evaluate import add_fixed, evaluate_coco, evaluate_lvis, truncation_notice

    if bootstrap is not None:
        metrics = evaluate_with_intervals(results, dataset, **rules, **bootstrap)
    elif rules["style"] == "coco":
        metrics = evaluate_coco(results, dataset)
    else:
        metrics = evaluate_lvis(results, dataset, federated=rules["federated"])
    if fixed:
        metrics = add_fixed(metrics, results, dataset)
        if notice := truncation_notice(results):
            echo(notice, err=True)
    return metrics


@main.command("export")
@click.argument("results", type=_FILE)
@click.option("--gt", "truth", type=_DATA, required=True, help="Data set with the images and categories.")
@click.option("--out", type=_NEW_FILE, required=True, help="COCO results, JSON.")
@click.option("--per-image", type=click.IntRange(min=0), default=300, show_default=True, help="Best kept; 0 keeps all.")
@click.option("--min-score", type=float, help="Leave out what scores less.")
@click.option("--only", type=click.Choice(["box", "mask"]), help="Boxes without masks, or masks without boxes.")
@click.option("--drop-unknown", is_flag=True, help="Leave out categories that the file lacks, such as extra ones.")
@on_problem_option
@losses_options
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def export_results(
    results: Path,
    truth: Path,
    out: Path,
    per_image: int,
    min_score: float | None,
    only: Literal["box", "mask"] | None,
    drop_unknown: bool,
    on_problem: OnProblem,
    overwrite: bool,
) -> None:
    """Bring RESULTS into the form that lvis-api, pycocotools and evaluation servers take.

    \b
    divergen-evaluate export results.json --gt lvis_v1_val.json --out submission.json --only mask
    """
    refuse_existing(out, overwrite=overwrite)
    from .evaluate import read_results
    from .submission import export_results as export

    given, losses, told = read_results(results), Losses(), Counter[str]()
    dataset = _open_truth(truth, on_problem)
    drop = "--drop-unknown leaves out categories that the data set lacks, --on-problem skip all that does not fit"
    with finishing(losses, unit="results", out=out), _naming(results, advice=drop):
        rows = export(
            given,
            dataset,
            per_image=per_image or None,
            min_score=min_score,
            only=only,
            drop_unknown=drop_unknown,
            losses=losses,
            drop_misfits=on_problem != "stop",
            told=told,
        )
    _tell_words(results, told)
    write_text(out, json.dumps(rows), overwrite=overwrite)
    answer(out=out, results=len(rows))
    left_out = len(given) - len(losses) - len(rows)
    echo(f"{out}: {len(rows)} results" + (f", {left_out} left out as asked" if left_out else ""))
    finish(losses, came=len(rows) + len(losses), went=len(rows), unit="results", out=out)

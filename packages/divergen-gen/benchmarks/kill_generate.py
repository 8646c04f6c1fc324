"""Kill -9 a run of a tiny Stable Diffusion again and again, then let it finish: the table must be as if it never was.

OMP_NUM_THREADS=1 python packages/divergen-gen/benchmarks/kill_generate.py
"""

import importlib.util
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import click
from divergen_gen import DiffusersGenerator, plan
from divergen_records import PromptRecord

COLOURS = ("red", "blue", "white", "old", "small", "metal")


def make_model(folder: Path) -> Path:
    """The tiny pipeline of the tests."""
    path = Path(__file__).parents[1] / "tests" / "tiny.py"
    spec = importlib.util.spec_from_file_location("tiny", path)
    assert spec is not None
    assert spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return tiny.stable_diffusion(folder)


def make_generator(model: Path) -> DiffusersGenerator:
    """As small as it gets."""
    return DiffusersGenerator(str(model), steps=1, size=32, dtype="float32", batch_size=4, device="cpu")


def run(model: Path, table: Path, pictures: int) -> None:
    """Make what the table lacks; commits are small, so that kills fall between them and into them."""
    from divergen_gen import execution
    from divergen_records import InstanceTable

    execution.COMMIT_ROWS, execution.HANDED = 16, 8
    generator = make_generator(model)
    prompts = [PromptRecord(text=f"a {c} cup", category_id=1, category="cup", source="t") for c in COLOURS]
    planned = plan(prompts, [generator], counts=pictures)
    execution.generate(InstanceTable.create(table, exist_ok=True), planned, [generator], progress=False)


def start(model: Path, table: Path, pictures: int) -> int:
    """A process that does the work; forked, because importing the libraries takes longer than the work."""
    child = os.fork()
    if child:
        return child
    try:
        run(model, table, pictures)
        os._exit(0)
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
        os._exit(1)


def warm_up(model: Path) -> None:
    """Import all that a picture needs, before the first fork; one thread, since a fork has no others."""
    import torch
    from divergen_gen.testing import planned_record

    torch.set_num_threads(1)
    generator = make_generator(model)
    generator([planned_record("cup", 0, generator)])


def wait_for_commits(table: Path, count: int) -> None:
    """Wait until a table has so many more versions; after two minutes, go on."""
    before, late = len(list(table.glob("_versions/*"))), time.monotonic() + 120
    while len(list(table.glob("_versions/*"))) < before + count and time.monotonic() < late:
        time.sleep(0.01)


def kill_and_compare(folder: Path, pictures: int, kills: int, seed: int = 0) -> tuple[int, float]:
    """Kill a run ``kills`` times, finish it, and compare with one that was left alone.

    Returns:
        Kills that hit a running process, and the seconds of the run that was left alone.
    """
    assert "lance" not in sys.modules, "a forked process needs a Lance of its own"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_model(folder / "model")
        warm_up(model)
    begin = time.monotonic()
    _, status = os.waitpid(start(model, folder / "whole.lance", pictures), 0)
    assert status == 0, "the run that is left alone ends well"
    seconds = time.monotonic() - begin
    hits, source = 0, random.Random(seed)
    for _ in range(kills):
        child = start(model, folder / "killed.lance", pictures)
        wait_for_commits(folder / "killed.lance", source.choice((0, 1)))
        time.sleep(source.uniform(0, 0.2))
        os.kill(child, signal.SIGKILL)
        hits += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    _, status = os.waitpid(start(model, folder / "killed.lance", pictures), 0)
    assert status == 0, "the last run ends well"
    compare(folder, pictures)
    return hits, seconds


def compare(folder: Path, pictures: int) -> None:
    """Fail unless both tables hold the same rows, each once."""
    from divergen_records import InstanceTable

    whole, killed = (InstanceTable.open(folder / f"{name}.lance") for name in ("whole", "killed"))
    assert whole.count() == killed.count() == pictures, (whole.count(), killed.count())
    assert {r.id: r for r in whole.records()} == {r.id: r for r in killed.records()}


@click.command(help=__doc__)
@click.option("--pictures", default=500, show_default=True, help="Pictures of a run.")
@click.option("--kills", default=30, show_default=True, help="Processes killed.")
def main(pictures: int, kills: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hits, seconds = kill_and_compare(Path(folder), pictures, kills)
    click.echo(
        f"{pictures} pictures, {seconds:.1f} s in one go; {hits} of {kills} processes killed at work: the same table"
    )


if __name__ == "__main__":
    main()

"""Pictures per second of CPU time of the procedural renderer on one core, per style.

OMP_NUM_THREADS=1 taskset -c 0 python packages/divergen-gen/benchmarks/render.py
"""

import time

import click
from divergen_minilvis.renderer import STYLES, category_names, render_picture


@click.command(help=__doc__)
@click.option("--size", default=256, show_default=True, help="Side of the pictures in pixels.")
@click.option("--rounds", default=2, show_default=True, help="Pictures per category and style.")
@click.option("--slowest", default=5, show_default=True, help="How many of the slowest categories to name.")
def main(size: int, rounds: int, slowest: int) -> None:
    names = category_names()
    spent: dict[tuple[str, str], float] = {}
    for style in STYLES:
        for name in names:
            render_picture(name, f"a photo of a single {name}", seed=0, size=size, style=style)
            start = time.process_time()
            for seed in range(rounds):
                prompt = f"a photo of a single red striped {name}, in a white background"
                render_picture(name, prompt, seed=seed, size=size, style=style)
            spent[style, name] = (time.process_time() - start) / rounds
        mean = sum(spent[style, name] for name in names) / len(names)
        click.echo(f"{style:14s} {1 / mean:6.1f} pictures/s")
    mean = sum(spent.values()) / len(spent)
    click.echo(f"{'all':14s} {1 / mean:6.1f} pictures/s at {size} px, {len(names)} categories")
    cost = {name: sum(spent[style, name] for style in STYLES) / len(STYLES) for name in names}
    for name in sorted(names, key=cost.__getitem__, reverse=True)[:slowest]:
        click.echo(f"  slowest: {name:16s} {1000 * cost[name]:6.1f} ms")


if __name__ == "__main__":
    main()

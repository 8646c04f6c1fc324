"""Commands that need no run: what ships with the package, what is here, and its dataset."""

from __future__ import annotations

import click
from divergen_records.command import answer, echo

__all__ = ["configs", "doctor", "minilvis"]


@click.command()
@click.argument("name", required=False)
def configs(name: str | None) -> None:
    """List the configs and the ablations that come with the package, or print one, to be changed.

    \b
    Examples:
      divergen configs
      divergen configs divergen-lvis > mine.yaml
    """
    from ..loading import shipped, shipped_text

    if name is not None:
        answer(config=name, text=shipped_text(name))
        echo(shipped_text(name), nl=False)
        return
    rows = [
        (f"divergen {command} {found}", said)
        for command, folder in (("run", "configs"), ("ablate", "ablations"))
        for found, said in shipped(folder).items()
    ]
    answer(configs=dict(rows))
    width = max(len(call) for call, _ in rows)
    for call, said in rows:
        echo(f"{call:<{width}}  {said}")


@click.command()
def doctor() -> None:
    """Print what is here: versions, devices, extras, models, disk, the hub. Paste it into an issue.

    \b
    Example:
      divergen doctor
    """
    from ..doctor import diagnosis

    found = diagnosis()
    answer(**found)
    width = max(len(name) for section in found.values() for name in section)
    for title, section in found.items():
        echo(f"{title}")
        for name, what in section.items():
            echo(f"  {name:<{width}}  {what}")


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def minilvis(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Make MiniLVIS, a long-tailed dataset of rendered scenes in LVIS format (`divergen minilvis --help`).

    With --premises: `divergen premises proof`, which says whether a box can tell if generating helps; data.box=modes
    for another one.
    """
    if "--premises" in arguments:
        from .evidence import premises

        rest = [argument for argument in arguments if argument != "--premises"]
        with premises.make_context("minilvis --premises", ["proof", *rest], parent=context.parent) as inner:
            premises.invoke(inner)
        return
    from divergen_minilvis.cli import make as command

    with command.make_context("minilvis", list(arguments), parent=context.parent) as inner:
        command.invoke(inner)

"""The page of results: each finding of the papers, and what ablations that were run say of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from divergen_records import Config, ConfigError
from divergen_records.yaml_files import dump_yaml, parse_yaml
from pydantic import TypeAdapter

from .ablation import load_ablation, shipped_ablations
from .comparison import NOT_RUN, NOT_TOLD_APART
from .explained import Explained, explained_cells, explanation_section, note_of
from .outcomes import CONTROL, REAL
from .shape import read_ablation

__all__ = ["Finding", "Saved", "asked", "read_ablations", "results_page", "shared_note", "shipped_findings"]

METRICS = ("mask AP", "mask APr")
"""What a finding is judged by, and what is shown beside it."""


_BASES = (REAL, CONTROL)
_TABLE = ("| finding | what is said | here | mask AP | mask APr | seeds |", "|---|---|---|---|---|---|")


class Finding(Config):
    """Something that a paper says, and where it is asked.

    Attributes:
        finding: Its name.
        paper: Where it is said; empty where neither paper does.
        claim: What is said.
        ablation: Which ablation asks it here.
        better: The arm that should be better, or what is explained.
        than: What it is compared with.
        explained: What of `divergen explain` asks it, where no ablation does: ``gap`` or ``energy``.
        lvis: What an ablation by which LVIS itself is asked says differently: its arms, or its base.
    """

    finding: str
    paper: str = ""
    claim: str
    ablation: str | None = None
    better: str = ""
    than: str = ""
    explained: Literal["gap", "energy"] | None = None
    lvis: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Saved:
    """What an ablation left in its folder.

    Attributes:
        folder: The folder.
        content: Of its ``ablation.json``.
    """

    folder: Path
    content: Mapping[str, Any]

    def compared(self, first: str, second: str, metric: str) -> Mapping[str, Any] | None:
        """How much the second arm is over the first; None where the two have no seed in common."""
        rows = {(row["first"], row["second"], row["metric"]): row for row in self.content["comparisons"]}
        back = rows.get((second, first, metric))
        return rows.get((first, second, metric)) or (_turned(back) if back else None)

    @property
    def note(self) -> list[str]:
        """What a person left in ``note.md`` of the folder, to be said beside the figures; no line where nothing."""
        return note_of(self.folder)

    def _asked(self) -> Iterator[str]:
        """The options by which it is another than the shipped one of its name."""
        name = self.content["name"]
        if name not in shipped_ablations():
            return
        shipped = load_ablation(name)
        base = self.content.get("base", shipped.base)
        if base != shipped.base:
            yield from ("--base", base)
        asked = [arm["arm"] for arm in self.content["arms"] if arm["arm"] in shipped.arms]
        if len(asked) < len(shipped.arms):
            for arm in asked:
                yield from ("--arm", arm)

    @property
    def command(self) -> str:
        """The line that goes on with it."""
        content = self.content
        seeds = max((len(arm["values"].get("mask AP", {})) for arm in content["arms"]), default=0)
        name = content["name"]
        words = [
            name if name in shipped_ablations() else f"{name}.yaml",
            *self._asked(),
            "--seeds",
            str(seeds),
            "--out",
            self.folder.name,
            *content["overrides"],
        ]
        return f"divergen ablate {shlex.join(words)}"


def shipped_findings() -> list[Finding]:
    """The papers' findings, in the order of the page."""
    text = resources.files(__package__).joinpath("findings.yaml").read_text(encoding="utf-8")
    return TypeAdapter(list[Finding]).validate_python(parse_yaml(text, "findings.yaml"))


def read_ablations(folders: Sequence[Path]) -> list[Saved]:
    """The ablations in folders, or one level below.

    Raises:
        ConfigError: If a folder holds none, or two of the same name are given.
    """
    found: dict[str, Saved] = {}
    for folder in folders:
        paths = sorted([*folder.glob("ablation.json"), *folder.glob("*/ablation.json")])
        if not paths and not (folder / "explanation.json").exists():
            raise ConfigError(f"{folder}: holds no ablation.json; `divergen ablate NAME --out FOLDER` writes it")
        for path in paths:
            saved = Saved(path.parent, read_ablation(path))
            name = saved.content["name"]
            if name in found:
                raise ConfigError(f"{found[name].folder} and {path.parent} both hold the ablation {name!r}; give one")
            found[name] = saved
    return list(found.values())


def shared_note(folders: Sequence[Path]) -> list[str]:
    """What a person left in ``note.md`` of the folders that hold those of ablations, to be said of all of them."""
    above = [folder for folder in folders if not (folder / "ablation.json").exists() and any(folder.glob("*/*.json"))]
    return [line for folder in above for line in note_of(folder)]


def asked(ablations: Sequence[Saved], findings: Sequence[Finding]) -> dict[str, Mapping[str, Any]]:
    """Finding -> the comparison of its arms by mask AP, where both have at least two seeds."""
    by_name = {saved.content["name"]: saved for saved in ablations}
    pairs = {
        finding.finding: by_name[finding.ablation].compared(finding.than, finding.better, METRICS[0])
        for finding in findings
        if finding.ablation in by_name
    }
    return {name: pair for name, pair in pairs.items() if pair is not None and len(pair["seeds"]) > 1}


def results_page(
    ablations: Sequence[Saved],
    findings: Sequence[Finding],
    command: str,
    figure: str | None = None,
    explanation: Explained | None = None,
    note: Sequence[str] = (),
) -> str:
    """The page as Markdown, of ablations that were run and nothing else.

    Args:
        ablations: What was run.
        findings: What the page is about.
        command: The line that makes the page.
        figure: The file of `divergen.evidence.plot.findings_plot`, beside the page.
        explanation: What `divergen explain` measured, if it was run.
        note: Lines that a person has to say of all of it.
    """
    by_name = {saved.content["name"]: saved for saved in ablations}
    known = {finding.ablation for finding in findings}
    rows = [
        (
            finding,
            _explained_row(finding, explanation)
            if finding.explained
            else _row(finding, by_name.get(finding.ablation or "")),
        )
        for finding in findings
    ]
    return "\n".join(
        [
            *_head(command),
            *note,
            *([f"![Difference of each finding that was run, with its intervals]({figure})", ""] if figure else []),
            *(_TABLE if any(row is not None for _, row in rows) else ()),
            *(row for _, row in rows if row is not None),
            "",
            *_not_run([finding for finding, row in rows if row is None]),
            *_details(ablations),
            *(explanation_section(explanation) if explanation else ()),
            *(line for saved in ablations if saved.content["name"] not in known for line in _further(saved)),
            *_lvis(findings),
        ]
    )


def _head(command: str) -> Iterator[str]:
    yield from (
        "# Results",
        "",
        f"Made by `{command}` from files of ablations that were run, with their `note.md`; nothing else is by hand.",
        "",
        "**Shown**: the arm is better, and both 95 % intervals leave out 0: that over paired seeds (±, Student's",
        "t; as if unpaired in round brackets) and that over validation images (square brackets, bootstrap). **Not",
        "shown**: it is worse, as clearly. **Not told apart**: an interval holds 0; no difference was seen, which",
        "is not to say that there is none. **Not run**: fewer than two seeds of both arms. Points of AP. The box",
        "is MiniLVIS: what shows here need not show on LVIS, or the reverse.",
        "",
    )


def status(pair: Mapping[str, Any] | None) -> str:
    """What a comparison says of a finding."""
    if pair is None or len(pair["seeds"]) < 2:
        return NOT_RUN
    return {"better": "**shown**", "worse": "**not shown**: worse", NOT_TOLD_APART: NOT_TOLD_APART}[pair["verdict"]]


def _row(finding: Finding, saved: Saved | None) -> str | None:
    """Of a finding that was asked; None for one that was not."""
    pairs = [saved.compared(finding.than, finding.better, metric) if saved else None for metric in METRICS]
    seeds = len(pairs[0]["seeds"]) if pairs[0] else 0
    if status(pairs[0]) == NOT_RUN:
        return None
    return _line(finding, f"`{finding.ablation}`", status(pairs[0]), _figure(pairs[0]), _figure(pairs[1]), seeds)


def _explained_row(finding: Finding, explanation: Explained | None) -> str | None:
    assert finding.explained is not None
    cells = explained_cells(explanation and explanation.content, finding.explained, finding.better, finding.than)
    return None if cells[0] == NOT_RUN else _line(finding, "`divergen explain`", *cells)


def _not_run(findings: Sequence[Finding]) -> Iterator[str]:
    asked: dict[str, list[str]] = {}
    for one in findings:
        asked.setdefault(one.ablation or "divergen explain", []).append(one.finding)
    lines = [f"`{by}` ({'; '.join(names)})" for by, names in asked.items()]
    if lines:
        yield from (f"**Not run**: {', '.join(lines)}.", "")


def _line(finding: Finding, asked_by: str, said: str, figure: str, rare: str, seeds: int) -> str:
    compared = f"<br>{finding.better} over {finding.than} ({asked_by})"
    paper = f"<br>{finding.paper}" if finding.paper else ""
    cells = [f"{finding.finding}{paper}", f"{finding.claim}{compared}", said, figure, rare]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} | {seeds or '–'} |"


def _turned(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same comparison, of the first arm over the second."""
    images = row["images"] and [-number for number in reversed(row["images"])]
    verdict = {"better": "worse", "worse": "better"}.get(row["verdict"], row["verdict"])
    turned = {"first": row["second"], "second": row["first"], "verdict": verdict, "images": images}
    return {**row, **turned, "difference": -row["difference"]}


def _figure(pair: Mapping[str, Any] | None) -> str:
    if pair is None:
        return "–"
    text = f"{100 * pair['difference']:+.1f}"
    if pair["paired"] is not None:
        text += f" ± {100 * pair['paired']:.1f} (unpaired {100 * pair['unpaired']:.1f})"
    if pair["images"] is not None:
        text += f" [{100 * pair['images'][0]:+.1f}, {100 * pair['images'][1]:+.1f}]"
    return text


def _details(ablations: Sequence[Saved]) -> Iterator[str]:
    for saved in ablations:
        yield from (f"## {saved.content['question']}", "", "```", f"$ {saved.command}", "```", "", *saved.note)
        yield from (f"| arm | mask AP | mask APr | box AP | {' | '.join(f'over {base}' for base in _BASES)} | seeds |",)
        yield "|---|---|---|---|---|---|---|"
        for arm in saved.content["arms"]:
            values = arm["values"]
            means = [_mean(values.get(metric, {})) for metric in (*METRICS, "box AP")]
            gains = [_figure(saved.compared(base, arm["arm"], METRICS[0])) for base in _BASES]
            yield f"| {arm['arm']} | {' | '.join((*means, *gains))} | {len(values.get('mask AP', {})) or '–'} |"
        yield from ("", _told(saved.content), "")


def _mean(values: Mapping[str, float]) -> str:
    return f"{100 * sum(values.values()) / len(values):.1f}" if values else "–"


def _told(content: Mapping[str, Any]) -> str:
    cost, plan = content["cost"], content["plan"]
    took = f"It took {cost['cpu'] / 3600:.1f} CPU hours ({cost['wall'] / 3600:.1f} by the clock)."
    if not cost["cpu"]:
        took = "What it took was not noted."
    if plan is None:
        return f"{took} One seed says nothing of how sure this is."
    return (
        f"{took} {plan['seeds']} seeds tell {100 * plan['smallest']:.1f} points of mask AP apart; "
        f"{100 * plan['resolution']:g} points take {plan['needed']}, by what differences vary here "
        f"({100 * plan['spread']:.2f} points, {plan['freedom']} degrees of freedom)."
    )


def _further(saved: Saved) -> Iterator[str]:
    """Of an ablation that no finding asks for: its arms against the first."""
    yield from (f"### {saved.content['question']} All pairs", "")
    for row in saved.content["comparisons"]:
        if row["metric"] == METRICS[0]:
            yield f"- {row['second']} over {row['first']}: {_figure(row)}, {row['verdict']}"
    yield ""


def _lvis(findings: Sequence[Finding]) -> Iterator[str]:
    yield from (
        "## What settles it on LVIS",
        "",
        "A laboratory with 8 GPUs saves what stands below a finding as a YAML file and runs, one run on each GPU at a",
        "time, `divergen ablate FILE data=LVIS --seeds 2 --shard $SLURM_ARRAY_TASK_ID/8`. Without `--shard` the line",
        "then says how many seeds half a point takes, and what they cost. Not run here: there was no GPU.",
        "",
    )
    for finding in findings:
        if finding.lvis:
            content = {"question": finding.claim, "base": "divergen-lvis", **finding.lvis}
            yield from (f"{finding.finding}:", "", "```yaml", dump_yaml(content).rstrip(), "```", "")

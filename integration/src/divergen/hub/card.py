"""The card of a published dataset: what is in it, and what made it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import yaml

from .parquet import Published

if TYPE_CHECKING:
    from ..run import Run

__all__ = ["describe"]

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

_BODY = """
# {name}

{count:,} generated instances of {categories:,} categories, each a picture of one object with its mask, made with
DiverGen {version} for long-tailed instance segmentation. Every row says what made it: prompt, generator, seed.

```python
from datasets import load_dataset

instances = load_dataset("{hub_id}", split="train")
instances[0]["image"], instances[0]["mask"], instances[0]["category"]
```

Back to a table, a pool, and pasted images: `divergen pull {hub_id} --out instances.lance`, then
`divergen-paste pool instances.lance --out pool`.

## What made it

{generators}

The pictures are under the licence of the models that made them, named above; read it before you use them.

Prompts: {prompt_sources}. Instances by frequency of the category in the training set: {frequencies}.

## What was kept

Rows that fit `{where}`. Rules: {rules}

## Categories

{listed}
"""


def describe(
    published: Published, hub_id: str, *, run: Run | None = None, where: str = "kept", licence: str | None = None
) -> str:
    """The text of ``README.md``.

    Args:
        published: What it holds.
        hub_id: Where.
        run: The run that made it, for its name and rules.
        where: What was published of it.
        licence: Identifier of the hub, for example ``cc-by-4.0``; ``other`` where left out: the models' licences hold.
    """
    front = {
        "license": licence or "other",
        "task_categories": ["image-segmentation"],
        "tags": ["synthetic", "instance-segmentation", "divergen"],
        "size_categories": [_size(published.count)],
        "configs": [{"config_name": "default", "data_files": "data/*.parquet"}],
    }
    body = _BODY.format(
        name=_line(run.config.name if run else hub_id.rpartition("/")[2]),
        hub_id=hub_id,
        count=published.count,
        categories=len(published.categories),
        version=version("divergen"),
        generators=_table(
            ("generator", "revision and settings", "instances"),
            ((name, revision, count) for (name, revision), count in published.generators.most_common()),
        ),
        prompt_sources=_counts(published.prompt_sources),
        frequencies=_counts(published.frequencies),
        where=where.replace("`", "'"),
        rules=_rules(run),
        listed=", ".join(f"{_line(name)} {count}" for name, count in sorted(published.categories.items())),
    )
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n{body}"


def _rules(run: Run | None) -> str:
    if run is None:
        return "those of the table."
    rules: Any = run.config.model_dump(mode="json")["rules"]
    return f"\n\n```json\n{json.dumps(rules, indent=1)}\n```"


def _size(count: int) -> str:
    lower = [size for size in _SIZES if size <= count]
    if not lower:
        return "n<1K"
    names = {1_000: "1K", 10_000: "10K", 100_000: "100K", 1_000_000: "1M", 10_000_000: "10M"}
    upper = [size for size in _SIZES if size > count]
    return f"{names[lower[-1]]}<n<{names[upper[0]]}" if upper else "n>10M"


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{_line(name)} {count:,}" for name, count in sorted(counted.items()))


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(map(_line, row)) + " |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(lines)


def _line(text: object) -> str:
    """Foreign text as one piece of a line of Markdown."""
    return re.sub(r"[|`\[]", r"\\\g<0>", " ".join(str(text).split())).replace("<", "&lt;")

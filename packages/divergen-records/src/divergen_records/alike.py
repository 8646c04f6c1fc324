"""Many sentences that say the same of many things: the first of them, then how many others there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

__all__ = ["once_each", "remedies_once"]

_VARYING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S*[/\\]\S*|\d+(?:[.,]\d+)*")
"""What differs between sentences that say the same: quoted names, paths, numbers."""

_NAMED = 4


def once_each(rows: Iterable[tuple[str, str]], most: int | None = None) -> list[str]:
    """Lines that say every kind of sentence once.

    Args:
        rows: Of each thing its name, which may be empty, and the whole sentence that is said of it.
        most: Kinds that are said; how many sentences the others are is the last line.

    Returns:
        Of each kind the sentence of its first thing, and below it how many more there are, with the first names.

    Example:
        >>> once_each([("a.png", "a.png: is empty; copy it again"), ("b.png", "b.png: is empty; copy it again")])
        ['a.png: is empty; copy it again', '  and 1 more alike: b.png']
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, sentence in rows:
        kinds.setdefault(_VARYING.sub("", sentence.removeprefix(name)), []).append((name, sentence))
    lines: list[str] = []
    for (_, sentence), *others in islice(kinds.values(), most):
        lines.append(sentence)
        if others:
            names = [name for name, _ in others if name][:_NAMED]
            listed = f": {', '.join(names)}{', …' * (len(others) > len(names))}" if names else ""
            lines.append(f"  and {len(others):,} more alike{listed}")
    if rest := sum(map(len, list(kinds.values())[len(kinds) if most is None else most :])):
        lines.append(f"... and {rest:,} more")
    return lines


def remedies_once(sentences: Iterable[str]) -> list[str]:
    """Lines of sentences that end with what to do ("…; do this"), those with the same remedy together and it once.

    Example:
        >>> remedies_once(["a is gone; go online", "b is empty; mend it", "c is gone; go online"])
        ['a is gone', 'c is gone', '  what to do about these 2: go online', 'b is empty; mend it']
    """
    alike: dict[str, list[str]] = {}
    for sentence in sentences:
        told, _, remedy = sentence.partition("; ")
        alike.setdefault(remedy or sentence, []).append(told)
    lines: list[str] = []
    for remedy, all_told in alike.items():
        if len(all_told) > 1:
            lines += [*all_told, f"  what to do about these {len(all_told)}: {remedy}"]
        else:
            lines.append(all_told[0] if remedy == all_told[0] else f"{all_told[0]}; {remedy}")
    return lines

"""Small charts as SVG text, for a page that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLOURS", "bars", "histogram", "scatter"]

COLOURS = {"kept": "#0072b2", "rejected": "#d55e00", "undecided": "#999999", "real": "#222222"}
"""Told apart by the colour-blind as well (Okabe and Ito)."""

_WIDTH, _HEIGHT, _FOOT = 320, 120, 16
_BINS = 40


def histogram(title: str, groups: Mapping[str, NDArray[np.float64]], limits: Sequence[Sequence[float]] = ()) -> str:
    """Stacked histogram of a score.

    Args:
        title: The score's name.
        groups: Values of each group, ``kept``, ``rejected`` …; NaN is left out and counted in the title.
        limits: Thresholds of each rule: a line at their median, and a band from their 10 to their 90 % quantile.
    """
    finite = {name: values[np.isfinite(values)] for name, values in groups.items()}
    everything = np.concatenate([*finite.values(), np.zeros(0)])
    missing = sum(map(len, groups.values())) - len(everything)
    caption = escape(f"{title}{f' ({missing} without)' if missing else ''}")
    if not len(everything):
        return f"<figure><figcaption>{caption}</figcaption></figure>"
    drawn = np.append(everything, [limit for some in limits for limit in some if np.isfinite(limit)])
    low, high = float(drawn.min()), float(drawn.max())
    high = high if high > low else low + 1e-6 + abs(low) * 1e-3
    edges = np.linspace(low, high, _BINS + 1)
    counts = {name: np.histogram(values, edges)[0] for name, values in finite.items()}
    tallest = max(int(sum(counts.values()).max()), 1)  # type: ignore[union-attr]  # arrays
    parts, base, step = [], np.zeros(_BINS), _WIDTH / _BINS
    for name, count in counts.items():
        for index in np.flatnonzero(count):
            height = count[index] / tallest * (_HEIGHT - 4)
            y = _HEIGHT - base[index] - height
            parts.append(_rect(index * step, y, step - 0.5, height, COLOURS[name]))
            base[index] += height
    for some in limits:
        parts += _limits([limit for limit in some if np.isfinite(limit)], low, high)
    for x, anchor, value in ((0, "start", low), (_WIDTH, "end", high)):
        parts.append(f'<text x="{x}" y="{_HEIGHT + 13}" text-anchor="{anchor}">{value:.3g}</text>')
    return f"<figure><figcaption>{caption}</figcaption>{_svg(parts, _WIDTH, _HEIGHT + _FOOT)}</figure>"


def _limits(limits: Sequence[float], low: float, high: float) -> list[str]:
    if not limits:
        return []

    def place(value: float) -> float:
        return (value - low) / (high - low) * _WIDTH

    first, middle, last = (place(float(np.quantile(limits, share))) for share in (0.1, 0.5, 0.9))
    band = f'<rect x="{first:.1f}" y="0" width="{max(last - first, 0):.1f}" height="{_HEIGHT}" fill="#0003"/>'
    line = f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="0" y2="{_HEIGHT}" stroke="#000" stroke-dasharray="4 2"/>'
    return [band, line] if last - first > 0.5 else [line]


def bars(rows: Sequence[tuple[str, int, int]]) -> str:
    """A table of shares: name, how many of how many."""
    lines = []
    for name, part, whole in rows:
        share = part / whole if whole else 0
        bar = f'<div class="bar"><div style="width:{share:.1%}"></div></div>'
        lines.append(
            f"<tr><td>{escape(name)}</td><td>{bar}</td><td>{share:.0%}</td><td>{part:,} of {whole:,}</td></tr>"
        )
    return f"<table>{''.join(lines)}</table>"


def scatter(points: NDArray[np.float64], groups: Sequence[str], names: Sequence[str]) -> str:
    """Points in a plane.

    Args:
        points: (N, 2).
        groups: N keys of `COLOURS`.
        names: N texts that show under the pointer.
    """
    size = 560
    if not len(points):
        return ""
    low, high = np.quantile(points, 0.005, axis=0), np.quantile(points, 0.995, axis=0)
    places = ((points - low) / np.maximum(high - low, 1e-9)).clip(0, 1) * (size - 12) + 6
    parts = []
    for (x, y), group, name in zip(places, groups, names, strict=True):
        parts.append(
            f'<circle cx="{x:.1f}" cy="{size - y:.1f}" r="{2 if group == "real" else 3}" fill="{COLOURS[group]}" '
            f'fill-opacity="0.6"><title>{escape(name)}</title></circle>'
        )
    return _svg(parts, size, size)


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _svg(parts: Sequence[str], width: int, height: int) -> str:
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'

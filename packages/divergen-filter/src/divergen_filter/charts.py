"""Small charts as SVG text, for a page that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

__all__ = ["COLOURS", "bars", "histogram", "scatter"]

COLOURS = {"kept": "#0072b2", "rejected": "#d55e00", "undecided": "#999999", "real": "#222222"}
"""Told apart by the colour-blind as well (Okabe and Ito)."""

_WIDTH, _HEIGHT, _FOOT = 320, 120, 16
_BINS = 40


def histogram(title: str, groups: Mapping[str, NDArray[np.float64]], limits: Sequence[Sequence[float]] = ()) -> Markup:
    """Stacked histogram of a score.

    Args:
        title: The score's name.
        groups: Values of each group, ``kept``, ``rejected`` …; NaN is left out and counted in the title.
        limits: Thresholds of each rule: a line at their median, and a band from their 10 to their 90 % quantile.
    """
    finite = {name: values[np.isfinite(values)] for name, values in groups.items()}
    everything = np.concatenate([*finite.values(), np.zeros(0)])
    missing = sum(map(len, groups.values())) - len(everything)
    caption = f"{title}{f' ({missing} without)' if missing else ''}"
    if not len(everything):
        return Markup("<figure><figcaption>{}</figcaption></figure>").format(caption)
    drawn = np.append(everything, [limit for some in limits for limit in some if np.isfinite(limit)])
    low, high = float(drawn.min()), float(drawn.max())
    high = high if high > low else low + 1e-6 + abs(low) * 1e-3
    edges = np.linspace(low, high, _BINS + 1)
    counts = {name: np.histogram(values, edges)[0] for name, values in finite.items()}
    tallest = max(int(sum(counts.values()).max()), 1)  # type: ignore[union-attr]  # arrays
    parts: list[Markup] = []
    base, step = np.zeros(_BINS), _WIDTH / _BINS
    for name, count in counts.items():
        for index in np.flatnonzero(count):
            height = count[index] / tallest * (_HEIGHT - 4)
            y = _HEIGHT - base[index] - height
            parts.append(_rect(index * step, y, step - 0.5, height, COLOURS[name]))
            base[index] += height
    for some in limits:
        parts += _limits([limit for limit in some if np.isfinite(limit)], low, high)
    for x, anchor, value in ((0, "start", low), (_WIDTH, "end", high)):
        text = Markup('<text x="{}" y="{}" text-anchor="{}">{:.3g}</text>')
        parts.append(text.format(x, _HEIGHT + 13, anchor, value))
    picture = _svg(parts, _WIDTH, _HEIGHT + _FOOT)
    return Markup("<figure><figcaption>{}</figcaption>{}</figure>").format(caption, picture)


def _limits(limits: Sequence[float], low: float, high: float) -> list[Markup]:
    if not limits:
        return []

    def place(value: float) -> float:
        return (value - low) / (high - low) * _WIDTH

    first, middle, last = (place(float(np.quantile(limits, share))) for share in (0.1, 0.5, 0.9))
    band = Markup('<rect x="{:.1f}" y="0" width="{:.1f}" height="{}" fill="#0003"/>')
    line = Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}" stroke="#000" stroke-dasharray="4 2"/>')
    drawn = line.format(middle, _HEIGHT)
    return [band.format(first, last - first, _HEIGHT), drawn] if last - first > 0.5 else [drawn]


def bars(rows: Sequence[tuple[str, int, int]]) -> Markup:
    """A table of shares: name, how many of how many."""
    line = Markup(
        '<tr><td>{0}</td><td><div class="bar"><div style="width:{1:.1%}"></div></div></td><td>{1:.0%}</td>'
        "<td>{2:,} of {3:,}</td></tr>"
    )
    lines = [line.format(name, part / whole if whole else 0.0, part, whole) for name, part, whole in rows]
    return Markup("<table>{}</table>").format(Markup().join(lines))


def scatter(points: NDArray[np.float64], groups: Sequence[str], names: Sequence[str]) -> Markup:
    """Points in a plane.

    Args:
        points: (N, 2).
        groups: N keys of `COLOURS`.
        names: N texts that show under the pointer.
    """
    size = 560
    if not len(points):
        return Markup()
    low, high = np.quantile(points, 0.005, axis=0), np.quantile(points, 0.995, axis=0)
    places = ((points - low) / np.maximum(high - low, 1e-9)).clip(0, 1) * (size - 12) + 6
    dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{}" fill="{}" fill-opacity="0.6"><title>{}</title></circle>')
    parts = [
        dot.format(x, size - y, 2 if group == "real" else 3, COLOURS[group], name)
        for (x, y), group, name in zip(places, groups, names, strict=True)
    ]
    return _svg(parts, size, size)


def _rect(x: float, y: float, width: float, height: float, colour: str) -> Markup:
    rect = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>')
    return rect.format(x, y, width, height, colour)


def _svg(parts: Sequence[Markup], width: int, height: int) -> Markup:
    svg = Markup('<svg viewBox="0 0 {0} {1}" width="{0}" height="{1}">{2}</svg>')
    return svg.format(width, height, Markup().join(parts))

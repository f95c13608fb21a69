"""Charts: numbers as SVG, made here so that they need no script, each with a table of the same numbers for who can't see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup, escape

from connector_master.web.language import number

_WIDTH, _HEIGHT = 960, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 12, 26


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers, one for each label; None where there is nothing to say. `place` (0 to 7) chooses its colour."""

    name: str
    values: Sequence[float | None]
    place: int


def bars(labels: Sequence[str], series: Sequence[Series], title: str) -> Markup:
    """Return stacked bars, one for each label."""
    totals = [sum(one.values[at] or 0 for one in series) for at in range(len(labels))]
    top = _nice(max(totals, default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    drawn = [_grid(top), _labels(labels, step)]
    names = [escape(one.name) for one in series]
    for at, label in enumerate(map(escape, labels)):
        base, x = 0.0, _LEFT + at * step + step * 0.15
        for one, name in zip(series, names, strict=True):
            value = one.values[at] or 0
            if value <= 0:
                continue
            y, height = _y(base + value, top), _y(base, top) - _y(base + value, top)
            drawn.append(
                f'<rect class="series-{one.place}" x="{x:.1f}" y="{y:.1f}" width="{step * 0.7:.1f}" height="{height:.1f}" '
                f'rx="1.5"><title>{label} · {name}: {number(value)}</title></rect>'
            )
            base += value
    return _drawing(drawn, title)


def lines(labels: Sequence[str], series: Sequence[Series], title: str, top: float | None = None) -> Markup:
    """Return one line for each series over the labels, broken where there is nothing to say; `top` ends the scale."""
    if top is None:
        top = _nice(max((value for one in series for value in one.values if value is not None), default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    drawn = [_grid(top), _labels(labels, step)]
    for one in series:
        name = escape(one.name)
        for known, run in groupby(enumerate(one.values), key=lambda point: point[1] is not None):
            if not known:
                continue
            points = [(at, _LEFT + (at + 0.5) * step, value) for at, value in run if value is not None]
            path = " ".join(f"{x:.1f},{_y(value, top):.1f}" for _at, x, value in points)
            drawn.append(f'<polyline class="line-{one.place}" points="{path}" fill="none"/>')
            drawn += [
                f'<circle class="series-{one.place}" cx="{x:.1f}" cy="{_y(value, top):.1f}" r="3">'
                f"<title>{escape(labels[at])} · {name}: {number(value, 1)}</title></circle>"
                for at, x, value in points
            ]
    return _drawing(drawn, title)


def _drawing(parts: Sequence[str], title: str) -> Markup:
    """Return the drawing around `parts`, which are markup already."""
    # Narrow screens scroll it, rather than shrink its words.
    return Markup(
        '<div class="chart-wrap" tabindex="0" role="region" aria-label="{}">'
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></div>'
    ).format(title, _WIDTH, _HEIGHT, title, Markup("").join(map(Markup, parts)))


def _grid(top: float) -> str:
    steps = 4 if top >= 4 else max(1, int(top))
    return "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(value, top):.1f}" y2="{_y(value, top):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{_y(value, top) + 4:.1f}" text-anchor="end">{number(value, 1)}</text>'
        for value in (top * step / steps for step in range(steps + 1))
    )


def _labels(labels: Sequence[str], step: float) -> str:
    # Not more than fit beside each other.
    every = max(1, -(-len(labels) * 60 // (_WIDTH - _LEFT - _RIGHT)))
    return "".join(
        f'<text x="{_LEFT + (at + 0.5) * step:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(label)}</text>'
        for at, label in enumerate(labels)
        if (len(labels) - 1 - at) % every == 0
    )


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top


def _nice(most: float) -> float:
    """Return a round number that is at least `most` and splits into four."""
    if most <= 4:
        return max(1.0, float(-(-most // 1)))
    size = 4.0
    while size < most:
        for factor in (1.5, 2, 3, 5, 7.5, 10):
            if size * factor >= most:
                return size * factor
        size *= 10
    return size

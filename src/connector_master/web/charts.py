"""Charts: numbers as SVG, made here so that they need no script, each with a table of the same numbers for who can't see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from connector_master.web.language import number

_WIDTH, _HEIGHT = 960, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 12, 26


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers, one for each label; `place` (0 to 7) chooses its colour and pattern in the style sheet."""

    name: str
    values: Sequence[float]
    place: int


def bars(labels: Sequence[str], series: Sequence[Series], title: str) -> Markup:
    """Return stacked bars, one for each label."""
    totals = [sum(one.values[at] for one in series) for at in range(len(labels))]
    top = _nice(max(totals, default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    drawn = [_grid(top), _labels(labels, step)]
    for at, label in enumerate(labels):
        base = 0.0
        for one in series:
            value = one.values[at]
            if value <= 0:
                continue
            y, height = _y(base + value, top), _y(base, top) - _y(base + value, top)
            drawn.append(
                Markup(
                    '<rect class="series-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5">'
                    "<title>{} · {}: {}</title></rect>"
                ).format(
                    one.place, _LEFT + at * step + step * 0.15, y, step * 0.7, height, label, one.name, number(value)
                )
            )
            base += value
    return _drawing(drawn, title)


def lines(labels: Sequence[str], series: Sequence[Series], title: str) -> Markup:
    """Return one line for each series over the labels."""
    top = _nice(max((value for one in series for value in one.values), default=0))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    drawn = [_grid(top), _labels(labels, step)]
    for one in series:
        points = " ".join(
            f"{_LEFT + (at + 0.5) * step:.1f},{_y(value, top):.1f}" for at, value in enumerate(one.values)
        )
        drawn.append(Markup('<polyline class="line-{}" points="{}" fill="none"/>').format(one.place, points))
        for at, value in enumerate(one.values):
            drawn.append(
                Markup(
                    '<circle class="series-{}" cx="{:.1f}" cy="{:.1f}" r="3"><title>{} · {}: {}</title></circle>'
                ).format(one.place, _LEFT + (at + 0.5) * step, _y(value, top), labels[at], one.name, number(value, 1))
            )
    return _drawing(drawn, title)


def _drawing(parts: Sequence[Markup], title: str) -> Markup:
    drawing = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    # Narrow screens scroll it, rather than shrink its words.
    return Markup('<div class="chart-wrap" tabindex="0" role="region" aria-label="{}">{}</div>').format(
        title, drawing.format(_WIDTH, _HEIGHT, title, Markup("").join(parts))
    )


def _grid(top: float) -> Markup:
    steps = 4 if top >= 4 else max(1, int(top))
    return Markup("").join(
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(
            _LEFT, _WIDTH - _RIGHT, _y(value, top), _y(value, top), _LEFT - 6, _y(value, top) + 4, number(value, 1)
        )
        for value in (top * step / steps for step in range(steps + 1))
    )


def _labels(labels: Sequence[str], step: float) -> Markup:
    # Not more than fit beside each other.
    every = max(1, -(-len(labels) * 60 // (_WIDTH - _LEFT - _RIGHT)))
    return Markup("").join(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            _LEFT + (at + 0.5) * step, _HEIGHT - 8, label
        )
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

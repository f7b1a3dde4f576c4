"""The course of an optimization with the styles' objectives as lines across it: an SVG, coloured by the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 40, 408, 12, 262
LABEL_HEIGHT = 15
COLOURS = 6
"""How many of the page's colours there are for styles."""


@dataclass(frozen=True)
class Level:
    """A style's objective."""

    name: str
    objective: float
    steps: int | None
    """After how many steps the curve gets there."""


def svg(curve: Sequence[float], levels: Sequence[Level], title: str) -> str:
    """A chart of `curve` (the objective after 0, 1, 2, … steps) over log(1 + step), both axes logarithmic."""
    plot = _Plot.around(curve, levels)
    parts = [*plot.grid(), *plot.levels(levels), plot.line(curve), *plot.dots(levels), *plot.labels(levels)]
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return "\n".join([head, *parts, "</svg>"])


@dataclass(frozen=True)
class _Plot:
    """Where steps and objectives lie on the picture."""

    steps: int
    low: float
    high: float

    @classmethod
    def around(cls, curve: Sequence[float], levels: Sequence[Level]) -> _Plot:
        values = [value for value in (*curve, *(level.objective for level in levels)) if value > 0] or [1.0]
        return cls(max(1, len(curve) - 1), min(values) / 1.25, max(values) * 1.15)

    def x(self, step: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log1p(step) / math.log1p(self.steps)

    def y(self, value: float) -> float:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return BOTTOM - (BOTTOM - TOP) * share

    def grid(self) -> Iterator[str]:
        for value in _ticks(self.low, self.high):
            y = self.y(value)
            yield f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>'
            yield f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        for step in (step for step in (0, 1, 3, 10, 30, 100, 300, 1000, 3000) if step <= self.steps):
            yield f'<text class="tick" x="{self.x(step):.1f}" y="{BOTTOM + 17}" text-anchor="middle">{step}</text>'
        middle = (LEFT + RIGHT) / 2
        yield f'<text class="axis" x="{middle:.1f}" y="{HEIGHT - 4}" text-anchor="middle">steps of optimization</text>'

    def line(self, curve: Sequence[float]) -> str:
        points = " ".join(f"{self.x(step):.1f},{self.y(value):.1f}" for step, value in enumerate(curve))
        return f'<polyline class="curve" points="{points}"/>'

    def levels(self, levels: Sequence[Level]) -> Iterator[str]:
        for number, level in enumerate(levels):
            yield f'<path class="level {_colour(number)}" d="M{LEFT} {self.y(level.objective):.1f}H{RIGHT}"/>'

    def labels(self, levels: Sequence[Level]) -> Iterator[str]:
        """From below, each above its line and the label before, and across no other line."""
        lines = [self.y(level.objective) for level in levels]
        y = math.inf
        for number in sorted(range(len(levels)), key=lambda number: -lines[number]):
            y = min(lines[number] - 5, y - LABEL_HEIGHT)
            while any(y - LABEL_HEIGHT < line + 3 and line < y + 5 for line in lines):
                y -= 1
            text = escape(f"{levels[number].name} · {_steps(levels[number].steps, self.steps)}")
            yield f'<text class="label {_colour(number)}" x="{LEFT + 4}" y="{y:.1f}">{text}</text>'

    def dots(self, levels: Sequence[Level]) -> Iterator[str]:
        for number, level in enumerate(levels):
            if level.steps is not None:
                x, y, colour = self.x(level.steps), self.y(level.objective), _colour(number)
                yield f'<path class="drop {colour}" d="M{x:.1f} {y:.1f}V{BOTTOM}"/>'
                yield f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'


def _colour(number: int) -> str:
    return f"s{number % COLOURS + 1}"


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between `low` and `high`: 1, 2 and 5 times powers of ten."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for e in exponents for tick in (10.0**e, 2 * 10.0**e, 5 * 10.0**e) if low <= tick <= high]


def _steps(steps: int | None, made: int) -> str:
    return f"more than {made} steps" if steps is None else f"{steps} step{'' if steps == 1 else 's'}"

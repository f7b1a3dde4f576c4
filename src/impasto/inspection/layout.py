"""Where each box of the drawing lies, in inches from the top left corner of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from impasto.inspection.boxes import Box, Skip, skips_of

PAGE_WIDTH = 10.5
MIDDLE = 4.75
FULL_WIDTH = 5.2
NARROWEST = 3.1
"""Width of a box at the smallest size: its words must fit."""
TOP = 2.05
"""Height of the title and the column heads."""
GAP = 0.14
PANEL_TOP, PANEL_BOTTOM, PANEL_SIDE = 0.24, 0.12, 0.2
JOIN_RADIUS = 0.125
ARC = 0.62
"""How far an arc swings out beyond the boxes that it passes."""
END_OF_NAMES = 1.75
"""Where the column of the layers' names ends."""
SMALLEST_CHANGE = 1.5
"""Factor in size from which a box counts as up- or downsampling; padding stays below."""


@dataclass(frozen=True)
class Placed:
    """A box on the page."""

    box: Box
    role: str
    """photo, conv, down, residual, up, step, join or output: its colour."""
    top: float
    height: float
    width: float

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def left(self) -> float:
        return MIDDLE - self.width / 2

    @property
    def centre(self) -> float:
        return self.top + self.height / 2


@dataclass(frozen=True)
class Arc:
    """A skip connection: leaves the flow at `top`, swings out from `left` to `left` − `swing`, ends in a join."""

    top: float
    bottom: float
    left: float
    swing: float


@dataclass(frozen=True)
class Panel:
    """The ground behind the boxes that an arc passes."""

    label: str
    left: float
    width: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Layout:
    boxes: tuple[Placed, ...]
    arcs: tuple[Arc, ...]
    panels: tuple[Panel, ...]

    @property
    def bottom(self) -> float:
        return self.boxes[-1].bottom


def lay_out(boxes: Sequence[Box]) -> Layout:
    """Boxes one below the other: the larger the picture the wider, the more channels the higher."""
    skips = skips_of(boxes)
    inner = [skip for skip in skips if not any(_within(other, skip) for other in skips)]
    opening, closing = {skip.source + 1 for skip in inner}, {skip.target for skip in inner}
    deepest = max(2.0, *(_level(box, boxes) for box in boxes))
    placed: list[Placed] = []
    y = TOP
    for number, box in enumerate(boxes):
        y += PANEL_TOP if number in opening else 0
        role = _role(number, boxes, skips)
        width = FULL_WIDTH - (FULL_WIDTH - NARROWEST) * _level(box, boxes) / deepest
        placed.append(Placed(box, role, y, _height(box), width))
        y = placed[-1].bottom + GAP + (PANEL_BOTTOM if number in closing else 0)
    return Layout(tuple(placed), tuple(_arc(skip, skips, placed) for skip in skips), tuple(_panels(inner, placed)))


def _within(inner: Skip, outer: Skip) -> bool:
    return inner != outer and outer.source <= inner.source and inner.target <= outer.target


def _level(box: Box, boxes: Sequence[Box]) -> float:
    """How many times the picture was halved."""
    return math.log2(max(other.output[-1] for other in boxes) / box.output[-1])


def _height(box: Box) -> float:
    return 2 * JOIN_RADIUS if box.is_join else 0.29 + 0.025 * max(0.0, math.log2(box.output[0] / 3))


def _role(number: int, boxes: Sequence[Box], skips: Sequence[Skip]) -> str:
    box = boxes[number]
    roles = {layer.role for layer in box.layers}
    for role in ("photo", "output", "join"):
        if role in roles:
            return role
    change = box.output[-1] / boxes[box.inputs[0]].output[-1] if box.inputs else 1
    if change >= SMALLEST_CHANGE:
        return "up"
    if change <= 1 / SMALLEST_CHANGE:
        return "down"
    if "conv" not in roles:
        return "step"
    # A long skip over half the network does not make everything below it a residual.
    passed = any(skip.source < number < skip.target and "residual" in skip.holder for skip in skips)
    return "residual" if passed else "conv"


def _arc(skip: Skip, skips: Sequence[Skip], placed: Sequence[Placed]) -> Arc:
    passed = placed[skip.source + 1 : skip.target]
    depth = sum(_within(other, skip) for other in skips)
    left = min(item.left for item in passed)
    swing = min(ARC + 0.25 * depth, left - END_OF_NAMES)
    return Arc(passed[0].top - PANEL_TOP / 2, placed[skip.target].centre, left, swing)


def _panels(skips: Sequence[Skip], placed: Sequence[Placed]) -> list[Panel]:
    """A panel for each arc that passes no other; those of one class of module are numbered."""
    panels, numbers = [], dict[str, int]()
    for skip in skips:
        number = numbers[skip.holder] = numbers.get(skip.holder, 0) + 1
        passed = placed[skip.source + 1 : skip.target]
        width = max(item.width for item in passed) + 2 * (ARC + PANEL_SIDE)
        top, bottom = passed[0].top - PANEL_TOP, placed[skip.target].bottom + PANEL_BOTTOM
        panels.append(Panel(f"{skip.holder} {number}", MIDDLE - width / 2, width, top, bottom))
    return panels

"""Lifeless things: bodies of any form, buildings, boxes, wheels, writing, wires, and heaps of all that."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from impasto.training.synthetic import outlines
from impasto.training.synthetic.outlines import Array, Draws
from impasto.training.synthetic.painter import Shapes
from impasto.training.synthetic.workshop import Workshop

_FORMS: tuple[Callable[[Draws, int], Array], ...] = (
    *(outlines.blobs, outlines.blobs, outlines.rocks, outlines.boxes, outlines.boxes, outlines.ellipses),
    outlines.stars,
)


def _some_form(rng: Draws) -> Callable[[Draws, int], Array]:
    return _FORMS[rng.integers(len(_FORMS))]


def heap(shop: Workshop, count: int, smallest: float, largest: float) -> Iterator[Shapes]:
    """Shapes of one form, of all sizes and of a few paints, over most of the canvas: dead leaves."""
    rng = shop.rng
    form = _some_form(rng)
    upright = rng.random() < 0.3
    for part in np.array_split(np.arange(count), max(1, count // 40)):
        n = len(part)
        angles = rng.normal(0, 0.2, n) if upright else rng.uniform(0, 2 * np.pi, n)
        centres, sizes = rng.normal(0.5, 0.38, (n, 2)), outlines.power_law(rng, n, smallest, largest)
        placed = outlines.place(form(rng, n), centres, sizes, angles)
        yield shop.dress(placed, shop.usual_paint(), vary=0.25, bulge=rng.uniform(0, 0.4))


def body(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """A thing of any form with smaller parts on it, and those on them; some gleam."""
    rng = shop.rng
    placed = outlines.place(_some_form(rng)(rng, 1), at, size, shop.tilt())
    yield shop.dress(placed, shop.usual_paint(), bulge=rng.uniform(0, 0.6))
    if rng.random() < 0.3:
        gleam = outlines.place(outlines.blobs(rng, 1), at + 0.4 * size * shop.light.toward, 0.15 * size, shop.tilt())
        yield shop.dress(gleam, shop.paint("white"), bulge=0.4)
    for share, most in ((0.35, 7), (0.12, 20)):
        n = int(rng.integers(0, most))
        if n:
            centres = at + rng.normal(0, 0.28, (n, 2)) * size
            sizes = outlines.power_law(rng, n, 0.3 * share * size, share * size)
            angles = shop.tilt() if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi, n)
            parts = outlines.place(_some_form(rng)(rng, n), centres, sizes, angles)
            yield shop.dress(parts, shop.usual_paint(), vary=0.15, bulge=rng.uniform(0, 0.5))


def building(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """A front with rows of windows and perhaps a roof: also shelves, keyboards and cabinets."""
    rng = shop.rng
    front = outlines.place(outlines.boxes(rng, 1, 0.08), at, size, shop.tilt(0.05))
    yield shop.dress(
        front, shop.paint("plaster", "brick", "stone", "wood", "metal", "white", "cloth"), bulge=0, slope=0.7
    )
    columns, rows = (int(v) for v in rng.integers(1, 9, 2))
    gap = rng.uniform(0.04, 0.3)
    frame, pane = shop.usual_paint(), shop.paint("dark", "water", "metal", "sky", "white", "cloth")
    yield shop.dress(outlines.cells(front[0], columns, rows, gap), frame, vary=0.05, slope=0.3)
    yield shop.dress(outlines.cells(front[0], columns, rows, gap + 0.05), pane, vary=rng.uniform(0, 0.4), slope=0.5)
    if rng.random() < 0.5:
        left, right = front[0, :2]
        roof = np.array([[left, (left + right) / 2 - (0, 0.4 * size), right]])
        yield shop.dress(roof, shop.paint("brick", "wood", "rock", "metal"), slope=0.5)


def crate(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """A box that shows three faces, some of them divided."""
    rng = shop.rng
    paint = shop.usual_paint()
    up = np.array((0, -rng.uniform(0.3, 1.3))) * size
    left, right = (np.array((side, -rng.uniform(0, 0.5))) * rng.uniform(0.4, 1) * size for side in (-1, 1))
    none = np.zeros(2)
    faces = ((up, up + left, up + left + right, up + right), (none, left, left + up, up), (none, right, right + up, up))
    for corners, tone in zip(faces, rng.permutation([0.55, 0.8, 1.1]), strict=True):
        quad = at + np.stack(corners)
        yield shop.dress(quad[None], paint.shaded(tone), vary=0, bulge=0)
        if rng.random() < 0.5:
            columns, rows = (int(v) for v in rng.integers(1, 6, 2))
            parts = outlines.cells(quad, columns, rows, rng.uniform(0.02, 0.3))
            yield shop.dress(parts, shop.usual_paint().shaded(tone), bulge=0)


def wheel(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """Rings within rings, and spokes: plates, flowers, clocks, lamps."""
    rng = shop.rng
    ring = (outlines.ellipses if rng.random() < 0.7 else outlines.stars)(rng, 1)
    angle, share = shop.tilt(), 1.0
    for _ in range(rng.integers(2, 7)):
        yield shop.dress(outlines.place(ring, at, size * share, angle), shop.usual_paint(), bulge=rng.normal(0.1, 0.25))
        share *= rng.uniform(0.5, 0.95)
    if rng.random() < 0.4:
        n = int(rng.integers(3, 16))
        turns = np.linspace(0, 2 * np.pi, n, endpoint=False)
        spokes = outlines.place(outlines.blades(rng, n, 0.03, 0.0, taper=0.3), at, 0.9 * size, turns)
        yield shop.dress(spokes, shop.usual_paint())


def writing(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """A sign with rows of letters, each of two strokes."""
    rng = shop.rng
    sign = outlines.place(outlines.boxes(rng, 1, 0.05), at, size, shop.tilt(0.15))
    yield shop.dress(sign, shop.usual_paint(), bulge=0)
    rows = int(rng.integers(1, 6))
    letters = outlines.cells(sign[0], int(rng.integers(4, 8)) * rows, rows, 0.15)
    letters = letters[rng.random(len(letters)) < 0.85]
    n, ink, width = len(letters), shop.paint("dark", "white", "paint", "red"), 0.12 * size / rows
    if n:
        ends = letters[np.arange(n)[:, None], rng.integers(0, 4, (n, 2))]
        yield shop.dress(outlines.strips(ends[:, 0], ends[:, 1], width), ink, vary=0.05)
        yield shop.dress(outlines.strips(ends[:, 1], letters.mean(1), width), ink, vary=0.05)


def lines(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """Wires, poles, rails and twigs: thin and long."""
    rng = shop.rng
    n = int(rng.integers(1, 9))
    angle = rng.uniform(0, np.pi) + rng.normal(0, rng.choice((0.02, 0.3)), n)
    along = np.stack([np.cos(angle), np.sin(angle)], 1) * rng.uniform(0.5, 2.5) * size
    middles = at + rng.normal(0, 0.4, (n, 2)) * size
    widths = rng.uniform(0.003, 0.03) * np.exp(rng.normal(0, 0.2, n))
    wires = outlines.strips(middles - along, middles + along, widths)
    yield shop.dress(wires, shop.paint("dark", "metal", "wood", "white", "cloth"), bulge=0.4)

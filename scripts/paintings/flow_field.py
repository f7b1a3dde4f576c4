"""A tree in blossom that loses its petals to the wind."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .canvas import Array, Canvas, Mask, colours, noise, ramp, step
from .strokes import Brush, Paint, lay, scatter

CANVAS = Canvas(900, 720)

SKY = colours("06263a", "0a4558", "13737e", "48aba0", "9fd8c2", "f6efc6")
BLOSSOM = colours("56103a", "a31d50", "e0445f", "f5847b", "fcbfa9", "fff1df")
LAND = colours("2a1d45", "5a2a4a", "a3472f", "d9822b", "efb944", "f7e08a")
BARK = colours("120a20", "2c142c", "562930", "a05f3f", "d99a5c")

WHIRLS = ((165, 165, 110, 1.0), (405, 90, 78, -0.9), (90, 400, 84, -0.9), (340, 330, 62, 0.7), (840, 75, 80, -0.8))
"""Centre, radius and strength of the sky's whirls."""
BACK = ((548, 268, 66), (655, 150, 84), (775, 190, 74), (845, 300, 52), (690, 300, 70), (470, 322, 40))
FRONT = ((575, 198, 62), (500, 250, 54), (722, 222, 62), (620, 290, 50), (800, 262, 56), (760, 345, 44), (538, 346, 42))
"""Centre and radius of the tree's clouds of blossom, behind its limbs and before them."""
LIMBS = (
    ((646, 585), (640, 622), (590, 640), 9),
    ((674, 580), (686, 615), (740, 628), 9),
    ((655, 580), (655, 620), (640, 655), 9),
    ((668, 580), (672, 620), (692, 652), 9),
    ((660, 626), (690, 520), (645, 400), 21),
    ((648, 425), (640, 360), (540, 315), 9),
    ((645, 430), (600, 350), (600, 240), 10),
    ((648, 430), (680, 340), (665, 180), 11),
    ((655, 440), (690, 380), (790, 330), 9),
    ((665, 400), (720, 330), (735, 230), 8),
)
"""Foot, bend, tip and half the width at the foot."""


def ground(x: Array) -> Array:
    return 555 + 32 * np.sin(x / 150 + 0.8) + 12 * np.sin(x / 61)


def stream(x: Array, y: Array) -> Array:
    """A stream function: its level lines are where the wind goes."""
    flow = 0.9 * (y + 30 * np.sin(x / 130)) + 26 * noise(x / 110, y / 110, 3, 2)
    for cx, cy, radius, strength in WHIRLS:
        flow = flow + 1.8 * strength * radius * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2)
    return flow


def wind(x: Array, y: Array) -> Array:
    return np.arctan2(stream(x - 1, y) - stream(x + 1, y), stream(x, y + 1) - stream(x, y - 1))


def sky(x: Array, y: Array) -> Array:
    """Bands of light along the wind, and what it carried here: near a whirl that winds into a spiral."""
    tone = 0.42 + 0.2 * np.sin(stream(x, y) / 21) + 0.28 * step(y, 330, 570) - 0.2 * step(x, 450, 950)
    for _ in range(16):
        angle = wind(x, y)
        x, y = x - 10 * np.cos(angle), y - 10 * np.sin(angle)
    return ramp(SKY, tone + 0.38 * noise(x / 60, y / 60, 4, 2))


def furrow(x: Array, y: Array) -> Array:
    depth = (y - ground(x)) / 130
    slope = (ground(x + 1) - ground(x - 1)) / 2
    return np.arctan(slope) + 0.35 * depth * np.sin(x / 120 + 4 * depth) + 0.15 * noise(x / 50, y / 50, 5)


def land(x: Array, y: Array) -> Array:
    depth = (y - ground(x)) / 165
    furrows = 0.22 * np.sin(depth * 17 + 1.2 * np.sin(x / 120) + x / 220)
    shade = 0.5 * np.exp(-(((x - 690) / 160) ** 2) - ((depth - 0.42) / 0.2) ** 2)
    return ramp(LAND, 0.74 - 0.35 * depth + furrows + 0.2 * noise(x / 70, y / 30, 6, 2) - shade)


def in_cloud(x: Array, y: Array, cloud: tuple[int, int, int]) -> Mask:
    cx, cy, radius = cloud
    return np.hypot(x - cx, y - cy) < radius * (1 + 0.25 * noise(x / 22, y / 22, cx, 2))


def paint_cloud(paint: Paint, cloud: tuple[int, int, int], light: float, rng: Generator) -> None:
    """A whirl of blossom, lit from the upper left."""
    cx, cy, radius = cloud

    def around(x: Array, y: Array) -> Array:
        return np.arctan2(x - cx, cy - y) + 0.5 + 0.6 * noise(x / 40, y / 40, 7)

    def petals(x: Array, y: Array) -> Array:
        side = (cx - x + 1.3 * (cy - y)) / (1.64 * radius)
        return ramp(BLOSSOM, light + 0.42 * side + 0.25 * noise(x / 24, y / 24, cx, 2))

    for brush, spacing in ((Brush(14, 38, 8, 0.03), 9.0), (Brush(8, 20, 6, 0.05), 8.0)):
        starts = scatter(CANVAS, spacing, rng)
        lay(paint, brush, starts[in_cloud(*starts.T, cloud)], around, petals, rng)


def paint_limb(paint: Paint, limb: tuple[tuple[int, int], ...], half: float, rng: Generator) -> None:
    """A limb that tapers along a quadratic Bézier curve, lit from the left."""
    foot, bend, tip = np.array(limb, np.float32)
    t = np.linspace(0, 1, 60, dtype=np.float32)[:, None]
    curve = (1 - t) ** 2 * foot + 2 * t * (1 - t) * bend + t**2 * tip
    ahead = np.gradient(curve, axis=0)
    angles = np.arctan2(ahead[:, 1], ahead[:, 0])

    def nearest(x: Array, y: Array) -> NDArray[np.intp]:
        return np.hypot(curve[:, 0] - x[:, None], curve[:, 1] - y[:, None]).argmin(axis=1)

    def along(x: Array, y: Array) -> Array:
        return angles[nearest(x, y)]

    def bark(x: Array, y: Array) -> Array:
        return ramp(BARK, 0.4 + 0.6 * (curve[nearest(x, y), 0] - x) / half)

    at = rng.integers(2, 56, int(9 * half))
    beside = (1 - 0.75 * at / 60) * half * rng.uniform(-1, 1, len(at))
    normal = np.stack([-np.sin(angles[at]), np.cos(angles[at])], axis=-1)
    starts = (curve[at] + beside[:, None] * normal).astype(np.float32)
    lay(paint, Brush(8, 42, 6, 0.03), starts, along, bark, rng)


def paint_petals(paint: Paint, rng: Generator) -> None:
    """Petals in the wind, fewer the farther they are from the tree, and on the ground below."""
    starts = scatter(CANVAS, 16, rng)
    x, y = starts.T
    flying = 0.3 * np.exp(-np.hypot((x - 500) / 210, (y - 390) / 110))
    fallen = 0.22 * np.exp(-np.hypot((x - 640) / 150, (y - 655) / 28))
    loose = rng.uniform(0, 1, len(starts)) < flying + fallen

    def petal(x: Array, y: Array) -> Array:
        return ramp(BLOSSOM, rng.uniform(0.35, 1, x.shape))

    lay(paint, Brush(8, 14, 5, 0.02), starts[loose], wind, petal, rng)


def draw(canvas: Canvas = CANVAS) -> NDArray[np.uint8]:
    rng = np.random.default_rng(1)
    paint = Paint(canvas, "3a2a33")
    for brush, spacing in ((Brush(24, 110, 13, 0.02), 17.0), (Brush(13, 70, 8, 0.04), 13.0)):
        starts = scatter(CANVAS, spacing, rng)
        above = starts[:, 1] < ground(starts[:, 0])
        lay(paint, brush, starts[above], wind, sky, rng)
        lay(paint, brush, starts[~above], furrow, land, rng)
    for cloud in BACK:
        paint_cloud(paint, cloud, 0.36, rng)
    for *limb, half in LIMBS:
        paint_limb(paint, tuple(limb), half, rng)
    for cloud in FRONT:
        paint_cloud(paint, cloud, 0.56, rng)
    paint_petals(paint, rng)
    return paint.dry(2.5)

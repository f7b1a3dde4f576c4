"""A pine above a bay at evening, in dabs of pure colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .canvas import Array, Canvas, Mask, colours, noise, ramp, to_srgb
from .strokes import Paint, scatter

CANVAS = Canvas(900, 720)
SUN = (300.0, 246.0)
HORIZON = 335.0

SKY = colours("fffbe0", "ffec9c", "ffc98a", "f8a08f", "e48fb4", "b691d6", "7f93dc", "5a86cf")
CAPE = colours("f0b0b4", "b083c8", "6a64b8", "3f4796")
SEA = colours("14306f", "1c559f", "2b86b8", "5cbac0", "a9b6e2", "ffb98a", "ffe48f", "fff8d6")
BEACH = colours("5a4596", "9a5fa6", "e08a86", "f7b768", "fde08f", "fff6d6")
MEADOW = colours("15285c", "1a5a66", "35894a", "8fb53c", "ecd84f", "fff08f")
NEEDLES = colours("0c1440", "122f5c", "17594f", "3d8c40", "a9b53a", "f7c04f")
WOOD = colours("1c1444", "4c2766", "98384e", "ee7f3c", "ffc766")
POPPY = colours("a81f4f", "f0483a", "ff9a6b")
SAIL = colours("b07ac0", "ff9458", "fff3d0")

CROWN = (
    (850, 222, 120, 40), (700, 205, 100, 36), (790, 120, 160, 58), (640, 150, 150, 50), (540, 208, 98, 34),
    (700, 78, 120, 40), (825, 180, 110, 36),
)  # fmt: skip
"""Centre and half axes of the pine's clouds of needles."""
BOATS = ((462, 392, 112), (150, 356, 48), (92, 350, 32))
"""Foot and height of each mast."""


@dataclass(frozen=True)
class Dabs:
    size: float
    spacing: float
    split: float
    """How far a colour is split into its parts: 0 not at all, 1 fully."""


def trunk(y: Array) -> tuple[Array, Array]:
    """Middle and half width of the pine's trunk at a height."""
    up = (720 - y) / 560
    return 822 - 215 * up + 62 * np.sin(3.6 * up + 0.3), 24 - 12 * up + 30 * np.clip(0.2 - up, 0, 1)


def scene(x: Array, y: Array) -> tuple[Array, Array]:
    """Colour (n, 3) and angle (n,) of the evening at each point, laid from back to front."""
    colour, angle = np.zeros((len(x), 3), np.float32), np.zeros_like(x)

    def over(mask: Mask, palette: Array, tone: Array | float, turn: Array | float) -> None:
        colour[mask] = ramp(palette, np.broadcast_to(tone, x.shape)[mask])
        angle[mask] = np.broadcast_to(turn, x.shape)[mask]

    far = np.hypot(x - SUN[0], y - SUN[1])
    rings = 0.13 + far / 620 + 0.12 * noise(x / 120, y / 20, 1, 2) + 0.025 * np.sin(far / 9)
    over(y < HORIZON, SKY, np.where(far < 46, 0, rings), np.arctan2(x - SUN[0], SUN[1] - y))
    cape = HORIZON - 66 * np.exp(-(((x - 650) / 170) ** 2)) - 36 * np.exp(-(((x - 20) / 120) ** 2)) - 6 * np.sin(x / 23)
    over((y > cape) & (y < HORIZON), CAPE, 0.1 + (y - cape) / 62 + 0.25 * noise(x / 30, y / 20, 2), 0.3)

    near = np.maximum(y - HORIZON, 0) / 280
    waves = 0.15 * np.sin(34 * near**0.75 + 2 * noise(x / 90, y / 26, 3)) + 0.12 * noise(x / 60, y / 12, 4, 2)
    path = np.exp(-(((x - SUN[0] - 14 * np.sin(y / 17)) / (24 + 70 * near)) ** 2))
    over(y > HORIZON, SEA, 0.44 - 0.42 * near + waves + path * (0.58 + waves), 0)
    for foot, bottom, height in BOATS:
        up, side = (bottom - y) / height, (x - foot) / height
        over((up < 0) & (up > -0.6) & (np.abs(side - 0.04 * np.sin(y / 3)) < 0.16 * (1 + up)), SAIL, 0.6 + 0.6 * up, 0)
        over((up > 0.12) & (up < 1) & (side > 0.02) & (side < 0.44 * (1 - up)), SAIL, 1 - 0.35 * up, 1.3)
        over((up > 0.14) & (up < 0.9) & (side < -0.02) & (side > -0.3 * (0.9 - up)), SAIL, 0.5 - 0.4 * up, 1.8)
        over((up > 0) & (up < 0.1) & (np.abs(side - 0.04) < 0.34 + 0.8 * up), WOOD, 0.1 + 2 * up, 0)

    beach = 616 - 0.11 * x - 30 * np.sin(x / 170 + 0.5) + 8 * np.sin(x / 37)
    over(y > beach, BEACH, 0.9 - (y - beach) / 120 + 0.2 * noise(x / 70, y / 22, 5, 2), -0.15)
    meadow = beach + 32 + 42 * np.sin(x / 130 + 2.4)
    hummocks = 0.32 * noise(x / 60, y / 20, 7, 2)
    over(y > meadow, MEADOW, 0.84 - (y - meadow) / 150 + hummocks, -1.2 + 0.5 * noise(x / 40, y / 40, 8))
    poppies = noise(x / 9, y / 7, 11) + 0.5 * noise(x / 80, y / 40, 12)
    over((y > meadow + 12) & (poppies > 0.85), POPPY, 0.5 + 0.8 * (poppies - 1), 0)

    middle, half = trunk(y)
    for fork, reach in ((430.0, 120), (330.0, -95)):
        up = np.clip((fork - y) / 180, 0, 1)
        beside = x - trunk(np.float32(fork))[0] - reach * up**0.7
        over((np.abs(beside) < 9 - 5 * up) & (y < fork) & (y > 190), WOOD, 0.4 - beside / 16, 2.2 - 0.006 * reach)
    bark = 0.45 - 0.5 * (x - middle) / half + 0.15 * noise(x / 12, y / 30, 9)
    over((np.abs(x - middle) < half) & (y > 150), WOOD, bark, 1.8)
    for i, (cx, cy, across, down) in enumerate(CROWN):
        u, v = (x - cx) / across, (y - cy) / down
        inside = np.hypot(u, v) < 1 + 0.28 * noise(x / 26, y / 26, 20 + i, 2)
        lit = 0.4 - 0.24 * u - 0.4 * v + 0.25 * noise(x / 20, y / 14, 30 + i, 2)
        over(inside, NEEDLES, lit, np.arctan2(v, u))
    return colour, angle


def divided(lab: Array, split: float, rng: Generator) -> Array:
    """Colours as a divisionist sets them: purer, turned to either neighbour, now and then to the complement."""
    kind = rng.uniform(0, 1, len(lab))
    turn = split * (np.where(kind < 0.5, -0.45, 0.45) + rng.normal(0, 0.2, len(lab)))
    turn = np.where(kind > 1 - 0.07 * split, np.pi, turn)
    c, s, pure = np.cos(turn), np.sin(turn), 1 + 0.3 * split
    light = lab[:, 0] + split * rng.normal(0, 0.045, len(lab))
    return np.stack([light, pure * (c * lab[:, 1] - s * lab[:, 2]), pure * (s * lab[:, 1] + c * lab[:, 2])], axis=-1)


def lay(paint: Paint, dabs: Dabs, rng: Generator) -> None:
    """Dabs over the whole canvas, each a rim of paint and a raised middle."""
    middles = scatter(CANVAS, dabs.spacing, rng)
    colour, angle = scene(*middles.T)
    angle = angle + rng.normal(0, 0.2, len(angle))
    lab = divided(colour, dabs.split, rng)
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    along = dabs.size / 2 * rng.uniform(0.95, 1.35, (len(angle), 1)) * np.cos(around)
    beside = dabs.size / 2 * rng.uniform(0.8, 0.95, (len(angle), 1)) * np.sin(around)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    outline = np.stack([c * along - s * beside, s * along + c * beside], axis=-1)  # (dabs, 12, 2)
    rim = ((middles[:, None] + outline) * paint.canvas.scale).astype(np.float32)
    top = ((middles[:, None] + 0.7 * outline) * paint.canvas.scale).astype(np.float32)
    ink = to_srgb(lab.astype(np.float32)).tolist()
    for i, (red, green, blue) in enumerate(ink):
        paint.pen.polygon(rim[i], (red, green, blue, 100))
        paint.pen.polygon(top[i], (red, green, blue, 160))


def draw(canvas: Canvas = CANVAS) -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    paint = Paint(canvas, "a58fb0")
    for dabs in (Dabs(20, 11, 0.3), Dabs(14, 10.5, 0.7), Dabs(11, 10, 0.9), Dabs(8.5, 12, 1.2)):
        lay(paint, dabs, rng)
    return paint.dry(1.5)

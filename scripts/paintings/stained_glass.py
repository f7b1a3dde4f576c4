"""A window: the sun above mountains and a river, irises and poppies on the banks."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from .canvas import Array, Canvas, Labels, Mask, blur, cells, colours, noise, ramp, relief, step

CANVAS = Canvas(720, 900)
SUN = (442.0, 292.0)
HORIZON = 505.0
FRAME = 26.0

SKY = colours("fff6cf", "ffdf73", "ffb52e", "f5822a", "de4436", "a8265a", "62277f", "34308f", "193a8c", "0d2658")
MOUNTAINS = colours("161248", "2c2478", "47509f", "6f93c8", "a9c3dc", "f3c9c4")
HILLS = colours("05302f", "0b5a45", "2c8a4a", "7cae3e", "c9c544", "f2d56a")
RIVER = colours("0a2a63", "12559c", "1d8fbe", "63c3cc", "c9e6c4", "ffe9a0")
BLADE = colours("05352c", "0b6245", "37994e", "9cc44a")
IRIS = colours("2b0f66", "5524a8", "8a4fd4", "c99af0", "f2dcfa")
POPPY = colours("5e0a1c", "b0182a", "e8382b", "ff7a3a", "ffc27a")
BORDER = colours("0b4a6e", "0c1c55", "1d2f8a", "45186e", "7a1038", "b3202f")

BLADES = (
    (60, -40, 390), (118, 40, 330), (30, 30, 250), (190, 60, 230), (225, 80, 140), (95, -30, 190), (265, -40, 110),
    (640, -50, 330), (690, -30, 410), (600, -60, 240), (665, 30, 230), (545, -60, 130), (710, -60, 150),
)  # fmt: skip
"""Foot, lean and height of each leaf."""
IRISES = ((142, 565, 64), (90, 738, 60), (624, 600, 62), (652, 790, 62))
"""Middle and size."""
POPPIES = (
    (66, 625, 52, 10), (188, 690, 54, -15), (178, 822, 56, 20), (62, 848, 46, -10), (676, 690, 52, 15),
    (568, 726, 54, -20), (566, 842, 46, 10), (272, 856, 40, 0),
)  # fmt: skip
"""Middle, size and tilt in degrees."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """Pieces of glass laid over each other."""

    canvas: Canvas
    x: Array
    y: Array
    colour: Array
    pieces: Labels
    """Another label for every piece."""
    shapes: Labels
    """Another label for every shape that was cut into pieces."""
    numbers: count[int] = field(default_factory=lambda: count(1))

    @classmethod
    def empty(cls, canvas: Canvas) -> Window:
        x, y = canvas.grid()
        colour, pieces = np.zeros((*x.shape, 3), np.float32), np.zeros(x.shape, np.int64)
        return cls(canvas, x, y, colour, pieces, pieces.copy())

    def around(self, middle: Point, reach: float) -> Window:
        """The part of the window that lies within reach of a point, for work that touches no other."""
        left, top = (max(0, round((c - reach) * self.canvas.scale)) for c in middle)
        right, bottom = (max(0, round((c + reach) * self.canvas.scale)) for c in middle)
        part = slice(top, bottom), slice(left, right)
        fields = (self.x, self.y, self.colour, self.pieces, self.shapes)
        return Window(self.canvas, *(f[part] for f in fields), numbers=self.numbers)

    def lay(self, mask: Mask, labels: Labels, palette: Array, tone: Array, vary: float = 0.12) -> None:
        """Cuts the masked area along its labels; a piece has the palette's colour at its mean tone, varied a little."""
        number = next(self.numbers)
        piece = labels[mask] - labels.min()
        mean = np.bincount(piece, tone[mask]) / np.maximum(np.bincount(piece), 1)
        mean += vary * np.random.default_rng(number).uniform(-1, 1, len(mean))
        self.shapes[mask] = number
        self.pieces[mask] = piece + number * 2**17
        self.colour[mask] = ramp(palette, mean)[piece]


def polar(window: Window, middle: Point) -> tuple[Array, Array]:
    """Distance from a point and the turn around it, 0..1."""
    across, down = window.x - middle[0], window.y - middle[1]
    return np.hypot(across, down), np.arctan2(down, across) / np.float32(2 * np.pi) + np.float32(0.5)


def lay_sky(window: Window) -> None:
    sky = window.around((SUN[0], 0), HORIZON + 20)
    radius, turn = polar(sky, SUN)
    tone = (radius - 70) / 480 + 0.07 * noise(sky.x / 130, sky.y / 130, 3)
    for start, rays, width in ((0, 20, 44), (165, 40, 62), (330, 60, 84)):
        bright = 0.075 * np.cos(2 * np.pi * 20 * turn)
        ring = radius > start
        labels = cells(radius / width, rays * turn, rays, where=ring, jitter=0.7, period=rays)
        sky.lay(ring, labels, SKY, tone - bright, 0.09)
    sky.lay(radius < 88, np.floor(18 * turn + 0.5).astype(np.int64) % 18, SKY, np.full_like(radius, 0.2), 0.09)
    swirl = turn + 0.12 * np.sin(radius / 58 * np.pi)
    sky.lay(radius < 58, np.floor(7 * swirl).astype(np.int64) % 7, SKY, np.full_like(radius, 0.05), 0.06)


def lay_land(window: Window) -> None:
    land = window.around((360, 650), 370)
    x, y = land.x, land.y
    for i, (base, height, size) in enumerate(((448, 125, 150), (497, 60, 100))):
        peaks = 1 - np.abs(noise(x[:1] / size + 3.1, 0.5, 41 + i, 2))
        ridge = base - height * (peaks - 0.5)
        slope = land.canvas.scale * np.gradient(ridge, axis=1)
        labels = cells((x + 0.5 * y) / 40, (y - 0.4 * x) / 50 + 40, 11 + i, where=y > ridge)
        side = np.where(x < SUN[0], -slope, slope)
        land.lay(y > ridge, labels, MOUNTAINS, 0.78 - (y - ridge) / 140 - 0.36 * i - 0.25 * side, 0.17)
    for i, (base, wave) in enumerate(((508, 14), (560, 26), (632, 34), (722, 40), (815, 40))):
        ridge = base + wave * np.sin(x / (95 + 22 * i) + 1.9 * i * i + 0.6) + 8 * noise(x[:1] / 90, 0.5, 21 + i)
        depth = y - ridge
        u, v = (x + 30 * np.sin(depth / 60)) / (50 + 8 * i), depth / (22 + 4 * i)
        labels = cells(u, v + 9, 31 + i, where=depth > 0, jitter=0.7)
        lit = 0.3 * np.exp(-(((x - SUN[0]) / 190) ** 2))
        land.lay(depth > 0, labels, HILLS, 0.72 - depth / 130 - 0.11 * i + lit, 0.17)


def lay_river(window: Window) -> None:
    river = window.around((360, 720), 360)
    x, y = river.x, river.y
    near = np.clip((y - HORIZON) / (CANVAS.height - HORIZON), 0, 1)
    middle = SUN[0] - 20 - 95 * np.sin(5.0 * near**0.75) * (0.35 + near)
    half = 7 + 140 * near**1.5
    beside = (x - middle) / half
    along = 8 * near**0.55
    inside = (np.abs(beside) < 1) & (y > HORIZON)
    labels = cells(beside * (1.1 + 1.3 * near) + 20, along * 1.5, 51, where=inside)
    glint = 0.75 * np.exp(-(((beside + 0.2) / 0.4) ** 2)) * (1 - 0.5 * near)
    tone = 0.42 - 0.32 * near + glint + 0.25 * noise(beside * 2, along * 2, 52)
    river.lay(inside, labels, RIVER, tone, 0.16)


def lay_blade(window: Window, foot: float, lean: float, height: float, width: float) -> None:
    """A blade from the lower edge that bends to its tip."""
    part = window.around((foot + lean / 2, CANVAS.height - height / 2), height / 2 + 30)
    t = (CANVAS.height + 30 - part.y) / (height + 30)
    beside = part.x - foot - lean * np.clip(t, 0, 1) ** 2.2
    half = width * np.sqrt(np.clip(1 - t, 0, 1)) * (0.7 + 0.6 * np.clip(t, 0, 1))
    right = beside > 0.15 * half
    labels = np.floor((t * height + 34 * right) / 85).astype(np.int64) * 2 + right
    part.lay((t < 1) & (np.abs(beside) < half), labels, BLADE, 0.2 + 0.45 * t + 0.3 * right, 0.15)


def lay_petal(window: Window, foot: Point, turn: float, size: Point, palette: Array, veined: bool = True) -> None:
    """A petal that grows from its foot towards turn degrees, size long and wide; a veined one is cut in three."""
    part = window.around(foot, 1.2 * size[0])
    across, down = part.x - foot[0], part.y - foot[1]
    c, s = cos(radians(turn)), sin(radians(turn))
    along, beside = (c * across + s * down) / size[0], (c * down - s * across) / size[1]
    t = np.clip(along, 0, 1)
    half = 0.5 * np.sqrt(np.maximum(np.sin(np.pi * t**1.6), 0)) * (0.45 + 0.55 * t)
    outer = along > 0.5 if veined else along > 0.74 - beside**2
    labels = 2 * outer.astype(np.int64) + (outer & veined & (beside > 0))
    part.lay((along > 0) & (along < 1) & (np.abs(beside) < half), labels, palette, 0.05 + 0.85 * t, 0.13)


def lay_iris(window: Window, middle: Point, size: float) -> None:
    for turn, length in ((-90, 1.0), (-128, 0.95), (-52, 0.95), (165, 0.95), (15, 0.95), (90, 1.15)):
        lay_petal(window, middle, turn, (length * size, 0.85 * size), IRIS)
    lay_petal(window, (middle[0], middle[1] - 0.1 * size), 90, (0.5 * size, 0.34 * size), SKY[1:4])


def lay_poppy(window: Window, middle: Point, size: float, tilt: float) -> None:
    for turn, length, width in ((-135, 1.0, 1.35), (-40, 1.05, 1.3), (165, 0.95, 1.0), (15, 0.95, 1.0), (90, 0.9, 1.3)):
        lay_petal(window, middle, turn + tilt, (length * size, width * size), POPPY, veined=False)
    part = window.around(middle, size)
    radius, _ = polar(part, middle)
    part.lay(radius < 0.2 * size, np.zeros_like(part.pieces), MOUNTAINS, np.full_like(radius, 0.1), 0.05)


def lay_garden(window: Window) -> None:
    for foot, lean, height in BLADES:
        lay_blade(window, foot, lean, height, 21)
    for x, y, size in IRISES:
        lay_iris(window, (x, y), size)
    for x, y, size, tilt in POPPIES:
        lay_poppy(window, (x, y), size, tilt)


def lay_frame(window: Window) -> None:
    """A band of small panes around the picture."""
    x, y = window.x, window.y
    width, height = CANVAS.width, CANVAS.height
    edge = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y))
    side = np.minimum(x, width - x) < np.minimum(y, height - y)
    along = np.where(side, y, x) / 45
    labels = np.floor(along).astype(np.int64) * 4 + 2 * side + (np.where(side, x > width / 2, y > height / 2))
    window.lay(edge < FRAME, labels, BORDER, np.full_like(x, 0.4), 0.5)


def borders(labels: Labels) -> Array:
    """1 where a sample's right or lower neighbour has another label."""
    edge = np.zeros(labels.shape, np.bool_)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge.astype(np.float32)


def draw(canvas: Canvas = CANVAS) -> NDArray[np.uint8]:
    window = Window.empty(canvas)
    lay_sky(window)
    lay_land(window)
    lay_river(window)
    lay_garden(window)
    lay_frame(window)
    x, y, pieces = window.x, window.y, window.pieces
    scale = canvas.scale
    # The glass: each piece has streaks in a direction of its own and is lit unevenly from behind.
    turn = (pieces * 0.61803 % 1 * np.pi).astype(np.float32)
    c, s = np.cos(turn), np.sin(turn)
    along, across = x * c + y * s, y * c - x * s
    streaks = noise(along / 70 + pieces % 97, across / 9, 71, 3)
    lab = window.colour.copy()
    lab[..., 0] += 0.06 * streaks + 0.025 * noise(x / 4, y / 4, 72, 2)
    lab[..., 1:] *= (1 + 0.25 * streaks)[..., None]
    # The lead: blurring fills the corners where pieces meet, as solder does.
    border, outline = borders(pieces), borders(window.shapes)
    wobble = 1 + 0.3 * noise(x / 40, y / 40, 74, 2)
    lead = (0.8 * blur(border, 1.3 * scale) + 0.8 * blur(outline, 2 * scale)) * wobble * scale
    inside = np.exp(-6 * blur(border, 6 * scale) * scale)
    lab[..., 0] += 0.3 * (inside - 0.72)
    metal = step(lead, 0.12, 0.18)[..., None]
    shine = relief(np.minimum(lead, 0.6), 2 * scale)
    came = np.stack([0.15 + 0.14 * np.maximum(shine, 0), 0 * x, 0 * x - 0.02], axis=-1)
    return canvas.finish(lab * (1 - metal) + came * metal)

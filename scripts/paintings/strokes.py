"""Brush strokes along a field of directions, laid as bristles of paint with a height of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .canvas import Array, Canvas, blur, colours, relief, to_srgb

Field = Callable[[Array, Array], Array]
"""Of x and y: an angle, or an OKLab colour."""
STEPS = 10


@dataclass(frozen=True)
class Brush:
    width: float
    length: float
    bristles: int
    vary: float
    """How far the colours of strokes lie apart, in OKLab."""


class Paint:
    """Wet paint: its sRGB colour, and in the place of alpha its height."""

    def __init__(self, canvas: Canvas, ground: str) -> None:
        size = canvas.width * canvas.scale, canvas.height * canvas.scale
        red, green, blue = to_srgb(colours(ground))[0].tolist()
        self.canvas = canvas
        self.image = Image.new("RGBA", size, (red, green, blue, 60))
        self.pen = ImageDraw.Draw(self.image)

    def dry(self, strength: float) -> NDArray[np.uint8]:
        """The finished picture, with light from the upper left on the paint's relief."""
        wet = np.asarray(self.image, np.float32)
        pixels, height = wet[..., :3], wet[..., 3] / 255
        light = relief(blur(height, 0.5 * self.canvas.scale), strength * self.canvas.scale)[..., None]
        lit = np.where(light > 0, pixels + (255 - pixels) * 0.28 * light, pixels * (1 + 0.42 * light))
        return self.canvas.shrink(lit.astype(np.uint8))


def scatter(canvas: Canvas, spacing: float, rng: Generator) -> Array:
    """One random point in each square of a grid over the canvas and a little beyond, in random order; (n, 2)."""
    columns, rows = int(canvas.width / spacing) + 3, int(canvas.height / spacing) + 3
    corners = np.stack(np.meshgrid(np.arange(columns) - 1, np.arange(rows) - 1), axis=-1).reshape(-1, 2)
    return rng.permutation((corners + rng.uniform(0, 1, corners.shape)) * spacing).astype(np.float32)


def follow(starts: Array, direction: Field, length: float) -> Array:
    """Paths of a length through a field of angles, their middles in the starts; (n, STEPS + 1, 2)."""
    halves = []
    for sign in (-1, 1):
        points = [starts]
        for _ in range(STEPS // 2):
            angle = direction(points[-1][:, 0], points[-1][:, 1])
            ahead = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
            points.append(points[-1] + np.float32(sign * length / STEPS) * ahead)
        halves.append(points)
    return np.stack(halves[0][:0:-1] + halves[1], axis=1)


def lay(paint: Paint, brush: Brush, starts: Array, direction: Field, colour: Field, rng: Generator) -> None:
    """One stroke through each start: bristles side by side, uneven in colour, height and reach."""
    paths, count = follow(starts, direction, brush.length), (len(starts), brush.bristles)
    ahead = np.gradient(paths, axis=1)
    normal = np.stack([-ahead[..., 1], ahead[..., 0]], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
    side = np.linspace(-1, 1, brush.bristles)
    swell = np.sqrt(np.sin(np.linspace(0.15, np.pi - 0.25, STEPS + 1)))
    beside = brush.width / 2 * side[:, None, None] * swell[:, None]
    bristles = paths[:, None] + normal[:, None] * beside  # (strokes, bristles, points, 2)
    lab = (colour(*starts.T) + rng.normal(0, brush.vary, (len(starts), 3)) * (1, 0.5, 0.5))[:, None]
    lab = lab + rng.normal(0, 1, (*count, 3)) * (0.035, 0.008, 0.008)
    lab[..., 0] += 0.03 * side  # paint gathers on one side of the brush
    height = 120 + 70 * side**4 + rng.uniform(-45, 45, count)
    ink = np.concatenate([to_srgb(lab.astype(np.float32)), height[..., None].astype(np.uint8)], axis=-1)
    order = rng.permuted(np.tile(np.arange(brush.bristles), (len(starts), 1)), axis=1)
    first, last = rng.integers(0, 2, count), STEPS + 1 - rng.integers(0, 3, count)
    points = np.ascontiguousarray(bristles * paint.canvas.scale, np.float32)
    size = max(1, round(1.5 * brush.width / brush.bristles * paint.canvas.scale))
    for i, bristle in zip(np.repeat(np.arange(len(starts)), brush.bristles), order.ravel(), strict=True):
        path = points[i, bristle, first[i, bristle] : last[i, bristle]]
        paint.pen.line(path, tuple(ink[i, bristle].tolist()), size)

"""Outlines of synthetic shapes: polygons (n, k, 2) about the origin with a radius near 1, and how they are placed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

Array = NDArray[np.floating[Any]]
Draws = np.random.Generator


def power_law(rng: Draws, count: int, smallest: float, largest: float) -> Array:
    """Sizes whose density falls with the cube, which alone makes images that look alike at every scale."""
    share = rng.random(count)
    return (smallest**-2 * (1 - share) + largest**-2 * share) ** -0.5


def place(shapes: Array, centres: Array, sizes: Array | float, angles: Array | float) -> Array:
    """`shapes` (n, k, 2) turned by `angles`, enlarged by `sizes` and moved to `centres`; each one's, or the same."""
    cos, sin = (np.reshape(wave(angles) * np.asarray(sizes), (-1, 1)) for wave in (np.cos, np.sin))
    x, y = shapes[..., 0], shapes[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], -1) + np.reshape(centres, (-1, 1, 2))


def _round(radius: Array, aspect: Array) -> Array:
    """Points at `radius` (n, k) around a circle, pressed to `aspect` (n, 1) of its height."""
    angle = np.linspace(0, 2 * np.pi, radius.shape[1], endpoint=False)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle) * aspect], -1)


def ellipses(rng: Draws, count: int, points: int = 20, flattest: float = 0.4) -> Array:
    return _round(np.ones((count, points)), rng.uniform(flattest, 1, (count, 1)))


def blobs(rng: Draws, count: int, points: int = 20, roughness: float = 0.35) -> Array:
    """Smooth closed curves: a circle with a few random harmonics."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = np.ones((count, points))
    for harmonic in (2, 3, 4, 5):
        phase = rng.uniform(0, 2 * np.pi, (count, 1))
        radius += rng.normal(0, roughness / harmonic, (count, 1)) * np.cos(harmonic * angle + phase)
    return _round(np.maximum(radius, 0.2), rng.uniform(0.4, 1, (count, 1)))


def rocks(rng: Draws, count: int, points: int = 7) -> Array:
    """Convex polygons with corners at random angles."""
    gaps = rng.uniform(0.4, 1, (count, points))
    angle = np.cumsum(gaps, 1) / gaps.sum(1, keepdims=True) * 2 * np.pi
    return np.stack([np.cos(angle), np.sin(angle) * rng.uniform(0.5, 1, (count, 1))], -1)


def boxes(rng: Draws, count: int, skew: float = 0.15) -> Array:
    """Rectangles as a camera sees them: their corners a little off."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.75
    heights = np.stack([np.ones(count), rng.uniform(0.25, 1.1, count)], -1)
    return corners * heights[:, None] + rng.normal(0, skew, (count, 4, 2))


def stars(rng: Draws, count: int, points: int = 30) -> Array:
    """Flowers, leaves and stars: 3 to 8 petals."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    petals, depth = rng.integers(3, 9, (count, 1)), rng.uniform(0.15, 0.5, (count, 1))
    return _round(1 - depth + depth * np.cos(petals * angle), rng.uniform(0.6, 1, (count, 1)))


def blades(rng: Draws, count: int, thickness: float = 0.05, bend: float = 0.5, taper: float = 1.0) -> Array:
    """Bent strips from the origin upwards, 1 long: grass, hair, branches; `taper` 0 keeps their width."""
    along = np.linspace(0, 1, 6)
    sideways = rng.normal(0, bend, (count, 1)) * along**2
    half = thickness * rng.uniform(0.5, 1.5, (count, 1)) * (1 - 0.9 * taper * along)
    up = np.broadcast_to(-along, sideways.shape)
    left, right = (np.stack([sideways + side * half, up], -1) for side in (-1, 1))
    return np.concatenate([left, right[:, ::-1]], 1)


def strips(starts: Array, ends: Array, widths: Array | float) -> Array:
    """Straight strips (n, 4, 2) between points (n, 2)."""
    along = ends - starts
    across = np.stack([-along[:, 1], along[:, 0]], -1) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    half = across * np.reshape(widths, (-1, 1)) / 2
    return np.stack([starts + half, ends + half, ends - half, starts - half], 1)


def cells(quad: Array, columns: int, rows: int, gap: float) -> Array:
    """The cells (columns · rows, 4, 2) of a grid over a quadrilateral (4, 2); `gap` of each is left free around it."""
    corners = np.array([[gap, gap], [1 - gap, gap], [1 - gap, 1 - gap], [gap, 1 - gap]])
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 1, 2)
    u, v = np.moveaxis((grid + corners) / (columns, rows), -1, 0)[..., None]
    top, bottom = quad[0] * (1 - u) + quad[1] * u, quad[3] * (1 - u) + quad[2] * u
    shapes: Array = top * (1 - v) + bottom * v
    return shapes


def fill(draw: ImageDraw.ImageDraw, points: NDArray[np.float32], value: int) -> None:
    """Paints the polygon of `points` (2 · k,), which are x and y by turns, in pixels."""
    buffer: Any = points  # Pillow takes any buffer of float32, and twice as fast as a list, but its types don't say so
    draw.polygon(buffer, fill=value)

"""What the paintings share: a supersampled canvas, colour, noise, cells and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Björn Ottosson, "A perceptual color space for image processing", 2020.
TO_CONES = np.array(
    [[0.4122215, 0.5363325, 0.0514460], [0.2119035, 0.6806995, 0.1073970], [0.0883025, 0.2817188, 0.6299787]]
)
TO_LAB = np.array(
    [[0.2104543, 0.7936178, -0.0040720], [1.9779985, -2.4285922, 0.4505937], [0.0259040, 0.7827718, -0.8086758]]
)


@dataclass(frozen=True)
class Canvas:
    """A picture of width × height pixels, drawn scale times as large and then shrunk."""

    width: int
    height: int
    scale: int = 2

    def grid(self) -> tuple[Array, Array]:
        """x and y of every sample in pixels of the finished picture; each (height × scale, width × scale)."""
        x = (np.arange(self.width * self.scale, dtype=np.float32) + 0.5) / self.scale
        y = (np.arange(self.height * self.scale, dtype=np.float32) + 0.5) / self.scale
        return np.tile(x, (len(y), 1)), np.tile(y[:, None], (1, len(x)))

    def finish(self, lab: Array) -> NDArray[np.uint8]:
        """The finished sRGB picture of an OKLab drawing."""
        return self.shrink(to_srgb(lab))

    def shrink(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The finished picture of a drawing that is already sRGB."""
        return np.asarray(Image.fromarray(pixels).resize((self.width, self.height), Image.Resampling.BOX))


def colours(*codes: str) -> Array:
    """OKLab colours (n, 3) of hexadecimal sRGB codes."""
    encoded = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in codes]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return (np.cbrt(linear @ TO_CONES.T) @ TO_LAB.T).astype(np.float32)


def to_srgb(lab: Array) -> NDArray[np.uint8]:
    """The nearest sRGB colours of OKLab colours; same shape."""
    cones = (lab @ np.linalg.inv(TO_LAB).T.astype(np.float32)) ** 3
    linear = np.clip(cones @ np.linalg.inv(TO_CONES).T.astype(np.float32), 0, 1)
    levels = np.linspace(0, 1, 4096)
    encoded = np.where(levels <= 0.0031308, levels * 12.92, 1.055 * levels ** (1 / 2.4) - 0.055)
    table = np.rint(encoded * 255).astype(np.uint8)
    return table[(linear * 4095 + 0.5).astype(np.int32)]


def ramp(palette: Array, position: ArrayLike) -> Array:
    """Colours at positions 0..1 of a palette (n, 3), blended between neighbours; position's shape + (3,)."""
    position = np.clip(np.asarray(position, np.float32), 0, 1) * (len(palette) - 1)
    low = np.minimum(position.astype(np.int32), len(palette) - 2)
    blend = (position - low)[..., None]
    return palette[low] * (1 - blend) + palette[low + 1] * blend


def step(value: Array, low: float, high: float) -> Array:
    """0 up to low, 1 from high, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(x: ArrayLike, y: ArrayLike, seed: int, octaves: int = 1) -> Array:
    """Smooth noise of about -1..1 with bumps about one unit wide, each octave half as wide and half as high."""
    rng = np.random.default_rng(seed)
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    total, height = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32), np.float32(1)
    for _ in range(octaves):
        table = rng.uniform(-1, 1, 2**16).astype(np.float32)
        left, top = np.floor(x), np.floor(y)
        across, down = x - left, y - top
        across, down = across * across * (3 - 2 * across), down * down * (3 - 2 * down)
        # The lattice is one long row that repeats: the point below lies 181 further on.
        corner = (left + 181 * top).astype(np.int64)
        upper_left, upper_right, lower_left, lower_right = (table[corner + d & 0xFFFF] for d in (0, 1, 181, 182))
        upper = upper_left + (upper_right - upper_left) * across
        lower = lower_left + (lower_right - lower_left) * across
        total += height * (upper + (lower - upper) * down)
        # Turned, so that the octaves' lattices do not show.
        x, y, height = 1.6 * x + 1.2 * y + 7.3, 1.6 * y - 1.2 * x + 3.1, height / 2
    return total


def cells(
    u: Array, v: Array, seed: int, *, where: Mask | None = None, jitter: float = 0.8, period: int = 256
) -> Labels:
    """Voronoi cells of jittered unit squares in (u, v), repeated in v: a label below 2**16 for every sample.

    Samples outside the mask get 0 and cost nothing.
    """
    if where is not None:
        labels = np.zeros(where.shape, np.int64)
        labels[where] = cells(u[where], v[where], seed, jitter=jitter, period=period)
        return labels
    spread = np.random.default_rng(seed).uniform(0.5 - jitter / 2, 0.5 + jitter / 2, (2, 2**16)).astype(np.float32)
    left, top = np.floor(u), np.floor(v)
    across, down = u - left, v - top
    left, top = left.astype(np.int64), top.astype(np.int64)
    nearest = np.full(u.shape, np.inf, np.float32)
    labels = np.zeros(u.shape, np.int64)
    for i in (-1, 0, 1):
        row = (top + i) % period * 256
        for j in (-1, 0, 1):
            cell = row + (left + j & 255)
            far = (spread[0][cell] + (j - across)) ** 2 + (spread[1][cell] + (i - down)) ** 2
            closer = far < nearest
            np.copyto(nearest, far, where=closer)
            np.copyto(labels, cell, where=closer)
    return labels


def blur(field: Array, radius: float) -> Array:
    """Gaussian blur with a standard deviation of radius samples, mirrored at the border."""
    reach = max(1, round(3 * radius))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / radius) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    for _ in range(2):
        field = field.swapaxes(0, 1)
        padded = np.pad(field, [(reach, reach)] + [(0, 0)] * (field.ndim - 1), mode="reflect")
        field = sum(weight * padded[i : i + len(field)] for i, weight in enumerate(kernel))
    return np.asarray(field, np.float32)


def relief(height: Array, strength: float) -> Array:
    """Light from the upper left on a surface: about 0 where flat, ±1 on the steepest slopes."""
    slope = np.zeros_like(height)
    slope[1:-1, 1:-1] = (height[1:-1, 2:] - height[1:-1, :-2]) + (height[2:, 1:-1] - height[:-2, 1:-1])
    return np.tanh(strength * slope)

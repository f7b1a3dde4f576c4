"""Two koi around the moon's reflection: a print in four inks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import Array, Canvas, Labels, Mask, colours, noise, step

CANVAS = Canvas(768, 768)
MIDDLE = 384.0
PAPER, TEAL, RED, INDIGO = range(4)
INKS = colours("f4e8cd", "62a49f", "d8432a", "14203f")
LENGTH = 545.0
ORBIT = 214.0
HEADS = (2.55, 2.55 + np.pi)
"""Where around the middle the fishes' heads are, in radians; the second fish is the dark one."""
PADS = ((696, 66, 82), (574, 30, 44), (742, 196, 40), (70, 704, 84), (190, 744, 46), (22, 570, 42))
"""Centre and radius of each leaf on the water."""
FLOWERS = ((648, 112, 46), (122, 652, 48))
"""Centre and radius of each water lily."""


def stripes(phase: Array, share: Array | float) -> Mask:
    """True in the given share of each unit of phase, around its middle."""
    return np.abs(phase - np.floor(phase) - 0.5) < np.asarray(share) / 2


def polar(x: Array, y: Array, middle: tuple[float, float]) -> tuple[Array, Array]:
    """Distance from a point and the angle around it."""
    return np.hypot(x - middle[0], y - middle[1]), np.arctan2(y - middle[1], x - middle[0])


def sway(along: Array) -> Array:
    """How far a fish's spine lies outside the circle it swims."""
    return 15 * np.sin(6 * along + 1.1)


def girth(along: Array | float) -> Array:
    """Half the width of a fish's body in pixels, from its head at 0 to its tail at 1."""
    t = np.clip(np.asarray(along, np.float32) / 0.84, 0, 1)
    return 52 * np.maximum(np.sin(np.pi * t**0.55), 0) ** 0.75 + 13 * np.minimum(8 * t, 1)


def cut_fin(ink: Labels, along: Array, beside: Array, reach: float, spread: tuple[float, float], dark: bool) -> None:
    """A fan of rays between two angles around its root at (0, 0)."""
    far, angle = np.hypot(along, beside), np.arctan2(beside, along)
    open_ = (angle - spread[0]) / (spread[1] - spread[0])
    edge = reach * (0.72 + 0.28 * np.sin(np.pi * np.clip(open_, 0, 1)) + 0.03 * np.cos(40 * open_))
    margin = 5 / np.maximum(far, 1)
    line = (far > edge - 3.5) | (np.abs(open_ - 0.5) > 0.5 - margin) | stripes(9 * open_, 0.42 - 0.2 * far / reach)
    inside = (open_ > 0) & (open_ < 1) & (far < edge)
    lines, plain = (PAPER, INDIGO) if dark else (INDIGO, PAPER)
    ink[inside] = np.where(line, lines, np.where(far > 0.55 * reach, TEAL, plain))[inside]


def cut_fish(x: Array, y: Array, head: float, dark: bool) -> Labels:
    """The inks of a fish at each point, -1 beside it."""
    ink = np.full(x.shape, -1, np.int64)
    radius, angle = polar(x, y, (MIDDLE, MIDDLE))
    along = ((angle - head + 0.2) % np.float32(2 * np.pi) - 0.2) * ORBIT / LENGTH
    beside = radius - ORBIT - sway(along)
    half, side, length = girth(along), np.abs(beside), along * LENGTH
    for root, reach, spread in ((0.25, 92, (0.15, 1.35)), (0.56, 54, (0.1, 1.0))):
        cut_fin(ink, length - root * LENGTH, side - 0.75 * girth(root), reach, spread, dark)
    for spread in ((-0.62, 0.04), (-0.04, 0.62)):
        cut_fin(ink, length - 0.77 * LENGTH, beside, 122, spread, dark)
    lines, plain = (PAPER, INDIGO) if dark else (INDIGO, PAPER)
    out = beside / np.maximum(half, 1)
    patches = noise(along * 7 + 9.6 * dark, beside / 46 + 5, 3, 2) > (0.28 if dark else 0.12)
    body = np.where(patches, RED, plain)
    # A point belongs to the foremost scale that holds it, as scales lie over those behind them.
    row = np.floor(length / 13)
    column = 4.5 * out + 0.5 * (row % 2)
    disc = np.hypot(length / 13 - row, 1.05 * (column - np.floor(column) - 0.5))
    scaled = along > 0.2 - 0.05 * out**2
    shade = stripes(length / 6.5 + 0.2 * beside, 0.55 * step(out, 0.35, 1.0))
    body[shade & scaled & ~patches] = TEAL
    body[scaled & (disc > 0.6) & (disc < 0.78) & (side < half - 5)] = lines
    body[np.abs(along - 0.2 + 0.05 * out**2) * LENGTH < 2] = lines  # the gills
    ridge = side < 8 * np.sin(np.pi * np.clip((along - 0.32) / 0.34, 0, 1))
    body[ridge] = np.where(stripes(length / 8 + side / 9, 0.4), plain, lines)[ridge]
    eye = np.hypot((along - 0.085) * LENGTH, side - 0.7 * girth(0.085))
    body[eye < 9] = np.where((eye < 4) | (eye > 7), lines, plain)[eye < 9]
    body[side > half - 2.6] = lines
    inside = (side < half) & (along > 0) & (along < 0.84)
    ink[inside] = body[inside]
    return ink


def cut_pad(ink: Labels, x: Array, y: Array, pad: tuple[float, float, float]) -> None:
    """A round leaf with a notch, veins and a rim of light."""
    radius, angle = polar(x, y, pad[:2])
    far = radius / pad[2]
    turn = (angle + pad[0]) % (2 * np.pi)
    inside = (far < 1) & ((turn > 0.5) | (far < 0.15))
    veins = stripes(turn * 2.5 + 0.12 * np.sin(9 * far), 0.06 + 0.13 * (1 - far)) & (far > 0.1)
    cuts = stripes(turn * 12.5, 0.75 * step(far, 0.55, 1.1)) & (far < 0.9)
    leaf = np.select([veins | (far > 1 - 3 / pad[2]), cuts, far > 1 - 8 / pad[2]], [INDIGO, INDIGO, PAPER], TEAL)
    ink[inside] = leaf[inside]


def cut_flower(ink: Labels, x: Array, y: Array, flower: tuple[float, float, float]) -> None:
    """Rings of pointed petals, red towards their tips."""
    radius, angle = polar(x, y, flower[:2])
    for ring, size in enumerate((1.0, 0.74, 0.46)):
        far = radius / (size * flower[2])
        turn = angle * (9 - 2 * ring) / (2 * np.pi) + 0.5 * ring
        phase = np.abs(turn - np.floor(turn) - 0.5)
        edge = 1 - 1.1 * phase**1.4
        petal = np.where(stripes(7 * phase, 1.5 * (far - 0.35)), RED, PAPER)
        petal[(far > edge - 0.07 / size) | (phase > 0.47)] = INDIGO
        ink[far < edge] = petal[far < edge]
    ink[radius < 0.16 * flower[2]] = RED


def nearness(x: Array, y: Array) -> Array:
    """Pixels from each point to what lies in the water; about that between the fish."""
    along = np.linspace(0.04, 0.95, 40)
    size = np.where(along < 0.8, girth(along), 25)
    discs = [(MIDDLE, MIDDLE, 40.0), *PADS]
    for head in HEADS:
        angle, radius = head + along * LENGTH / ORBIT, ORBIT + sway(along)
        discs += zip(MIDDLE + radius * np.cos(angle), MIDDLE + radius * np.sin(angle), size, strict=True)
    return np.min([np.hypot(x - cx, y - cy) - radius for cx, cy, radius in discs], axis=0).astype(np.float32)


def cut_water(x: Array, y: Array) -> Labels:
    """Ripples around what lies in the water, cut wide where light falls on them."""
    middles = np.arange(2, CANVAS.width, 4, dtype=np.float32)
    coarse = Image.fromarray(nearness(*np.meshgrid(middles, middles)))
    far = np.asarray(coarse.resize(x.shape[::-1], Image.Resampling.BICUBIC)) + 5 * noise(x / 60, y / 60, 11, 2)
    light = 0.34 + 0.5 * noise(x / 46, y / 46, 12, 2) + 0.25 * np.exp(-np.maximum(far, 0) / 30)
    ink = np.full(x.shape, INDIGO, np.int64)
    ink[stripes(far / 12.5, np.clip(light, 0, 0.8))] = TEAL
    ink[stripes(far / 12.5, np.clip(light - 0.32, 0, 0.6))] = PAPER
    moon, _ = polar(x, y, (MIDDLE, MIDDLE))
    slots = stripes(y / 13 + 0.3 * noise(x / 30, y / 30, 23), 0.1 + 0.5 * np.abs(y - MIDDLE) / 70)
    ink[(moon < 66) & ~slots] = PAPER
    return ink


def draw(canvas: Canvas = CANVAS) -> NDArray[np.uint8]:
    x, y = canvas.grid()
    # The carver's hand is not quite steady.
    u, v = x + 1.2 * noise(x / 14, y / 14, 21), y + 1.2 * noise(x / 14, y / 14, 22)
    ink = cut_water(u, v)
    for pad in PADS:
        cut_pad(ink, u, v, pad)
    for flower in FLOWERS:
        cut_flower(ink, u, v, flower)
    for head, dark in zip(HEADS, (False, True), strict=True):
        fish = cut_fish(u, v, head, dark)
        ink[fish >= 0] = fish[fish >= 0]
    # Ink does not take everywhere on rough paper.
    bare = step(noise(x / 1.6, y / 1.6, 24, 2) + 0.35 * noise(x / 40, y / 40, 25), 0.95, 1.25)[..., None]
    lab = INKS[ink] * (1 - 0.7 * bare) + INKS[PAPER] * 0.7 * bare
    lab[..., 0] += 0.010 * noise(x / 4, y / 4, 26) + 0.014 * noise(x / 70, y / 70, 27)
    return canvas.finish(lab)

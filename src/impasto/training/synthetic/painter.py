"""Paints shapes over each other: which is seen where, its texture, its shading, the shadows; sharp or out of focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from impasto.training.synthetic.outlines import Array, Draws, fill
from impasto.training.synthetic.textures import DEVIATION, MIDDLE, SIDE, Textures, places

Array32 = NDArray[np.float32]


@dataclass(frozen=True)
class Shapes:
    """Some shapes of one make, the later ones in front. Coordinates in [0, 1] of the canvas, y downwards."""

    outlines: Array32  # (n, k, 2)
    colors: Array32  # (n, 3)
    changes: Array32  # (n, 3), what a texture's unit adds
    shading: Array32  # (n, 6), factors of 1, x, y, x², xy, y²
    codes: NDArray[np.intp]  # (n,), see Textures
    flat: bool = False
    """Whether the texture lies on the ground, which recedes to the horizon."""


@dataclass(frozen=True)
class Layer:
    """Shapes at one distance from the camera."""

    shapes: Sequence[Shapes]
    blur: float = 0.0  # radius in shares of the canvas
    shadow: float = 0.0  # how dark
    horizon: float = 0.5
    dapple: float = 0.1  # how much the light varies from place to place


class Light:
    """Where the light of a scene comes from, and how it models what it falls on."""

    def __init__(self, rng: Draws) -> None:
        angle = rng.uniform(-np.pi, 0)
        self.toward = np.array([np.cos(angle), np.sin(angle)], np.float32)
        self.strength = rng.uniform(0.15, 0.7)

    def shading(self, outlines: Array, bulge: float, slope: float) -> Array32:
        """The brightness of each shape as a second-order polynomial of the place (n, 6).

        A shape's second moments tell the ellipse that it resembles: the dome over that is `bulge` higher in the
        middle than at the rim, and brighter by `slope` at the rim towards the light.
        """
        centre = outlines.mean(1)
        arm = outlines - centre[:, None]
        xx, xy, yy = (2 * (arm[..., i] * arm[..., j]).mean(1) + 1e-7 for i, j in ((0, 0), (0, 1), (1, 1)))
        determinant = np.maximum(xx * yy - xy * xy, 1e-9)
        sxx, sxy, syy = yy / determinant, -xy / determinant, xx / determinant
        short = np.sqrt(2 * determinant / (xx + yy)) * slope * self.strength
        gx = short * (sxx * self.toward[0] + sxy * self.toward[1])
        gy = short * (sxy * self.toward[0] + syy * self.toward[1])
        x, y = centre[:, 0], centre[:, 1]
        sx, sy = sxx * x + sxy * y, sxy * x + syy * y
        constant = 1 + bulge * (0.5 - sx * x - sy * y) - gx * x - gy * y
        linear = [2 * bulge * sx + gx, 2 * bulge * sy + gy]
        return np.stack([constant, *linear, -bulge * sxx, -2 * bulge * sxy, -bulge * syy], 1).astype(np.float32)


_SOFT = 1.5
"""How far a small picture is blurred before it is enlarged, in its own pixels."""
_BAND = 32
"""Rows painted at a time: few enough for all that is computed of them to stay in a core's cache."""


class Painter:
    """Paints layers onto a square canvas."""

    def __init__(self, rng: Draws, textures: Textures, side: int) -> None:
        self.rng = rng
        self.textures = textures
        self.side = side

    def paint(self, layers: Sequence[Layer]) -> Tensor:
        """The layers from back to front as uint8 (3, side, side); what no shape of the first covers is black."""
        canvas = torch.zeros(3, self.side, self.side, dtype=torch.uint8)
        for layer in layers:
            seen, picture = self._picture(layer)
            canvas = torch.where(seen > 0, picture, canvas) if layer.blur <= 0 else _over(canvas, seen, picture)
        # Cutting and shrinking are faster where a pixel's colours lie side by side.
        return canvas[None].to(memory_format=torch.channels_last)[0]

    def _picture(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """How much of each pixel the layer covers, uint8 (1, side, side) in 0..255, and its colours."""
        sharp = layer.blur <= 0
        # What is out of focus needs no detail: it is painted small and enlarged.
        side = self.side if sharp else max(16, min(self.side // 2, round(_SOFT / layer.blur)))
        labels = draw_labels(layer.shapes, side)
        seen = torch.from_numpy((labels > 0).astype(np.uint8) * 255)[None]
        picture = self._colors(layer, labels)
        if sharp:
            return seen, picture
        soft = _softened(torch.cat([seen, picture]), self.side)
        return soft[:1], soft[1:]

    def _colors(self, layer: Layer, labels: NDArray[np.intp]) -> Tensor:
        side = len(labels)
        table = _Table(layer.shapes)
        upright = places(side, self.side)
        lying = upright
        if table.flat.any():
            lying = np.where(np.take(table.flat, labels), _receding(side, self.side, layer.horizon), upright)
        clouds = self.textures.codes(self.rng, "clouds", 1)
        shadows = _shadows(layer, side) if layer.shadow > 0 else None
        planes = np.zeros((3, side, side), np.uint8)
        for top in range(0, side, _BAND):
            band = slice(top, top + _BAND)
            some = labels[band]
            if not some.any():
                continue
            light = _polynomial(table.shading, some, top, side)
            light *= self._dapple(clouds, upright[band], layer.dapple)
            if shadows is not None:
                light *= shadows[band] * np.float32(1 / 255)
            texture = self.textures.look_up(np.take(table.codes, some), lying[band]).astype(np.float32)
            for plane, color, change in zip(planes, table.colors, table.changes, strict=True):
                value = np.take(change, some)
                value *= texture
                value += np.take(color, some)
                value *= light
                plane[band] = np.clip(value, 0, 255, out=value)
        return torch.from_numpy(planes)

    def _dapple(self, code: NDArray[np.intp], at: NDArray[np.intp], strength: float) -> Array32:
        """A factor for each place that varies softly: no light falls evenly."""
        clouds = self.textures.look_up(code, at).astype(np.float32)
        return (clouds - MIDDLE) * np.float32(strength / DEVIATION) + 1


class _Table:
    """The attributes of all shapes of a layer by label; label 0 is where there is none."""

    def __init__(self, shapes: Sequence[Shapes]) -> None:
        self.colors = _column([s.colors * np.float32(255) for s in shapes], 3)
        self.changes = _column([s.changes * np.float32(255) for s in shapes], 3)
        self.shading = _column([s.shading for s in shapes], 6)
        self.codes = np.concatenate([np.zeros(1, np.intp), *(s.codes for s in shapes)])
        self.flat = np.concatenate([np.zeros(1, bool), *(np.full(len(s.outlines), s.flat) for s in shapes)])


def _column(parts: Sequence[Array32], width: int) -> Array32:
    """(width, 1 + number of shapes), so that a row can be looked up by label."""
    return np.ascontiguousarray(np.concatenate([np.zeros((1, width), np.float32), *parts]).T)


def draw_labels(shapes: Sequence[Shapes], side: int) -> NDArray[np.intp]:
    """The number, from 1 on, of the shape that is seen at each pixel (side, side), or 0."""
    image = Image.new("I;16", (side, side))
    draw = ImageDraw.Draw(image)
    label = 0
    for some in shapes:
        for points in _rows(some, side):
            label += 1
            fill(draw, points, label)
    return np.asarray(image).astype(np.intp)


def _rows(shapes: Shapes, side: int) -> Array32:
    """The outlines in pixels, each as a row of x and y by turns."""
    return (shapes.outlines * np.float32(side)).reshape(len(shapes.outlines), -1)


def _polynomial(shading: Array32, labels: NDArray[np.intp], top: int, side: int) -> Array32:
    at = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = at[None], at[top : top + len(labels), None]
    one, by_x, by_y, by_xx, by_xy, by_yy = (np.take(factors, labels) for factors in shading)
    light: Array32 = one + x * (by_x + x * by_xx + y * by_xy) + y * (by_y + y * by_yy)
    return np.clip(light, 0.1, 2.0, out=light)


def _receding(side: int, full: int, horizon: float) -> NDArray[np.intp]:
    """Places on a plane that runs from below the camera to the horizon."""
    y = (np.arange(side, dtype=np.float32) + 0.5) / side - np.float32(horizon)
    depth = np.float32(0.25 * full) / np.maximum(y, 0.02)[:, None]
    x = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    return (2.0 * depth).astype(np.intp) * SIDE + (depth * 2 * x).astype(np.intp)


def _shadows(layer: Layer, side: int) -> NDArray[np.uint8]:
    """A factor in 255ths (side, side): each shape throws a soft shadow down onto those behind it."""
    small = side // 4
    image = Image.new("L", (small, small), 255)
    draw = ImageDraw.Draw(image)
    for some in layer.shapes:
        reach = some.outlines.max(1) - some.outlines.min(1)
        offsets = np.clip(0.12 * small * reach.min(1), 0.5, 0.03 * small).astype(np.float32)
        for own, offset in zip(_rows(some, small), offsets, strict=True):
            if offset > 0.6:
                fill(draw, own + offset, round(255 * (1 - layer.shadow)))
                fill(draw, own, 255)
    return _softened(torch.from_numpy(np.array(image))[None], side)[0].numpy()


def _softened(planes: Tensor, side: int) -> Tensor:
    """uint8 (c, h, w), blurred so far that enlarging to (c, side, side) shows no pixels."""
    pixels = planes.permute(1, 2, 0).squeeze(2).contiguous().numpy()
    soft = torch.from_numpy(np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(_SOFT))))
    planes = soft.view(*soft.shape[:2], -1).permute(2, 0, 1)
    return F.interpolate(planes[None], (side, side), mode="bilinear", antialias=True)[0]


def _over(canvas: Tensor, seen: Tensor, picture: Tensor) -> Tensor:
    """`picture`, already faded to black where it is not seen, laid over `canvas`."""
    rest = canvas.to(torch.int16) * (255 - seen.to(torch.int16)) // 255
    return (rest + picture).clamp_(0, 255).to(torch.uint8)

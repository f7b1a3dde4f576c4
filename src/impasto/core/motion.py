"""Known motion: smooth warps of an image whose flow is exact, to train and to measure steadiness without a video."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

BORDER = 2
"""Pixels along an image's border, and along what came in from outside, that a comparison leaves out."""
SHIFT = 12
ZOOM = 0.06
ANGLE = 0.05
BEND = 3.0
"""Most of what `random_motion` does: pixels, a share, radians, pixels."""


class Motion(NamedTuple):
    """From one frame to the next: where each pixel of the next one comes from."""

    flow: Tensor
    """(H, W, 2) float32: the source lies at (x, y) + flow, in pixels."""

    @property
    def source(self) -> Tensor:
        """(H, W, 2): x and y of every pixel's source."""
        height, width = self.flow.shape[:2]
        y, x = torch.meshgrid(
            torch.arange(height, device=self.flow.device), torch.arange(width, device=self.flow.device), indexing="ij"
        )
        return self.flow + torch.stack([x, y], dim=-1)

    def warp(self, images: Tensor) -> Tensor:
        """The next frame of `images` (B, C, H, W), bicubic (exact for whole pixels), float32; mirrored beyond."""
        height, width = images.shape[2:]
        sides = torch.tensor([width, height], device=images.device)
        grid = (2 * self.source + 1) / sides - 1
        grid = grid.expand(len(images), -1, -1, -1)
        return F.grid_sample(images.float(), grid, "bicubic", "reflection", align_corners=False)

    def seen(self) -> Tensor:
        """(H, W) bool: the pixels of the next frame that were in the one before, away from both borders."""
        height, width = self.flow.shape[:2]
        here = torch.zeros(height, width, dtype=torch.bool, device=self.flow.device)
        here[BORDER : height - BORDER, BORDER : width - BORDER] = True
        x, y = self.source.unbind(-1)
        inside = (x >= BORDER) & (x <= width - 1 - BORDER) & (y >= BORDER) & (y <= height - 1 - BORDER)
        return here & inside


def motion(
    height: int,
    width: int,
    shift: tuple[float, float] = (0.0, 0.0),
    zoom: float = 1.0,
    angle: float = 0.0,
    bends: Tensor | None = None,
) -> Motion:
    """A pan, zoom, turn and bend of a picture at once.

    Args:
        shift: pixels to the right and down that things move.
        zoom: above 1 things grow, around the middle.
        angle: radians, things turn to the right.
        bends: (2, h, w) pixels of a coarse grid, made smooth: a further displacement.
    """
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    back_x, back_y = x - shift[0], y - shift[1]
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    flow = torch.stack([cos * back_x + sin * back_y - x, cos * back_y - sin * back_x - y], dim=-1)
    if bends is not None:
        smooth = F.interpolate(bends[None], (height, width), mode="bicubic", align_corners=True)[0]
        flow = flow + smooth.permute(1, 2, 0)
    return Motion(flow)


def random_motion(height: int, width: int, random: torch.Generator) -> Motion:
    """One of the ways in which a video goes on.

    A quarter of the time nothing moves, a quarter all moves by whole pixels, half it does everything at once. Whole
    pixels need no interpolation, which would teach that things that move are blurred.
    """

    def uniform(limit: float, *shape: int) -> Tensor:
        return (2 * torch.rand(shape, generator=random) - 1) * limit

    kind = int(torch.randint(4, (), generator=random))
    if kind == 0:
        return motion(height, width)
    if kind == 1:
        x, y = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=random).tolist()
        return motion(height, width, (x, y))
    x, y = uniform(SHIFT, 2).tolist()
    zoom, angle = 1 + float(uniform(ZOOM)), float(uniform(ANGLE))
    return motion(height, width, (x, y), zoom, angle, uniform(BEND, 2, 4, 4))

"""How steady a style is: what changes in its pictures where the photo only moves, or gets a sensor's noise.

No video is needed: the next frame is the photo moved by a known flow, so where the stylized photo should have gone is
known as well (Huang et al.: Real-Time Neural Style Transfer for Videos, CVPR 2017, eq. 8, with a flow that is exact).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from impasto.core.motion import Motion, motion
from impasto.evaluation.pictures import Source, to_pixels, to_tensor
from impasto.files.images.resizing import Pixels, with_short_side

SIDE = 360
"""Short side in pixels of the photos that are moved; smaller ones stay as they are."""
NOISE = 3 / 255
"""Standard deviation of the noise of two frames of a scene in which nothing moves."""
MOTIONS: dict[str, dict[str, Any]] = {
    "pan": {"shift": (3.0, 1.0)},
    "fine pan": {"shift": (2.4, -1.7)},
    "zoom": {"zoom": 1.02},
    "turn": {"angle": 0.01, "shift": (1.3, 0.4)},
    "bend": {"bends": 2.0 * torch.tensor([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])},
}
"""Pixels, factors and radians from one frame to the next; see :func:`impasto.core.motion.motion`."""
STILL = "noise"

Stylize = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class Steadiness:
    """RMS of out_t − warp(out_{t−1}) where the pixel was seen before, of a range of 1, over all photos and channels."""

    name: str
    errors: dict[str, float]
    """By motion, and for the scene in which nothing moves."""

    @property
    def mean(self) -> float:
        """RMS over all of them."""
        return float(np.sqrt(np.mean(np.square([*self.errors.values()]))))


def measure(
    name: str, stylize: Stylize, photos: Sequence[Source], on_step: Callable[[], None] = lambda: None
) -> Steadiness:
    """The steadiness of `stylize`, uint8 (H, W, 3) to the same. `on_step` is called after each photo and motion."""
    squares: dict[str, list[float]] = {}
    for number, photo in enumerate(photos):
        pixels = photo.pixels()
        if min(pixels.shape[:2]) > SIDE:
            pixels = with_short_side(pixels, SIDE)
        for kind, error in _errors(stylize, pixels, number):
            squares.setdefault(kind, []).append(error)
            on_step()
    return Steadiness(name, {kind: float(np.sqrt(np.mean(values))) for kind, values in squares.items()})


def _errors(stylize: Stylize, pixels: Pixels, seed: int) -> Iterator[tuple[str, float]]:
    """Mean squared error of each motion."""
    stylized = to_tensor(stylize(pixels))
    for kind, how in MOTIONS.items():
        moved = motion(*pixels.shape[:2], **how)
        following = to_tensor(stylize(to_pixels(moved.warp(to_tensor(pixels)))))
        yield kind, _mean_square(following - moved.warp(stylized).clamp(0, 1), moved)
    random = np.random.default_rng(seed)
    frames = [
        np.clip(pixels + random.normal(0, 255 * NOISE, pixels.shape), 0, 255).round().astype(np.uint8) for _ in range(2)
    ]
    first, second = (to_tensor(stylize(frame)) for frame in frames)
    yield STILL, float((second - first).square().mean())


def _mean_square(difference: torch.Tensor, moved: Motion) -> float:
    return float(difference[..., moved.seen()].square().mean())

"""One photo repainted by optimization, for whoever can wait: what evaluations compare with, put to use."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.evaluation.objective import Judge, Objective
from impasto.evaluation.optimization import Optimization
from impasto.evaluation.options import OptimizeOptions
from impasto.evaluation.pictures import Source
from impasto.files.images import Picture, Samples

SMALLEST_SIDE = 32
"""Pixels below which a loss network sees nothing worth comparing."""


def prepared(photo: Picture, painting: Source, judge: Judge, options: OptimizeOptions) -> Optimization:
    """The optimization of `photo`, which has the size of the result already, ready to run.

    Raises:
        ImpastoError: photo or painting would be too small for the loss network.
    """
    short = min(photo.width, photo.height)
    stroke = round(short * options.stroke_size)
    if min(short, stroke) < SMALLEST_SIDE:
        raise ImpastoError(
            f"the loss network would look at {photo.width}×{photo.height} pixels of the photo and {stroke} of the "
            f"painting's short side, and needs {SMALLEST_SIDE}; take a larger --size or --stroke-size"
        )
    grams = judge.grams(painting.short_side(stroke).to(judge.device))
    pixels = _planes(photo.pixels).to(judge.device)
    return Optimization(Objective(judge, pixels, grams), options.style_weight, pixels)


def result(photo: Picture, image: Tensor) -> Picture:
    """`image` (1, 3, H, W) in [0, 1] at the photo's depth, with its alpha, profile and EXIF."""
    largest = int(np.iinfo(photo.pixels.dtype).max)
    samples = np.rint(image[0].permute(1, 2, 0).double().cpu().numpy() * largest)
    return photo.with_pixels(np.ascontiguousarray(samples.astype(photo.pixels.dtype)))


def _planes(pixels: Samples) -> Tensor:
    """uint8 or uint16 (H, W, 3) → float32 (1, 3, H, W) in [0, 1]."""
    scaled = pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return torch.from_numpy(np.ascontiguousarray(scaled))

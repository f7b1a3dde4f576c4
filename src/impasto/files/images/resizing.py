"""Pictures of 8 bits cropped, made smaller or larger: Lanczos, antialiased."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def centre_square(pixels: Pixels, size: int) -> Pixels:
    """The largest centred square of `pixels` (H, W, 3) as (size, size, 3)."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return resized_to(pixels[top : top + short, left : left + short], size, size)


def with_short_side(pixels: Pixels, size: int) -> Pixels:
    """`pixels` (H, W, 3) with the short side at `size` and the shape kept."""
    factor = size / min(pixels.shape[:2])
    return resized_to(pixels, *(round(side * factor) for side in pixels.shape[:2]))


def resized_to(pixels: Pixels, height: int, width: int) -> Pixels:
    """`pixels` (H, W, 3) as (height, width, 3)."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))

"""Pictures as training takes them: squares of one size, tensors of planes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from impasto.files.images.resizing import with_short_side


def square(pixels: NDArray[np.uint8], size: int, fit: str) -> NDArray[np.uint8]:
    """`pixels` (H, W, 3) as (size, size, 3): `fit` is stretch, or crop for the largest centred square.

    The third way, keep, makes the short side `size` and keeps the shape; a painting comes out as sharp as styles are
    judged by. Bicubic interpolation, which the source example has, softens it: a style never learns the finest marks.
    """
    if fit == "keep":
        return with_short_side(pixels, size)
    height, width = pixels.shape[:2]
    short = min(height, width)
    box: tuple[float, float, float, float] | None = None
    if fit == "crop":
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
    resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return np.asarray(resized)


def without_margin(pixels: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """`pixels` (H, W, 3) without that share of its height and width along each side."""
    top, left = (int(side * share) for side in pixels.shape[:2])
    return pixels[top : pixels.shape[0] - top, left : pixels.shape[1] - left]


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (H, W, 3) → uint8 (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def to_float(photos: Tensor) -> Tensor:
    """uint8 in 0..255 → float32 in [0, 1]."""
    return photos.float() / 255

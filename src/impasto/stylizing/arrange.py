"""Pictures resized and set side by side, at 8 and at 16 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from impasto.errors import ImpastoError
from impasto.files.images import Picture
from impasto.stylizing.samples import resized_samples

LARGEST_SIDE = 100_000


def resized(picture: Picture, longer_side: int) -> Picture:
    """`picture` with its longer side at `longer_side` pixels and its shape kept. Raises ImpastoError out of range."""
    width, height = resized_size(picture.width, picture.height, longer_side)
    alpha = None if picture.alpha is None else resized_samples(picture.alpha[..., None], height, width)[..., 0]
    return replace(picture, pixels=resized_samples(picture.pixels, height, width), alpha=alpha)


def resized_size(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """(width, height) with that longer side and in the same shape. Raises ImpastoError out of range."""
    if not 1 <= longer_side <= LARGEST_SIDE:
        raise ImpastoError(f"--size is {longer_side}; it must lie between 1 and {LARGEST_SIDE} pixels")
    factor = longer_side / max(width, height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def side_by_side(photo: Picture, stylized: Picture) -> Picture:
    """The photo left, its stylized image right, a thin white gap between; transparent parts over white."""
    left, right = photo.over_white(), stylized.over_white()
    gap = np.full((left.shape[0], max(4, left.shape[1] // 100), 3), np.iinfo(left.dtype).max, left.dtype)
    return Picture(np.concatenate([left, gap, right], axis=1), None, photo.icc, photo.exif)

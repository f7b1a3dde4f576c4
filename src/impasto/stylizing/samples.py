"""Samples of pictures: uint8, uint16, or float32 in [0, 1]; turned into planes and back, and resized."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Samples = NDArray[Any]
"""(H, W, C) or (B, H, W, C) of uint8, uint16, or float32 in [0, 1]."""


def largest_of(kind: np.dtype[Any]) -> int:
    """What white is."""
    return 1 if kind.kind == "f" else int(np.iinfo(kind).max)


def planes_of(samples: Samples) -> Floats:
    """(…, H, W, C) → float32 (…, C, H, W) in [0, 1]."""
    planes = np.ascontiguousarray(np.moveaxis(samples, -1, -3), np.float32)
    largest = largest_of(samples.dtype)
    return planes if largest == 1 else planes / np.float32(largest)


def samples_of(planes: Floats, kind: np.dtype[Any]) -> Samples:
    """Planes (…, C, H, W) in [0, 1], clipped to that, → samples (…, H, W, C) of `kind`, rounded."""
    largest = largest_of(kind)
    values = planes.clip(0, 1)
    if largest > 1:
        values *= np.float32(largest)
        np.rint(values, out=values)
    return np.ascontiguousarray(np.moveaxis(values, -3, -1), kind)


def resized_samples(samples: Samples, height: int, width: int) -> Samples:
    """(H, W, C) → (height, width, C), antialiased; the same where the size is that already."""
    if samples.shape[:2] == (height, width):
        return samples
    size = width, height
    if samples.dtype == np.uint8 and samples.shape[2] == 3:
        return np.asarray(Image.fromarray(samples).resize(size, Image.Resampling.LANCZOS))
    planes = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.LANCZOS))
        for plane in np.moveaxis(samples, -1, 0)
    ]
    values = np.stack(planes, axis=-1).clip(0, largest_of(samples.dtype))
    return values if samples.dtype.kind == "f" else np.rint(values).astype(samples.dtype)

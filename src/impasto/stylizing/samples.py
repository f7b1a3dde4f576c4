"""Samples of pictures: uint8, uint16, or float32 in [0, 1]; turned into planes and back, and resized."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Samples = NDArray[Any]
"""(H, W, C) or (B, H, W, C) of uint8, uint16, or float32 in [0, 1]."""


class RowSource(Protocol):
    """A picture of which rows can be had: an array, or what reads them from a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, rows: slice) -> NDArray[Any]: ...


class RowTarget(Protocol):
    """Where rows of a picture go: an array, or what writes them to a file."""

    def __setitem__(self, rows: slice, value: NDArray[Any]) -> None: ...


LANCZOS_REACH = 3
"""Pixels that the filter sees to each side, of the larger of the two pictures."""


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
    return _resampled(samples, height, width, 0, samples.shape[0])


def resize_rows(source: RowSource, target: RowTarget, height: int, width: int, strip: int = 256) -> None:
    """The same from rows to rows, some at a time."""
    rows = source.shape[0]
    scale = rows / height
    margin = int(LANCZOS_REACH * max(1.0, scale)) + 2
    strip = max(1, min(strip, int(4 * strip / scale)))  # of a much larger picture, as few rows as that
    for top in range(0, height, strip):
        bottom = min(height, top + strip)
        first, last = max(0, int(top * scale) - margin), min(rows, int(bottom * scale) + 1 + margin)
        begin, end = top * scale - first, min(bottom * scale, rows) - first
        target[top:bottom] = _resampled(source[first:last], bottom - top, width, begin, end)


def _resampled(samples: Samples, height: int, width: int, begin: float, end: float) -> Samples:
    """The rows from `begin` to `end` in another size; those around them are seen, too."""
    if samples.dtype == np.uint8 and samples.shape[2] == 3:
        return np.asarray(_resized(Image.fromarray(samples), height, width, begin, end))
    planes = [
        np.asarray(_resized(Image.fromarray(plane.astype(np.float32)), height, width, begin, end))
        for plane in np.moveaxis(samples, -1, 0)
    ]
    values = np.stack(planes, axis=-1).clip(0, largest_of(samples.dtype))
    return values if samples.dtype.kind == "f" else np.rint(values).astype(samples.dtype)


def _resized(image: Image.Image, height: int, width: int, begin: float, end: float) -> Image.Image:
    # Along rows first, then along columns: left to itself, Pillow chooses the order by the size of a strip.
    wide = image.resize((width, image.height), Image.Resampling.LANCZOS)
    return wide.resize((width, height), Image.Resampling.LANCZOS, (0, begin, width, end))

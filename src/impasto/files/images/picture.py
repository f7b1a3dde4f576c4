"""The picture, at 8 or 16 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]
"""uint8 or uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha."""
_BAND_PIXELS = 1 << 20


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded photo, turned upright, or a stylized image to be written."""

    pixels: Samples
    """uint8 or uint16 (H, W, 3), RGB over the full range of the type, in the colour space that `icc` describes."""
    alpha: Samples | None = None
    """(H, W) of the same type, not premultiplied; 0 is transparent."""
    icc: bytes | None = None
    """RGB colour profile; None means sRGB."""
    exif: bytes | None = None
    """Begins with b"Exif\\0\\0"; holds neither orientation nor thumbnail."""

    def __post_init__(self) -> None:
        if self.pixels.dtype not in (np.uint8, np.uint16) or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels are {self.pixels.dtype} {self.pixels.shape}, not uint8 or uint16 (H, W, 3)")
        of_pixels = self.pixels.dtype, self.pixels.shape[:2]
        if self.alpha is not None and (self.alpha.dtype, self.alpha.shape) != of_pixels:
            raise ValueError(f"alpha is {self.alpha.dtype} {self.alpha.shape}, unlike the pixels")

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def with_pixels(self, pixels: Samples) -> Picture:
        """The same alpha, profile and EXIF around other pixels: uint8 or uint16 (H, W, 3) of the same height and width.

        Alpha follows the new type.
        """
        if self.alpha is None:
            return replace(self, pixels=pixels)
        return replace(self, pixels=pixels, alpha=to_8(self.alpha) if pixels.dtype == np.uint8 else _to_16(self.alpha))

    def to_8_bits(self) -> Picture:
        """The same picture in uint8, rounded."""
        return self.with_pixels(to_8(self.pixels))

    def over_white(self) -> Samples:
        """The pixels composited over white: (H, W, 3) of their type."""
        if self.alpha is None:
            return self.pixels
        alpha = self.alpha[..., None]
        return in_bands(self.height, self.width, lambda rows: _over_white(self.pixels[rows], alpha[rows]))


def in_bands(height: int, width: int, make: Callable[[slice], Samples]) -> Samples:
    """What `make` gives for bands of rows, together; so the memory that it takes in between is a band's."""
    step = max(1, _BAND_PIXELS // width)
    first = make(slice(0, min(step, height)))
    if height <= step:
        return first
    whole = np.empty((height, *first.shape[1:]), first.dtype)
    whole[:step] = first
    for top in range(step, height, step):
        rows = slice(top, min(top + step, height))
        whole[rows] = make(rows)
    return whole


def _over_white(pixels: Samples, alpha: Samples) -> Samples:
    white = int(np.iinfo(pixels.dtype).max)
    wide = alpha.astype(np.uint32)  # white² + white/2 just fits
    return ((pixels * wide + white * (white - wide) + white // 2) // white).astype(pixels.dtype)


def with_alpha(picture: Picture) -> Samples:
    """(H, W, 3), or (H, W, 4) where there is alpha."""
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


def to_8(samples: Samples) -> Samples:
    """v / 257 rounded, without a wider type; from 65407 on the result is 255 anyway."""
    if samples.dtype == np.uint8 or not samples.size:
        return samples.astype(np.uint8, copy=False)
    height, width = samples.shape[:2]
    return in_bands(height, width, lambda rows: ((np.minimum(samples[rows], 65407) + 128) // 257).astype(np.uint8))


def _to_16(samples: Samples) -> Samples:
    return samples if samples.dtype == np.uint16 else samples.astype(np.uint16) * 257

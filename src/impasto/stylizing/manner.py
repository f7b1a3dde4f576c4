"""How a photo is repainted: which style, how much of it, whose colours, how large its strokes, and where."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from impasto.errors import ImpastoError
from impasto.stylizing.color import Colors
from impasto.stylizing.samples import Floats

WhichStyle = str | int | Mapping[str, float] | None

USUAL_SIDE = 1024
"""Longer side in pixels up to which the network works on a photo as it is."""
FEATHER = 0.01
"""How far a mask's edges are softened, as a share of the photo's longer side."""
LARGEST_DISTORTION = 1.03
"""How far the shape of a mask may differ from that of the photo."""


@dataclass(frozen=True)
class Manner:
    """The options of a repainting, checked on creation."""

    style: WhichStyle = None
    """A name or number of a stylizer's styles, or weights by name that mix several; None is the stylizer's own."""
    strength: float = 1.0
    """From 0, the photo, to 1, the style."""
    colors: Colors = "style"
    """The style's; `photo`, the photo's hue and chroma under the stylized lightness; or `match`, the style's moved
    linearly to the photo's mean and covariance."""
    stroke: float = 1.0
    """Size of the strokes, from 0.25 to 4; 1 is as the style gives them on a photo of up to 1024 pixels.
    On a larger one they grow with the square root of its side, so that they come out neither tiny nor coarse."""
    mask: NDArray[Any] | None = None
    """Where to repaint: (h, w) of any size in the photo's shape; numbers from 0 to 1, or to 255 or 65535 for integers.
    Its edges are softened."""
    outside: WhichStyle = None
    """The style for where the mask is 0; None leaves the photo there."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ImpastoError(f"the strength is {self.strength}; it must lie between 0, the photo, and 1, the style")
        if not 0.25 <= self.stroke <= 4:
            raise ImpastoError(f"the stroke is {self.stroke}; it must lie between 0.25 and 4")
        if self.colors not in typing.get_args(Colors):
            raise ImpastoError(f"the colors are {self.colors!r}; they must be one of {typing.get_args(Colors)}")
        if self.mask is not None and (self.mask.ndim != 2 or 0 in self.mask.shape):
            raise ImpastoError(f"a mask has one number a pixel, (H, W), not {self.mask.shape}")
        if self.outside is not None and self.mask is None:
            raise ImpastoError("a style for outside needs a mask that says where that is")


def working_size(height: int, width: int, *, stroke: float) -> tuple[int, int]:
    """(height, width) at which the network works on a photo, so that the strokes come out as large as asked for."""
    longer = max(height, width)
    factor = min(1.0, USUAL_SIDE / longer) ** 0.5 / stroke
    return max(1, round(height * factor)), max(1, round(width * factor))


def soft_mask(mask: NDArray[Any], height: int, width: int) -> Floats:
    """`mask` as weights (height, width) in [0, 1] with soft edges. Raises ImpastoError for one of another shape."""
    stretch = (mask.shape[1] / width) / (mask.shape[0] / height)
    if not 1 / LARGEST_DISTORTION <= stretch <= LARGEST_DISTORTION:
        raise ImpastoError(
            f"the mask is {mask.shape[1]}×{mask.shape[0]} pixels and the photo {width}×{height}: "
            "give it the photo's shape, of any size"
        )
    largest = 1.0 if mask.dtype.kind in "fb" else np.iinfo(mask.dtype).max
    grey = Image.fromarray(np.rint(mask / largest * 255).clip(0, 255).astype(np.uint8))
    grey = grey.resize((width, height), Image.Resampling.BICUBIC)
    grey = grey.filter(ImageFilter.GaussianBlur(FEATHER * max(height, width) / 2))
    weights: Floats = np.asarray(grey, np.float32) / np.float32(255)
    return weights

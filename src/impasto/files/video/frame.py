"""One picture of a video, with its time, and what all pictures of a video have in common."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""(H, W, 3) RGB."""

RGB = "rgb24"
SMOOTH = Interpolation.BICUBIC
HD_HEIGHT = 720
"""From so many rows on, a video that says nothing has the colours of HD television, as players take it."""
UNSPECIFIED = 2
LIMITED_RANGE, FULL_RANGE = 1, 2
MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""From a stream's matrix (H.273) to the name that the converter has for it."""
BT709, BT601 = 1, 6

_own = threading.local()


def exact(seconds: float) -> Fraction:
    """The number as it is written: 0.2 is a fifth, and not the float next to it."""
    return Fraction(str(seconds))


@dataclass(frozen=True)
class Colors:
    """How a stream's numbers stand for colours; its tags, by the numbers of H.273."""

    matrix: int = UNSPECIFIED
    range: int = 0
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @classmethod
    def of_rgb(cls, height: int) -> Colors:
        """For what had no matrix."""
        return cls(BT709 if height >= HD_HEIGHT else BT601, LIMITED_RANGE)


@dataclass(frozen=True)
class Format:
    """What all pictures of a video have in common."""

    height: int
    width: int
    rate: Fraction
    """Frames a second, on the average."""
    time_base: Fraction
    """Seconds of one tick, in which times are counted."""
    pixel_shape: Fraction = Fraction(1)
    """Width of a pixel over its height."""
    colors: Colors = Colors()

    @classmethod
    def of_rgb(cls, height: int, width: int, *, rate: Fraction, time_base: Fraction) -> Format:
        """For pictures that come from no video."""
        return cls(height, width, rate, time_base, colors=Colors.of_rgb(height))

    @property
    def matrix(self) -> int:
        """The converter's name for the matrix; a guess by the size where the stream says nothing."""
        return MATRICES.get(self.colors.matrix, 1 if self.height >= HD_HEIGHT else 5)

    @property
    def range(self) -> int:
        """Limited where the stream says nothing."""
        return self.colors.range or LIMITED_RANGE

    @property
    def ticks(self) -> int:
        """Of one frame, on the average."""
        return max(1, round(1 / (self.rate * self.time_base)))


@dataclass(frozen=True)
class Turn:
    """How stored pictures are turned to be seen: exchanged rows and columns first, then mirrored."""

    transposed: bool = False
    left_right: bool = False
    up_down: bool = False

    @classmethod
    def of(cls, matrix: bytes | None) -> Turn:
        """From a display matrix: nine numbers of 32 bits, of which four turn."""
        if matrix is None:
            return cls()
        a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
        if abs(b) > abs(a):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    def __call__(self, pixels: Pixels) -> Pixels:
        pixels = pixels.swapaxes(0, 1) if self.transposed else pixels
        pixels = pixels[:, ::-1] if self.left_right else pixels
        return np.ascontiguousarray(pixels[::-1] if self.up_down else pixels)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video."""

    picture: av.VideoFrame
    """As the decoder gave it, or painted; of any size, which :attr:`pixels` bring to that of the video."""
    format: Format
    pts: int
    """When it is shown, in ticks of the format."""
    duration: int
    """For how long, in ticks."""
    turn: Turn = Turn()

    @classmethod
    def of(cls, pixels: Pixels, format: Format, pts: int, duration: int | None = None) -> Frame:
        """One of pixels, uint8 (H, W, 3) RGB."""
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), RGB)
        return cls(picture, format, pts, format.ticks if duration is None else duration)

    @property
    def time(self) -> float:
        """When it is shown, in seconds."""
        return float(self.exact_time)

    @property
    def exact_time(self) -> Fraction:
        """The same, not rounded."""
        return self.pts * self.format.time_base

    @property
    def pixels(self) -> Pixels:
        """uint8 (H, W, 3) RGB, upright, of the video's size."""
        return self.pixels_at(self.format.height, self.format.width)

    @property
    def image(self) -> Image.Image:
        """The same for PIL."""
        return Image.fromarray(self.pixels)

    def pixels_at(self, height: int, width: int) -> Pixels:
        """The same in another size."""
        if self.turn.transposed:
            height, width = width, height
        # Resized first, converted then: in one step it takes four times as long.
        picture = _reformatted(self.picture, self.picture.format.name, height, width, {})
        source = {"src_colorspace": self.format.matrix, "src_color_range": self.format.range}
        rgb = _reformatted(picture, RGB, height, width, {} if picture.format.is_rgb else source)
        return self.turn(cast(Pixels, rgb.to_ndarray()))

    def with_pixels(self, pixels: Pixels, format: Format | None = None) -> Frame:
        """Another picture, uint8 (h, w, 3), at the same time; of another size, it is brought to that of the format."""
        return Frame.of(pixels, format or self.format, self.pts, self.duration)

    def in_rgb(self) -> Frame:
        """The same in RGB, upright, of the video's size."""
        done = (self.picture.format.name, self.picture.height, self.picture.width)
        return self if done == (RGB, self.format.height, self.format.width) else self.with_pixels(self.pixels)

    def in_yuv(self, pixel_format: str) -> Frame:
        """The same in luma and chroma, as an encoder takes it, in the matrix and range of the format."""
        if self.picture.format.name == pixel_format:
            return self
        rgb = self.picture if self.picture.format.name == RGB else self.in_rgb().picture
        target = {"dst_colorspace": self.format.matrix, "dst_color_range": self.format.range}
        yuv = _reformatted(rgb, pixel_format, self.format.height, self.format.width, target)
        return replace(self, picture=yuv, turn=Turn())


def _reformatted(
    picture: av.VideoFrame, pixel_format: str, height: int, width: int, colors: dict[str, Any]
) -> av.VideoFrame:
    if (picture.format.name, picture.height, picture.width) == (pixel_format, height, width):
        return picture
    if not hasattr(_own, "reformatters"):
        _own.reformatters = {}  # of this thread; each keeps its tables from picture to picture
    key = pixel_format, picture.width, picture.height, width, height
    reformatter: VideoReformatter = _own.reformatters.setdefault(key, VideoReformatter())
    interpolation = None if (picture.height, picture.width) == (height, width) else SMOOTH
    return reformatter.reformat(picture, width, height, pixel_format, interpolation=interpolation, threads=1, **colors)

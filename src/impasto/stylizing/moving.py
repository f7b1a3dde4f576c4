"""Videos: frame after frame in the same manner, or in one that changes on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import ImpastoError
from impasto.stylizing.arrange import resized_size
from impasto.stylizing.manner import Manner, WhichStyle, working_size
from impasto.stylizing.mapping import WORKERS, in_order
from impasto.stylizing.samples import Samples

if TYPE_CHECKING:
    from impasto.files.video import AnyVideo, Format, Frame
    from impasto.stylizing.stylizer import Stylizer

GAP = 4
"""Pixels between a frame and its stylized image, at least."""
THUMBNAIL = (18, 32)
CUT = 32
"""How much of 255 the pixels of two thumbnails differ, on the average, where another scene begins."""
BLOCK = 8, 64
"""Pixels in height and width."""
NEAR = 0.03
FRAMES_AHEAD = 4
"""Decoded and not yet painted, or painted and not yet taken."""


@dataclass(frozen=True)
class Change:
    """What a video's manner comes to at its end, evenly from what it is at the beginning."""

    style: WhichStyle = None
    """None keeps the style."""
    strength: float | None = None
    """None keeps the strength."""
    begin: float = 0.0
    """When it begins, in seconds by the video's own clock."""
    end: float = 0.0
    """When it ends."""

    def share(self, time: float) -> float:
        """How much of the change has come to pass, 0 to 1."""
        return 1.0 if self.end <= self.begin else min(1.0, max(0.0, (time - self.begin) / (self.end - self.begin)))


def check_span(start: float, end: float | None, steady: float = 0.0) -> None:
    """Raises ImpastoError for a part of a video that is none, or a time to average over that is none."""
    if not 0 <= steady <= 60:
        raise ImpastoError(f"--steady is {steady:g}; it must lie between 0 and 60 seconds")
    if not 0 <= start < math.inf or (end is not None and not start < end < math.inf):
        ends = "the end" if end is None else f"{end:g}"
        raise ImpastoError(f"--start is {start:g} and --end {ends}; name seconds from 0 on, the end after the start")


def change_over(
    video: AnyVideo, style: WhichStyle, strength: float | None, start: float = 0.0, end: float | None = None
) -> Change | None:
    """The change to `style` and `strength` over the video, or over what is taken of it; None where neither is named.

    Raises:
        ImpastoError: a strength out of range, or a video that does not say how long it is.
    """
    from impasto.files.video import exact

    if style is None and strength is None:
        return None
    Manner(strength=1.0 if strength is None else strength)
    until = video.duration if end is None else exact(end)
    if until is None:
        raise ImpastoError(f"{video.path} does not say how long it is; name its end with --end")
    if video.duration is not None:
        until = min(until, video.duration)
    # The last frame begins one before the end.
    last = max(exact(start), until - 1 / video.format.rate)
    return Change(style, strength, float(video.start + exact(start)), float(video.start + last))


class Steadiness:
    """How much each frame of a video counts in what is averaged over some time; a cut forgets what was before."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._last: tuple[float, Samples] | None = None

    def share(self, frame: Frame) -> float:
        """Of `frame`, which follows the one before: from 0 to 1, all."""
        small = frame.pixels_at(*THUMBNAIL).astype(np.int16)
        last, self._last = self._last, (frame.time, small)
        if last is None or np.abs(small - last[1]).mean() > CUT:
            return 1.0
        return 1.0 - math.exp(-(frame.time - last[0]) / self.seconds)


class FramePainter:
    """Repaints the frames of one video; may be called in several threads."""

    def __init__(
        self,
        stylizer: Stylizer,
        manner: Manner,
        change: Change | None = None,
        *,
        size: int | None = None,
        compare: bool = False,
        steady: float = 0.0,
    ) -> None:
        """
        Args:
            stylizer: ready for many photos.
            size: longer side of the results in pixels, both sides made even; None keeps the video's.
            compare: puts the frame beside its stylized image.
            steady: seconds over which the network's statistics are averaged; such frames have to come one by one.
        Raises:
            ImpastoError: an unknown style, a size out of range, or a backend that averages nothing.
        """
        self.stylizer = stylizer.for_steady() if steady else stylizer
        self.workers = 1 if steady else WORKERS
        """How many frames may be painted at the same time."""
        self._steadiness = Steadiness(steady) if steady else None
        self.manner = manner
        self.change = change
        self.size = size
        self.compare = compare
        styles = manner.style, manner.style if change is None or change.style is None else change.style
        self._first, self._last = (stylizer.weights(style) for style in styles)
        stylizer.weights(manner.outside)

    def __call__(self, frame: Frame) -> Frame:
        """The stylized image of `frame`, at its time."""
        if self._steadiness is not None:
            self.stylizer.backend.share = self._steadiness.share(frame)  # type: ignore[attr-defined]
        manner, format = self._manner_at(frame.time), self.format(frame.format)
        if not self.compare and self.stylizer.needs_no_finish(manner):
            # Of the size that the network works on; who encodes it brings it to that of the video, with its colours.
            size = quick_size(format.height, format.width, stroke=manner.stroke)
            mix = self.stylizer.weights(manner.style, manner.strength)
            return frame.with_pixels(self.stylizer.paint(frame.pixels_at(*size), mix), format)
        height, width = self._painted_size(frame.format)
        photo = frame.pixels_at(height, width)
        stylized = self.stylizer.repaint(photo, manner)
        return frame.with_pixels(beside(photo, stylized) if self.compare else stylized, format)

    def format(self, format: Format) -> Format:
        """That of the results."""
        height, width = self._painted_size(format)
        return replace(format, height=height, width=2 * width + gap(width) if self.compare else width)

    def _painted_size(self, format: Format) -> tuple[int, int]:
        if self.size is None:
            return format.height, format.width
        width, height = resized_size(format.width, format.height, self.size)
        return max(2, height // 2 * 2), max(2, width // 2 * 2)

    def _manner_at(self, time: float) -> Manner:
        if self.change is None:
            return self.manner
        share = self.change.share(time)
        weights = (1 - share) * self._first + share * self._last
        mix = {name: float(weight) for name, weight in zip(self.stylizer.style.names, weights, strict=True) if weight}
        last = self.manner.strength if self.change.strength is None else self.change.strength
        return replace(self.manner, style=mix, strength=self.manner.strength + share * (last - self.manner.strength))


def painted(frames: Iterable[Frame], paint: Callable[[Frame], Frame], workers: int = WORKERS) -> Generator[Frame]:
    """The frames repainted, several at a time, in order; no more than a few are in memory."""
    yield from in_order(frames, paint, workers, FRAMES_AHEAD)


def quick_size(height: int, width: int, *, stroke: float) -> tuple[int, int]:
    """The working size, or one near it of whole blocks of convolutions: a tenth faster, and it is resized anyway."""
    size = working_size(height, width, stroke=stroke)
    if size == (height, width):
        return size
    blocks = tuple(round(side / block) * block for side, block in zip(size, BLOCK, strict=True))
    near = all(abs(block / side - 1) <= NEAR for block, side in zip(blocks, size, strict=True))
    return (blocks[0], blocks[1]) if near else size


def beside(photo: Samples, stylized: Samples) -> Samples:
    """Both, (H, W, 3) each, with a white gap of an even width between, as encoders like it."""
    white = np.full((photo.shape[0], gap(photo.shape[1]), 3), 255, np.uint8)
    return np.concatenate([photo, white, stylized], axis=1)


def gap(width: int) -> int:
    return max(GAP, width // 200 * 2)

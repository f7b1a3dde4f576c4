"""Animations: GIF and WebP, which Pillow reads with their transparency."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from impasto.files.images.problems import explained
from impasto.files.video.frame import Format, Frame, exact

SUFFIXES = (".gif", ".webp")
TIME_BASE = Fraction(1, 1000)
USUAL_DURATION = 100
"""Milliseconds of a frame that says nothing, as browsers show it."""


def is_animation(path: Path) -> bool:
    """Whether the content of the file is a GIF or WebP."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[:4] == b"GIF8" or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


class Animation:
    """A GIF or WebP file, opened like a :class:`Video`: transparent parts are over white."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: str | None = None
        with explained("read", path, "save it again"), Image.open(path) as image:
            count = getattr(image, "n_frames", 1)
            durations = [_duration(image, number) for number in range(count)]
            height, width = image.height, image.width
        self.start = Fraction(0)
        self.duration: Fraction | None = sum(durations) * TIME_BASE
        self.format = Format.of_rgb(height, width, rate=count / self.duration, time_base=TIME_BASE)

    def __enter__(self) -> Animation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def frames(self, start: float = 0.0, end: float | None = None, after: Fraction | None = None) -> Iterator[Frame]:
        """As of a video."""
        pts = 0
        with Image.open(self.path) as image:
            for number in range(getattr(image, "n_frames", 1)):
                try:
                    duration = _duration(image, number)
                    rgba = image.convert("RGBA")
                except (OSError, EOFError, SyntaxError) as error:
                    self.damage = f"it breaks off ({error})"
                    return
                time = pts * TIME_BASE
                if end is not None and time >= exact(end):
                    return
                if time >= exact(start) and (after is None or time > after):
                    white = Image.new("RGBA", rgba.size, "white")
                    pixels = np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
                    yield Frame.of(pixels, self.format, pts, duration)
                pts += duration


def _duration(image: Image.Image, number: int) -> int:
    """Milliseconds of a frame, which is looked up and decoded."""
    image.seek(number)
    image.load()
    return int(image.info.get("duration") or 0) or USUAL_DURATION

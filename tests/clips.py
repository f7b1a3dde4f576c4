"""Small videos with everything that videos have, made by PyAV, and what is in a video, read by it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from support import photo

RATE = 48_000
MOST = 60


def pictures(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """A crop that moves over a smooth picture, and back."""
    large = np.asarray(photo(7, width + 2 * MOST, height + MOST))
    way = [min(n % (2 * MOST), 2 * MOST - n % (2 * MOST)) for n in range(count)]
    return [np.ascontiguousarray(large[n : n + height, 2 * n : 2 * n + width]) for n in way]


def make_clip(
    path: Path,
    count: int = 12,
    *,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = 30,
    ticks: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    sound: str | None = "aac",
    subtitles: str | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rotation: float | None = None,
    options: dict[str, str] | None = None,
    begin: int = 0,
    shown: Sequence[np.ndarray] | None = None,
    **context: Any,
) -> Path:
    """`ticks` are the times of the frames, `shown` what they show, `context` attributes of the encoder."""
    time_base = time_base or 1 / Fraction(rate)
    ticks = ticks or [begin + n for n in range(count)]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=Fraction(rate), options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = time_base
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        audio = None if sound is None else output.add_stream(sound, rate=RATE)
        for pts, picture in zip(ticks, shown or pictures(len(ticks), *size), strict=True):
            frame = av.VideoFrame.from_ndarray(picture)
            dark = {"dst_colorspace": context.get("colorspace"), "dst_color_range": context.get("color_range")}
            frame = frame.reformat(format=pixels, **dark)
            frame.pts, frame.time_base = pts, time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if audio is not None:
            _sine(output, audio, float((ticks[-1] + 1) * time_base), float(begin * time_base))
    return path


def _sine(output: Any, stream: Any, seconds: float, begin: float) -> None:
    wave = (0.3 * np.sin(2 * np.pi * 440 * np.arange(int((seconds - begin) * RATE)) / RATE)).astype(np.float32)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(np.stack([wave[start : start + 1024]] * 2), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start + int(begin * RATE), Fraction(1, RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def times(path: Path, kind: str = "video") -> list[Fraction]:
    """When the packets of the first stream of that kind are shown, in seconds, in order."""
    with av.open(str(path)) as opened:
        stream = next(s for s in opened.streams if s.type == kind)
        return sorted(p.pts * p.time_base for p in opened.demux(stream) if p.pts is not None)


def packets(path: Path, kind: str = "audio") -> list[bytes]:
    """The content of the packets of the first stream of that kind."""
    with av.open(str(path)) as opened:
        stream = next(s for s in opened.streams if s.type == kind)
        return [bytes(p) for p in opened.demux(stream) if p.size]


def length(path: Path) -> Fraction:
    """How long the pictures last, by the file's own word."""
    with av.open(str(path)) as opened:
        stream = opened.streams.video[0]
        assert stream.duration is not None
        return stream.duration * stream.time_base


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as opened:
        return [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]

"""Frames from a video file of any container and codec that FFmpeg reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from impasto.errors import ImpastoError
from impasto.files.video.animations import Animation, is_animation
from impasto.files.video.filters import Filter, whole_pictures
from impasto.files.video.frame import FULL_RANGE, Colors, Format, Frame, Turn, exact

AnyPath = str | os.PathLike[str]

MICROSECONDS = Fraction(1, 1_000_000)
USUAL_RATE = Fraction(25)
MOST_RATE = 1000
"""Frames a second beyond which what a file says of them is no rate."""


class Video:
    """A video file, opened: its facts, and its frames one after the other.

    >>> with open_video("in.mp4") as video:  # doctest: +SKIP
    ...     for frame in video.frames():
    ...         frame.image.save(f"{frame.time:.3f}.png")
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: str | None = None
        """What was wrong with the frames that were read so far."""
        self._container, self._stream = self._opened()
        first = next(self._decoded(), None)
        if first is None:
            raise ImpastoError(f"cannot read {path}: {self.damage or 'there is no picture in it'}; is it a video?")
        self.damage = None
        self._interlaced = first.interlaced_frame
        self.turn = Turn.of(_display_matrix(first))
        self.format = self._format(first)
        self.start = Fraction(self._container.start_time or 0) * MICROSECONDS
        """When the file begins by its own clock, in seconds."""
        self.duration = self._duration()
        """Seconds from there to its end, None where it does not say."""

    def __enter__(self) -> Video:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._container.close()

    def frames(self, start: float = 0.0, end: float | None = None, after: Fraction | None = None) -> Iterator[Frame]:
        """The frames that are shown from `start` to before `end`, in seconds from the beginning, in order.

        What cannot be decoded is left out, see :attr:`damage`; a file that breaks off ends there.

        Args:
            after: only those behind this time, in seconds by the file's own clock.
        """
        first = self.start + exact(start) if start > 0 else None
        if after is not None:
            first = after if first is None else max(first, after)
        last = None if end is None else self.start + exact(end)
        for frame in self._timed(first):
            time = frame.exact_time
            if last is not None and time >= last:
                return
            if (after is None or time > after) and (first is None or time >= first):
                yield frame

    def _timed(self, first: Fraction | None) -> Iterator[Frame]:
        """Frames with times that grow, from a key frame before `first` on."""
        base, ticks = self.format.time_base, self.format.ticks
        last, due = -(1 << 62), 0
        if first is None or not self._seek(first):
            self._rewind()
        for picture in self._whole():
            pts = due if picture.pts is None else picture.pts
            duration = picture.duration or ticks
            if picture.time_base and picture.time_base != base:
                pts, duration = round(pts * picture.time_base / base), round(duration * picture.time_base / base)
            pts = max(pts, last + 1)
            yield Frame(picture, self.format, pts, max(1, duration), self.turn)
            last, due = pts, pts + duration

    def _whole(self) -> Iterator[av.VideoFrame]:
        """The pictures without the rows of two moments that television has in one."""
        if not self._interlaced:
            yield from self._decoded()
            return
        join: Filter | None = None
        for picture in self._decoded():
            join = join or whole_pictures(picture, self._time_base())
            yield from join(picture)
        yield from join(None) if join is not None else []

    def _decoded(self) -> Iterator[av.VideoFrame]:
        broken = 0
        for packet in self._packets():
            try:
                yield from packet.decode()
            except av.error.FFmpegError as error:
                broken += 1
                self.damage = f"{broken} of its pictures cannot be decoded ({_reason(error)})"

    def _packets(self) -> Iterator[av.Packet[VideoStream]]:
        try:
            yield from self._container.demux(self._stream)
        except av.error.FFmpegError as error:
            self.damage = f"it breaks off ({_reason(error)})"

    def _seek(self, time: Fraction) -> bool:
        """Whether the next frame to be decoded is one before or at `time`."""
        target = int(time / self._time_base())
        try:
            self._container.seek(target, stream=self._stream)
            found = next((p for p in self._container.demux(self._stream) if p.pts is not None), None)
            if found is None or found.pts is None or found.pts > target:
                return False
            self._container.seek(target, stream=self._stream)
        except av.error.FFmpegError:
            return False
        return True

    def _rewind(self) -> None:
        """To the very beginning, which not every file can be sought for."""
        self._container.close()
        self._container, self._stream = self._opened()

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        with explained("read", self.path):
            container = av.open(str(self.path), "r", metadata_errors="ignore")
        stream = _best(container)
        if stream is None:
            container.close()
            raise ImpastoError(f"cannot read {self.path}: there is no video in it")
        stream.thread_type = "AUTO"
        return container, stream

    def _time_base(self) -> Fraction:
        return self._stream.time_base or Fraction(1, 90_000)

    def _format(self, first: av.VideoFrame) -> Format:
        stream, height, width = self._stream, first.height, first.width
        rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
        shape = stream.sample_aspect_ratio or Fraction(1)
        if self.turn.transposed:
            height, width, shape = width, height, 1 / shape if shape else Fraction(1)
        if first.format.is_rgb:
            colors = Colors.of_rgb(height)
        else:
            stored = FULL_RANGE if first.format.name.startswith("yuvj") else first.color_range
            colors = Colors(first.colorspace, stored, first.color_primaries, first.color_trc)
        rate = rate if 0 < rate <= MOST_RATE else USUAL_RATE
        return Format(height, width, rate, self._time_base(), shape if shape > 0 else Fraction(1), colors)

    def _duration(self) -> Fraction | None:
        if self._container.duration:
            return self._container.duration * MICROSECONDS
        if self._stream.duration:
            return self._stream.duration * self._time_base()
        return self._stream.frames / self.format.rate if self._stream.frames else None


AnyVideo = Video | Animation


def open_video(path: AnyPath) -> AnyVideo:
    """The video, GIF or WebP animation in the file `path`.

    Raises:
        ImpastoError: no such file, no video in it, or one that cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise ImpastoError(f"cannot read {path}: it is a folder; name a video")
    if not path.exists():
        raise ImpastoError(f"cannot read {path}: no such file; check the path")
    return Animation(path) if is_animation(path) else Video(path)


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turns what FFmpeg raises into one line for the user."""
    try:
        yield
    except av.error.InvalidDataError as error:
        raise ImpastoError(
            f"cannot {action} {path}: no video, or a damaged one; get it again, or make an MP4"
        ) from error
    except av.error.FFmpegError as error:
        raise ImpastoError(f"cannot {action} {path}: {_reason(error)}") from error


def _reason(error: av.error.FFmpegError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _best(container: InputContainer) -> VideoStream | None:
    """The stream of moving pictures, and no cover of a song."""
    best = container.streams.best("video")
    streams = [best, *container.streams.video] if isinstance(best, VideoStream) else list(container.streams.video)
    return next((s for s in streams if not s.disposition & Disposition.attached_pic and s.codec_context), None)


def _display_matrix(frame: av.VideoFrame) -> bytes | None:
    found: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if found is None else bytes(found)

"""Videos repainted from file to file."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.config import CodecName
from impasto.errors import ImpastoError
from impasto.files.atomic import check_writable
from impasto.files.lock import alone
from impasto.files.stop_request import StopRequest
from impasto.stylizing.manner import Manner, WhichStyle
from impasto.stylizing.moving import FramePainter, change_over, check_span, painted
from impasto.stylizing.stylizer import Stylizer
from impasto.workflows.common import AnyPath, weights_sha256

if TYPE_CHECKING:
    from impasto.files.video import AnyVideo, Around, Frame, VideoWriter


DEFAULT_VIDEO_STYLE = "great_wave-turbo"


class VideoWarning(UserWarning):
    """A video was repainted, but not all that is in it."""


class VideoStopped(KeyboardInterrupt):
    """The user stopped the work; what is done is in a file that plays. The text says how to go on."""


@dataclass(frozen=True)
class VideoOptions:
    """How a video is repainted and written."""

    manner: Manner = field(default_factory=Manner)
    """Which style, how much of it, whose colours and how large its strokes."""
    style_to: WhichStyle = None
    """What the style comes to at the end; None keeps it."""
    strength_to: float | None = None
    """What the strength comes to at the end; None keeps it."""
    start: float = 0.0
    """Seconds from the beginning where to begin."""
    end: float | None = None
    """Seconds from the beginning where to end; None is the end."""
    size: int | None = None
    """Longer side of the result in pixels, both sides made even; None keeps the video's size."""
    compare: bool = False
    """Put the frames beside their stylized images."""
    steady: float = 0.0
    """Seconds over which the network's statistics are averaged; 0 averages nothing."""
    codec: CodecName | None = None
    """What it is written in; None is the usual one of the file's kind, H.264 for most."""
    quality: int = 75
    """1 to 100."""
    sound: bool = True
    """Whether sound, subtitles and chapters are copied."""
    overwrite: bool = False
    """Whether a file that exists may be replaced."""
    resume: bool = False
    """Go on with what a stopped run has left."""

    def __post_init__(self) -> None:
        check_span(self.start, self.end, self.steady)


@dataclass(frozen=True)
class VideoProgress:
    """How far a video is."""

    frames: int
    """Written in this run."""
    done: float
    """Of the video, 0 to 1; 0 where it does not say how long it is."""
    elapsed: float
    """Seconds since the first frame of this run."""
    remaining: float | None
    """Seconds; None where nothing tells yet."""

    @property
    def what(self) -> str:
        rate = (self.frames - 1) / self.elapsed if self.elapsed > 0 else 0.0
        return f"{self.frames:,} frames, {rate:.1f} a second"


def stylize_video(
    stylizer: Stylizer, source: AnyPath, out: AnyPath, options: VideoOptions | None = None
) -> Iterator[VideoProgress]:
    """Repaints the video `source` into the file `out`; yields after each frame.

    Times, size, colours, sound and chapters stay as they are; rotated videos are turned upright. Decoding, the network
    and encoding overlap. Ctrl-C ends it with a file that plays, and so does a source that breaks off.

    Raises:
        ImpastoError: a video that cannot be read, or a result that cannot or must not be written.
        VideoStopped: Ctrl-C.
    """
    from impasto.files import video as videos

    options, source, out = options or VideoOptions(), Path(source), Path(out)
    codec = videos.codec_for(out, options.codec, options.quality)
    is_animation = out.suffix.lower() in videos.ANIMATIONS
    if is_animation and options.resume:
        raise ImpastoError(f"{out.suffix} animations cannot be resumed; leave --resume out, or write a video")
    if out.exists() and source.exists() and out.samefile(source):
        raise ImpastoError(f"will not overwrite {out}: that is the video itself; name another --out")
    with StopRequest() as stop, videos.open_video(source) as video, _alone(out):
        if video.duration is not None and options.start >= video.duration:
            raise ImpastoError(f"--start is {options.start:g}; {source} lasts {float(video.duration):g} seconds")
        painter = _painter(stylizer, video, options)
        writer = _writer(stylizer, video, out, codec, options)
        frames = video.frames(options.start, options.end, after=writer.last)
        clock = _Clock(video, options)
        try:
            with closing(painted(frames, lambda frame: writer.prepared(painter(frame)), painter.workers)) as results:
                for result in results:
                    writer.write(result)
                    yield clock.at(result)
                    if stop.requested:
                        break
            stopped = stop.requested
            writer.finish(complete=not stopped)
        except BaseException:
            writer.abandon()
            raise
        if video.damage is not None:
            warnings.warn(f"{source} is damaged: {video.damage}", VideoWarning, stacklevel=2)
        if stopped:
            goes_on = "--overwrite begins again" if is_animation else "--resume goes on"
            raise VideoStopped(f"stopped; {out} plays up to here, and {goes_on}")


def is_unfinished(out: AnyPath) -> bool:
    """Whether a stopped run has left something to go on with."""
    return Path(f"{os.fspath(out)}.parts").is_dir()


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Raises ImpastoError where nothing can be written to `out`, or another process writes it already."""

    def refuse() -> None:
        raise ImpastoError(f"another process is writing {out}; wait for it, or name another --out")

    if out.is_dir():
        raise ImpastoError(f"cannot write {out}: it is a folder; name another --out")
    check_writable(out)
    with alone(out, refuse):
        yield


def _painter(stylizer: Stylizer, video: AnyVideo, options: VideoOptions) -> FramePainter:
    change = change_over(video, options.style_to, options.strength_to, options.start, options.end)
    many = stylizer.for_many(changing=change is not None)
    return FramePainter(many, options.manner, change, size=options.size, compare=options.compare, steady=options.steady)


def _writer(stylizer: Stylizer, video: AnyVideo, out: Path, codec: str, options: VideoOptions) -> VideoWriter:
    """What writes the result, with a warning of what it cannot hold."""
    from impasto.files import video as videos

    writer = videos.VideoWriter(
        out,
        sound=_around(video, options),
        codec=codec,
        quality=options.quality,
        overwrite=options.overwrite,
        resume=options.resume,
        settings=_settings(video, stylizer, options, codec),
    )
    for name in writer.left_out:
        warnings.warn(f"{out.suffix} files cannot hold the {name} of {video.path}", VideoWarning, stacklevel=3)
    return writer


def _around(video: AnyVideo, options: VideoOptions) -> Around:
    """What is copied from the source."""
    from impasto.files import video as videos

    begin = video.start + videos.exact(options.start) if options.start > 0 else Fraction(0)
    end = None if options.end is None else video.start + videos.exact(options.end)
    silent = isinstance(video, videos.Animation) or not options.sound
    return videos.Around(None if silent else video.path, begin, end)


def _settings(video: AnyVideo, stylizer: Stylizer, options: VideoOptions, codec: str) -> dict[str, Any]:
    """What a run has to have in common with the one that it goes on with."""
    manner, facts = options.manner, video.path.stat()
    return {
        "source": [video.path.name, facts.st_size],
        "network": weights_sha256(stylizer.style),
        "mix": stylizer.weights(manner.style).tolist(),
        "mix_to": None if options.style_to is None else stylizer.weights(options.style_to).tolist(),
        "strength": manner.strength,
        "strength_to": options.strength_to,
        "colors": manner.colors,
        "stroke": manner.stroke,
        "start": options.start,
        "end": options.end,
        "size": options.size,
        "compare": options.compare,
        "steady": options.steady,
        "codec": codec,
        "quality": options.quality,
    }


class _Clock:
    """Turns the time of a frame in its video into progress."""

    def __init__(self, video: AnyVideo, options: VideoOptions) -> None:
        self._begin = float(video.start) + options.start
        length = None if video.duration is None else float(video.duration)
        ends = [end for end in (length, options.end) if end is not None]
        self._end = float(video.start) + min(ends) if ends else None
        self._frames = 0
        self._first: tuple[float, float] | None = None
        """When the first frame of this run was there, and the share that was done then."""

    def at(self, frame: Frame) -> VideoProgress:
        """How far it is when `frame` is written."""
        time_in_video = float(frame.exact_time + frame.duration * frame.format.time_base)
        now, self._frames = time.monotonic(), self._frames + 1
        length = None if self._end is None else self._end - self._begin
        done = 0.0 if not length or length < 0 else min(1.0, max(0.0, (time_in_video - self._begin) / length))
        self._first = self._first or (now, done)
        elapsed, gained = now - self._first[0], done - self._first[1]
        return VideoProgress(self._frames, done, elapsed, elapsed * (1 - done) / gained if gained > 0 else None)

"""Videos written, picture by picture, with the sound of another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from impasto.errors import ImpastoError
from impasto.files.video.assembling import Around, assemble, left_out
from impasto.files.video.codecs import ANIMATIONS, CODECS, FFMPEG_NAMES, USUAL_QUALITY, codec_for
from impasto.files.video.encoding import Encoder, prepared
from impasto.files.video.frame import Frame
from impasto.files.video.parts import Parts

AnyPath = str | os.PathLike[str]

SECONDS = 10
"""Of a part: what a crash loses at most."""


class VideoWriter:
    """Writes a video, GIF or WebP animation; the file is there, whole, when all is written.

    >>> with VideoWriter("out.mp4", sound="in.mp4") as writer:  # doctest: +SKIP
    ...     for frame in stylizer.video("in.mp4"):
    ...         writer.write(frame)
    """

    def __init__(
        self,
        path: AnyPath,
        *,
        sound: AnyPath | Around | None = None,
        codec: str | None = None,
        quality: int = USUAL_QUALITY,
        overwrite: bool = False,
        resume: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            sound: a video whose sound, subtitles, chapters and title are copied (subtitles where the file can hold
                them).
            codec: h264, hevc, vp9 or av1; the file's usual one by default.
            quality: 1 to 100.
            resume: goes on with what an earlier writer of the same file and `settings` has left, see :attr:`last`.
        Raises:
            ImpastoError: a suffix, codec or quality that is not known; a file that exists and must not be replaced;
                a sound that such a file cannot hold.
        """
        self.path = Path(path)
        self.codec = codec_for(self.path, codec, quality)
        self.quality = quality
        animation = self.path.suffix.lower() in ANIMATIONS
        self._around = Around(Path(sound)) if isinstance(sound, str | os.PathLike) else sound
        self._part_seconds = None if animation else SECONDS
        self._parts = Parts(self.path, self.path.suffix.lower() if animation else ".mp4")
        if self.path.exists() and not (overwrite or (resume and self._parts.folder.exists())):
            raise ImpastoError(f"will not overwrite {path}: it exists already; name another --out, or add --overwrite")
        self._resume = resume = resume and not animation
        self.left_out = [] if animation or self._around is None else left_out(self._around, self.path)
        """What belongs to the source of the sound and cannot be in such a file, by name."""
        self._parts.begin(settings or {}, resume=resume, overwrite=overwrite or animation)
        self._encoder: Encoder | None = None
        self._end: Fraction | None = None
        self.last = self._parts.last if resume else None
        """Time in seconds of the last frame that is written; None before the first."""

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.finish()
        else:
            self.abandon()
            if not self._resume:
                self._parts.remove()

    def prepared(self, frame: Frame) -> Frame:
        """`frame` as :meth:`write` turns it before it is encoded; may be called in other threads."""
        return prepared(frame, self.codec)

    def write(self, frame: Frame) -> None:
        """Appends `frame`; the first one says the size, and how fast the video is.

        Raises:
            ImpastoError: the disk is full, or the encoder fails.
        """
        if self._is_full(frame):
            self._close_part()
        if self._encoder is None:
            name = FFMPEG_NAMES[self._parts.suffix]
            self._encoder = Encoder(self._parts.unfinished, frame.format, self.codec, self.quality, name)
        self._encoder.write(frame)
        self.last = frame.exact_time
        self._end = frame.exact_time + frame.duration * frame.format.time_base

    def finish(self, *, complete: bool = True) -> Path:
        """Puts the file together from all that was written; what is not `complete` can be resumed.

        Raises:
            ImpastoError: nothing was written, or the file cannot be.
        """
        self._close_part()
        parts = list(self._parts)
        if not parts:
            self._parts.remove()
            raise ImpastoError(f"cannot write {self.path}: there is no picture to write")
        if self._part_seconds is None:
            parts[0][0].replace(self.path)
        else:
            around = self._around
            if around is not None and not complete:
                around = replace(around, end=self._end)
            assemble(self._parts, self.path, CODECS[self.codec].tag, around)
        if complete or self._part_seconds is None:
            self._parts.remove()
        return self.path

    def abandon(self) -> None:
        """Leaves no file, but the parts that are whole, with which another writer can go on."""
        if self._encoder is not None:
            self._encoder.abandon()
        if not any(self._parts):
            self._parts.remove()

    def _is_full(self, frame: Frame) -> bool:
        first = None if self._encoder is None else self._encoder.first
        if first is None or self._part_seconds is None:
            return False
        return frame.exact_time - first >= self._part_seconds

    def _close_part(self) -> None:
        if self._encoder is not None and self._encoder.first is not None:
            self._encoder.close()
            self._parts.keep(self._encoder.first)
        self._encoder = None

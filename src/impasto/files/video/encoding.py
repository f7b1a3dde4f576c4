"""Frames into a file that holds nothing but pictures."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.packet import Packet
from av.video.stream import VideoStream

from impasto.errors import ImpastoError
from impasto.files.video.codecs import CODECS
from impasto.files.video.filters import palette
from impasto.files.video.frame import Format, Frame
from impasto.files.video.reading import explained

TIME_BASES = {"gif": Fraction(1, 100), "webp": Fraction(1, 1000)}
"""Of what has one of its own."""


def prepared(frame: Frame, codec: str) -> Frame:
    """`frame` as that encoder takes it: what may be done beforehand, in another thread."""
    return frame.in_rgb() if codec == "gif" else frame.in_yuv(CODECS[codec].pixel_format(frame.format))


class Encoder:
    """Writes frames of one format into the file `path`, times counted from the first of them."""

    def __init__(self, path: Path, format: Format, codec: str, quality: int, container: str = "mp4") -> None:
        self.path = path
        self.format = format
        self.codec = codec
        self.time_base = TIME_BASES.get(codec, format.time_base)
        self.first: Fraction | None = None
        """Time of the first frame in seconds."""
        self._last = -1
        self._durations: dict[int, int] = {}
        os.environ.setdefault("SVT_LOG", "1")  # of AV1: errors alone
        self._palette = palette(format, self.time_base) if codec == "gif" else None
        with explained("write", path):
            options = {"loop": "0"} if codec == "webp" else None
            self._container = av.open(str(path), "w", format=container, options=options)
            self._stream = self._made_stream(quality)

    def write(self, frame: Frame) -> None:
        """Appends `frame`, of any size. Raises ImpastoError when the disk is full or the encoder fails."""
        if self.first is None:
            self.first = frame.exact_time
        pts = max(self._last + 1, round((frame.exact_time - self.first) / self.time_base))
        self._durations[pts] = max(1, round(frame.duration * frame.format.time_base / self.time_base))
        self._last = pts
        picture = prepared(frame, self.codec).picture
        picture.pts, picture.time_base, picture.pict_type = pts, self.time_base, 0
        with explained("write", self.path):
            for encodable in self._palette(picture) if self._palette else [picture]:
                self._mux(self._stream.encode(encodable))

    def close(self) -> None:
        """Writes what is still in the encoder. Raises ImpastoError as :meth:`write`."""
        with explained("write", self.path):
            for encodable in self._palette(None) if self._palette else []:
                self._mux(self._stream.encode(encodable))
            self._mux(self._stream.encode(None))
            self._container.close()

    def abandon(self) -> None:
        """Lets go of a file that is of no use."""
        with suppress(av.error.FFmpegError):
            self._container.close()

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts or 0, 1)
            self._container.mux(packet)

    def _made_stream(self, quality: int) -> VideoStream:
        format, colors, codec = self.format, self.format.colors, CODECS[self.codec]
        try:
            stream = self._container.add_stream(codec.encoder, rate=format.rate)
        except (ValueError, av.error.FFmpegError) as error:
            raise ImpastoError(f"cannot write {self.path}: this FFmpeg has no {codec.encoder}") from error
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = format.width, format.height, codec.pixel_format(format)
        context = stream.codec_context
        context.time_base = self.time_base
        context.options = codec.settings(quality)
        context.thread_count = 0
        context.sample_aspect_ratio = format.pixel_shape
        context.colorspace, context.color_range = colors.matrix, colors.range
        context.color_primaries, context.color_trc = colors.primaries, colors.transfer
        return stream

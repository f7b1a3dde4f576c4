"""Encoded pictures and the sound of another video, put together without encoding anything again."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from impasto.errors import ImpastoError
from impasto.files.atomic import replacing
from impasto.files.video.codecs import FFMPEG_NAMES
from impasto.files.video.parts import Parts
from impasto.files.video.reading import explained

OF_APPLE = (".mp4", ".m4v", ".mov")
COPIED = ("audio", "subtitle", "attachment")
OF_THE_FILE = ("encoder", "major_brand", "minor_version", "compatible_brands", "creation_time", "duration")
"""Metadata that tell of a file and not of what is in it."""

HELD_BY_TS = {
    "audio": ("mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "aac", "aac_latm", "ac3", "eac3", "dca", "opus"),
    "subtitle": ("dvbsub", "dvb_subtitle", "dvb_teletext", "libzvbi_teletextdec"),
}

Timed = tuple[Fraction, int, "Packet[Any]"]
"""A packet after its time in seconds and its stream's number, by which packets are in order."""


@dataclass(frozen=True)
class Around:
    """What is taken from the source besides its pictures."""

    source: Path | None
    """None takes nothing."""
    begin: Fraction = Fraction(0)
    """Seconds by the source's clock that become 0; 0 leaves all times as they are."""
    end: Fraction | None = None
    """Seconds by the source's clock where it ends."""


def left_out(around: Around, target: Path) -> list[str]:
    """Subtitles and the like of the source that files like `target` cannot hold, by name.

    Raises:
        ImpastoError: they cannot hold its sound.
    """
    if around.source is None:
        return []
    name = FFMPEG_NAMES[target.suffix.lower()]
    with (
        explained("read", around.source),
        av.open(str(around.source), "r", metadata_errors="ignore") as opened,
        av.open(io.BytesIO(), "w", format=name) as output,
    ):
        copies, lost = _copies(opened, output, target)
        _require_sound(opened, copies, output, target)
        return lost


def _require_sound(source: InputContainer, copies: dict[int, Stream], output: OutputContainer, target: Path) -> None:
    """Writes a packet of each sound, since some kinds of files find only then that they cannot hold it."""
    for stream in source.streams.audio:
        try:
            packet = next(source.demux(stream))
            packet.stream = copies[stream.index]  # type: ignore[assignment]
            packet.pts = packet.dts = 0
            output.mux(packet)
            source.seek(0)
        except StopIteration:
            continue
        except av.error.FFmpegError as error:
            raise _no_sound(target, stream) from error
    try:
        output.close()
    except av.error.FFmpegError as error:
        if source.streams.audio:
            raise _no_sound(target, source.streams.audio[0]) from error


def _no_sound(target: Path, stream: Stream) -> ImpastoError:
    name = getattr(stream.codec_context, "name", stream.type)
    return ImpastoError(
        f"{target.suffix} files cannot hold the sound of the source ({name}), which is copied as it is; "
        "write an .mkv file, which holds it, or leave the sound out with --no-sound"
    )


def assemble(parts: Parts, target: Path, tag: str | None, around: Around | None) -> None:
    """Writes `target`, whole or not at all: the pictures of `parts`, and around them what belongs to the source.

    Args:
        tag: the name of the codec in an MP4 file, where it is not the usual one.
    Raises:
        ImpastoError: it cannot be written, or the source is not what it was.
    """
    with explained("write", target), ExitStack() as files:
        temporary = files.enter_context(replacing(target))
        pictures = files.enter_context(av.open(str(next(iter(parts))[0]), "r")).streams.video[0]
        name, options = FFMPEG_NAMES[target.suffix.lower()], _options(target, pictures)
        output = files.enter_context(av.open(str(temporary), "w", format=name, container_options=options))
        stream = output.add_stream_from_template(pictures, opaque=True)
        stream.codec_context.framerate = pictures.average_rate or pictures.guessed_rate or Fraction(25)
        if tag is not None and target.suffix.lower() in OF_APPLE:
            stream.codec_context.codec_tag = tag
        begin = Fraction(0) if around is None else around.begin
        flows = [_pictures(parts, stream, begin)]
        if around is not None and around.source is not None:
            opened = files.enter_context(av.open(str(around.source), "r", metadata_errors="ignore"))
            copies, _ = _copies(opened, output, target)
            _describe(opened, output, around)
            flows.append(_sound(opened, copies, around))
        for _, _, packet in heapq.merge(*flows, key=lambda timed: timed[:2]):
            output.mux(packet)


def _options(target: Path, pictures: VideoStream) -> dict[str, str]:
    if target.suffix.lower() not in OF_APPLE:
        return {}
    # The clock of the whole film has but milliseconds by default, to which its beginning would be rounded.
    assert pictures.time_base is not None
    return {"movflags": "+faststart", "movie_timescale": str(pictures.time_base.denominator)}


def _copies(source: InputContainer, output: OutputContainer, target: Path) -> tuple[dict[int, Stream], list[str]]:
    """Streams of `output` for those of `source` by number, and those that it cannot hold, by name."""
    copies: dict[int, Stream] = {}
    lost: list[str] = []
    for stream in source.streams:
        if stream.type not in COPIED:
            continue
        name = getattr(stream.codec_context, "name", stream.type)
        if stream.type == "attachment" and target.suffix.lower() != ".mkv":
            lost.append("attachment, a font say")
            continue
        if target.suffix.lower() == ".ts" and stream.type in HELD_BY_TS and name not in HELD_BY_TS[stream.type]:
            # Such files take anything, and nobody can read it then.
            if stream.type == "audio":
                raise _no_sound(target, stream)
            lost.append(f"{stream.type} ({name})")
            continue
        try:
            copy = output.add_stream_from_template(stream)
        except (ValueError, av.error.FFmpegError) as error:
            if stream.type == "audio":
                raise _no_sound(target, stream) from error
            lost.append(f"{stream.type} ({name})")
            continue
        copy.metadata.update({key: value for key, value in stream.metadata.items() if key in ("language", "title")})
        copy.disposition = stream.disposition
        copies[stream.index] = copy
    return copies, lost


def _describe(source: InputContainer, output: OutputContainer, around: Around) -> None:
    """Title and the like, and the chapters of a whole film."""
    output.metadata.update({key: value for key, value in source.metadata.items() if key not in OF_THE_FILE})
    if not around.begin and around.end is None:
        output.set_chapters(source.chapters())


def _pictures(parts: Parts, stream: VideoStream, begin: Fraction) -> Iterator[Timed]:
    for packet in parts.packets():
        assert packet.dts is not None
        assert packet.pts is not None
        base = packet.time_base
        shift = round(begin / base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
        yield packet.dts * base, stream.index, packet


def _sound(source: InputContainer, copies: dict[int, Stream], around: Around) -> Iterator[Timed]:
    """Packets of what is copied, those outside of the excerpt left out; a file that breaks off ends there."""
    streams = [stream for stream in source.streams if stream.index in copies and stream.type != "attachment"]
    if not streams:
        return
    if around.begin:
        with suppress(av.error.FFmpegError):
            source.seek(int(around.begin * 1_000_000))
    with suppress(av.error.FFmpegError):
        for packet in source.demux(*streams):
            if packet.pts is None:
                continue
            packet.dts, base = packet.pts if packet.dts is None else packet.dts, packet.time_base
            if packet.pts * base < around.begin and around.begin:
                continue
            if around.end is not None and packet.pts * base >= around.end:
                continue
            shift = round(around.begin / base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copies[packet.stream_index]
            yield packet.dts * base, packet.stream.index, packet

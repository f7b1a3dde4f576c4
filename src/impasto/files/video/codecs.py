"""Which codecs and containers videos are written in, and how."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path

from impasto.config import CodecName
from impasto.errors import ImpastoError
from impasto.files.video.frame import Format

USUAL_QUALITY = 75
"""With H.264, what x264 calls crf 20."""


@dataclass(frozen=True)
class Codec:
    """An encoder, and what it is told."""

    encoder: str
    options: dict[str, str]
    worst: float
    """The encoder's number for quality 0,"""
    best: float
    """and for quality 100."""
    option: str = "crf"
    pixels: str = "yuv420p"
    odd_pixels: str = "yuv420p"
    """Where height or width are odd."""
    tag: str | None = None
    """In MP4, where Apple's players want another than FFmpeg writes."""

    def settings(self, quality: int) -> dict[str, str]:
        number = self.worst + (self.best - self.worst) * quality / 100
        return {**self.options, self.option: f"{number:.0f}"}

    def pixel_format(self, format: Format) -> str:
        return self.odd_pixels if format.height % 2 or format.width % 2 else self.pixels


X265 = {"preset": "superfast", "x265-params": "log-level=error"}
CODECS: dict[str, Codec] = {
    # On pictures full of strokes `superfast` takes half the time of `veryfast`, and files are no larger.
    "h264": Codec("libx264", {"preset": "superfast"}, 47, 11, odd_pixels="yuv444p"),
    "hevc": Codec("libx265", X265, 49, 13, odd_pixels="yuv444p", tag="hvc1"),
    "vp9": Codec("libvpx-vp9", {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "b": "0"}, 60, 16),
    "av1": Codec("libsvtav1", {"preset": "10", "svtav1-params": "lp=0"}, 60, 16),
    "gif": Codec("gif", {}, 0, 0, "", "pal8", "pal8"),
    "webp": Codec("libwebp_anim", {"loop": "0"}, 0, 100, "quality"),
}
CONTAINERS: dict[str, tuple[str, ...]] = {
    ".mp4": ("h264", "hevc", "av1", "vp9"),
    ".m4v": ("h264", "hevc"),
    ".mov": ("h264", "hevc"),
    ".mkv": ("h264", "hevc", "av1", "vp9"),
    ".webm": ("vp9", "av1"),
    ".ts": ("h264", "hevc"),
    ".gif": ("gif",),
    ".webp": ("webp",),
}
"""What each holds, the usual first."""


FFMPEG_NAMES = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".gif": "gif",
    ".webp": "webp",
}
ANIMATIONS = (".gif", ".webp")


def codec_for(path: Path, name: str | None, quality: int) -> str:
    """The codec to write `path` with: the one of that name, or the usual one.

    Raises:
        ImpastoError: no video is written in such files, they hold no such codec, or there is no such quality.
    """
    if path.suffix.lower() not in CONTAINERS:
        problem = f"the suffix {path.suffix} is not known" if path.suffix else "the name has no suffix"
        raise ImpastoError(f"cannot write {path}: {problem}; use one of {' '.join(CONTAINERS)}")
    if not 1 <= quality <= 100:
        raise ImpastoError(f"--quality is {quality}; it must lie between 1 and 100; {USUAL_QUALITY} is usual")
    holds = CONTAINERS[path.suffix.lower()]
    if name is None:
        return holds[0]
    if name not in CODECS:
        raise ImpastoError(f"--codec is {name!r}; it must be one of {', '.join(typing.get_args(CodecName))}")
    if name not in holds:
        others = " ".join(suffix for suffix, codecs in CONTAINERS.items() if name in codecs)
        raise ImpastoError(f"{path.suffix} files hold {' or '.join(holds)}, not {name}; for that, use {others}")
    return name

"""Videos from disk and back to it, by FFmpeg (PyAV), with all that belongs to them: times, colours, sound, subtitles.

Imports go one way: writing → assembling → parts, encoding → reading → animations, filters → frame; codecs.
"""

from impasto.files.video.animations import Animation
from impasto.files.video.assembling import Around
from impasto.files.video.codecs import ANIMATIONS, CODECS, CONTAINERS, USUAL_QUALITY, codec_for
from impasto.files.video.frame import Format, Frame, exact
from impasto.files.video.reading import AnyVideo, open_video
from impasto.files.video.writing import VideoWriter

__all__ = [
    "ANIMATIONS",
    "CODECS",
    "CONTAINERS",
    "USUAL_QUALITY",
    "Animation",
    "AnyVideo",
    "Around",
    "Format",
    "Frame",
    "VideoWriter",
    "codec_for",
    "exact",
    "open_video",
]

"""Pictures through FFmpeg's filters."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
import av.filter
from av.filter.context import FilterContext

from impasto.files.video.frame import RGB, Format


class Filter:
    """A graph of filters: pictures go in, and come out as they are ready."""

    def __init__(self, width: int, height: int, pixels: str, time_base: Fraction) -> None:
        self.graph = av.filter.Graph()
        pixel_format = av.VideoFormat(pixels)
        self.source = self.graph.add_buffer(width=width, height=height, format=pixel_format, time_base=time_base)
        self.sink = self.graph.add("buffersink")

    def __call__(self, picture: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """What is ready after `picture`; after None, all that is left."""
        self.graph.push(picture)
        while True:
            try:
                found = self.graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(found, av.VideoFrame)
            yield found


def palette(format: Format, time_base: Fraction) -> Filter:
    """From RGB to the 256 colours that suit each picture best, as a GIF has them."""
    made = Filter(format.width, format.height, RGB, time_base)
    split, chosen = made.graph.add("split"), made.graph.add("palettegen", "stats_mode=single")
    used = made.graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=3")
    made.source.link_to(split)
    split.link_to(chosen)
    split.link_to(used, 1, 0)
    chosen.link_to(used, 0, 1)
    return _ready(made, used)


def whole_pictures(first: av.VideoFrame, time_base: Fraction) -> Filter:
    """From pictures of which every other row is of another moment to whole ones, as many."""
    made = Filter(first.width, first.height, first.format.name, time_base)
    joined = made.graph.add("bwdif", "mode=send_frame:deint=interlaced")
    made.source.link_to(joined)
    return _ready(made, joined)


def _ready(made: Filter, last: FilterContext) -> Filter:
    last.link_to(made.sink)
    made.graph.configure()
    return made

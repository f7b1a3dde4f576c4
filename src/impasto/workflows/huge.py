"""Photos that do not fit in memory, repainted from file to file in strips."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.files.images import strips
from impasto.stylizing.arrange import resized_size
from impasto.stylizing.manner import Manner, WhichStyle, working_size
from impasto.stylizing.samples import resize_rows
from impasto.stylizing.stylizer import Stylizer

if TYPE_CHECKING:
    from impasto.workflows.repainting import StylizeOptions

MASK_BYTES = 8
"""For each pixel of a mask, which is in memory as a whole."""
DEEP = (".png", ".tif", ".tiff")
"""What may hold 16 bits a sample."""
SHARE_OF_STRIPS = 0.7
"""Of the allowed memory, for the network; the rest is for decoding, resizing and encoding."""


def is_needed(stylizer: Stylizer, photo: Path, options: StylizeOptions) -> bool:
    """Whether the photo and its result do not fit in memory, and libvips is here to do without.

    Raises:
        ImpastoError: no such photo; or it does not fit, and libvips is not here.
    """
    width, height = images.size_of(photo)
    if options.size is not None:
        width, height = max((width, height), resized_size(width, height, options.size))
    memory = stylizer.allowed_memory()
    item = 2 if photo.suffix.lower() in DEEP else 1
    needed = stylizer.needed_memory(height, width, stroke=options.manner.stroke, item=item)
    if width * height <= images.MAX_PIXELS and needed <= memory:
        return False
    if not strips.available():
        raise ImpastoError(
            f"{photo} has {width}×{height} pixels, too many for {memory / 1e9:.1f} GB: pictures that do not fit in "
            "memory need libvips: pip install 'impasto[huge]'; or make it smaller with --size"
        )
    return True


def stylize(stylizer: Stylizer, photo: Path, target: Path, options: StylizeOptions) -> None:
    """Repaints `photo` into `target` with no more in memory than some rows.

    Raises:
        ImpastoError: a damaged photo, or a result that cannot be written.
    """
    if options.compare:
        raise ImpastoError(f"{photo} is too large to be set beside its stylized image; leave --compare out")
    opened = strips.open_strips(photo)
    width, height = opened.width, opened.height
    if options.size is not None:
        width, height = resized_size(width, height, options.size)
    manner = options.manner
    _require_room(photo, opened, height, width, manner, stylizer.allowed_memory())
    with ExitStack() as files:

        def kept(picture: strips.RawPicture) -> strips.RawPicture:
            return files.enter_context(picture)

        def in_size(picture: strips.RawPicture, rows: int, columns: int) -> strips.RawPicture:
            if picture.shape[:2] == (rows, columns):
                return picture
            other = kept(strips.RawPicture((rows, columns, picture.shape[2]), picture.dtype))
            resize_rows(picture, other, rows, columns)
            return other

        def painted(style: WhichStyle) -> strips.RawPicture:
            result = kept(strips.RawPicture(work.shape, work.dtype))
            mix = stylizer.weights(style, manner.strength)
            stylizer.paint_rows(work, result, mix, SHARE_OF_STRIPS * stylizer.allowed_memory())
            return in_size(result, height, width)

        full = in_size(kept(opened.decoded()), height, width)
        work = in_size(full, *working_size(height, width, stroke=manner.stroke))
        result = painted(manner.style)
        if not stylizer.needs_no_finish(manner):
            outside = None if manner.outside is None else painted(manner.outside)
            finished = kept(strips.RawPicture(full.shape, full.dtype))
            stylizer.finish(full, result, outside, manner).into(finished)
            result = finished
        alpha = in_size(kept(opened.decoded(alpha=True)), height, width) if opened.alpha else None
        strips.write_strips(target, result, alpha, opened, quality=options.quality)


def _require_room(
    photo: Path, opened: strips.StripPhoto, height: int, width: int, manner: Manner, memory: float
) -> None:
    """Raises ImpastoError where the temporary files, or a mask, would not find room."""
    working, folder = working_size(height, width, stroke=manner.stroke), Path(tempfile.gettempdir())
    pixels = opened.width * opened.height + 4 * width * height + 2 * working[0] * working[1]
    if manner.mask is not None and MASK_BYTES * width * height > memory:
        raise ImpastoError(
            f"a mask for {photo} takes {MASK_BYTES * width * height / 1e9:.1f} GB, and {memory / 1e9:.1f} GB may be "
            "used; raise --max-memory, or make the picture smaller with --size"
        )
    needed, free = 3 * opened.kind.itemsize * pixels, shutil.disk_usage(folder).free
    if needed > free:
        raise ImpastoError(
            f"{photo} needs about {needed / 1e9:.0f} GB of temporary files, and {folder} has {free / 1e9:.0f} GB; "
            "name another folder with the environment variable TMPDIR, or make it smaller with --size"
        )

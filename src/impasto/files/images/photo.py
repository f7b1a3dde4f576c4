"""An opened photo: what its header says, which way is up, and what of its EXIF goes into a new file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import ExifTags, Image

from impasto.files.images.picture import Samples
from impasto.files.images.problems import lenient

ORIENTATION = int(ExifTags.Base.Orientation)
_TURNS = {  # EXIF orientation: transpose?, then the steps through rows and columns
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}
# Description, make, model, resolution, software, date, artist, host, rating, copyright and Windows' own: what tells
# about the photo. The rest of IFD0 tells how the old file was laid out, which would be wrong in a new one.
KEPT_EXIF = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 33432, 40091, 40092, 40093, 40094, 40095)


@dataclass(frozen=True)
class Photo:
    """What the header says, and the way to the pixels."""

    width: int
    height: int
    """As stored, before rotation."""
    icc: bytes | None
    exif: Image.Exif
    decode: Callable[[int | None], Samples]
    """Upright samples; the argument is the shorter side that suffices, None for full size."""
    bytes_per_pixel: int
    """Memory at its peak, from the file to RGB of 8 bits, for each pixel as stored."""

    @property
    def upright_size(self) -> tuple[int, int]:
        turned = _TURNS[orientation_of(self.exif)][0]
        return (self.height, self.width) if turned else (self.width, self.height)


def exif_from(block: bytes) -> Image.Exif:
    """What can be read of `block`, which begins with the byte order or b"Exif\\0\\0"."""
    exif = Image.Exif()
    lenient(lambda: exif.load(block), None)
    return exif


def orientation_of(exif: Image.Exif) -> int:
    """1 to 8; 1, upright, where EXIF does not tell or tells nonsense."""
    value: object = lenient(lambda: exif[ORIENTATION], 1)
    return value if isinstance(value, int) and value in _TURNS else 1


def upright(samples: Samples, orientation: int) -> Samples:
    """A view of `samples`, as EXIF's `orientation` (1 to 8) says that the photo was stored."""
    transpose, rows, columns = _TURNS[orientation]
    return (samples.swapaxes(0, 1) if transpose else samples)[::rows, ::columns]


def portable_exif(exif: Image.Exif, width: int, height: int) -> bytes | None:
    """What tells about the photo, without orientation, thumbnail and the layout of the old file."""
    kept = Image.Exif()
    kept.endian = exif.endian or "<"  # maker notes are in that order, too
    for tag in KEPT_EXIF:
        if tag in exif:
            kept[tag] = exif[tag]
    for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if entries := dict(exif.get_ifd(ifd)):
            kept[ifd] = entries
            if ExifTags.IFD.Interop in entries:
                entries[ExifTags.IFD.Interop] = dict(exif.get_ifd(ExifTags.IFD.Interop))
            for tag, side in ((ExifTags.Base.ExifImageWidth, width), (ExifTags.Base.ExifImageHeight, height)):
                if tag in entries:
                    entries[tag] = side
    return kept.tobytes() if len(kept) else None

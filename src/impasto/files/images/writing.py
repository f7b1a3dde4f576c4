"""From a picture to a file, in the format of its suffix."""

from __future__ import annotations

from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files.atomic import replacing
from impasto.files.images.formats import FORMATS, AnyPath, check_writable_suffix
from impasto.files.images.picture import Picture
from impasto.files.images.pillow import write_with_pillow
from impasto.files.images.png import png_bytes
from impasto.files.images.problems import explained
from impasto.files.images.tiff import write_tiff


def write(path: AnyPath, picture: Picture, *, quality: int = 95, overwrite: bool = True) -> None:
    """Writes `picture` in the format of the suffix, whole or not at all.

    PNG and TIFF keep 16 bits, the others get them rounded to 8. JPEG and BMP get alpha composited over white.
    BMP and GIF hold no profile and no EXIF.

    Args:
        quality: 1 to 100, for JPEG (never subsampled) and WebP (lossless at 100).
        overwrite: whether a file that is already there may be replaced.
    Raises:
        ImpastoError: the suffix is unknown, the file exists and must not be replaced, or it cannot be written.
    """
    check_writable_suffix(path)
    path = Path(path)
    check_quality(path, quality)
    if not overwrite and path.exists():
        raise ImpastoError(f"cannot write {path}: the file is already there; choose another name or allow overwriting")
    image_format = FORMATS[path.suffix.lower()]
    with replacing(path) as temporary, explained("write", path, "try PNG or TIFF, or another folder"):
        if image_format == "PNG":
            temporary.write_bytes(png_bytes(picture))
        elif image_format == "TIFF":
            write_tiff(temporary, picture)
        else:
            write_with_pillow(temporary, picture.to_8_bits(), image_format, quality)


def check_quality(path: Path, quality: int) -> None:
    """Raises ImpastoError for a quality that does not exist."""
    if not 1 <= quality <= 100:
        raise ImpastoError(f"cannot write {path}: quality {quality} is not within 1 to 100; 95 is a good choice")

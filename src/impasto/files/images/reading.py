"""From a file to a picture: its first bytes decide who decodes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin, GifImagePlugin, WebPImagePlugin

from impasto.errors import ImpastoError
from impasto.files.images.formats import AnyPath
from impasto.files.images.jpeg import open_jpeg
from impasto.files.images.patience import patient
from impasto.files.images.photo import Photo, portable_exif
from impasto.files.images.picture import Picture, Samples
from impasto.files.images.pillow import open_with_pillow
from impasto.files.images.png import PNG_SIGNATURE, open_png
from impasto.files.images.problems import explained, lenient
from impasto.files.images.tiff import open_tiff

MAX_PIXELS = 500_000_000
"""The most pixels that `read` takes: 1.5 GB decoded at 8 bits."""

MAX_TRAINING_PIXELS = 100_000_000
"""The most pixels that `read_small` takes."""

MAX_TRAINING_MEMORY = 880_000_000
"""The most bytes that `read_small` takes, which many processes call at a time: 1 GB each, with Python's own."""

_BYTES_PER_PIXEL = 22
"""What `read` takes for a pixel at its peak; formats that need more may have fewer pixels."""

_LARGEST_WEBP = 512 << 20
"""Pillow reads the file as a whole before it looks at anything."""

_SMALL = 100_000_000
"""So many bytes any photo may take."""

_WEBP_BYTES = 28
"""What libwebp and Pillow's copies of a whole canvas take for each of its pixels."""


def read(path: AnyPath, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """A photo to repaint: JPEG, PNG, WebP, BMP, TIFF or GIF (the first image of several), of any mode.

    EXIF rotation is applied. An RGB profile is kept and the pixels stay as they are; CMYK and Lab become sRGB; a grey
    profile is dropped. 16-bit PNG and grey or RGB TIFF stay at 16 bits; TIFF in floating point is taken as 0..1.

    Decoding takes at most 22 bytes for each of `max_pixels`; less memory for fewer pixels.

    Raises:
        ImpastoError: there is no such file, it is no image, is damaged or truncated, has more than `max_pixels`, or
            would take more memory than that.
    """
    with opened(path) as photo:
        _check_size(path, photo, max_pixels, _BYTES_PER_PIXEL * max_pixels)
        pixels, alpha = _split(photo.decode(None))
        icc = _rgb_profile(photo)
        exif = lenient(lambda: portable_exif(photo.exif, pixels.shape[1], pixels.shape[0]), None)
        return Picture(pixels, alpha, icc, exif)


def read_small(
    path: AnyPath, *, at_least: int, max_pixels: int = MAX_TRAINING_PIXELS, data: bytes | None = None
) -> npt.NDArray[np.uint8]:
    """A training photo, JPEG decoded at 1/2, 1/4 or 1/8 where its shorter side then still has `at_least` pixels.

    `data` is the content of the file, where it lies elsewhere; `path` is then only its name in messages.

    Returns:
        uint8 (H, W, 3) RGB, upright, over white where it was transparent.
    Raises:
        ImpastoError: as for `read`.
    """
    with opened(path, data) as photo:
        _check_size(path, photo, max_pixels, MAX_TRAINING_MEMORY)
        return Picture(*_split(photo.decode(at_least))).to_8_bits().over_white()


def size_of(path: AnyPath) -> tuple[int, int]:
    """(width, height) after EXIF rotation, from the header alone.

    Raises:
        ImpastoError: there is no such file or it is no image.
    """
    with opened(path) as photo:
        _check_not_empty(path, photo)
        return photo.upright_size


def profile_of(path: AnyPath) -> bytes | None:
    """The RGB colour profile of an image, from its header alone; None means sRGB. Raises ImpastoError as `size_of`."""
    with opened(path) as photo:
        return _rgb_profile(photo)


@contextmanager
def opened(path: AnyPath, data: bytes | None = None) -> Iterator[Photo]:
    """The photo with its header read, its file open; `data` is read in its place where there is some."""
    path = Path(path) if data is None else path
    with (
        explained("read", path, "open it in an image editor and save it anew, or leave it out"),
        _file(Path(path)) if data is None else BytesIO(data) as file,
    ):
        signature = file.read(12)
        file.seek(0)
        if not signature:
            raise ImpastoError(f"cannot read {path}: the file is empty; get it again or leave it out")
        yield _opener(signature, path)(file)


def _file(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise ImpastoError(f"cannot read {path}: it is a folder; name an image file")
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise ImpastoError(f"cannot read {path}: it is no regular file; name an image file")
    return path.open("rb")


def _opener(signature: bytes, path: AnyPath) -> Callable[[IO[bytes]], Photo]:
    # By the plugins and not by Image.open, whose limit on pixels is one for the whole process.
    if signature.startswith(b"\xff\xd8\xff"):
        return open_jpeg
    if signature.startswith(PNG_SIGNATURE):
        return open_png
    if signature.startswith(b"RIFF") and signature.endswith(b"WEBP"):
        return _open_webp
    if signature.startswith(b"BM"):
        return lambda file: open_with_pillow(BmpImagePlugin.BmpImageFile(patient(file, 4 * MAX_PIXELS + _SMALL)))
    if signature.startswith(b"GIF8"):
        return lambda file: open_with_pillow(GifImagePlugin.GifImageFile(patient(file)))
    if signature.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return open_tiff
    raise ImpastoError(f"cannot read {path}: not a JPEG, PNG, WebP, TIFF, BMP or GIF image; convert it to one of them")


def _open_webp(file: IO[bytes]) -> Photo:
    photo = open_with_pillow(WebPImagePlugin.WebPImageFile(patient(file, _LARGEST_WEBP)))
    return replace(photo, bytes_per_pixel=photo.bytes_per_pixel + _WEBP_BYTES)


def _rgb_profile(photo: Photo) -> bytes | None:
    return photo.icc if photo.icc and photo.icc[16:20] == b"RGB " else None


def _check_not_empty(path: AnyPath, photo: Photo) -> None:
    if photo.width < 1 or photo.height < 1:
        raise ImpastoError(f"cannot read {path}: the image is empty ({photo.width}×{photo.height}); leave it out")


def _check_size(path: AnyPath, photo: Photo, max_pixels: int, max_memory: int) -> None:
    _check_not_empty(path, photo)
    pixels = photo.width * photo.height
    size = f"{photo.width}×{photo.height}, {pixels / 1e6:,.1f} million pixels"
    if pixels > max_pixels:
        raise ImpastoError(f"cannot read {path}: {size}, limit {max_pixels / 1e6:,.1f} million; make it smaller first")
    if (memory := pixels * photo.bytes_per_pixel) > max(max_memory, _SMALL):
        raise ImpastoError(
            f"cannot read {path}: {size} of a kind that takes {memory / 1e6:,.0f} MB to decode, "
            f"limit {max_memory / 1e6:,.0f} MB; make it smaller first, or save it as JPEG"
        )


def _split(samples: Samples) -> tuple[Samples, Samples | None]:
    """RGB (H, W, 3) and alpha (H, W), if any."""
    channels = samples.shape[2]
    pixels = np.repeat(samples[..., :1], 3, axis=2) if channels <= 2 else np.ascontiguousarray(samples[..., :3])
    return pixels, np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None

"""Photos from disk and stylized images back to it, with everything that belongs to them.

Pillow decodes what holds at most 8 bits; 16-bit PNG goes through imagecodecs and TIFF through tifffile, since Pillow
would cut both to 8. A file's content decides how it is read, its suffix how it is written.
All functions may be called from several threads.
"""

from __future__ import annotations

import logging
import math
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin, ExifTags, GifImagePlugin, Image, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.PngImagePlugin import PngImageFile

from impasto.errors import ImpastoError
from impasto.files.atomic import replacing

MAX_PIXELS = 500_000_000
"""The most pixels that `read` takes: 1.5 GB decoded at 8 bits."""

MAX_TRAINING_PIXELS = 100_000_000
"""The most pixels that `read_small` takes."""

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
}
"""Format by lower-case suffix: what `find` looks for and `write` can write."""

AnyPath = str | os.PathLike[str]
Samples = npt.NDArray[Any]
"""uint8 or uint16 (H, W, C): grey, grey and alpha, RGB, or RGB and alpha."""

_T = TypeVar("_T")

_ORIENTATION = int(ExifTags.Base.Orientation)
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
_KEPT_EXIF = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 33432, 40091, 40092, 40093, 40094, 40095)
_LARGEST_JPEG_SEGMENT = 65533
_LARGEST_PNG_PROFILE = 64 << 20
_MOST_TIFF_CHANNELS = 32
_TIFF_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}
"""Channels by photometric interpretation: white is zero, black is zero, RGB, palette, CMYK, YCbCr."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"}

# Both libraries report the oddities of broken files, which a terminal with a progress bar is no place for.
# Appended, so that a filter of the caller's own wins; set once, since warnings.catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
for _library in ("PIL", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded photo, turned upright, or a stylized image to be written."""

    pixels: Samples
    """uint8 or uint16 (H, W, 3), RGB over the full range of the type, in the colour space that `icc` describes."""
    alpha: Samples | None = None
    """(H, W) of the same type, not premultiplied; 0 is transparent."""
    icc: bytes | None = None
    """RGB colour profile; None means sRGB."""
    exif: bytes | None = None
    """Begins with b"Exif\\0\\0"; holds neither orientation nor thumbnail."""

    def __post_init__(self) -> None:
        if self.pixels.dtype not in (np.uint8, np.uint16) or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels are {self.pixels.dtype} {self.pixels.shape}, not uint8 or uint16 (H, W, 3)")
        of_pixels = self.pixels.dtype, self.pixels.shape[:2]
        if self.alpha is not None and (self.alpha.dtype, self.alpha.shape) != of_pixels:
            raise ValueError(f"alpha is {self.alpha.dtype} {self.alpha.shape}, unlike the pixels")

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def with_pixels(self, pixels: Samples) -> Picture:
        """The same alpha, profile and EXIF around other pixels: uint8 or uint16 (H, W, 3) of the same height and width.

        Alpha follows the new type.
        """
        if self.alpha is None:
            return replace(self, pixels=pixels)
        return replace(self, pixels=pixels, alpha=_to_8(self.alpha) if pixels.dtype == np.uint8 else _to_16(self.alpha))

    def to_8_bits(self) -> Picture:
        """The same picture in uint8, rounded."""
        return self.with_pixels(_to_8(self.pixels))

    def over_white(self) -> Samples:
        """The pixels composited over white: (H, W, 3) of their type."""
        if self.alpha is None:
            return self.pixels
        white = int(np.iinfo(self.pixels.dtype).max)
        alpha = self.alpha[..., None].astype(np.uint32)  # white² + white/2 just fits
        return ((self.pixels * alpha + white * (white - alpha) + white // 2) // white).astype(self.pixels.dtype)


def read(path: AnyPath, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """A photo to repaint: JPEG, PNG, WebP, BMP, TIFF or GIF (the first image of several), of any mode.

    EXIF rotation is applied. An RGB profile is kept and the pixels stay as they are; CMYK and Lab become sRGB; a grey
    profile is dropped. 16-bit PNG and grey or RGB TIFF stay at 16 bits; TIFF in floating point is taken as 0..1.

    Raises:
        ImpastoError: there is no such file, it is no image, is damaged or truncated, or has more than `max_pixels`.
    """
    with _opened(path) as photo:
        _check_size(path, photo, max_pixels)
        pixels, alpha = _split(photo.decode(None))
        icc = photo.icc if photo.icc and photo.icc[16:20] == b"RGB " else None
        exif = _lenient(lambda: _portable_exif(photo.exif, pixels.shape[1], pixels.shape[0]), None)
        return Picture(pixels, alpha, icc, exif)


def read_small(path: AnyPath, *, at_least: int, max_pixels: int = MAX_TRAINING_PIXELS) -> npt.NDArray[np.uint8]:
    """A training photo, JPEG decoded at 1/2, 1/4 or 1/8 where its shorter side then still has `at_least` pixels.

    Returns:
        uint8 (H, W, 3) RGB, upright, over white where it was transparent.
    Raises:
        ImpastoError: as for `read`.
    """
    with _opened(path) as photo:
        _check_size(path, photo, max_pixels)
        return Picture(*_split(photo.decode(at_least))).to_8_bits().over_white()


def size_of(path: AnyPath) -> tuple[int, int]:
    """(width, height) after EXIF rotation, from the header alone.

    Raises:
        ImpastoError: there is no such file or it is no image.
    """
    with _opened(path) as photo:
        _check_size(path, photo, None)
        turned = _TURNS[_orientation(photo.exif)][0]
        return (photo.height, photo.width) if turned else (photo.width, photo.height)


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
    if not 1 <= quality <= 100:
        raise ImpastoError(f"cannot write {path}: quality {quality} is not within 1 to 100; 95 is a good choice")
    if not overwrite and path.exists():
        raise ImpastoError(f"cannot write {path}: the file is already there; choose another name or allow overwriting")
    image_format = FORMATS[path.suffix.lower()]
    with replacing(path) as temporary, _explained("write", path, "try PNG or TIFF, or another folder"):
        if image_format == "PNG":
            temporary.write_bytes(_png_bytes(picture))
        elif image_format == "TIFF":
            _write_tiff(temporary, picture)
        else:
            _write_with_pillow(temporary, picture.to_8_bits(), image_format, quality)


def check_writable_suffix(path: AnyPath) -> None:
    """Raises ImpastoError, with the known suffixes, where `write` would not know the format."""
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        problem = f"the suffix {suffix} is not known" if suffix else "the name has no suffix"
        raise ImpastoError(f"cannot write {path}: {problem}; use one of {' '.join(FORMATS)}")


def find(folders_or_files: AnyPath | Iterable[AnyPath]) -> list[Path]:
    """Photos in folders and all folders below, sorted, each file once even where links lead to it twice.

    Hidden files and those of operating systems (._photo.jpg, __MACOSX) are left out; links to folders are followed. A
    file named directly is taken whatever its name.

    Raises:
        ImpastoError: a folder or file does not exist, or a folder must not be read.
    """
    given = [folders_or_files] if isinstance(folders_or_files, str | os.PathLike) else folders_or_files
    found: dict[str, Path] = {}
    scanned: set[str] = set()
    for path in map(Path, given):
        with _explained("read", path, "check the name and its access rights"):
            if path.is_dir():
                for real, photo in _scan(path, scanned):
                    found.setdefault(real, photo)
            else:
                found.setdefault(os.path.realpath(path, strict=True), path)
    return sorted(found.values(), key=lambda path: path.as_posix())


def _scan(folder: Path, scanned: set[str]) -> Iterator[tuple[str, Path]]:
    """Real path and found path of each photo below `folder`; `scanned` breaks loops of links."""
    real = os.path.realpath(folder)
    if real in scanned:
        return
    scanned.add(real)
    with (
        _explained("read", folder, "give yourself access to the folder or move it away"),
        os.scandir(folder) as listing,
    ):
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SYSTEM_FOLDERS:
            continue
        path, is_link = Path(entry.path), entry.is_symlink()
        # Only links are asked again: a system call for each of a hundred thousand photos takes seconds.
        if path.is_dir() if is_link else entry.is_dir():
            yield from _scan(path, scanned)
        elif path.suffix.lower() in FORMATS:
            yield os.path.realpath(path) if is_link else real + os.sep + entry.name, path


# --- What goes wrong ---


@contextmanager
def _explained(action: str, path: Path, advice: str) -> Iterator[None]:
    """Turns whatever a decoder or the system raises into one line for the user.

    Exception and no list of types: on damaged files three libraries raise some fifteen kinds, new ones by version.
    """
    try:
        yield
    except ImpastoError:
        raise
    except MemoryError as error:
        raise ImpastoError(f"cannot {action} {path}: not enough memory; close programs or make it smaller") from error
    except FileNotFoundError as error:
        raise ImpastoError(f"cannot {action} {path}: no such file or folder; check the path") from error
    except Exception as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if not reason or not isinstance(error, OSError | ValueError | SyntaxError | RuntimeError):
            reason = f"damaged data ({type(error).__name__} {reason})"
        reason = " ".join(reason.split())
        raise ImpastoError(f"cannot {action} {path}: {reason}; {advice}") from error


def _lenient(get: Callable[[], _T], otherwise: _T) -> _T:
    """Metadata is worth keeping, but a photo is not refused for damage in it."""
    try:
        return get()
    except Exception:
        return otherwise


def _check_size(path: AnyPath, photo: _Photo, max_pixels: int | None) -> None:
    pixels = photo.width * photo.height
    if pixels < 1:
        raise ImpastoError(f"cannot read {path}: the image is empty ({photo.width}×{photo.height}); leave it out")
    if max_pixels is not None and pixels > max_pixels:
        size = f"{photo.width}×{photo.height}, {pixels / 1e6:,.1f} million pixels"
        raise ImpastoError(f"cannot read {path}: {size}, limit {max_pixels / 1e6:,.1f} million; make it smaller first")


# --- Reading ---


@dataclass(frozen=True)
class _Photo:
    """What the header says, and the way to the pixels."""

    width: int
    height: int
    """As stored, before rotation."""
    icc: bytes | None
    exif: Image.Exif
    decode: Callable[[int | None], Samples]
    """Upright samples; the argument is the shorter side that suffices, None for full size."""


@contextmanager
def _opened(path: AnyPath) -> Iterator[_Photo]:
    path = Path(path)
    with _explained("read", path, "open it in an image editor and save it anew, or leave it out"):
        if path.is_dir():
            raise ImpastoError(f"cannot read {path}: it is a folder; name an image file")
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            raise ImpastoError(f"cannot read {path}: it is no regular file; name an image file")
        with path.open("rb") as file:
            signature = file.read(12)
            file.seek(0)
            if not signature:
                raise ImpastoError(f"cannot read {path}: the file is empty; get it again or leave it out")
            yield _opener(signature, path)(file)


def _opener(signature: bytes, path: Path) -> Callable[[IO[bytes]], _Photo]:
    # By the plugins and not by Image.open, whose limit on pixels is one for the whole process.
    if signature.startswith(b"\xff\xd8\xff"):
        return lambda file: _open_with_pillow(JpegImagePlugin.JpegImageFile(file))
    if signature.startswith(_PNG_SIGNATURE):
        return _open_png
    if signature.startswith(b"RIFF") and signature.endswith(b"WEBP"):
        return lambda file: _open_with_pillow(WebPImagePlugin.WebPImageFile(file))
    if signature.startswith(b"BM"):
        return lambda file: _open_with_pillow(BmpImagePlugin.BmpImageFile(file))
    if signature.startswith(b"GIF8"):
        return lambda file: _open_with_pillow(GifImagePlugin.GifImageFile(file))
    if signature.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return _open_tiff
    raise ImpastoError(f"cannot read {path}: not a JPEG, PNG, WebP, TIFF, BMP or GIF image; convert it to one of them")


def _open_with_pillow(image: Image.Image) -> _Photo:
    exif = _lenient(image.getexif, Image.Exif())
    icc = image.info.get("icc_profile")

    def decode(at_least: int | None) -> Samples:
        if at_least is not None:
            image.draft("RGB", (at_least, at_least))
        return _upright(_samples(image, icc), _orientation(exif))

    return _Photo(image.width, image.height, icc, exif, decode)


def _open_png(file: IO[bytes]) -> _Photo:
    """Splits the chunks by hand: only so are EXIF after the pixels, profiles above 1 MB and 16 bits to be had."""
    chunks = list(_png_chunks(file))
    if not chunks or chunks[0][0] != b"IHDR":
        raise ValueError("the PNG header is missing")
    width, height, depth = struct.unpack(">IIB", _chunk(file, chunks[0])[:9])
    by_kind = {chunk[0]: chunk for chunk in reversed(chunks)}
    exif = _exif_from(_chunk(file, by_kind[b"eXIf"]) if b"eXIf" in by_kind else b"")
    icc = _lenient(lambda: _png_profile(_chunk(file, by_kind[b"iCCP"])), None) if b"iCCP" in by_kind else None

    def decode(at_least: int | None) -> Samples:
        data = bytearray(_PNG_SIGNATURE)
        for kind, start, length in chunks:
            if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
                file.seek(start - 8)
                data += file.read(length + 12)
        if depth == 16:
            import imagecodecs

            samples = imagecodecs.png_decode(bytes(data))
            samples = samples if samples.ndim == 3 else samples[..., None]
        else:
            samples = _samples(PngImageFile(BytesIO(data)), None)
        return _upright(samples, _orientation(exif))

    return _Photo(width, height, icc, exif, decode)


def _png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of the content of each chunk."""
    file.seek(len(_PNG_SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, file.tell(), length
        file.seek(length + 4, os.SEEK_CUR)


def _chunk(file: IO[bytes], chunk: tuple[bytes, int, int]) -> bytes:
    file.seek(chunk[1])
    return file.read(chunk[2])


def _png_profile(content: bytes) -> bytes:
    compressed = content[content.index(b"\0") + 2 :]
    return zlib.decompressobj().decompress(compressed, _LARGEST_PNG_PROFILE)


def _open_tiff(file: IO[bytes]) -> _Photo:
    import tifffile

    page = tifffile.TiffFile(file).pages[0]
    numbers = (
        page.imagewidth,
        page.imagelength,
        page.samplesperpixel,
        page.bitspersample,
        page.tilewidth,
        page.tilelength,
    )
    if not all(isinstance(number, int) for number in numbers):  # a damaged count makes them tuples of any length
        raise ValueError("its directory is damaged")
    exif = Image.Exif()
    file.seek(0)
    _lenient(lambda: exif.load_from_fp(file), None)
    exif[_ORIENTATION] = page.tags.valueof(_ORIENTATION, 1)  # Pillow's EXIF does not know BigTIFF

    def decode(at_least: int | None) -> Samples:
        _check_tiff(page, file.seek(0, os.SEEK_END))
        # tifffile decodes neither Lab nor YCbCr, unless it is JPEG inside.
        if page.photometric in _TIFF_COLOURS and (page.photometric != 6 or page.compression == 7):
            return _upright(_tiff_samples(page), _orientation(exif))
        file.seek(0)
        return _samples(TiffImagePlugin.TiffImageFile(file), page.iccprofile)  # turned upright by Pillow itself

    return _Photo(page.imagewidth, page.imagelength, page.iccprofile, exif, decode)


def _check_tiff(page: Any, file_size: int) -> None:
    """A directory may claim anything: that is checked before memory and time go into it."""
    if page.samplesperpixel > _MOST_TIFF_CHANNELS or page.imagedepth != 1:
        raise ValueError(f"TIFF with {page.samplesperpixel} channels and depth {page.imagedepth} is not supported")
    if page.is_tiled and page.tilewidth * page.tilelength > 4 * max(page.imagewidth * page.imagelength, 1 << 20):
        raise ValueError("its tiles are larger than the image")
    segments = 1 if page.is_contiguous else math.prod(page.chunked)
    if not segments <= len(page.dataoffsets) == len(page.databytecounts) or not all(page.databytecounts):
        raise ValueError("a part of its pixels is missing")  # tifffile would leave it black
    if any(map(lambda start, count: start + count > file_size, page.dataoffsets, page.databytecounts)):
        raise ValueError("the file is truncated")
    if page.compression == 1 and page.size * page.bitspersample > 3 * 8 * file_size:  # 3 spares subsampled colour
        raise ValueError("the file is truncated")


def _tiff_samples(page: Any) -> Samples:
    stored: Samples = page.asarray(squeeze=False)[:, 0]  # (planes, H, W, interleaved)
    stored = np.moveaxis(stored, 0, 2).reshape(page.imagelength, page.imagewidth, -1)  # (H, W, C)
    colours = _TIFF_COLOURS[page.photometric]
    if stored.shape[2] < colours:
        raise ValueError(f"TIFF with {stored.shape[2]} instead of {colours} channels is not supported")
    if page.photometric == 3:
        return np.asarray(page.colormap.T[stored[..., 0].astype(np.uint16)] >> 8, np.uint8)  # 1-bit comes as bool
    alpha_kind = page.extrasamples[0] if page.extrasamples else 0  # 1: premultiplied, 2: straight, 0: no alpha
    samples = _to_full_range(stored[..., : colours + (alpha_kind in (1, 2))], page.bitspersample)
    white = np.iinfo(samples.dtype).max
    if page.photometric == 5:
        height, width, _ = samples.shape
        cmyk = Image.frombytes("CMYK", (width, height), _to_8(samples[..., :4]).tobytes())
        return _samples(cmyk, page.iccprofile)
    if page.photometric == 0:
        samples[..., :colours] = white - samples[..., :colours]
    if alpha_kind == 1:
        alpha = np.maximum(samples[..., colours:], 1).astype(np.float64)
        samples[..., :colours] = np.minimum(np.rint(samples[..., :colours] * (white / alpha)), white)
    return samples


def _to_full_range(stored: Samples, bits: int) -> Samples:
    """uint8 for up to 8 bits, else uint16, from unsigned integers of `bits` bits or floats within 0..1."""
    full = 255 if bits <= 8 else 65535
    if stored.dtype.kind == "f":
        scaled = np.clip(np.nan_to_num(stored), 0, 1).astype(np.float32) * full
    elif stored.dtype.kind not in "ub":
        raise ValueError(f"TIFF of type {stored.dtype} is not supported")
    elif bits in (8, 16):
        return stored.astype(stored.dtype.newbyteorder("="))
    else:
        scaled = stored * (full / (2**bits - 1))
    return np.asarray(np.rint(scaled), np.uint8 if bits <= 8 else np.uint16)


def _samples(image: Image.Image, icc: bytes | None) -> Samples:
    """Decodes; what is not grey or RGB, with or without alpha, becomes it."""
    image.load()
    if image.mode == "CMYK":
        image = _lenient(lambda: _cmyk_to_srgb(image, icc), None) or image.convert("RGB")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    else:
        wanted = "L" if image.mode in ("1", "L") else "RGB"
        image = image if image.mode == wanted else image.convert(wanted)
    samples = np.array(image)
    return samples if samples.ndim == 3 else samples[..., None]


def _cmyk_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image | None:
    if icc is None or icc[16:20] != b"CMYK":
        return None
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")


def _split(samples: Samples) -> tuple[Samples, Samples | None]:
    """RGB (H, W, 3) and alpha (H, W), if any."""
    channels = samples.shape[2]
    pixels = np.repeat(samples[..., :1], 3, axis=2) if channels <= 2 else np.ascontiguousarray(samples[..., :3])
    return pixels, np.ascontiguousarray(samples[..., -1]) if channels in (2, 4) else None


def _upright(samples: Samples, orientation: int) -> Samples:
    transpose, rows, columns = _TURNS[orientation]
    return (samples.swapaxes(0, 1) if transpose else samples)[::rows, ::columns]


def _orientation(exif: Image.Exif) -> int:
    value: object = _lenient(lambda: exif[_ORIENTATION], 1)
    return value if isinstance(value, int) and value in _TURNS else 1


def _exif_from(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    _lenient(lambda: exif.load(block), None)
    return exif


def _portable_exif(exif: Image.Exif, width: int, height: int) -> bytes | None:
    """What tells about the photo, without orientation, thumbnail and the layout of the old file."""
    kept = Image.Exif()
    kept.endian = exif.endian or "<"  # maker notes are in that order, too
    for tag in _KEPT_EXIF:
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


def _to_8(samples: Samples) -> Samples:
    """v / 257 rounded, without a wider type; from 65407 on the result is 255 anyway."""
    if samples.dtype == np.uint8:
        return samples
    return ((np.minimum(samples, 65407) + 128) // 257).astype(np.uint8)


def _to_16(samples: Samples) -> Samples:
    return samples if samples.dtype == np.uint16 else samples.astype(np.uint16) * 257


# --- Writing ---


def _with_alpha(picture: Picture) -> Samples:
    """(H, W, 3), or (H, W, 4) where there is alpha."""
    return picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])


def _write_with_pillow(path: Path, picture: Picture, image_format: str, quality: int) -> None:
    image = Image.fromarray(picture.over_white() if image_format in ("JPEG", "BMP") else _with_alpha(picture))
    options: dict[str, Any] = {}
    if image_format in ("JPEG", "WEBP"):
        options = {"quality": quality, "icc_profile": picture.icc, "exif": picture.exif or b""}
    if image_format == "JPEG":
        options["subsampling"] = "4:4:4"
        if len(options["exif"]) > _LARGEST_JPEG_SEGMENT:
            del options["exif"]
    if image_format == "WEBP":
        options |= {"lossless": quality == 100, "exact": True}
    image.save(path, image_format, **options)


def _png_bytes(picture: Picture) -> bytes:
    import imagecodecs

    samples = np.ascontiguousarray(_with_alpha(picture))
    # OpenCV's settings (SPEED, RLE, SUB): several times as fast as the usual ones, and photos come out as small.
    encoded = bytes(imagecodecs.png_encode(samples, level=1, strategy=3, filter=16))
    after_header = len(_PNG_SIGNATURE) + 25
    metadata = bytearray()
    if picture.icc:
        metadata += _png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc))
    if picture.exif:
        metadata += _png_chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    return encoded[:after_header] + bytes(metadata) + encoded[after_header:]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _write_tiff(path: Path, picture: Picture) -> None:
    import tifffile

    exif = _exif_from(picture.exif or b"")
    for tag in set(exif) - {*_KEPT_EXIF, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}:
        del exif[tag]
    byte_order = exif.endian or "<"
    tifffile.imwrite(
        path,
        _with_alpha(picture),
        byteorder=byte_order,
        photometric="rgb",
        extrasamples=None if picture.alpha is None else ["unassalpha"],
        compression="adobe_deflate",
        predictor=True,
        iccprofile=picture.icc,
        metadata=None,
        software=False,
    )
    if len(exif):
        _add_exif_to_tiff(path, exif, byte_order)


def _add_exif_to_tiff(path: Path, exif: Image.Exif, byte_order: str) -> None:
    """tifffile writes no EXIF, so the directory moves to the end of the file, with the entries of EXIF in it."""
    with path.open("r+b") as file:
        version, offset = struct.unpack(byte_order + "2xHI", file.read(8))
        end = file.seek(0, os.SEEK_END)
        if version != 42:  # BigTIFF, from 4 GB on, has longer entries
            return
        end += file.write(bytes(end % 2))  # directories begin at even places
        block = exif.tobytes(end)[14:]  # after "Exif\0\0" and a TIFF header of 8 bytes
        file.write(block)
        file.seek(offset)
        (count,) = struct.unpack(byte_order + "H", file.read(2))
        entries = file.read(12 * count) + block[2 : 2 + 12 * struct.unpack(byte_order + "H", block[:2])[0]]
        by_tag = {struct.unpack(byte_order + "H", entries[i : i + 2])[0]: i for i in range(0, len(entries), 12)}
        directory = b"".join(entries[i : i + 12] for _, i in sorted(by_tag.items()))
        start = file.seek(0, os.SEEK_END)
        file.write(struct.pack(byte_order + "H", len(by_tag)) + directory + bytes(4))
        file.seek(4)
        file.write(struct.pack(byte_order + "I", start))

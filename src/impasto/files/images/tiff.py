"""TIFF through tifffile, at up to 16 bits."""

from __future__ import annotations

import math
import os
import struct
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin

from impasto.files.images.photo import KEPT_EXIF, ORIENTATION, Photo, exif_from, orientation_of, upright
from impasto.files.images.picture import Picture, Samples, in_bands, to_8, with_alpha
from impasto.files.images.pillow import pillow_samples
from impasto.files.images.problems import lenient

_LARGEST_DIRECTORY = 64 << 20
_MOST_TIFF_CHANNELS = 32
_MOST_TIFF_SEGMENTS = 250_000
_PLAIN_COMPRESSIONS = (1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000)
"""None, CCITT, LZW, deflate, PackBits, LZMA, Zstandard: whose decoders are told how much may come out."""
_IMAGES_INSIDE = {7: JpegImagePlugin.JpegImageFile, 50001: WebPImagePlugin.WebPImageFile}
_BLOCK = 32
"""JPEG's largest, to which parts may be rounded up."""
_TIFF_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}
"""Channels by photometric interpretation: white is zero, black is zero, RGB, palette, CMYK, YCbCr."""


def open_tiff(file: IO[bytes]) -> Photo:
    """By tifffile; Lab and plain YCbCr, which it does not convert, by Pillow."""
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
    if sum(tag.valuebytecount for tag in page.tags) <= _LARGEST_DIRECTORY:  # Pillow reads what each of them claims
        lenient(lambda: exif.load_from_fp(file), None)
    exif[ORIENTATION] = page.tags.valueof(ORIENTATION, 1)  # Pillow's EXIF does not know BigTIFF

    def decode(at_least: int | None) -> Samples:
        _check_tiff(page, file.seek(0, os.SEEK_END))
        # tifffile decodes neither Lab nor YCbCr, unless it is JPEG inside.
        if page.photometric in _TIFF_COLOURS and (page.photometric != 6 or page.compression == 7):
            _check_parts(page, file)
            return upright(_tiff_samples(page), orientation_of(exif))
        if page.photometric == 6 and page.samplesperpixel == 3 and page.bitspersample == 8:
            # Pillow 12 cannot read what it writes of these.
            _check_parts(page, file)
            stored = Image.frombytes("YCbCr", (page.imagewidth, page.imagelength), page.asarray().tobytes())
            return upright(pillow_samples(stored, page.iccprofile), orientation_of(exif))
        file.seek(0)
        return pillow_samples(TiffImagePlugin.TiffImageFile(file), page.iccprofile)  # turned upright by Pillow itself

    return Photo(page.imagewidth, page.imagelength, page.iccprofile, exif, decode, _bytes_per_pixel(page))


def _bytes_per_pixel(page: Any) -> int:
    """A strip and the picture that it becomes part of, as stored; or the latter, and twice what is made of it."""
    channels: int = page.samplesperpixel
    stored = channels * (1 if page.bitspersample <= 8 else -(-page.bitspersample // 16) * 2)
    made = (4 if channels in (2, 4) else 3) * (1 if page.bitspersample <= 8 else 2)
    return int(max(2 * stored, stored + 2 * made, 12))


def _check_tiff(page: Any, file_size: int) -> None:
    """A directory may claim anything: that is checked before memory and time go into it."""
    if page.samplesperpixel > _MOST_TIFF_CHANNELS or page.imagedepth != 1:
        raise ValueError(f"TIFF with {page.samplesperpixel} channels and depth {page.imagedepth} is not supported")
    if page.is_tiled and page.tilewidth * page.tilelength > 4 * max(page.imagewidth * page.imagelength, 1 << 20):
        raise ValueError("its tiles are larger than the image")
    segments = 1 if page.is_contiguous else math.prod(page.chunked)
    if not segments <= len(page.dataoffsets) == len(page.databytecounts) or not all(page.databytecounts):
        raise ValueError("a part of its pixels is missing")  # tifffile would leave it black
    if segments > _MOST_TIFF_SEGMENTS:
        raise ValueError(f"it is in more than {_MOST_TIFF_SEGMENTS:,} pieces")
    if any(map(lambda start, count: start + count > file_size, page.dataoffsets, page.databytecounts)):
        raise ValueError("the file is truncated")
    if page.compression == 1 and page.size * page.bitspersample > 3 * 8 * file_size:  # 3 spares subsampled colour
        raise ValueError("the file is truncated")


def _check_parts(page: Any, file: IO[bytes]) -> None:
    """Strips that are files of their own may be of any size, whatever the directory says."""
    if page.compression in _PLAIN_COMPRESSIONS:
        return
    if page.compression not in _IMAGES_INSIDE:
        raise ValueError(f"TIFF of compression {page.compression} is not supported")
    width, height = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(start)
        inside = _IMAGES_INSIDE[page.compression](BytesIO(file.read(count)))
        if inside.width > width + _BLOCK or inside.height > height + _BLOCK:
            raise ValueError(f"a part of {width}×{height} pixels holds {inside.width}×{inside.height}")


def _tiff_samples(page: Any) -> Samples:
    stored: Samples = page.asarray(squeeze=False)[:, 0]  # (planes, H, W, interleaved)
    stored = np.moveaxis(stored, 0, 2).reshape(page.imagelength, page.imagewidth, -1)  # (H, W, C)
    colours = _TIFF_COLOURS[page.photometric]
    if stored.shape[2] < colours:
        raise ValueError(f"TIFF with {stored.shape[2]} instead of {colours} channels is not supported")
    return in_bands(page.imagelength, page.imagewidth, lambda rows: _converted(page, stored[rows], colours))


def _converted(page: Any, stored: Samples, colours: int) -> Samples:
    """Rows as they are stored, made grey or RGB, with or without alpha."""
    if page.photometric == 3:
        return np.asarray(page.colormap.T[stored[..., 0].astype(np.uint16)] >> 8, np.uint8)  # 1-bit comes as bool
    alpha_kind = page.extrasamples[0] if page.extrasamples else 0  # 1: premultiplied, 2: straight, 0: no alpha
    samples = _to_full_range(stored[..., : colours + (alpha_kind in (1, 2))], page.bitspersample)
    white = np.iinfo(samples.dtype).max
    if page.photometric == 5:
        height, width, _ = samples.shape
        cmyk = Image.frombytes("CMYK", (width, height), to_8(samples[..., :4]).tobytes())
        return pillow_samples(cmyk, page.iccprofile)
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


def write_tiff(path: Path, picture: Picture) -> None:
    """Of the picture's own depth, with profile and EXIF."""
    import tifffile

    exif = exif_from(picture.exif or b"")
    for tag in set(exif) - {*KEPT_EXIF, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}:
        del exif[tag]
    byte_order = exif.endian or "<"
    tifffile.imwrite(
        path,
        with_alpha(picture),
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

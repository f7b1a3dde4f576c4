"""PNG, chunk by chunk, at up to 16 bits."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from typing import IO

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from impasto.files.images.photo import Photo, exif_from, orientation_of, upright
from impasto.files.images.picture import Picture, Samples, with_alpha
from impasto.files.images.pillow import pillow_samples
from impasto.files.images.problems import lenient

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_PNG_PROFILE = 64 << 20
_LARGEST_PNG_EXIF = 16 << 20
_MOST_PNG_CHUNKS = 250_000
"""libpng's are of 8 KB: 2 GB of them."""
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def open_png(file: IO[bytes]) -> Photo:
    """Splits the chunks by hand: only so are EXIF after the pixels, profiles above 1 MB and 16 bits to be had."""
    chunks = list(islice(_png_chunks(file), _MOST_PNG_CHUNKS + 1))
    if not chunks or chunks[0][0] != b"IHDR":
        raise ValueError("the PNG header is missing")
    if len(chunks) > _MOST_PNG_CHUNKS:
        raise ValueError(f"it is in more than {_MOST_PNG_CHUNKS:,} pieces")
    width, height, depth, colour = struct.unpack(">IIBB", _chunk(file, chunks[0])[:10])
    by_kind = {chunk[0]: chunk for chunk in reversed(chunks)}
    exif = exif_from(_chunk(file, by_kind[b"eXIf"], _LARGEST_PNG_EXIF) if b"eXIf" in by_kind else b"")
    icc = lenient(lambda: _png_profile(_chunk(file, by_kind[b"iCCP"])), None) if b"iCCP" in by_kind else None

    def decode(at_least: int | None) -> Samples:
        if compressed > 2 * width * height * channels * depth // 8 + (1 << 20):
            raise ValueError("its data are longer than its pixels")
        parts = [PNG_SIGNATURE]
        for kind, start, length in chunks:
            if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
                file.seek(start - 8)
                parts.append(file.read(length + 12))
        data = b"".join(parts)
        parts.clear()
        if depth == 16:
            import imagecodecs

            samples = imagecodecs.png_decode(data)
            samples = samples if samples.ndim == 3 else samples[..., None]
        else:
            samples = pillow_samples(PngImageFile(BytesIO(data)), None)
        return upright(samples, orientation_of(exif))

    channels = _PNG_CHANNELS.get(colour, 4)
    compressed = sum(length for kind, _, length in chunks if kind == b"IDAT")
    # 8 bits: Pillow's own pixel and twice what is made of it; 16: that twice. The data are held along.
    each = 4 * channels if depth == 16 else 12 if b"tRNS" in by_kind or channels in (2, 4) else 7
    return Photo(width, height, icc, exif, decode, each + compressed // max(1, width * height))


def _png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of the content of each chunk."""
    file.seek(len(PNG_SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, file.tell(), length
        file.seek(length + 4, os.SEEK_CUR)


def _chunk(file: IO[bytes], chunk: tuple[bytes, int, int], most: int = _LARGEST_PNG_PROFILE) -> bytes:
    """The content of `chunk`, or nothing where it is longer than `most`."""
    _, start, length = chunk
    file.seek(start)
    return file.read(length) if length <= most else b""


def _png_profile(content: bytes) -> bytes:
    compressed = content[content.index(b"\0") + 2 :]
    return zlib.decompressobj().decompress(compressed, _LARGEST_PNG_PROFILE)


def png_bytes(picture: Picture) -> bytes:
    """The whole file, of the picture's own depth, with profile and EXIF."""
    import imagecodecs

    samples = np.ascontiguousarray(with_alpha(picture))
    # OpenCV's settings (SPEED, RLE, SUB): several times as fast as the usual ones, and photos come out as small.
    encoded = bytes(imagecodecs.png_encode(samples, level=1, strategy=3, filter=16))
    after_header = len(PNG_SIGNATURE) + 25
    metadata = bytearray()
    if picture.icc:
        metadata += _png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc))
    if picture.exif:
        metadata += _png_chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    return encoded[:after_header] + bytes(metadata) + encoded[after_header:]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

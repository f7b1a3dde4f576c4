"""Images made by hand to take more than they seem to: memory, time, or a way around the checks."""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from hostile_images import (
    GIANT,
    PNG_SIGNATURE,
    bmp_of,
    encoded,
    flat_png,
    png_chunk,
    png_of,
    tiff,
    webp_of,
    whole,
    zeros_packed,
)

MARKER = "code-was-run"
"""The file that hostile code would make, in the folder that it is run in."""

Bomb = Callable[[], bytes]


class Trap:
    """Makes the marker when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(MARKER),)


def pickled() -> bytes:
    return pickle.dumps(Trap())


# --- PNG ---


def png_of_chunks() -> bytes:
    """Two million chunks without content."""
    return flat_png(8, 8, 2)[:-12] + png_chunk(b"IDAT", b"") * 2_000_000 + png_chunk(b"IEND", b"")


def png_with(kind: bytes, content: bytes) -> bytes:
    return png_of(8, 8, 8, 2, zeros_packed(8 * 25), extra=png_chunk(kind, content))


def deep_bomb() -> bytes:
    """A small picture whose data unpack to a gigabyte."""
    return png_of(8, 8, 16, 6, zeros_packed(1 << 30))


def endless_animation(count: int) -> bytes:
    frame = struct.pack(">IIIIIHHBB", 1, GIANT, GIANT, 0, 0, 1, 100, 0, 0)
    frames = b"".join(png_chunk(b"fcTL", frame) + png_chunk(b"fdAT", bytes(8)) for _ in range(count))
    control = png_chunk(b"acTL", struct.pack(">II", (1 << 31) - 1, 0))
    return flat_png(64, 8, 6).replace(png_chunk(b"IEND", b""), control + frames + png_chunk(b"IEND", b""))


# --- JPEG ---


def jpeg_resized(width: int, height: int, **options: Any) -> bytes:
    """The data of a picture of 8×8 under another size."""
    data = bytearray(encoded(Image.new("RGB", (8, 8)), "JPEG", **options))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_flat(side: int, **options: Any) -> bytes:
    return encoded(Image.new("CMYK" if options.pop("cmyk", False) else "RGB", (side, side)), "JPEG", **options)


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """A progressive picture whose last scan comes again and again: each goes over all the blocks."""
    data = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    tables = data.rfind(b"\xff\xc4", 0, last)
    begin = tables if data.find(b"\xff\xda", tables) == last else last
    return data[:-2] + data[begin:-2] * scans + b"\xff\xd9"


def jpeg_exif_bomb() -> bytes:
    """A directory whose entries all claim the whole block, in several segments."""
    entries = b"".join(struct.pack("<HHII", tag, 3, 400_000, 0) for tag in range(5000))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + entries
    block = block.ljust(800_000, b"\1")
    segments = [block[at : at + 65000] for at in range(0, len(block), 65000)]
    app = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in segments)
    return whole()["jpeg 4:4:4"][:2] + app + whole()["jpeg 4:4:4"][2:]


def jpeg_exif_of_rationals() -> bytes:
    """Resolutions by the hundred thousand."""
    block = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 282, 5, 150_000, 30, 0)
    block = block.ljust(1_250_000, b"\1")
    segments = [block[at : at + 65000] for at in range(0, len(block), 65000)]
    app = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in segments)
    return whole()["jpeg 4:4:4"][:2] + app + whole()["jpeg 4:4:4"][2:]


# --- GIF, WebP and BMP ---


def gif_of(width: int, height: int, frame: tuple[int, int, int, int], data: bytes, count: int = 1) -> bytes:
    """`frame` is left, top, width, height, and `data` its blocks."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    one = b"\x2c" + struct.pack("<HHHHB", *frame, 0) + b"\x02" + data + b"\0"
    return screen + b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0" + one * count + b";"


LZW_NOTHING = b"\x02\x4c\x01"  # clear, one pixel, end


def gif_flat(side: int) -> bytes:
    return encoded(Image.new("P", (side, side)), "GIF")


def webp_animated(width: int, height: int, count: int) -> bytes:
    """A giant canvas and frames of one pixel."""
    pixel = encoded(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    frame = bytes(12) + (1).to_bytes(3, "little") + b"\0" + pixel
    header = [(b"VP8X", b"\x12\0\0\0" + canvas), (b"ANIM", bytes(6))]
    return webp_of([*header, *[(b"ANMF", frame)] * count])


def webp_flat(width: int, height: int, mode: str) -> bytes:
    return encoded(Image.new(mode, (width, height)), "WEBP", lossless=True, method=0, quality=0)


def bmp_rle(side: int) -> bytes:
    """End of bitmap at once: the rest is what the memory was."""
    return bmp_of(side, side, b"\0\x01")


# --- TIFF ---


def tiff_with(data: bytes, **numbers: int) -> bytes:
    """A little-endian TIFF with other numbers in its directory."""
    tags = {
        "width": 256,
        "height": 257,
        "bits": 258,
        "rows": 278,
        "channels": 277,
        "tile_width": 322,
        "tile_height": 323,
    }
    (start,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[start : start + 2])
    changed = bytearray(data)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        for name, value in numbers.items():
            if int.from_bytes(data[at : at + 2], "little") == tags[name]:
                changed[at + 2 : at + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(changed)


def tiff_by_hand(entries: dict[int, tuple[int, int, int]], data: bytes) -> bytes:
    """Header, `data` from 8 on, and a directory of tag: (type, count, value)."""
    data += bytes(len(data) % 2)
    packed = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(entries)) + packed + bytes(4)


def tiff_strip(
    size: tuple[int, int], bits: int, channels: int, compression: int, data: bytes, kind: int = 1, photometric: int = 1
) -> bytes:
    """One strip of (width, height) pixels; all channels have the same bits."""
    width, height = size
    entries = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, bits),
        259: (3, 1, compression),
        262: (3, 1, photometric),
        273: (4, 1, 8),
        277: (3, 1, channels),
        278: (4, 1, height),
        279: (4, 1, len(data)),
        339: (3, 1, kind),
    }
    return tiff_by_hand(entries, data)


def tiff_of_pages(count: int) -> bytes:
    """Directories one behind the other, each with the same pixel."""
    page = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in page.items())
    size = 2 + len(entries) + 4
    pages = [struct.pack("<H", len(page)) + entries + struct.pack("<I", 10 + at * size) for at in range(1, count + 1)]
    return b"II*\0\x0a\0\0\0\0\0" + b"".join(pages)


def tiff_round() -> bytes:
    """A directory that is followed by itself."""
    data = bytearray(tiff_of_pages(1))
    data[-4:] = struct.pack("<I", 10)
    return bytes(data)


def tiff_tags(count: int) -> bytes:
    """Tags that all claim the whole file."""
    base = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in base.items()]
    entries += [struct.pack("<HHII", 40000 + tag, 3, 1_000_000, 8) for tag in range(count)]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0\x0a\0\0\0\0\0" + directory + bytes(2_000_000)


def tiff_of_strips(count: int) -> bytes:
    """Millions of strips of one row, all of them the same byte."""
    entries = {256: (4, 1, 1), 257: (4, 1, count), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    entries |= {273: (4, count, 8), 278: (4, 1, 1), 279: (4, count, 8 + 4 * count)}
    return tiff_by_hand(entries, struct.pack("<I", 8) * count + struct.pack("<I", 1) * count)


def tiff_of_jpeg(inner: bytes, photometric: int = 6, compression: int = 7) -> bytes:
    """16×16 pixels, whose strip is a whole file of another size."""
    return tiff_strip((16, 16), 8, 3, compression, inner, photometric=photometric)


def plain_zeros(side: int, channels: int, kind: Any, **options: Any) -> bytes:
    """A picture of nothing as tifffile writes it."""
    shape = (side, side, channels) if channels > 1 else (side, side)
    photometric = "rgb" if channels > 2 else "minisblack"
    return tiff(np.zeros(shape, kind), photometric=photometric, compression="zlib", **options)


BOMBS: dict[str, Bomb] = {
    "png 2^31 wide": lambda: png_of((1 << 31) - 1, (1 << 31) - 1, 8, 6, b""),
    "png no pixels": lambda: png_of(0, 8, 8, 6, b""),
    "png flat rgb": lambda: flat_png(GIANT, 8, 2),
    "png flat rgba": lambda: flat_png(GIANT, 8, 6),
    "png flat palette": lambda: flat_png(GIANT, 8, 3),
    "png flat 1 bit": lambda: flat_png(GIANT, 1, 0),
    "png flat deep": lambda: flat_png(GIANT, 16, 6),
    "png 40 million deep": lambda: flat_png(6324, 16, 6),
    "png 40 million rgba": lambda: flat_png(6324, 8, 6),
    "png 40 million palette": lambda: flat_png(6324, 8, 3),
    "png 40 million interlaced": lambda: flat_png(6324, 16, 6, interlaced=True),
    "png 40 million begun": lambda: flat_png(6324, 16, 6, share=0.1),
    "png with too much data": deep_bomb,
    "png of chunks": png_of_chunks,
    "png profile bomb": lambda: png_with(b"iCCP", b"x\0\0" + zeros_packed(1 << 30)),
    "png text bomb": lambda: png_with(b"zTXt", b"x\0\0" + zeros_packed(1 << 30)),
    "png endless animation": lambda: endless_animation(20_000),
    "jpeg 65500 wide": lambda: jpeg_resized(65500, 65500),
    "jpeg 100 million, one block": lambda: jpeg_resized(GIANT, GIANT),
    "jpeg 100 million progressive": lambda: jpeg_resized(GIANT, GIANT, progressive=True, subsampling=0),
    "jpeg no height": lambda: jpeg_resized(8, 0),
    "jpeg flat": lambda: jpeg_flat(GIANT),
    "jpeg 40 million progressive": lambda: jpeg_flat(6324, progressive=True, subsampling=0),
    "jpeg 40 million cmyk": lambda: jpeg_flat(6324, cmyk=True),
    "jpeg of scans": lambda: jpeg_of_scans(6324, 3000),
    "jpeg exif bomb": jpeg_exif_bomb,
    "jpeg exif of rationals": jpeg_exif_of_rationals,
    "jpeg of segments": lambda: whole()["jpeg"][:2] + b"\xff\xfe\0\x02" * 500_000 + whole()["jpeg"][2:],
    "gif 65535 wide": lambda: gif_of(65535, 65535, (0, 0, 1, 1), LZW_NOTHING),
    "gif frame beyond": lambda: gif_of(8, 8, (65000, 65000, 500, 500), LZW_NOTHING),
    "gif frame larger": lambda: gif_of(8, 8, (0, 0, 65535, 65535), LZW_NOTHING),
    "gif 100 million, one pixel": lambda: gif_of(GIANT, GIANT, (0, 0, 1, 1), LZW_NOTHING),
    "gif flat": lambda: gif_flat(6324),
    "gif endless animation": lambda: gif_of(6000, 6000, (0, 0, 1, 1), LZW_NOTHING, 50_000),
    "gif of extensions": lambda: gif_of(8, 8, (0, 0, 8, 8), LZW_NOTHING)[:19] + b"\x21\xfe\x01x\0" * 500_000,
    "webp giant canvas": lambda: webp_animated(1 << 24, 1 << 24, 1),
    "webp 100 million, one pixel": lambda: webp_animated(GIANT, GIANT, 1),
    "webp endless animation": lambda: webp_animated(6324, 6324, 50_000),
    "webp flat": lambda: webp_flat(6324, 6324, "RGB"),
    "webp flat rgba": lambda: webp_flat(6324, 6324, "RGBA"),
    "bmp 2^31 wide": lambda: bmp_of((1 << 31) - 1, (1 << 31) - 1, b""),
    "bmp 2^31 upside down": lambda: bmp_of(8, -(1 << 31), b""),
    "bmp negative width": lambda: bmp_of(-8, 8, bytes(64)),
    "bmp 100 million rle": lambda: bmp_rle(GIANT),
    "bmp 40 million rle": lambda: bmp_rle(6324),
    "bmp truncated": lambda: bmp_of(6324, 6324, b"", bits=32, compression=0),
    "tiff 2^32 wide": lambda: tiff_with(tiff(np.zeros((8, 8), np.uint8)), width=(1 << 32) - 1, height=(1 << 32) - 1),
    "tiff giant rows": lambda: tiff_with(tiff(np.zeros((8, 8), np.uint8)), rows=(1 << 32) - 1),
    "tiff giant tile": lambda: tiff_with(tiff(np.zeros((32, 32), np.uint8), tile=(16, 16)), tile_width=1 << 30),
    "tiff giant tiles, flat": lambda: tiff_with(
        tiff(np.zeros((32, 32), np.uint8), tile=(16, 16), compression="zlib"), tile_width=1 << 14, tile_height=1 << 14
    ),
    "tiff flat": lambda: plain_zeros(GIANT, 3, np.uint8),
    "tiff 40 million deep": lambda: plain_zeros(6324, 4, np.uint16, extrasamples=["unassalpha"]),
    "tiff 40 million premultiplied": lambda: plain_zeros(6324, 4, np.uint16, extrasamples=["assocalpha"]),
    "tiff 40 million float": lambda: plain_zeros(6324, 3, np.float32),
    "tiff 40 million double": lambda: tiff_strip((6324, 6324), 64, 1, 8, zeros_packed(8 * 6324**2), kind=3),
    "tiff 40 million of 32 channels": lambda: tiff_strip((6324, 6324), 8, 32, 8, zeros_packed(32 * 6324**2)),
    "tiff 40 million of 12 bits": lambda: tiff_strip((6324, 6324), 12, 1, 8, zeros_packed(6324**2 * 3 // 2)),
    "tiff 40 million of 32 bits": lambda: tiff_strip((6324, 6324), 32, 3, 8, zeros_packed(12 * 6324**2), photometric=2),
    "tiff 40 million of 1 bit": lambda: tiff_strip((6324, 6324), 1, 1, 8, zeros_packed(791 * 6324)),
    "tiff 40 million fax": lambda: encoded(Image.new("1", (6324, 6324)), "TIFF", compression="group4"),
    "tiff 40 million lab": lambda: encoded(Image.new("LAB", (6324, 6324)), "TIFF", compression="tiff_lzw"),
    "tiff 40 million cmyk": lambda: encoded(Image.new("CMYK", (6324, 6324)), "TIFF", compression="tiff_lzw"),
    "tiff strip unpacks to 1 GB": lambda: tiff_strip((64, 64), 8, 1, 8, zeros_packed(1 << 30)),
    "tiff lzw begun": lambda: tiff_strip((6324, 6324), 16, 3, 5, bytes(64), photometric=2),
    "tiff packbits begun": lambda: tiff_strip((6324, 6324), 8, 3, 32773, b"\x81\0" * 64, photometric=2),
    "tiff jpeg larger": lambda: tiff_of_jpeg(jpeg_resized(65500, 65500)),
    "tiff webp larger": lambda: tiff_of_jpeg(webp_flat(8000, 8000, "RGB"), 2, 50001),
    "tiff png larger": lambda: tiff_of_jpeg(flat_png(GIANT, 16, 6), 2, 34933),
    "tiff zstd larger": lambda: tiff_strip((16, 16), 8, 1, 50000, imagecodecs.zstd_encode(bytes(1 << 30))),
    "tiff lzma larger": lambda: tiff_strip((16, 16), 8, 1, 34925, imagecodecs.lzma_encode(bytes(1 << 28))),
    "tiff of pages": lambda: tiff_of_pages(50_000),
    "tiff followed by itself": tiff_round,
    "tiff tags claim all": lambda: tiff_tags(2000),
    "tiff of strips": lambda: tiff_of_strips(2_000_000),
    "pickle": pickled,
    "pickle in a jpeg": lambda: whole()["jpeg"][:200] + pickled(),
    "text": lambda: b"P6 100000 100000 255\n",
    "svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1e9'/>",
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "empty": lambda: b"",
    "signature only": lambda: PNG_SIGNATURE,
    "zip": lambda: b"PK\x03\x04" + zlib.compress(bytes(1000)),
}


HEAVY = (
    *("png flat rgb", "png flat 1 bit", "png 40 million rgba", "png 40 million palette", "png 40 million interlaced"),
    *("png 40 million deep", "jpeg 40 million progressive"),
    *("jpeg 40 million cmyk", "jpeg of segments", "gif 100 million, one pixel", "gif of extensions", "webp flat"),
    *("tiff 40 million float", "tiff 40 million double", "tiff 40 million of 12 bits", "tiff 40 million lab"),
    *("tiff 40 million cmyk", "tiff lzma larger"),
)
"""Take seconds, to be made or to be read; they come first, so that a short run can begin behind them."""
BOMBS = {**{name: BOMBS[name] for name in HEAVY}, **BOMBS}


def _folder(path: Path) -> None:
    path.mkdir()


def _linked_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _sparse(beginning: bytes, size: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(beginning)
        os.truncate(path, size)

    return make


def _png_begun(length: int) -> bytes:
    """A chunk of data that claims `length` bytes."""
    return png_of(64, 64, 16, 6, b"")[:33] + struct.pack(">I", length) + b"IDAT"


PLACES: dict[str, Callable[[Path], None]] = {
    "folder": _folder,
    "pipe": os.mkfifo,
    "link to itself": _linked_to_itself,
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "3 GB of png data": _sparse(_png_begun((1 << 31) - 1), 3 << 30),
    "3 GB of exif": _sparse(PNG_SIGNATURE + flat_png(8, 8, 2)[8:33] + b"\x7f\xff\xff\xffeXIf", 3 << 30),
    "3 GB of jpeg": _sparse(whole()["jpeg"], 3 << 30),
    "3 GB of webp": _sparse(b"RIFF\xf0\xff\xff\xbfWEBPVP8X", 3 << 30),
    "3 GB of gif": _sparse(whole()["gif"][:200], 3 << 30),
    "3 GB of bmp": _sparse(whole()["bmp"][:200], 3 << 30),
    "3 GB of tiff": _sparse(whole()["tiff"], 3 << 30),
    "3 GB of zeros": _sparse(b"", 3 << 30),
}
"""What is no file of bytes, or too large to be one in memory."""

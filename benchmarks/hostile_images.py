"""Hostile images: whole ones of every format and mode, and mutations of them by a seed."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms

Rng = random.Random
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
NASTY = (0, 1, 2, 7, 255, 256, 32767, 32768, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
GIANT = 10_000
"""10,000 × 10,000 is as many pixels as training takes."""


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


# --- PNG, byte by byte ---


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(
    width: int, height: int, depth: int, colour: int, packed: bytes, *, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """`colour` 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA; `packed` is the compressed data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = png_chunk(b"PLTE", bytes(range(48))) + png_chunk(b"tRNS", b"\0\x80") if colour == 3 else b""
    data = png_chunk(b"IHDR", header) + extra + palette + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")
    return PNG_SIGNATURE + data


def zeros_packed(count: int) -> bytes:
    """So many zero bytes, deflated to about a thousandth: one block again and again, and the checksum of it all."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(count % (1 << 20))) + packer.flush()
    return b"\x78\xda" + block * (count >> 20) + rest + struct.pack(">HH", count % 65521, 1)


def flat_png(side: int, depth: int, colour: int, *, interlaced: bool = False, share: float = 1.0) -> bytes:
    """A whole picture of nothing, or the beginning of one."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(side, side)]
    if interlaced:
        starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
        passes = [(-(-(side - x) // dx), -(-(side - y) // dy)) for x, y, dx, dy in starts]
    size = sum(height * (1 + -(-width * depth * channels // 8)) for width, height in passes)
    return png_of(side, side, depth, colour, zeros_packed(int(share * size)), interlaced=interlaced)


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and content of each chunk; of a damaged file, as far as it goes."""
    found, at = [], len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


# --- Whole files ---


def exif_of(orientation: int, width: int = 0) -> bytes:
    """One directory of two entries: orientation, and a width that need not be true."""
    entries = struct.pack("<HHIHHHHII", 0x0112, 3, 1, orientation, 0, 0x0100, 4, 1, width)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4)


def bmp_of(width: int, height: int, packed: bytes, *, bits: int = 8, compression: int = 1) -> bytes:
    palette = bytes(range(256)) * 4 if bits <= 8 else b""
    start = 54 + len(palette)
    header = struct.pack("<2sIHHI", b"BM", start + len(packed), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(packed), 2835, 2835, 0, 0)
    return header + info + palette + packed


@cache
def whole() -> dict[str, bytes]:
    """A small file of every kind, by "format kind"."""
    noise = np.random.default_rng(3).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    deep = noise.astype(np.uint16) * 251
    rgb, rgba, grey = Image.fromarray(noise[..., :3]), Image.fromarray(noise), Image.fromarray(noise[..., 0])
    palette, bits, cmyk = rgb.quantize(16), grey.convert("1"), rgb.convert("CMYK")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = [Image.fromarray(np.roll(noise, step, 0)) for step in range(3)]
    animated = {"save_all": True, "append_images": frames, "duration": 40, "loop": 0}
    files = {
        "jpeg": encoded(rgb, "JPEG", exif=exif_of(6), icc_profile=srgb),
        "jpeg grey": encoded(grey, "JPEG", exif=exif_of(99, 1 << 31)),
        "jpeg 4:4:4": encoded(rgb, "JPEG", subsampling=0, icc_profile=srgb[:60]),
        "jpeg progressive": encoded(rgb, "JPEG", progressive=True),
        "jpeg restarts": encoded(rgb, "JPEG", restart_marker_blocks=2),
        "jpeg cmyk": encoded(cmyk, "JPEG", icc_profile=srgb[:16] + b"CMYK" + srgb[20:]),
        "png": encoded(rgb, "PNG", icc_profile=srgb, exif=exif_of(5)),
        "png grey": encoded(grey, "PNG", icc_profile=b"no profile"),
        "png 1 bit": encoded(bits, "PNG"),
        "png palette": encoded(palette, "PNG", transparency=b"\x00\x80"),
        "png rgba": encoded(rgba, "PNG"),
        "png grey alpha": encoded(grey.convert("LA"), "PNG"),
        "png deep": imagecodecs.png_encode(deep[..., :3].copy()),
        "png deep rgba": imagecodecs.png_encode(deep),
        "png interlaced": flat_png(37, 8, 2, interlaced=True),
        "png deep interlaced": flat_png(37, 16, 6, interlaced=True),
        "png animated": encoded(rgba, "PNG", **animated),
        "webp": encoded(rgb, "WEBP", exif=exif_of(8), icc_profile=srgb),
        "webp lossless": encoded(rgba, "WEBP", lossless=True),
        "webp alpha": encoded(rgba, "WEBP"),
        "webp animated": encoded(rgba, "WEBP", **animated),
        "gif": encoded(palette, "GIF", transparency=1),
        "gif interlaced": encoded(grey, "GIF", interlace=1),
        "gif animated": encoded(rgb, "GIF", **animated),
        "bmp": encoded(rgb, "BMP"),
        "bmp 1 bit": encoded(bits, "BMP"),
        "bmp palette": encoded(palette, "BMP"),
        "bmp rgba": encoded(rgba, "BMP"),
        "bmp rle": bmp_of(50, 40, b"\x32\x07\0\0" * 40 + b"\0\x01"),
        "tiff": encoded(rgb, "TIFF", exif=exif_of(7, 50)[6:], icc_profile=srgb),
        "tiff 1 bit fax": encoded(bits, "TIFF", compression="group4"),
        "tiff 1 bit": encoded(bits, "TIFF"),
        "tiff palette": encoded(palette, "TIFF", compression="tiff_adobe_deflate"),
        "tiff lzw": encoded(rgb, "TIFF", compression="tiff_lzw"),
        "tiff packbits": encoded(rgb, "TIFF", compression="packbits"),
        "tiff jpeg": encoded(rgb, "TIFF", compression="jpeg"),
        "tiff cmyk": encoded(cmyk, "TIFF", icc_profile=srgb),
        "tiff ycbcr": encoded(rgb.convert("YCbCr"), "TIFF"),
        "tiff lab": encoded(Image.merge("LAB", [grey] * 3), "TIFF"),
        "tiff deep": tiff(deep[..., :3], photometric="rgb", compression="adobe_deflate", predictor=True, byteorder=">"),
        "tiff tiled": tiff(deep[..., :3], photometric="rgb", tile=(16, 16), compression="lzw"),
        "tiff tiled jpeg": tiff(noise[..., :3], photometric="rgb", tile=(16, 16), compression="jpeg"),
        "tiff webp": tiff(noise[..., :3], photometric="rgb", tile=(16, 16), compression="webp"),
        "tiff big": tiff(deep, photometric="rgb", bigtiff=True, extrasamples=["assocalpha"]),
        "tiff planar": tiff(np.moveaxis(noise[..., :3], 2, 0).copy(), photometric="rgb", planarconfig="separate"),
        "tiff float": tiff(noise[..., :3] / np.float32(255), photometric="rgb", compression="zlib"),
        "tiff half": tiff((noise[..., 0] / 255).astype(np.float16), photometric="miniswhite"),
        "tiff pages": encoded(rgb, "TIFF", save_all=True, append_images=[grey, rgba, bits] * 8),
    }
    mpo = encoded(rgb, "MPO", save_all=True, append_images=[rgb])
    return {**files, "jpeg of several": mpo}


SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".JPG", ".txt", "")


def mutated(rng: Rng) -> tuple[str, bytes]:
    """A kind and a file of it, in one to three places no longer what it was."""
    kind = rng.choice(list(whole()))
    data = whole()[kind]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice([*MUTATIONS, *BY_FORMAT.get(kind.split()[0], ()) * 3])(data, rng)
    return kind.split()[0], data


# --- Mutations of any bytes ---


def _place(data: bytes, rng: Rng) -> int:
    """Anywhere, but half the time near the beginning, where the headers are."""
    return rng.randrange(max(1, min(len(data), rng.choice((16, 64, 256, len(data), len(data), len(data))))))


def truncated(data: bytes, rng: Rng) -> bytes:
    return data[: _place(data, rng)]


def bits_flipped(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 40)) if data else 0):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def run_replaced(data: bytes, rng: Rng) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 2, 4, 16, 100))
    return data[:at] + rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length))) + data[at + length :]


def number_replaced(data: bytes, rng: Rng) -> bytes:
    at = _place(data, rng)
    number = struct.pack(rng.choice("<>") + "I", rng.choice(NASTY))
    number = rng.choice((number, number[:2], number[2:]))
    return data[:at] + number + data[at + len(number) :]


def run_moved(data: bytes, rng: Rng) -> bytes:
    """A piece is taken out, repeated, or found elsewhere again."""
    begin, end = sorted((_place(data, rng), _place(data, rng)))
    at = rng.choice((begin, end, _place(data, rng)))
    return rng.choice((data[:begin] + data[end:], data[:at] + data[begin:end] + data[at:]))


def spliced(data: bytes, rng: Rng) -> bytes:
    """Goes on as another file, or has one behind it."""
    other = rng.choice(list(whole().values()))
    return rng.choice((data + other, data[: _place(data, rng)] + other[_place(other, rng) :], other[:12] + data[12:]))


MUTATIONS: tuple[Callable[[bytes, Rng], bytes], ...] = (
    truncated,
    bits_flipped,
    run_replaced,
    number_replaced,
    run_moved,
    spliced,
)


# --- Mutations that keep a format's own order, so that they get past its first checks ---


def png_changed(data: bytes, rng: Rng) -> bytes:
    """A chunk changed, dropped or doubled, with all checksums right."""
    chunks = png_chunks(data)
    if not chunks:
        return data
    at = rng.randrange(len(chunks))
    kind, content = chunks[at]
    chunks[at : at + 1] = rng.choice(
        (
            [(kind, rng.choice(MUTATIONS)(content, rng))],
            [(kind, rng.choice(MUTATIONS)(content, rng))],
            [],
            [(kind, content)] * 2,
            [(kind, content), rng.choice(chunks)],
        )
    )
    if rng.random() < 0.3:
        kind, content = chunks[0] if chunks else (b"IHDR", bytes(13))
        chunks[:1] = [(kind, png_header_changed(content, rng))]
    return PNG_SIGNATURE + b"".join(png_chunk(kind, content) for kind, content in chunks)


def png_header_changed(header: bytes, rng: Rng) -> bytes:
    field = rng.choice(((0, 4), (4, 4), (8, 1), (9, 1), (10, 1), (12, 1)))
    value = rng.choice(NASTY) if field[1] == 4 else rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    return header[: field[0]] + value.to_bytes(field[1], "big") + header[sum(field) :]


def jpeg_changed(data: bytes, rng: Rng) -> bytes:
    """A segment of the header changed inside, dropped or doubled."""
    starts = [2]
    while starts[-1] + 4 <= len(data) and data[starts[-1]] == 0xFF and data[starts[-1] + 1] != 0xDA:
        starts.append(starts[-1] + 2 + int.from_bytes(data[starts[-1] + 2 : starts[-1] + 4], "big"))
    segments = [data[begin:end] for begin, end in pairwise(starts)]
    if not segments:
        return data
    at = rng.randrange(len(segments))
    marker, inside = segments[at][:2], segments[at][4:]
    inside = rng.choice(MUTATIONS[1:5])(inside, rng)[:65533]
    new = marker + struct.pack(">H", len(inside) + 2) + inside
    segments[at : at + 1] = rng.choice(([new], [new], [], [segments[at]] * 2))
    return data[:2] + b"".join(segments) + data[starts[-1] :]


def tiff_changed(data: bytes, rng: Rng) -> bytes:
    """An entry of the directory with another tag, type, count or value."""
    order = "<" if data[:1] == b"I" else ">"
    if len(data) < 16 or data[2:4] not in (b"*\0", b"\0*"):
        return data
    (start,) = struct.unpack(order + "I", data[4:8])
    if start + 2 > len(data):
        return data
    (count,) = struct.unpack(order + "H", data[start : start + 2])
    entry = start + 2 + 12 * rng.randrange(max(1, count))
    field = rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "I"), (8, "H")))
    value = rng.choice((*NASTY, 258, 259, 262, 273, 277, 279, 320, 322, 338, len(data) - 1, start))
    packed = struct.pack(order + field[1], value % (1 << (8 * struct.calcsize(field[1]))))
    return data[: entry + field[0]] + packed + data[entry + field[0] + len(packed) :]


def riff_changed(data: bytes, rng: Rng) -> bytes:
    """A chunk of a WebP changed inside, dropped or doubled, lengths right."""
    chunks, at = [], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    if not chunks:
        return data
    at = rng.randrange(len(chunks))
    kind, inside = chunks[at]
    chunks[at : at + 1] = rng.choice(
        (
            [(kind, rng.choice(MUTATIONS[:5])(inside, rng))],
            [(kind, bits_flipped(inside, rng))],
            [],
            [(kind, inside)] * 2,
        )
    )
    return webp_of(chunks)


def webp_of(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(inside)) + inside + bytes(len(inside) % 2) for kind, inside in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


BY_FORMAT: dict[str, tuple[Callable[[bytes, Rng], bytes], ...]] = {
    "png": (png_changed,),
    "jpeg": (jpeg_changed,),
    "tiff": (tiff_changed,),
    "webp": (riff_changed,),
}

"""Photos in and out: every format and mode against values worked out by hand or written by another library."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.files.images import Picture, check_writable_suffix, find, read, read_small, size_of, write

# pytest resets the filter that the module sets for Pillow; that it works is tested in a process of its own.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RNG = np.random.default_rng(7)
PHOTO = RNG.integers(0, 256, (11, 13, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (11, 13, 3), dtype=np.uint16)
SMOOTH = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)

# The upright picture, and how EXIF says it is stored: orientation n tells where row 0 and column 0 of the file belong.
UPRIGHT = [[1, 2, 3], [4, 5, 6]]
STORED = {
    1: [[1, 2, 3], [4, 5, 6]],  # top, left
    2: [[3, 2, 1], [6, 5, 4]],  # top, right
    3: [[6, 5, 4], [3, 2, 1]],  # bottom, right
    4: [[4, 5, 6], [1, 2, 3]],  # bottom, left
    5: [[1, 4], [2, 5], [3, 6]],  # left, top
    6: [[3, 6], [2, 5], [1, 4]],  # right, top
    7: [[6, 3], [5, 2], [4, 1]],  # right, bottom
    8: [[4, 1], [5, 2], [6, 3]],  # left, bottom
}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(png: bytes, added: bytes, *, last: bool = False) -> bytes:
    """A chunk goes right after IHDR (8 bytes of signature, 25 of header), or right before IEND (12 bytes)."""
    at = len(png) - 12 if last else 33
    return png[:at] + added + png[at:]


def exif_of(orientation: int) -> bytes:
    """By hand: little-endian, one directory of one entry, a SHORT; then no other directory."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def tiff(samples: np.ndarray, **options: object) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


@pytest.fixture
def saved(tmp_path):
    """Writes bytes to a file and gives its path; the name says nothing, since the content decides."""

    def save(data: bytes, name: str = "photo") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return save


# --- Formats and modes read ---


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF"])
def test_rgb_is_read_exactly(saved, image_format):
    picture = read(saved(encoded(Image.fromarray(PHOTO), image_format)))
    np.testing.assert_array_equal(picture.pixels, PHOTO)
    assert picture.pixels.dtype == np.uint8
    assert (picture.width, picture.height) == (13, 11)
    assert picture.alpha is None
    assert picture.icc is None
    assert picture.exif is None


def test_webp_is_read_exactly_with_alpha(saved):
    rgba = np.dstack([PHOTO, PHOTO[..., 0]])
    picture = read(saved(encoded(Image.fromarray(rgba), "WEBP", lossless=True, exact=True)))
    np.testing.assert_array_equal(picture.pixels, PHOTO)
    np.testing.assert_array_equal(picture.alpha, PHOTO[..., 0])


def test_jpeg_is_read(saved):
    picture = read(saved(encoded(Image.fromarray(SMOOTH), "JPEG", quality=100, subsampling=0)))
    np.testing.assert_allclose(picture.pixels.astype(int), SMOOTH, atol=3)


def test_grey_becomes_three_equal_channels(saved):
    grey = PHOTO[..., 0]
    for image_format in ("PNG", "TIFF", "BMP", "GIF"):
        picture = read(saved(encoded(Image.fromarray(grey), image_format)))
        np.testing.assert_array_equal(picture.pixels, np.dstack([grey] * 3))


def test_one_bit_is_black_and_white(saved):
    bits = Image.fromarray(np.array([[0, 255, 0], [255, 0, 255]], np.uint8)).convert("1")
    for image_format, options in (("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "group4"})):
        picture = read(saved(encoded(bits, image_format, **options)))
        np.testing.assert_array_equal(picture.pixels[..., 1], [[0, 255, 0], [255, 0, 255]])


def test_grey_with_alpha(saved):
    grey_alpha = Image.fromarray(np.array([[[10, 0], [20, 128]]], np.uint8))
    assert grey_alpha.mode == "LA"
    picture = read(saved(encoded(grey_alpha, "PNG")))
    np.testing.assert_array_equal(picture.pixels, [[[10, 10, 10], [20, 20, 20]]])
    np.testing.assert_array_equal(picture.alpha, [[0, 128]])


def test_palette_with_transparency(saved):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    opaque = read(saved(encoded(image, "PNG")))
    np.testing.assert_array_equal(opaque.pixels, [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    assert opaque.alpha is None
    shaded = read(saved(encoded(image, "PNG", transparency=b"\x00\x80")))
    np.testing.assert_array_equal(shaded.pixels, [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    np.testing.assert_array_equal(shaded.alpha, [[0, 128, 255]])
    gif = read(saved(encoded(image, "GIF", transparency=1)))
    np.testing.assert_array_equal(gif.alpha, [[255, 0, 255]])
    np.testing.assert_array_equal(gif.pixels[0, ::2], [[255, 0, 0], [0, 0, 255]])


def grey_tiff(packed: bytes, *, bits: int, width: int, photometric: int = 1, colours: bytes = b"") -> bytes:
    """By hand: header, the pixels of one row at 8, the palette behind them, the directory."""
    packed += bytes(len(packed) % 2)
    at = 8 + len(packed)
    shorts = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1, 279: len(packed)}
    entries = [struct.pack("<HHIHxx", tag, 3, 1, value) for tag, value in shorts.items()]
    if colours:
        entries.append(struct.pack("<HHII", 320, 3, len(colours) // 2, at))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", at + len(colours)) + packed + colours + directory


def test_tiff_of_few_bits(saved):
    two_colours = struct.pack("<6H", 0xFFFF, 0x1000, 0, 0x2000, 0x8000, 0x3000)  # red, green, blue: of 0, of 1
    palette = read(saved(grey_tiff(b"\x50", bits=1, width=4, photometric=3, colours=two_colours)))  # 0101
    np.testing.assert_array_equal(palette.pixels, [[[255, 0, 128], [16, 32, 48]] * 2])
    nibbles = read(saved(grey_tiff(b"\x01\x7f", bits=4, width=4)))  # steps of 17
    np.testing.assert_array_equal(nibbles.pixels[..., 0], [[0, 17, 119, 255]])
    assert nibbles.pixels.dtype == np.uint8


def test_palette_in_tiff(saved):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    np.testing.assert_array_equal(read(saved(encoded(image, "TIFF"))).pixels, [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_image_of_several(saved, image_format):
    red, blue = Image.new("RGB", (8, 6), (255, 0, 0)), Image.new("RGB", (8, 6), (0, 0, 255))
    options = {"lossless": True} if image_format == "WEBP" else {}
    picture = read(saved(encoded(red, image_format, save_all=True, append_images=[blue, red], **options)))
    np.testing.assert_array_equal(picture.pixels, np.full((6, 8, 3), (255, 0, 0)))


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_without_profile(saved, image_format):
    cmyk = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    picture = read(saved(encoded(cmyk, image_format)))
    np.testing.assert_allclose(picture.pixels.astype(int), np.full((16, 16, 3), (0, 255, 255)), atol=2)


def cmyk_profile(lightness: int) -> bytes:
    """A made-up printer: `lightness` without black ink, whatever the others; 0 with all of it; always neutral."""
    lab = bytes([round(lightness * 255 / 100), 128, 128, 0, 128, 128])
    identity = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut += identity * 4 + lab * 8 + identity * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Test\0" + bytes(78)
    tags, body = b"", b""
    parts = [(b"desc", text), (b"wtpt", white), (b"A2B0", lut)]
    for name, content in parts:
        start = 128 + 4 + 12 * len(parts) + len(body)
        tags += name + struct.pack(">II", start, len(content))
        body += content + bytes(-len(content) % 4)
    body = struct.pack(">I", len(parts)) + tags + body
    header = struct.pack(">I4xI4s4s4s12x4s", 128 + len(body), 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    header = header.ljust(68, b"\0") + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + body


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_own_profile_to_srgb(saved, image_format):
    cmyk = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    picture = read(saved(encoded(cmyk, image_format, icc_profile=cmyk_profile(50))))
    # CIE: Y = ((50 + 16) / 116)³ = 0.1842, and sRGB 1.055·Y^(1/2.4) − 0.055 = 0.466, so 119 of 255.
    np.testing.assert_allclose(picture.pixels.astype(int), 119, atol=2)
    assert picture.icc is None


def test_cmyk_with_a_broken_profile_is_converted_plainly(saved):
    broken = cmyk_profile(50)[:200]
    picture = read(saved(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", icc_profile=broken)))
    np.testing.assert_allclose(picture.pixels.astype(int), np.full((16, 16, 3), (0, 255, 255)), atol=2)


def test_lab_and_ycbcr_tiff(saved):
    image = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (128, 128, 128)])
    # L* = 128·100/255 = 50.2 is 119 or 120 in sRGB, as above.
    np.testing.assert_allclose(read(saved(encoded(image, "TIFF"))).pixels.astype(int), 119.5, atol=2)
    red = Image.new("RGB", (16, 16), (254, 0, 0))
    plain = encoded(red.convert("YCbCr"), "TIFF")
    np.testing.assert_allclose(read(saved(plain)).pixels.astype(int), np.full((16, 16, 3), (254, 0, 0)), atol=3)
    ycbcr = encoded(red, "TIFF", compression="jpeg", quality=100)
    np.testing.assert_allclose(read(saved(ycbcr)).pixels.astype(int), np.full((16, 16, 3), (254, 0, 0)), atol=3)


# --- 16 bits ---


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_deep_png(saved, channels):
    samples = RNG.integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    picture = read(saved(imagecodecs.png_encode(samples if channels > 1 else samples[..., 0])))
    colours = 1 if channels <= 2 else 3
    np.testing.assert_array_equal(picture.pixels, np.broadcast_to(samples[..., :colours], (5, 7, 3)))
    assert picture.pixels.dtype == np.uint16
    if channels in (2, 4):
        np.testing.assert_array_equal(picture.alpha, samples[..., -1])
    else:
        assert picture.alpha is None


def test_interlaced_deep_png_from_pillow_is_not_clipped(saved):
    grey = np.array([[0, 1, 255, 256, 65535]], np.uint16)
    data = encoded(Image.fromarray(grey), "PNG")
    np.testing.assert_array_equal(read(saved(data)).pixels[..., 0], grey)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"planarconfig": "separate"},
        {"compression": "lzw", "predictor": True},
        {"compression": "adobe_deflate", "predictor": True, "byteorder": ">"},
        {"tile": (16, 16), "compression": "zlib"},
        {"tile": (16, 16), "planarconfig": "separate"},
        {"bigtiff": True},
        {"rowsperstrip": 2, "compression": "lzw"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_layouts(saved, options, dtype):
    samples = DEEP.astype(dtype)
    if options.get("planarconfig"):
        data = tiff(np.ascontiguousarray(np.moveaxis(samples, 2, 0)), photometric="rgb", **options)
    else:
        data = tiff(samples, photometric="rgb", **options)
    picture = read(saved(data))
    np.testing.assert_array_equal(picture.pixels, samples)
    assert picture.pixels.dtype == dtype
    assert picture.pixels.dtype.isnative


def test_tiff_of_several_pages_and_one_row(saved):
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(DEEP[:1], photometric="rgb", metadata=None)
        writer.write(DEEP, photometric="rgb", metadata=None)
    np.testing.assert_array_equal(read(saved(buffer.getvalue())).pixels, DEEP[:1])


def test_tiff_where_white_is_zero(saved):
    for grey in (np.array([[0, 1000, 65535]], np.uint16), np.array([[0, 100, 255]], np.uint8)):
        white = 65535 if grey.dtype == np.uint16 else 255
        picture = read(saved(tiff(grey, photometric="miniswhite")))
        np.testing.assert_array_equal(picture.pixels[..., 2].astype(int), [[white, white - int(grey[0, 1]), 0]])


def test_tiff_alpha_straight_premultiplied_and_unspecified(saved):
    rgba = np.array([[[100, 200, 300, 32768], [5, 5, 5, 0]]], np.uint16)
    straight = read(saved(tiff(rgba, photometric="rgb", extrasamples=["unassalpha"])))
    np.testing.assert_array_equal(straight.pixels, rgba[..., :3])
    np.testing.assert_array_equal(straight.alpha, rgba[..., 3])
    premultiplied = read(saved(tiff(rgba, photometric="rgb", extrasamples=["assocalpha"])))
    # 100 · 65535 / 32768 = 199.997, and so on.
    np.testing.assert_array_equal(premultiplied.pixels[0, 0], [200, 400, 600])
    np.testing.assert_array_equal(premultiplied.alpha, rgba[..., 3])
    unspecified = read(saved(tiff(rgba, photometric="rgb", extrasamples=["unspecified"])))
    np.testing.assert_array_equal(unspecified.pixels, rgba[..., :3])
    assert unspecified.alpha is None


def test_tiff_in_floating_point(saved):
    values = np.array([[[0.0, 0.5, 1.0], [-1.0, 2.0, np.nan], [1 / 65535, np.inf, 0.25]]], np.float32)
    expected = [[[0, 32768, 65535], [0, 65535, 0], [1, 65535, 16384]]]
    np.testing.assert_array_equal(read(saved(tiff(values, photometric="rgb"))).pixels, expected)


def test_tiff_of_12_and_32_bits_fills_the_range(saved):
    data = grey_tiff(bytes.fromhex("000800fff0"), bits=12, width=3)  # 000 800 fff
    np.testing.assert_array_equal(read(saved(data)).pixels[..., 0], [[0, 32776, 65535]])  # 2048 · 65535 / 4095
    wide = np.array([[[0, 1 << 31, (1 << 32) - 1]]], np.uint32)
    np.testing.assert_array_equal(read(saved(tiff(wide, photometric="rgb"))).pixels, [[[0, 32768, 65535]]])


def test_8_bits_from_16_are_rounded():
    deep = np.array([[[0, 128, 129], [257, 65406, 65407], [65535, 32768, 385]]], np.uint16)
    # By 257: 128 gives 0.498, 129 gives 0.502, 65406 gives 254.498, 32768 gives 127.502, 385 gives 1.498.
    expected = [[[0, 0, 1], [1, 254, 255], [255, 128, 1]]]
    np.testing.assert_array_equal(Picture(deep).to_8_bits().pixels, expected)


# --- Rotation ---


def orientation_cases():
    def deep_png(stored, n):
        return with_chunk(imagecodecs.png_encode(stored.astype(np.uint16) * 257), chunk(b"eXIf", exif_of(n)))

    def late_png(stored, n):
        return with_chunk(encoded(Image.fromarray(stored), "PNG"), chunk(b"eXIf", exif_of(n)), last=True)

    def palette_tiff(stored, n):
        image = Image.fromarray(stored).convert("P")
        image.putpalette([value for value in range(256) for _ in range(3)])
        return encoded(image, "TIFF", tiffinfo={274: n})

    return {
        "png": lambda stored, n: with_chunk(encoded(Image.fromarray(stored), "PNG"), chunk(b"eXIf", exif_of(n))),
        "png, exif last": late_png,
        "deep png": deep_png,
        "tiff": lambda stored, n: tiff(stored, photometric="minisblack", extratags=[(274, "H", 1, n)]),
        "deep tiff": lambda stored, n: tiff(
            stored.astype(np.uint16) * 257, photometric="minisblack", extratags=[(274, "H", 1, n)]
        ),
        "big tiff": lambda stored, n: tiff(
            stored, photometric="minisblack", bigtiff=True, extratags=[(274, "H", 1, n)]
        ),
        "palette tiff": palette_tiff,
        "ycbcr tiff": lambda stored, n: encoded(Image.fromarray(stored).convert("YCbCr"), "TIFF", tiffinfo={274: n}),
        "webp": lambda stored, n: encoded(
            Image.fromarray(np.dstack([stored] * 3)), "WEBP", lossless=True, exif=exif_of(n)
        ),
    }


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("case", orientation_cases())
def test_every_orientation_is_turned_upright(saved, case, orientation):
    stored = np.array(STORED[orientation], np.uint8) * 40
    path = saved(orientation_cases()[case](stored, orientation))
    picture = read(path)
    unit = 40 * 257 if picture.pixels.dtype == np.uint16 else 40
    np.testing.assert_array_equal(picture.pixels[..., 0] // unit, UPRIGHT)
    assert size_of(path) == (3, 2)
    np.testing.assert_array_equal(read_small(path, at_least=1)[..., 1] // 40, UPRIGHT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_jpeg(saved, orientation):
    stored = np.kron(np.array(STORED[orientation], np.uint8) * 40, np.ones((16, 16), np.uint8))
    path = saved(encoded(Image.fromarray(stored), "JPEG", quality=95, exif=b"Exif\0\0" + exif_of(orientation)))
    np.testing.assert_allclose(read(path).pixels[8::16, 8::16, 0] / 40, UPRIGHT, atol=0.1)
    np.testing.assert_allclose(read_small(path, at_least=4)[1::2, 1::2, 0] / 40, UPRIGHT, atol=0.2)
    assert size_of(path) == (48, 32)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_impossible_orientation_is_ignored(saved, orientation):
    data = with_chunk(encoded(Image.fromarray(PHOTO), "PNG"), chunk(b"eXIf", exif_of(orientation)))
    np.testing.assert_array_equal(read(saved(data)).pixels, PHOTO)


def test_alpha_turns_with_the_pixels(saved):
    stored = np.array(STORED[6], np.uint8) * 40
    rgba = np.dstack([stored] * 4)
    data = with_chunk(encoded(Image.fromarray(rgba), "PNG"), chunk(b"eXIf", exif_of(6)))
    np.testing.assert_array_equal(read(saved(data)).alpha // 40, UPRIGHT)


# --- What belongs to a photo: profile and EXIF ---


def rich_exif(*, of_a_file: bool = False) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Ateliér"
    exif[ExifTags.Base.Artist] = "Ada"
    exif[ExifTags.Base.Orientation] = 6
    if not of_a_file:  # Pillow's TIFF writer would take it for the new width
        exif[ExifTags.Base.ImageWidth] = 9999
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.ExposureTime: TiffImagePlugin.IFDRational(1, 200),
        ExifTags.Base.ExifImageWidth: 48,
        ExifTags.Base.ExifImageHeight: 64,
        ExifTags.Base.MakerNote: b"secret sauce",
    }
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.0)}
    return exif.tobytes()


def assert_rich_exif_kept(exif: Image.Exif) -> None:
    assert exif[ExifTags.Base.Artist] == "Ada"
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    assert exif.get(ExifTags.Base.ImageWidth) != 9999
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    assert float(inner[ExifTags.Base.ExposureTime]) == pytest.approx(0.005)
    assert inner[ExifTags.Base.MakerNote] == b"secret sauce"
    assert (inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight]) == (64, 48)
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert place[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert [float(value) for value in place[ExifTags.GPS.GPSLatitude]] == [52, 31, 12]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_profile_and_exif_arrive_in_every_format(saved, tmp_path, suffix, deep):
    turned = np.ascontiguousarray(SMOOTH.swapaxes(0, 1))
    source = saved(encoded(Image.fromarray(turned), "JPEG", icc_profile=SRGB, exif=rich_exif()))
    picture = read(source)
    assert picture.icc == SRGB
    assert (picture.width, picture.height) == (64, 48)
    if deep:
        picture = picture.with_pixels(picture.pixels.astype(np.uint16) * 257)
    target = tmp_path / f"out{suffix}"
    write(target, picture)
    with Image.open(target) as written:
        assert written.size == (64, 48)
        assert written.info["icc_profile"] == SRGB
        assert_rich_exif_kept(written.getexif())
    again = read(target)
    assert again.icc == SRGB
    kept = Image.Exif()
    kept.load(again.exif)
    assert_rich_exif_kept(kept)
    assert again.exif.startswith(b"Exif\0\0MM")


def test_the_thumbnail_of_the_old_photo_is_dropped(saved):
    """By hand: a first directory with Artist "A", and a second that points to the thumbnail."""
    thumbnail = b"\xff\xd8 the old photo, small \xff\xd9"
    first = struct.pack("<HHHI4sI", 1, 0x013B, 2, 2, b"A\0\0\0", 26)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(thumbnail), 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + first + second + thumbnail
    picture = read(saved(encoded(Image.fromarray(SMOOTH), "JPEG", exif=exif)))
    assert b"A\0" in picture.exif
    assert picture.exif.startswith(b"Exif\0\0II")  # the byte order, on which maker notes rely, stays
    assert b"old photo" not in picture.exif


def test_damaged_metadata_does_not_cost_the_photo(saved, tmp_path):
    jpeg = encoded(Image.fromarray(SMOOTH), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", icc_profile=b"no profile")
    picture = read(saved(jpeg))
    assert picture.exif is None
    assert picture.icc is None
    png = with_chunk(encoded(Image.fromarray(PHOTO), "PNG"), chunk(b"iCCP", b"x\0\0not zlib"))
    assert read(saved(png)).icc is None
    write(tmp_path / "out.jpg", Picture(PHOTO, exif=b"Exif\0\0" + bytes(70000)))
    assert read(tmp_path / "out.jpg").exif is None


def test_a_grey_profile_is_dropped_and_a_large_one_kept(saved, tmp_path):
    grey_profile = SRGB[:16] + b"GRAY" + SRGB[20:]
    assert read(saved(encoded(Image.fromarray(PHOTO[..., 0]), "PNG", icc_profile=grey_profile))).icc is None
    large = SRGB + RNG.bytes(3 << 20)
    for name in ("large.png", "large.tif", "large.jpg"):
        write(tmp_path / name, Picture(PHOTO, icc=large))
        assert read(tmp_path / name).icc == large


# --- Writing ---


@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_and_tiff_keep_every_bit(tmp_path, dtype, suffix, with_alpha):
    pixels = DEEP.astype(dtype)
    alpha = np.ascontiguousarray(pixels[..., 1]) if with_alpha else None
    path = tmp_path / f"out{suffix}"
    write(path, Picture(pixels, alpha, icc=SRGB))
    decoded = imagecodecs.png_decode(path.read_bytes()) if suffix == ".png" else tifffile.imread(path)
    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, np.dstack([pixels, alpha]) if with_alpha else pixels)
    again = read(path)
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.icc == SRGB
    if with_alpha:
        np.testing.assert_array_equal(again.alpha, alpha)
    else:
        assert again.alpha is None


def test_tiff_with_exif_has_the_pixels_and_no_warnings(tmp_path, caplog):
    picture = Picture(DEEP, DEEP[..., 0], SRGB, rich_exif())
    write(tmp_path / "out.tif", picture)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif")[..., :3], DEEP)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages) == 1
        codes = [tag.code for tag in file.pages[0].tags]
        assert codes == sorted(set(codes))
        assert file.pages[0].tags.valueof(34665)["ExposureTime"] == (1, 200)
    assert not caplog.records


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".jfif", ".JPG", ".webp", ".bmp", ".gif"])
def test_formats_of_8_bits(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    pixels = np.minimum(SMOOTH, 254).astype(np.uint16) * 257 + 100  # under half a step
    write(path, Picture(pixels))
    with Image.open(path) as written:
        back = np.asarray(written.convert("RGB")).astype(int)
    tolerance = {".bmp": 0, ".gif": 16}.get(suffix, 6)
    np.testing.assert_allclose(back, np.minimum(SMOOTH, 254), atol=tolerance)


def test_lossless_webp_and_alpha(tmp_path):
    alpha = np.ascontiguousarray(PHOTO[..., 2])
    write(tmp_path / "out.webp", Picture(PHOTO, alpha, SRGB), quality=100)
    with Image.open(tmp_path / "out.webp") as written:
        np.testing.assert_array_equal(np.asarray(written), np.dstack([PHOTO, alpha]))


def test_gif_keeps_transparency(tmp_path):
    alpha = np.where(np.arange(13)[None] < 5, 0, 255).astype(np.uint8).repeat(11, 0)
    write(tmp_path / "out.gif", Picture(np.full_like(PHOTO, 90), alpha))
    with Image.open(tmp_path / "out.gif") as written:
        np.testing.assert_array_equal(np.asarray(written.convert("RGBA"))[..., 3], alpha)


def test_jpeg_is_not_subsampled_and_quality_counts(tmp_path):
    noisy = Picture(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    write(tmp_path / "fine.jpg", noisy)
    write(tmp_path / "rough.jpg", noisy, quality=20)
    with Image.open(tmp_path / "fine.jpg") as written:
        assert [layer[1:3] for layer in written.layer] == [(1, 1)] * 3
    assert (tmp_path / "rough.jpg").stat().st_size < (tmp_path / "fine.jpg").stat().st_size / 2
    for quality in (0, 101):
        with pytest.raises(ImpastoError, match="quality"):
            write(tmp_path / "out.jpg", noisy, quality=quality)


def test_alpha_over_white_where_there_is_no_alpha(tmp_path):
    pixels = np.array([[[0, 100, 200]] * 3 + [[0, 100, 101]]], np.uint8)
    alpha = np.array([[0, 51, 255, 128]], np.uint8)  # none, a fifth, all, about a half
    # 255 − (255 − v) · alpha / 255; the last are 127, 177.2 and 177.7.
    expected = [[[255, 255, 255], [204, 224, 244], [0, 100, 200], [127, 177, 178]]]
    write(tmp_path / "out.bmp", Picture(pixels, alpha))
    with Image.open(tmp_path / "out.bmp") as written:
        np.testing.assert_array_equal(np.asarray(written), expected)
    rgba = Image.fromarray(np.dstack([pixels, alpha]))
    rgba.save(tmp_path / "photo.png")
    np.testing.assert_array_equal(read_small(tmp_path / "photo.png", at_least=1), expected)
    deep = Picture(pixels.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257)
    np.testing.assert_array_equal(deep.over_white()[:, :3], np.array(expected)[:, :3] * 257)


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path):
    for name in ("out.xyz", "out", ".png"):
        with pytest.raises(ImpastoError, match=r"\.jpg .*\.png .*\.tiff"):
            check_writable_suffix(tmp_path / name)
        with pytest.raises(ImpastoError, match="suffix"):
            write(tmp_path / name, Picture(PHOTO))
    assert list(tmp_path.iterdir()) == []
    check_writable_suffix("some/Photo.JPG")


def test_overwriting_only_where_allowed(tmp_path):
    path = tmp_path / "out.png"
    write(path, Picture(PHOTO))
    with pytest.raises(ImpastoError, match="already there"):
        write(path, Picture(255 - PHOTO), overwrite=False)
    np.testing.assert_array_equal(read(path).pixels, PHOTO)
    write(path, Picture(255 - PHOTO))
    np.testing.assert_array_equal(read(path).pixels, 255 - PHOTO)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.webp"
    path.write_bytes(b"the old one")
    too_wide = np.zeros((1, 16384, 3), np.uint8)  # WebP ends at 16383
    with pytest.raises(ImpastoError, match=r"cannot write .*out\.webp.*PNG"):
        write(path, Picture(too_wide))
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_names_with_spaces_and_umlauts_and_new_folders(tmp_path):
    path = tmp_path / "Öl auf Leinwand" / "März 画 (1).png"
    write(path, Picture(PHOTO))
    np.testing.assert_array_equal(read(str(path)).pixels, PHOTO)
    assert find(tmp_path) == [path]


def test_picture_checks_its_arrays():
    with pytest.raises(ValueError, match="float32"):
        Picture(PHOTO.astype(np.float32))
    with pytest.raises(ValueError, match="uint8"):
        Picture(PHOTO[..., :2])
    with pytest.raises(ValueError, match="alpha"):
        Picture(PHOTO, alpha=PHOTO[:5, :, 0])
    with pytest.raises(ValueError, match="alpha"):
        Picture(PHOTO, alpha=PHOTO[..., 0]).with_pixels(PHOTO[:5])


def test_with_pixels_takes_the_rest_along():
    picture = Picture(DEEP, np.full((11, 13), 32896, np.uint16), b"icc", b"exif")
    other = picture.with_pixels(PHOTO)
    assert other.pixels is PHOTO
    assert (other.icc, other.exif) == (b"icc", b"exif")
    np.testing.assert_array_equal(other.alpha, np.full((11, 13), 128, np.uint8))  # 32896 = 128 · 257
    np.testing.assert_array_equal(other.with_pixels(DEEP).alpha, picture.alpha)


# --- Training photos ---


def test_read_small_decodes_jpeg_at_a_fraction(saved):
    path = saved(encoded(Image.fromarray(np.full((480, 640, 3), (200, 100, 50), np.uint8)), "JPEG"))
    # The shorter side, 480: a half is 240, a quarter 120, an eighth 60.
    for at_least, shape in ((481, (480, 640, 3)), (241, (480, 640, 3)), (240, (240, 320, 3)), (60, (60, 80, 3))):
        small = read_small(path, at_least=at_least)
        assert small.shape == shape
        assert small.dtype == np.uint8
        assert small.flags.writeable
        np.testing.assert_allclose(small.astype(int), np.broadcast_to((200, 100, 50), shape), atol=3)


def test_read_small_scales_16_bits(saved):
    grey = np.array([[0, 256, 32768, 65535]], np.uint16)
    for data in (encoded(Image.fromarray(grey), "PNG"), tiff(grey, photometric="minisblack")):
        np.testing.assert_array_equal(read_small(saved(data), at_least=1)[..., 0], [[0, 1, 128, 255]])


# --- What goes wrong ---


def both_refuse(path: Path, what: str) -> None:
    for reader in (read, lambda path: read_small(path, at_least=16)):
        with pytest.raises(ImpastoError, match=what) as caught:
            reader(path)
        text = str(caught.value)
        assert str(path) in text
        assert "\n" not in text
        assert ";" in text, "no advice"


def test_missing_empty_folder_and_no_image(saved, tmp_path):
    both_refuse(tmp_path / "missing.jpg", "no such file")
    both_refuse(saved(b""), "empty")
    both_refuse(tmp_path, "folder")
    both_refuse(saved(b"%PDF-1.7 and so on"), "not a JPEG")
    both_refuse(saved(b"\xff\xd8\xff"), "cannot read")
    for broken in (b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP"):
        both_refuse(saved(broken), "cannot read")
        with pytest.raises(ImpastoError):
            size_of(saved(broken))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    both_refuse(tmp_path / "pipe.jpg", "no regular file")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_no_permission(saved, tmp_path):
    path = saved(encoded(Image.fromarray(PHOTO), "PNG"))
    path.chmod(0)
    both_refuse(path, "[Pp]ermission")
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    with pytest.raises(ImpastoError, match="closed"):
        find(folder)


def photographs() -> dict[str, bytes]:
    """A file of every kind, large enough to be cut."""
    noise = np.random.default_rng(3).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    image, deep = Image.fromarray(noise), noise.astype(np.uint16) * 251
    return {
        "jpeg": encoded(image, "JPEG", exif=rich_exif(), icc_profile=SRGB),
        "progressive jpeg": encoded(image, "JPEG", progressive=True),
        "cmyk jpeg": encoded(image.convert("CMYK"), "JPEG", icc_profile=cmyk_profile(50)),
        "png": encoded(image, "PNG", icc_profile=SRGB, exif=exif_of(6)),
        "palette png": encoded(image.quantize(16), "PNG", transparency=b"\x00\x80"),
        "deep png": with_chunk(imagecodecs.png_encode(deep), chunk(b"eXIf", exif_of(5))),
        "webp": encoded(image, "WEBP", exif=exif_of(8), icc_profile=SRGB),
        "lossless webp": encoded(image.convert("RGBA"), "WEBP", lossless=True),
        "bmp": encoded(image, "BMP"),
        "gif": encoded(image, "GIF"),
        "tiff": encoded(image, "TIFF", exif=rich_exif(of_a_file=True)),
        "lzw tiff": encoded(image, "TIFF", compression="tiff_lzw"),
        "palette tiff": encoded(image.quantize(16), "TIFF", compression="tiff_adobe_deflate"),
        "cmyk tiff": encoded(image.convert("CMYK"), "TIFF", icc_profile=cmyk_profile(50)),
        "jpeg tiff": encoded(image, "TIFF", compression="jpeg"),
        "deep tiff": tiff(deep, photometric="rgb", compression="adobe_deflate", predictor=True, byteorder=">"),
        "tiled tiff": tiff(deep, photometric="rgb", tile=(16, 16), compression="lzw"),
        "plain tiff": tiff(deep, photometric="rgb"),
        "ycbcr tiff": encoded(image.convert("YCbCr"), "TIFF"),
        "fax tiff": encoded(image.convert("1"), "TIFF", compression="group4"),
    }


PHOTOGRAPHS = photographs()


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_every_kind_is_readable_and_its_truncated_half_is_not(saved, kind):
    whole = PHOTOGRAPHS[kind]
    assert read(saved(whole)).pixels.size == 40 * 50 * 3
    both_refuse(saved(whole[: len(whole) // 2]), "cannot read")
    says = "truncated" if kind in ("deep tiff", "tiled tiff", "plain tiff") else "cannot read"
    both_refuse(saved(whole[: len(whole) * 4 // 5]), says)


def test_too_many_pixels(saved):
    path = saved(encoded(Image.fromarray(PHOTO), "PNG"))
    assert read(path, max_pixels=143).pixels.shape == (11, 13, 3)
    with pytest.raises(ImpastoError, match="13×11"):
        read(path, max_pixels=142)
    with pytest.raises(ImpastoError, match="13×11"):
        read_small(path, at_least=1, max_pixels=142)


def giants() -> dict[str, bytes]:
    side = 60000
    gif = encoded(Image.new("L", (8, 8)), "GIF")
    bmp = encoded(Image.new("L", (8, 8)), "BMP")
    jpeg = encoded(Image.new("L", (8, 8)), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    small_tiff = tiff(np.zeros((8, 8), np.uint8), photometric="minisblack")
    for tag in (256, 257):
        small_tiff = small_tiff.replace(struct.pack("<HHII", tag, 4, 1, 8), struct.pack("<HHII", tag, 4, 1, side))
    return {
        "png": b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b""),
        "gif": gif[:6] + struct.pack("<HH", side, side) + gif[10:],
        "bmp": bmp[:18] + struct.pack("<ii", side, side) + bmp[26:],
        "jpeg": jpeg[:at] + struct.pack(">HH", side, side) + jpeg[at + 4 :],
        "tiff": small_tiff,
    }


@pytest.mark.parametrize("kind", giants())
def test_a_giant_is_refused_by_its_header(saved, kind):
    path = saved(giants()[kind])
    start = time.perf_counter()
    both_refuse(path, "60000×60000.*limit")
    assert time.perf_counter() - start < 1
    assert size_of(path) == (60000, 60000)


def test_a_tiff_directory_that_claims_too_much_is_refused_at_once(saved):
    """Each within the limit on pixels, but 12 tiles are not enough, 6 kB neither, and a length is one number."""
    width, length = (struct.pack("<HHII", tag, 4, 1, side) for tag, side in ((256, 50), (257, 40)))
    tiled, plain = PHOTOGRAPHS["tiled tiff"], tiff(SMOOTH[:40, :50], photometric="rgb")
    claims = [
        tiled.replace(width, struct.pack("<HHII", 256, 4, 1, 1_900_000)),
        plain.replace(length, struct.pack("<HHII", 257, 4, 1, 1_900_000)),
        tiled.replace(length, struct.pack("<HHII", 257, 4, 9, 40)).replace(
            width, struct.pack("<HHII", 256, 4, 1, 1 << 23)
        ),
    ]
    start = time.perf_counter()
    for data in claims:
        assert data not in (tiled, plain)
        both_refuse(saved(data), "missing|truncated|damaged|to decode")
    assert time.perf_counter() - start < 1


def test_an_image_without_pixels(saved):
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 5, 8, 2, 0, 0, 0)) + chunk(b"IEND", b"")
    both_refuse(saved(png), "0×5")


def test_pillows_own_limit_is_neither_used_nor_changed(saved, monkeypatch):
    large = Image.new("RGB", (1600, 1300), "red")
    kept = [encoded(large, kind) for kind in ("JPEG", "PNG", "BMP", "TIFF", "GIF")]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600_000)  # Pillow refuses twice as many
    for data in kept:
        assert read(saved(data)).pixels.size == 1600 * 1300 * 3
    assert Image.MAX_IMAGE_PIXELS == 600_000


MUTATIONS = st.tuples(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    st.one_of(st.just(1.0), st.floats(0, 1)),
)


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_a_mutated_file_gives_a_picture_or_an_impasto_error(tmp_path_factory, kind):
    path = tmp_path_factory.mktemp("mutated") / "photo"

    @settings(max_examples=100, derandomize=True, database=None)
    @given(MUTATIONS)
    def check(mutation):
        anywhere, early, keep = mutation
        data = bytearray(PHOTOGRAPHS[kind])
        for where, value in anywhere:
            data[int(where * len(data))] = value
        for position, value in early:
            data[position % len(data)] = value
        path.write_bytes(data[: int(keep * len(data))])
        for call in (
            lambda: read(path, max_pixels=1_000_000),
            lambda: read_small(path, at_least=8, max_pixels=1_000_000),
            lambda: size_of(path),
        ):
            with suppress(ImpastoError):
                assert isinstance(call(), Picture | np.ndarray | tuple)

    check()


def test_broken_files_leave_the_terminal_clean(tmp_path):
    tags = encoded(Image.fromarray(PHOTO), "TIFF", exif=rich_exif(of_a_file=True))
    (tmp_path / "a.tif").write_bytes(tags[: len(tags) - 60])
    (tmp_path / "b.jpg").write_bytes(
        encoded(Image.fromarray(PHOTO), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09" + bytes(range(60)))
    )
    (tmp_path / "c.tif").write_bytes(PHOTOGRAPHS["deep tiff"][:900])
    miscounted = PHOTOGRAPHS["plain tiff"].replace(
        struct.pack("<HHII", 257, 4, 1, 40), struct.pack("<HHII", 257, 4, 1, 1 << 20)
    )
    (tmp_path / "e.tif").write_bytes(miscounted)
    (tmp_path / "d.png").write_bytes(with_chunk(PHOTOGRAPHS["deep png"], chunk(b"gAMA", b"?") + chunk(b"cHRM", b"?")))
    program = (
        "import sys\nfrom impasto.errors import ImpastoError\nfrom impasto.files import images\n"
        "for path in images.find(sys.argv[1]):\n"
        "    try:\n        images.read(path)\n    except ImpastoError:\n        pass\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


# --- Finding ---


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_find_sorts_a_tree_and_leaves_out_what_is_no_photo(tmp_path):
    wanted = [tmp_path / name for name in ("B/z.PNG", "a/b/c/deep.WebP", "a/x.Tiff", "b.jpg", "ä ö.jpeg")]
    touch(*wanted)
    touch(*(tmp_path / name for name in ("notes.txt", "a/._x.Tiff", ".hidden.jpg", ".git/o.png", "__MACOSX/b.jpg")))
    touch(tmp_path / "jpg", tmp_path / "@eaDir" / "b.jpg")
    assert find([tmp_path]) == wanted
    assert find(tmp_path / "a") == [wanted[1], wanted[2]]
    assert find([]) == []


def test_find_takes_a_named_file_and_each_only_once(tmp_path):
    touch(tmp_path / "a" / "x.jpg", tmp_path / "odd.name", tmp_path / ".shown" / "y.png")
    named = [tmp_path / "odd.name", tmp_path / "a", tmp_path, tmp_path / "a" / "x.jpg", tmp_path / ".shown"]
    assert find(named) == [tmp_path / ".shown" / "y.png", tmp_path / "a" / "x.jpg", tmp_path / "odd.name"]


def test_find_follows_links_but_not_in_circles(tmp_path):
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    touch(photos / "x.jpg", elsewhere / "y.jpg")
    try:
        (photos / "round").symlink_to(photos, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    (photos / "link1").symlink_to(elsewhere, target_is_directory=True)
    (photos / "link2").symlink_to(elsewhere, target_is_directory=True)
    (elsewhere / "back").symlink_to(photos, target_is_directory=True)
    (photos / "same.jpg").symlink_to(photos / "x.jpg")
    (photos / "itself").symlink_to(photos / "itself")
    assert find(photos) == [photos / "link1" / "y.jpg", photos / "same.jpg"]


def test_find_names_what_is_missing(tmp_path):
    with pytest.raises(ImpastoError, match=r"nowhere.*check"):
        find([tmp_path / "nowhere"])


def test_all_formats_are_written_and_found(tmp_path):
    for suffix in images.FORMATS:
        write(tmp_path / f"out{suffix}", Picture(PHOTO))
    found = find(tmp_path)
    assert len(found) == len(images.FORMATS)
    for path in found:
        assert size_of(path) == (13, 11)
        assert read(path).pixels.shape == (11, 13, 3)

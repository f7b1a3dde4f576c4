"""Pictures through libvips and plain files against the same through memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.files.images import strips
from impasto.stylizing.samples import resize_rows, resized_samples
from support import photo

pytest.importorskip("pyvips")

Make = Callable[[Path], None]


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a boat"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo(1, 61, 40).save(path, exif=exif, icc_profile=profile, quality=95)


def see_through(path: Path) -> None:
    picture = photo(2, 50, 43)
    picture.putalpha(Image.linear_gradient("L").resize((50, 43)))
    picture.save(path)


def deep(path: Path) -> None:
    values = (np.mgrid[0:40, 0:50][1][..., None] * np.array([1300, 700, 333])).astype(np.uint16)
    path.write_bytes(imagecodecs.png_encode(values))


KINDS: dict[str, tuple[str, Make]] = {
    "turned": ("a.jpg", turned),
    "transparent": ("a.png", see_through),
    "16 bits": ("a.png", deep),
    "grey": ("a.png", lambda path: photo(3).convert("L").save(path)),
    "palette": ("a.png", lambda path: photo(3).quantize(20).save(path)),
    "tiff": ("a.tif", lambda path: photo(4).save(path, compression="tiff_lzw")),
    "webp": ("a.webp", lambda path: photo(5).save(path, lossless=True)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_goes_through_is_what_memory_gives(kind: str, suffix: str, tmp_path: Path) -> None:
    name, make = KINDS[kind]
    make(tmp_path / name)
    expected = images.read(tmp_path / name)
    opened = strips.open_strips(tmp_path / name)
    assert (opened.width, opened.height, opened.kind) == (expected.width, expected.height, expected.pixels.dtype)
    assert opened.alpha == (expected.alpha is not None)
    with opened.decoded() as raw:
        np.testing.assert_array_equal(raw[:], expected.pixels)
        np.testing.assert_array_equal(raw[3:7], expected.pixels[3:7])
        alpha = opened.decoded(alpha=True) if opened.alpha else None
        strips.write_strips(tmp_path / f"out{suffix}", raw, alpha, opened, quality=95)
        if alpha is not None:
            alpha.close()
    result = images.read(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(result.pixels, expected.pixels)
    assert result.icc == expected.icc
    assert (result.alpha is None) == (expected.alpha is None)
    if expected.alpha is not None:
        np.testing.assert_array_equal(result.alpha, expected.alpha)
    if kind == "turned" and suffix == ".png":
        with Image.open(tmp_path / f"out{suffix}") as written:
            assert written.getexif()[0x010E] == "a boat"
            assert written.getexif().get(0x0112, 1) == 1
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kind", ["transparent", "16 bits"])
def test_jpeg_gets_8_bits_over_white(kind: str, tmp_path: Path) -> None:
    name, make = KINDS[kind]
    make(tmp_path / name)
    opened = strips.open_strips(tmp_path / name)
    with opened.decoded() as raw:
        alpha = opened.decoded(alpha=True) if opened.alpha else None
        strips.write_strips(tmp_path / "out.jpg", raw, alpha, opened, quality=100)
        if alpha is not None:
            alpha.close()
    expected = images.read(tmp_path / name).to_8_bits().over_white()
    result = images.read(tmp_path / "out.jpg").pixels
    assert np.abs(result.astype(int) - expected).mean() < 1.5


def test_rows_are_written_where_they_belong() -> None:
    with strips.RawPicture((10, 4, 3), np.dtype(np.uint16)) as raw:
        values = np.arange(120, dtype=np.uint16).reshape(10, 4, 3) * 500
        for start in (6, 0, 3):
            raw[start : start + 4] = values[start : start + 4]
        np.testing.assert_array_equal(raw[:], values)
        path = raw.path
        assert path.exists()
    assert not path.exists()


@pytest.mark.parametrize("size", [(700, 500), (100, 77), (334, 252), (333, 80), (1, 1)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_picture_resized_in_strips_is_the_picture_resized(size: tuple[int, int], kind: type) -> None:
    noise = np.random.default_rng(0).random((333, 251, 3))
    samples = (noise * (1 if kind is np.float32 else np.iinfo(kind).max)).astype(kind)
    target = np.empty((*size, 3), kind)
    resize_rows(samples, target, *size, strip=17)
    off = np.abs(target.astype(float) - resized_samples(samples, *size)).max()
    assert off <= (1e-5 if kind is np.float32 else 1)


def test_damage_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    photo(1, 400, 300).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    folder = Path(tempfile.gettempdir())
    before = set(folder.glob("impasto-*.raw"))
    with pytest.raises(OSError, match=r".+"):
        strips.RawPicture((10**9, 10**9, 3), np.dtype(np.uint16))
    with pytest.raises(ImpastoError, match=r"cannot read .*cut\.jpg"):
        strips.open_strips(tmp_path / "cut.jpg").decoded()
    with pytest.raises(ImpastoError, match=r"cannot read .*none\.jpg: no such file"):
        strips.open_strips(tmp_path / "none.jpg")
    photo(1).save(tmp_path / "fine.png")
    opened = strips.open_strips(tmp_path / "fine.png")
    with opened.decoded() as raw:
        for name, text in (("o.gif", "TIFF, PNG, JPEG or WebP"), ("o.xyz", "suffix .xyz is not known")):
            with pytest.raises(ImpastoError, match=text):
                strips.write_strips(tmp_path / name, raw, None, opened, quality=95)
        with pytest.raises(ImpastoError, match="quality 0"):
            strips.write_strips(tmp_path / "o.jpg", raw, None, opened, quality=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.jpg", "fine.png"]
    assert not set(folder.glob("impasto-*.raw")) - before

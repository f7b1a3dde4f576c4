"""Hostile images and style files: a bounded run of the corpus, and single cases whose end is known."""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import hostile
import hostile_bombs as bombs
import hostile_images
from impasto.errors import ImpastoError, in_one_line
from impasto.files import images, style_file

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks of memory are to be had from /proc")
fuzz = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


# --- The corpus ---


@linux
@pytest.mark.parametrize(("kind", "begin"), [("images", len(bombs.HEAVY)), ("styles", 0)])
def test_a_corpus_of_hostile_files_does_no_harm(kind: str, begin: int) -> None:
    check_corpus(kind, begin, begin + 800, seed=1)


@linux
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["images", "styles"])
def test_a_larger_corpus_does_no_harm(kind: str) -> None:
    check_corpus(kind, 0, 10_000, seed=2)


def check_corpus(kind: str, begin: int, end: int, seed: int) -> None:
    """Crashes, hangs, memory above 1 GB, code that was run, and lines that are not clear, all count as failures."""
    found = hostile.run(kind, end, seed, begin=begin)
    assert [failure for tally in found.values() for failure in tally.failures] == []
    assert sum(tally.tried for tally in found.values()) == end - begin
    assert all(tally.refused for tally in found.values())
    assert sum(tally.read for tally in found.values()) > 50, "nearly nothing gets past the first checks"


def test_the_corpus_is_the_same_again() -> None:
    for number in range(50):
        once, again = (hostile_images.mutated(random.Random(f"7 {number}")) for _ in range(2))
        assert once == again


def test_the_whole_files_are_read(tmp_path: Path) -> None:
    for kind, data in hostile_images.whole().items():
        (tmp_path / "whole").write_bytes(data)
        width, height = images.size_of(tmp_path / "whole")
        assert images.read(tmp_path / "whole").pixels.shape == (height, width, 3), kind


@linux
def test_a_failure_is_noticed_and_blamed_on_its_file(tmp_path: Path) -> None:
    tally = hostile.Tally()
    assert tally.count(0, "png", "read", 0.1, 10)
    assert not tally.count(1, "png", "crashed with -11", 0.1, 10)
    assert not tally.count(2, "png", "read", 0.1, 1_000_000_001)
    assert not tally.count(3, "png", "refused", 21, 10)
    assert [failure.number for failure in tally.failures] == [1, 2, 3]
    assert (tally.crashes, tally.hangs, tally.read, tally.refused) == (2, 1, 1, 0)
    path = tmp_path / "x.png"
    assert hostile.outcome_of(lambda *_: sys.exit(), path, 0).startswith("SystemExit")
    with pytest.raises(ValueError, match="not a clear line"):
        hostile.check_line(ImpastoError("cannot read x.png: \x1b[31m"), path)
    with pytest.raises(ValueError, match="not a clear line"):
        hostile.check_line(ImpastoError("cannot read it"), path)


# --- Single images ---


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("png 2^31 wide", "limit"),
        ("png no pixels", "empty"),
        ("png of chunks", "more than 250,000 pieces"),
        ("png with too much data", "longer than its pixels"),
        ("jpeg 65500 wide", "limit"),
        ("jpeg of scans", "scans"),
        ("gif 65535 wide", "limit"),
        ("webp endless animation", "million pixels"),
        ("bmp 2^31 wide", "limit"),
        ("tiff 2^32 wide", "limit"),
        ("tiff of strips", "pieces"),
        ("tiff jpeg larger", "16×16 pixels holds 65500×65500"),
        ("tiff webp larger", "16×16 pixels holds 8000×8000"),
        ("tiff png larger", "not supported"),
        ("tiff 40 million of 32 channels", "to decode"),
        ("pickle", "not a JPEG"),
    ],
)
def test_a_bomb_is_refused_by_name(name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.jpg"
    path.write_bytes(bombs.BOMBS[name]())
    for reader in (lambda: images.read(path, max_pixels=40_000_000), lambda: images.read_small(path, at_least=16)):
        with pytest.raises(ImpastoError, match=rf"cannot read .*bomb\.jpg: .*{says}.*; ") as caught:
            reader()
        assert str(caught.value).isprintable()
    assert not Path(bombs.MARKER).exists()


def test_what_is_no_file_of_bytes_is_refused_by_name(tmp_path: Path) -> None:
    for number, (name, make) in enumerate(bombs.PLACES.items()):
        if name in ("3 GB of jpeg", "3 GB of bmp", "3 GB of tiff", "3 GB of gif"):
            continue  # whole pictures, or cut ones, with something behind them
        make(tmp_path / f"{number}.png")
        with pytest.raises(ImpastoError, match=rf"cannot read .*{number}\.png"):
            images.read(tmp_path / f"{number}.png")


def test_a_usual_progressive_jpeg_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    Image.new("RGB", (400, 300), (200, 100, 50)).save(path, progressive=True)
    np.testing.assert_allclose(images.read(path).pixels.astype(int), np.full((300, 400, 3), (200, 100, 50)), atol=3)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "1"])
def test_a_picture_of_several_bands_is_as_pillow_says(mode: str, tmp_path: Path) -> None:
    """1.5 million pixels are more than one band of rows."""
    noise = np.random.default_rng(5).integers(0, 256, (1500, 1001, 4), dtype=np.uint8)
    image = Image.fromarray(noise)
    image = image if mode == "RGBA" else image.convert("RGB").convert(mode)
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    image.save(path)
    picture = images.read(path)
    expected = np.asarray(image.convert("RGBA" if mode == "RGBA" else "RGB"))
    np.testing.assert_array_equal(picture.pixels, expected[..., :3])
    if mode == "RGBA":
        np.testing.assert_array_equal(picture.alpha, expected[..., 3])
        share = noise[..., 3:] / 255.0
        over_white = noise[..., :3] * share + 255 * (1 - share)
        np.testing.assert_allclose(picture.over_white(), over_white, atol=0.501)


@fuzz
@given(seed=st.integers(0, 2**32), cut=st.floats(0.5, 1))
def test_any_mutation_gives_a_picture_or_one_line(seed: int, cut: float, tmp_path: Path) -> None:
    _, data = hostile_images.mutated(random.Random(seed))
    path = tmp_path / "mutated.png"
    path.write_bytes(data[: int(cut * len(data))])
    try:
        assert images.read(path, max_pixels=1_000_000).pixels.ndim == 3
    except ImpastoError as error:
        hostile.check_line(error, path)


# --- Single style files ---


@pytest.mark.parametrize(
    "name",
    ["head of 99 MB", "metadata of 90 MB of numbers", "probe of 25 million", "version of 7 MB", "base of 7 MB"],
)
def test_a_style_bomb_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    import hostile_styles

    path = tmp_path / "bomb.safetensors"
    path.write_bytes(hostile_styles.BOMBS[name]())
    with pytest.raises(ImpastoError) as caught:
        style_file.load(path)
    hostile.check_line(caught.value, path)


def test_a_pipe_is_no_style_file_and_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(hostile.os, "mkfifo"):
        pytest.skip("no named pipes here")
    hostile.os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ImpastoError, match=r"pipe\.safetensors.*no regular file"):
        style_file.load(tmp_path / "pipe.safetensors")


def test_a_head_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for length in (0, 1, 7, 1 << 20, 1 << 26, (1 << 63) - 1, (1 << 64) - 1):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        with pytest.raises(ImpastoError, match=r"x\.safetensors is"):
            style_file.load(path)


@fuzz
@given(text=st.text(max_size=2000))
def test_any_text_becomes_one_line(text: str) -> None:
    line = in_one_line(text)
    assert len(line) <= 300
    assert line.isprintable()
    if len(text) <= 300 and text.isprintable() and "  " not in text and text.strip() == text:
        assert line == text

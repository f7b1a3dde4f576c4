"""Strips against the whole picture."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS, style_of
from numpy.typing import NDArray
from PIL import Image

from impasto.errors import ImpastoError
from impasto.files import gallery
from impasto.stylizing.backends import make_backend
from impasto.stylizing.samples import planes_of
from impasto.stylizing.streaming import passes, stream
from impasto.stylizing.strip_plan import FIXED_BYTES, LEAST_ROWS, Plan, kept_bytes, least_memory, make_plan, row_bytes
from impasto.stylizing.stylizer import Stylizer

MIX = np.array([0.5, 0.3, 0.2], np.float32)


def photo(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def psnr(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    largest = 1 if a.dtype.kind == "f" else np.iinfo(a.dtype).max
    return float(10 * np.log10(largest**2 / max(1e-12, np.mean((a.astype(float) - b) ** 2))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spill", [False, True])
def test_a_picture_in_strips_is_the_picture(kind: str, spill: bool, tmp_path: Path) -> None:
    style = style_of(kind)
    whole = make_backend(style, "cpu", "torch")
    for size in ((61, 50), (96, 33), (9, 70)):
        picture = photo(*size)
        painted = np.zeros_like(picture)
        stream(style, MIX, picture, painted, Plan(16, tmp_path if spill else None))
        assert psnr(painted, whole(picture[None], MIX)[0]) > 58
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25)
@given(
    st.sampled_from(["turbo", "classic, reflection, linear, skip", "classic"]),
    st.integers(1, 70),
    st.integers(1, 40),
    st.sampled_from([8, 16, 24, 64]),
)
def test_of_any_size_and_in_any_strips(kind: str, height: int, width: int, strip: int) -> None:
    style, picture = style_of(kind), photo(height, width, seed=height * width)
    painted = np.zeros_like(picture)
    stream(style, MIX, picture, painted, Plan(strip))
    # On a handful of cells the statistics are those of noise, which rounding may turn.
    if min(height, width) > 8:
        assert psnr(painted, make_backend(style, "cpu", "torch")(picture[None], MIX)[0]) > 50


@pytest.mark.parametrize("base", ["classic", "turbo"])
def test_bundled_styles_in_strips_show_no_seam(base: str) -> None:
    from skimage.data import coffee

    style, picture = gallery.load(gallery.path_of(base)), np.ascontiguousarray(coffee()[:333, :301])
    mix = np.eye(len(style.names), dtype=np.float32)[2]
    whole = make_backend(style, "cpu", "openvino", "float32")(picture[None], mix)[0]
    painted = np.zeros_like(picture)
    stream(style, mix, picture, painted, Plan(32))
    assert psnr(painted, whole) > 55
    off = np.abs(painted.astype(int) - whole).max(axis=(1, 2))
    assert off.max() <= 3
    assert off[31::32].mean() <= off.mean() + 0.5


def test_sixteen_bits_and_floats_keep_theirs() -> None:
    style, picture = style_of("turbo"), photo(40, 52)
    whole = make_backend(style, "cpu", "torch")(planes_of(picture[None]), MIX)[0].transpose(1, 2, 0)
    for samples, expected in ((np.float32(picture / 255), whole), (picture.astype(np.uint16) * 257, whole * 65535)):
        painted = np.zeros_like(samples)
        stream(style, MIX, samples, painted, Plan(16))
        largest = 1 if samples.dtype.kind == "f" else 65535
        assert painted.dtype == samples.dtype
        assert np.abs(painted - expected).max() / largest < 0.004
        assert psnr(painted, expected.astype(painted.dtype)) > 60


def test_progress_rises_to_one() -> None:
    style, picture, seen = style_of("turbo"), photo(64, 40), []
    stream(style, MIX, picture, np.zeros_like(picture), Plan(16), on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert len(seen) == passes(style) * 4


# --- Plans ---


def test_a_plan_keeps_in_memory_what_fits_and_spills_what_does_not() -> None:
    network = style_of("turbo").network
    size = 6000, 4000
    kept, row = kept_bytes(network, *size), row_bytes(network, size[1])
    assert make_plan(network, *size, kept + 64 * row + FIXED_BYTES) == Plan(64, None)
    spilled = make_plan(network, *size, 64 * row + FIXED_BYTES + 1)
    assert spilled.strip == 64
    assert spilled.spill is not None
    narrow = make_plan(network, *size, least_memory(network, *size) + 1)
    assert narrow.strip == LEAST_ROWS
    assert narrow.strip % network.downsampling == 0


def test_too_little_memory_and_too_little_disk_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    network = style_of("turbo").network
    with pytest.raises(ImpastoError, match=r"4000×6000 pixels take .* MB even in strips.*--max-memory"):
        make_plan(network, 6000, 4000, least_memory(network, 6000, 4000) // 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(ImpastoError, match=r"of temporary files, and .*TMPDIR"):
        make_plan(network, 6000, 4000, 64 * row_bytes(network, 4000) + FIXED_BYTES + 1)


def test_a_stylizer_goes_over_to_strips_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    style, picture = style_of("classic, reflection, linear, skip"), photo(600, 500)
    stylizer = Stylizer(style, make_backend(style, "cpu", "torch"), max_memory=2_000_000_000)
    seen: list[float] = []
    stylizer.on_progress = seen.append
    expected = stylizer(picture)
    assert seen == []
    monkeypatch.setattr(stylizer.backend, "working_memory", lambda height, width: 10**12)
    assert psnr(stylizer(picture), expected) > 58
    assert seen[-1] == pytest.approx(1)
    stylizer.max_memory = 1_000_000
    with pytest.raises(ImpastoError, match=r"500×600 pixels needs about .* raise --max-memory"):
        stylizer(picture)

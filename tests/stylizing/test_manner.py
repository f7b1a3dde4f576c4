"""Strength, strokes, masks and colours of a repainting, with backends whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.config import Precision
from impasto.errors import ImpastoError
from impasto.files.style_file import IDENTITY, Style
from impasto.stylizing.backends import Photos
from impasto.stylizing.color import photo_chroma
from impasto.stylizing.manner import Manner, soft_mask, working_size
from impasto.stylizing.samples import Floats
from impasto.stylizing.stylizer import Stylizer


class Mixing:
    """A backend of three rows: black, white, and the photo itself."""

    name = "mixing"
    precision: Precision = "float32"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        self.shapes.append(photos.shape)
        assert mix.sum() == pytest.approx(1)
        if photos.dtype == np.uint8:
            return np.asarray(np.rint(255 * mix[1] + mix[2] * photos), np.uint8)
        return np.asarray(mix[1] + mix[2] * photos, np.float32)

    def working_memory(self, height: int, width: int) -> int:
        return height * width


@pytest.fixture
def stylizer(style: Style) -> Stylizer:
    return Stylizer(replace(style, names=("black", "white", IDENTITY)), Mixing())


def photo(height: int = 20, width: int = 30) -> NDArray[np.float32]:
    return np.random.default_rng(3).random((3, height, width), dtype=np.float32)


def test_the_identity_is_no_style(stylizer: Stylizer) -> None:
    assert stylizer.names == ("black", "white")
    for wanted in (IDENTITY, 2):
        with pytest.raises(ImpastoError, match="has no style"):
            stylizer(photo(), wanted)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.8, 1.0])
def test_strength_mixes_the_style_with_the_identity(stylizer: Stylizer, strength: float) -> None:
    expected = strength + (1 - strength) * photo()  # white
    np.testing.assert_allclose(stylizer(photo(), "white", strength=strength), expected, atol=1e-6)
    half = stylizer(photo(), {"black": 1, "white": 3}, strength=strength)
    np.testing.assert_allclose(half, strength * 0.75 + (1 - strength) * photo(), atol=1e-6)


def test_without_an_identity_strength_fades_the_picture(style: Style) -> None:
    stylizer = Stylizer(replace(style, names=("black", "white", "copy")), Mixing(), own="white")
    np.testing.assert_allclose(stylizer(photo(), strength=0.4), 0.4 + 0.6 * photo(), atol=1e-6)


def test_a_call_without_a_style_takes_the_stylizers_own(style: Style) -> None:
    named = replace(style, names=("black", "white", IDENTITY))
    assert float(Stylizer(named, Mixing(), own="white")(photo()).min()) == 1
    mix = Stylizer(named, Mixing(), own={"black": 1.0, "white": 1.0})
    np.testing.assert_allclose(mix(photo()), 0.5, atol=1e-6)
    assert float(mix(photo(), "black").max()) == 0


@pytest.mark.parametrize(
    ("size", "stroke", "expected"),
    [
        ((600, 800), 1.0, (600, 800)),
        ((768, 1024), 1.0, (768, 1024)),
        ((3072, 4096), 1.0, (1536, 2048)),  # a quarter of the side would be 1024: halfway there
        ((600, 800), 2.0, (300, 400)),
        ((600, 800), 0.5, (1200, 1600)),
        ((3072, 4096), 0.5, (3072, 4096)),
        ((1, 9), 4.0, (1, 2)),
    ],
)
def test_the_size_at_which_the_network_works(
    size: tuple[int, int], stroke: float, expected: tuple[int, int], stylizer: Stylizer
) -> None:
    assert working_size(*size, stroke=stroke) == expected
    result = stylizer(np.zeros((3, *size), np.float32), "white", stroke=stroke)
    assert result.shape == (3, *size)
    assert isinstance(stylizer.backend, Mixing)
    assert stylizer.backend.shapes == [(1, 3, *expected)]


def test_a_mask_repaints_inside_and_leaves_the_photo_outside(stylizer: Stylizer) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 30:] = 255
    result = stylizer(photo(100, 150), "white", mask=mask)
    np.testing.assert_array_equal(result[..., :60], photo(100, 150)[..., :60])
    np.testing.assert_allclose(result[..., 90:], 1, atol=1e-6)
    other = stylizer(photo(100, 150), "white", mask=mask, outside="black")
    assert float(other[..., :60].max()) == 0
    np.testing.assert_allclose(other[..., 90:], 1, atol=1e-6)


def test_the_edges_of_a_mask_are_soft_and_in_their_place() -> None:
    mask = np.zeros((100, 400), np.uint8)
    mask[:, 200:] = 255
    weights = soft_mask(mask, 100, 400)
    row = weights[50]
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 0.3
    assert row[199] + row[200] == pytest.approx(1, abs=0.02)
    assert 4 <= ((row > 0.02) & (row < 0.98)).sum() <= 16  # about 2 % of the longer side


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, bool])
def test_a_mask_may_hold_any_kind_of_numbers(kind: type) -> None:
    inside = np.indices((50, 50))[0] >= 25
    largest = np.iinfo(kind).max if kind in (np.uint8, np.uint16) else 1
    weights = soft_mask((inside * largest).astype(kind), 50, 50)
    assert weights.min() == 0
    assert weights.max() == 1


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ImpastoError, match=r"mask is 30×40 pixels and the photo 80×60"):
        soft_mask(np.zeros((40, 30), np.uint8), 60, 80)


def test_colors_are_those_of_the_photo(stylizer: Stylizer) -> None:
    result = stylizer(photo(), "white", strength=0.5, colors="photo")
    np.testing.assert_allclose(result, photo_chroma(0.5 + 0.5 * photo(), photo()), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"strength": 1.5}, "strength is 1.5"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"stroke": 0.0}, "stroke is 0.0"),
        ({"colors": "blue"}, "colors are 'blue'"),
        ({"mask": np.zeros((3, 3, 3))}, "a mask has one number a pixel"),
        ({"outside": "black"}, "needs a mask"),
    ],
)
def test_an_option_out_of_range_is_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ImpastoError, match=text):
        Manner(**options)


def test_pictures_keep_their_kind(stylizer: Stylizer) -> None:
    picture = Image.fromarray((photo(30, 30).transpose(1, 2, 0) * 255).astype(np.uint8))
    result = stylizer(picture, "white", strength=0.5, stroke=2.0, mask=np.full((30, 30), 255, np.uint8))
    assert result.size == (30, 30)
    assert np.asarray(result).min() >= 126

"""Resizing and setting side by side."""

from __future__ import annotations

import numpy as np
import pytest

from impasto.errors import ImpastoError
from impasto.files.images import Picture
from impasto.stylizing.arrange import resized, side_by_side


@pytest.mark.parametrize(
    ("width", "height", "longer", "expected"),
    [
        (60, 40, 30, (30, 20)),
        (40, 60, 30, (20, 30)),
        (60, 40, 120, (120, 80)),
        (1000, 1, 10, (10, 1)),
        (7, 5, 7, (7, 5)),
    ],
)
def test_the_longer_side_gets_the_size_and_the_shape_stays(
    width: int, height: int, longer: int, expected: tuple[int, int]
) -> None:
    result = resized(Picture(np.zeros((height, width, 3), np.uint8)), longer)
    assert (result.width, result.height) == expected


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_constant_stays_constant_at_full_depth_and_alpha_follows(kind: type) -> None:
    value = np.iinfo(kind).max - 3
    picture = Picture(np.full((20, 30, 3), value, kind), np.full((20, 30), 7, kind), b"icc", b"exif")
    result = resized(picture, 45)
    assert result.pixels.dtype == kind
    assert (result.pixels == value).all()
    assert result.alpha is not None
    assert result.alpha.shape == (30, 45)
    assert (result.alpha == 7).all()
    assert (result.icc, result.exif) == (b"icc", b"exif")


def test_a_ramp_survives_halving() -> None:
    ramp = np.repeat(np.arange(0, 60_000, 1000, dtype=np.uint16)[None, :, None], 3, axis=2).repeat(10, axis=0)
    halved = resized(Picture(ramp), 30).pixels[4, 5:-5, 0].astype(int)
    expected = (np.arange(30) * 2000 + 500)[5:-5]  # the mean of each pair
    assert np.abs(halved - expected).max() <= 20


def test_size_out_of_range_is_refused() -> None:
    with pytest.raises(ImpastoError, match="--size is 0"):
        resized(Picture(np.zeros((2, 2, 3), np.uint8)), 0)


def test_side_by_side_puts_the_photo_left_and_transparency_over_white() -> None:
    alpha = np.zeros((10, 20), np.uint8)
    photo = Picture(np.zeros((10, 20, 3), np.uint8), alpha)
    painted = Picture(np.full((10, 20, 3), 99, np.uint8))
    both = side_by_side(photo, painted).pixels
    assert both.shape == (10, 20 + 4 + 20, 3)
    assert (both[:, :24] == 255).all()
    assert (both[:, 24:] == 99).all()

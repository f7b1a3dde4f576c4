"""The photo's colours kept: Oklab against published values, lightness and hue in another way, moments by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from impasto.stylizing.color import Moments, matching, oklab, photo_chroma


def planes(seed: int, height: int = 9, width: int = 14) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((3, height, width), dtype=np.float32)


def matched(stylized: NDArray[np.float32], photo: NDArray[np.float32]) -> NDArray[np.float32]:
    """Matched with moments that come in three parts."""
    ours, theirs = Moments(), Moments()
    for moments, colours in ((ours, stylized), (theirs, photo)):
        for part in np.array_split(colours, 3, axis=1):
            moments.add(part)
    return matching(ours, theirs)(stylized)


def lab_by_hand(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """Ottosson's code, one colour at a time, in double precision."""
    result = []
    for colour in rgb.astype(np.float64):
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
        l = np.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)  # noqa: E741
        m = np.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
        s = np.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
        result.append(
            (
                0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
            )
        )
    return np.array(result)


def test_oklab_has_the_published_values() -> None:
    colours = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    published = [[1, 0, 0], [0.62796, 0.22486, 0.12585], [0.86644, -0.23389, 0.1795], [0.45201, -0.03246, -0.31153]]
    np.testing.assert_allclose(oklab(colours.T).T, [*published, [0, 0, 0]], atol=1e-4)


def test_oklab_of_any_colour() -> None:
    rgb = planes(1).reshape(3, -1)
    np.testing.assert_allclose(oklab(rgb).T, lab_by_hand(rgb.T), atol=1e-5)


def test_the_photos_chroma_stands_under_the_stylized_lightness() -> None:
    # Of middling colours every combination can be shown, so nothing has to give way.
    stylized, photo = 0.4 + 0.2 * planes(2), 0.45 + 0.1 * planes(3)
    result = lab_by_hand(photo_chroma(stylized, photo).reshape(3, -1).T)
    np.testing.assert_allclose(result[:, 0], lab_by_hand(stylized.reshape(3, -1).T)[:, 0], atol=1e-3)
    np.testing.assert_allclose(result[:, 1:], lab_by_hand(photo.reshape(3, -1).T)[:, 1:], atol=1e-3)


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_what_cannot_be_shown_loses_chroma_but_neither_lightness_nor_hue(seed: int) -> None:
    stylized, photo = planes(seed, 3, 4), planes(seed + 1, 3, 4)
    result = photo_chroma(stylized, photo)
    assert result.min() >= 0
    assert result.max() <= 1
    found, wanted = (lab_by_hand(p.reshape(3, -1).T) for p in (result, photo))
    np.testing.assert_allclose(found[:, 0], lab_by_hand(stylized.reshape(3, -1).T)[:, 0], atol=0.02)
    chroma, most = np.hypot(*found[:, 1:].T), np.hypot(*wanted[:, 1:].T)
    assert (chroma <= most + 0.01).all()
    seen = chroma > 0.05
    turn = np.angle(np.exp(1j * (np.arctan2(*found[seen, 1:].T) - np.arctan2(*wanted[seen, 1:].T))))
    assert np.abs(turn).max(initial=0) < 0.1


def test_a_photo_under_its_own_lightness_is_itself() -> None:
    photo = planes(4)
    np.testing.assert_allclose(photo_chroma(photo, photo), photo, atol=2e-3)


def test_grey_photos_stay_grey() -> None:
    grey = np.broadcast_to(planes(5)[:1], (3, 9, 14)).astype(np.float32)
    result = photo_chroma(planes(6), grey)
    assert np.abs(result - result.mean(0)).max() < 2e-3


def test_a_match_has_the_photos_mean_and_covariance() -> None:
    stylized, photo = planes(7, 30, 40), 0.4 + 0.2 * planes(8, 30, 40) * np.array([1, 0.5, 0.2])[:, None, None]
    result = matched(stylized, photo.astype(np.float32)).reshape(3, -1)
    assert 0 < result.min() < result.max() < 1  # else clipping would have moved them
    np.testing.assert_allclose(result.mean(1), photo.reshape(3, -1).mean(1), atol=1e-4)
    np.testing.assert_allclose(np.cov(result), np.cov(photo.reshape(3, -1)), atol=1e-5)


def test_matching_one_colour_and_to_one_colour() -> None:
    flat = np.full((3, 4, 5), 0.25, np.float32)
    np.testing.assert_allclose(matched(planes(9, 4, 5), flat), flat, atol=2e-3)
    assert np.isfinite(matched(flat, planes(9, 4, 5))).all()


def test_moments_in_parts_are_those_of_the_whole() -> None:
    moments, colours = Moments(), planes(10, 31, 17)
    for part in np.split(colours, [3, 4, 20], axis=1):
        moments.add(part)
    np.testing.assert_allclose(moments.mean[:, 0], colours.reshape(3, -1).mean(1), atol=1e-6)
    np.testing.assert_allclose(moments.covariance, np.cov(colours.reshape(3, -1)), atol=1e-6)

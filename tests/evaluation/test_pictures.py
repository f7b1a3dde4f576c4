"""Which photos are taken, and how they are cropped and resized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from impasto.errors import ImpastoError
from impasto.evaluation.pictures import Source, choose_photos, evenly_spaced, to_pixels, to_tensor
from impasto.files.images.resizing import centre_square, with_short_side
from support import photo


@given(st.integers(1, 300), st.integers(1, 300))
def test_places_are_spread_over_all(found: int, count: int) -> None:
    places = evenly_spaced(found, count)
    assert len(places) == len(set(places)) == min(found, count)
    assert places == sorted(places)
    assert places[0] == 0
    gaps = np.diff(places)
    assert len(places) == 1 or (places[-1] == found - 1 and gaps.max() - gaps.min() <= 1)


def test_the_choice_depends_on_nothing_but_the_folder(photo_folder: Path) -> None:
    said: list[str] = []
    first = choose_photos([photo_folder], 4, said.append)
    assert first == choose_photos([photo_folder], 4, said.append)
    assert len({source.sha256 for source in first.chosen}) == 4
    assert len(choose_photos([photo_folder], 500, said.append).chosen) == 12
    assert said == []


def test_for_a_broken_photo_the_next_is_taken_and_the_broken_named(tmp_path: Path) -> None:
    for seed in range(5):
        photo(seed).save(tmp_path / f"{seed}.png")
    (tmp_path / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said: list[str] = []
    photos = choose_photos([tmp_path], 3, said.append)
    assert [source.name for source in photos.chosen] == ["1.png", "2.png", "4.png"]
    assert list(photos.broken) == [str(tmp_path / "0.png")]
    assert len(said) == 1
    assert "0.png" in said[0]
    assert photos.smaller_than(41) == 3
    assert photos.smaller_than(40) == 0


def test_a_folder_without_readable_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="no photos"):
        choose_photos([tmp_path], 3, print)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ImpastoError, match=r"none of the photos.*a.png"):
        choose_photos([tmp_path], 3, lambda _: None)


def test_photos_are_cropped_to_the_centre_and_paintings_keep_their_shape(tmp_path: Path) -> None:
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[:, 30:70] = 255
    assert (centre_square(pixels, 20) == 255).all()
    assert with_short_side(pixels, 20).shape == (20, 50, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    source = Source.of(tmp_path / "a.png")
    assert source.square(64).shape == (1, 3, 64, 64)
    assert source.short_side(64).shape == (1, 3, 64, 160)
    assert source.square(64).min() == 1.0


def test_pixels_survive_the_way_to_a_tensor_and_back() -> None:
    pixels = np.asarray(photo(1))
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, 40, 48)
    assert np.array_equal(to_pixels(tensor), pixels)
    assert np.array_equal(to_pixels(torch.full((1, 3, 1, 1), 1.7)), [[[255] * 3]])

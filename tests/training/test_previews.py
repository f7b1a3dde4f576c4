"""Which photos the previews of a training show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from impasto.config import TrainConfig
from impasto.errors import ImpastoError
from impasto.training import previews
from impasto.training.photos import Photos
from support import photo

SIDE = previews.SIDE


@pytest.fixture
def photos(photo_folder: Path) -> Photos:
    return Photos.find((str(photo_folder),), replace(TrainConfig(), image_size=48, workers=0))


def test_photos_of_ones_own_are_seen_larger_than_those_of_the_training(photos: Photos, tmp_path: Path) -> None:
    photo(1, 700, 400).save(tmp_path / "a.png")
    photo(2, 30, 90).save(tmp_path / "b.jpg")
    said: list[str] = []
    own = previews.looked_at([str(tmp_path / "a.png"), str(tmp_path / "b.jpg")], photos, said.append)
    assert own.shape == (2, 3, SIDE, SIDE)
    assert previews.looked_at((), photos, said.append).shape == (4, 3, 48, 48)
    assert not said


def test_photos_that_vanished_are_told_once_and_others_shown(photos: Photos, tmp_path: Path) -> None:
    photo(1).save(tmp_path / "a.png")
    said: list[str] = []
    one = previews.looked_at([str(tmp_path / "a.png"), str(tmp_path / "gone.jpg")], photos, said.append)
    assert one.shape == (1, 3, SIDE, SIDE)
    assert previews.looked_at([str(tmp_path / "gone.jpg")], photos, said.append).shape == (4, 3, 48, 48)
    assert len(said) == 2
    assert all("left out of the previews" in text and "gone.jpg" in text for text in said)
    assert "photos of the training instead" in said[1]


def test_too_many_or_unreadable_ones_are_refused(tmp_path: Path) -> None:
    photo(1).save(tmp_path / "a.png")
    previews.require_few([tmp_path / "a.png"] * 4)
    with pytest.raises(ImpastoError, match="--preview-photos names 5 photos; it takes up to 4"):
        previews.require_few([tmp_path / "a.png"] * 5)
    with pytest.raises(ImpastoError, match=r"gone\.jpg"):
        previews.require_few([tmp_path / "gone.jpg"])

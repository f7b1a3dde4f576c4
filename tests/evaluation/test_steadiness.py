"""Steadiness: painters whose steadiness is known beforehand, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.evaluation.pictures import Source
from impasto.evaluation.steadiness import MOTIONS, NOISE, STILL, Steadiness, measure
from support import Command, photo

Pixels = NDArray[np.uint8]


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    paths = [tmp_path / f"{seed}.png" for seed in range(2)]
    for seed, path in enumerate(paths):
        photo(seed, 120, 90).resize((240, 180), Image.Resampling.BICUBIC).save(path)
    return [Source.of(path) for path in paths]


def test_who_leaves_the_photo_alone_is_as_steady_as_pixels_allow(sources: list[Source]) -> None:
    found = measure("nothing", lambda pixels: pixels, sources)
    assert list(found.errors) == [*MOTIONS, STILL]
    for kind in MOTIONS:
        assert found.errors[kind] < 0.5 / 255  # the rounding of two frames
    assert found.errors[STILL] == pytest.approx(NOISE * 2**0.5, rel=0.03)


def test_a_plain_colour_is_perfectly_steady(sources: list[Source]) -> None:
    assert measure("grey", lambda pixels: np.full_like(pixels, 77), sources).mean < 1e-6


def test_what_sticks_to_the_frame_is_not_steady(sources: list[Source]) -> None:
    def stripes(pixels: Pixels) -> Pixels:
        painted = np.zeros_like(pixels)
        painted[:, ::2] = 200
        return painted

    found = measure("stripes", stripes, sources)
    assert found.errors["pan"] == pytest.approx(200 / 255, abs=0.01)  # three pixels on, every stripe is wrong
    assert found.errors[STILL] == 0


def test_the_mean_is_that_of_squares() -> None:
    assert Steadiness("a", {"x": 0.3, "y": 0.4, "z": 0.0}).mean == pytest.approx((0.25 / 3) ** 0.5)


def test_the_command_prints_and_writes_it(
    impasto: Command, impasto_here: Command, photo_folder: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    arguments = ("great_wave-turbo", "great_wave", "--temporal", "--photos", photo_folder, "--count", 2)
    done = impasto("evaluate", *arguments, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "steadiness.json").read_text())
    assert list(told) == ["great_wave-turbo", "great_wave"]
    assert f"{100 * told['great_wave-turbo']['mean']:.2f} %" in done.stdout
    assert 0 < told["great_wave-turbo"]["mean"] < told["great_wave"]["mean"] / 1.5  # it learned to be steady
    refused(impasto_here("evaluate", *arguments, "--out", tmp_path), "will not overwrite")
    refused(impasto_here("evaluate", "great_wave", "--photos", photo_folder), "--painting FILE", "--temporal")

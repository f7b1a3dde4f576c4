"""The paintings that come with the package are those that scripts/draw_paintings.py draws."""

from __future__ import annotations

import importlib
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import impasto as package

FOLDER = Path(package.__file__).parent / "assets" / "paintings"
NAMES = ("flow_field", "linocut", "pointillism", "stained_glass")


def shipped(name: str) -> NDArray[np.uint8]:
    with Image.open(FOLDER / f"{name}.jpg") as image:
        return np.asarray(image)


def a_quarter(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(pixels).resize((width // 4, height // 4), Image.Resampling.BOX), np.float64)


def histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The share of each of 5 × 5 × 5 colours."""
    bins = pixels.reshape(-1, 3).astype(np.int64) * 5 // 256 @ [25, 5, 1]
    return np.bincount(bins, minlength=125) / len(bins)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "scripts"))
        return importlib.import_module("draw_paintings")


def test_the_script_draws_what_is_shipped_and_nothing_else(script: ModuleType) -> None:
    assert sorted(script.PAINTINGS) == sorted(NAMES) == sorted(path.stem for path in FOLDER.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_painting_is_small_and_full_of_texture(name: str) -> None:
    assert (FOLDER / f"{name}.jpg").stat().st_size < 160_000
    pixels = shipped(name)
    height, width, _ = pixels.shape
    assert 700 < np.sqrt(height * width) < 850
    light = pixels.mean(axis=2)
    assert np.percentile(light, 98) - np.percentile(light, 2) > 150  # dark and light areas
    tiles = light[: height // 64 * 64, : width // 64 * 64].reshape(height // 64, 64, width // 64, 64)
    assert tiles.std(axis=(1, 3)).min() > 9  # no empty area


@pytest.mark.parametrize("name", NAMES)
def test_a_painting_is_what_the_script_draws(name: str, script: ModuleType) -> None:
    painting = script.PAINTINGS[name]
    # One sample a pixel is quicker; but a bristle is then a pixel wide, and its rounding would show.
    canvas = replace(painting.CANVAS, scale=2 if name == "flow_field" else 1)
    pixels, expected = painting.draw(canvas), shipped(name)
    assert pixels.shape == expected.shape
    error = np.square(a_quarter(pixels) - a_quarter(expected)).mean()
    assert 10 * np.log10(255**2 / error) > 30


def test_a_painting_is_drawn_the_same_each_time(script: ModuleType) -> None:
    painting = script.PAINTINGS["pointillism"]
    canvas = replace(painting.CANVAS, scale=1)
    np.testing.assert_array_equal(painting.draw(canvas), painting.draw(canvas))


@pytest.mark.parametrize(("one", "other"), list(combinations(NAMES, 2)))
def test_two_paintings_share_few_colours(one: str, other: str) -> None:
    assert np.minimum(histogram(shipped(one)), histogram(shipped(other))).sum() < 0.6

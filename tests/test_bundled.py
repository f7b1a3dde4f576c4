"""The styles that come with the package, on real photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

import impasto as package
from impasto import workflows
from impasto.files import style_file
from support import Command


def checkerboard(pixels: NDArray[np.uint8]) -> float:
    """Energy of second differences over that of first differences: 2 for noise, 4 for a one-pixel checkerboard."""
    image = pixels.astype(np.float64)
    first = sum(np.square(np.diff(image, axis=axis)).mean() for axis in (0, 1))
    second = sum(np.square(np.diff(image, 2, axis=axis)).mean() for axis in (0, 1))
    return float(second / first)


def test_the_measure_itself() -> None:
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    assert checkerboard(board) == pytest.approx(4)
    ramp = np.tile(np.arange(32, dtype=np.uint8)[None, :, None], (32, 1, 3))
    assert checkerboard(ramp) == pytest.approx(0)


def test_great_wave_comes_with_the_package() -> None:
    assert "great_wave" in package.styles()


@pytest.mark.parametrize("name", package.styles())
def test_a_bundled_style_repaints_real_photos_well(name: str) -> None:
    path = workflows.style_path(name)
    assert path.stat().st_size < 4_000_000
    style = style_file.load(path)
    assert len(style.provenance["painting_sha256"]) == 64
    stylizer = package.load(name)  # checks the probe
    for photo in (skimage.data.chelsea(), skimage.data.rocket()[:401, :399]):
        painted = stylizer(photo)
        assert painted.shape == photo.shape
        change = np.abs(painted.astype(float) - photo).mean()
        assert 10 < change < 120
        assert painted.std() > 25  # no mud
        assert checkerboard(painted) < 2.3  # no one-pixel grid
        # The photo is still to be recognized: its large shapes are those of the result.
        small = [np.asarray(Image.fromarray(p).convert("L").resize((32, 32))).ravel() for p in (photo, painted)]
        assert abs(np.corrcoef(small)[0, 1]) > 0.3
        border = np.concatenate([painted[0], painted[-1], painted[:, 0], painted[:, -1]]).astype(float)
        inside = np.concatenate([painted[8], painted[-9], painted[:, 8], painted[:, -9]]).astype(float)
        assert np.abs(border.mean(axis=0) - inside.mean(axis=0)).max() < 40  # no dirty border


def test_the_demo_repaints_sample_photos_trains_a_style_and_repaints_them_with_that(
    impasto: Command, tmp_path: Path
) -> None:
    done = impasto("demo", "demo pictures", "--minutes", "0.03", cwd=tmp_path, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "demo pictures"
    pictures = sorted(folder.glob("*.jpg"))
    assert len(pictures) == 4 * len(package.styles()) + 4
    assert {path.name for path in folder.iterdir() if path not in pictures} == {"flow_field.safetensors", "runs"}
    assert not (tmp_path / "runs").exists()
    with Image.open(pictures[0]) as picture:
        assert picture.size == (512 + 5 + 512, 512)  # astronaut beside its stylized image


def test_the_table_of_styles_names_each(impasto: Command) -> None:
    done = impasto("styles")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in [*package.styles(), "flow_field", "stained_glass"])

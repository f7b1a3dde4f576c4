"""The styles that come with the package, on real photos."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

import impasto as package
from impasto import workflows
from support import Command, photo


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


@pytest.mark.parametrize("name", package.styles())
def test_a_bundled_style_repaints_real_photos_well(name: str) -> None:
    stylizer = package.load(name)
    for original in (skimage.data.chelsea(), skimage.data.rocket()[:401, :399]):
        painted = stylizer(original)
        assert painted.shape == original.shape
        change = np.abs(painted.astype(float) - original).mean()
        assert 10 < change < 120
        assert painted.std() > 25  # no mud
        assert checkerboard(painted) < 2.3  # no one-pixel grid
        # The photo is still to be recognized: its large shapes are those of the result.
        small = [np.asarray(Image.fromarray(p).convert("L").resize((32, 32))).ravel() for p in (original, painted)]
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
    assert len(pictures) == 4 * len(workflows.DEMO_STYLES) + 4
    assert {path.name for path in folder.iterdir() if path not in pictures} == {"flow_field.safetensors", "runs"}
    assert not (tmp_path / "runs").exists()
    with Image.open(pictures[0]) as picture:
        assert picture.size == (512 + 5 + 512, 512)  # astronaut beside its stylized image


def test_the_table_of_styles_names_each(impasto: Command) -> None:
    done = impasto("styles")
    assert done.returncode == 0, done.stderr
    plain = [name for name in package.styles() if not name.endswith("-turbo")]
    assert all(name in done.stdout for name in plain)
    assert "Hokusai" in done.stdout
    assert "public domain" in done.stdout


def test_the_contact_sheet_has_a_row_a_style_and_a_column_a_photo(impasto: Command, tmp_path: Path) -> None:
    for seed, name in enumerate(("a.png", "b.jpg")):
        photo(seed, 68, 34).save(tmp_path / name)
    common = ("styles", "--sheet", "sheet.png", "--only", "udnie-turbo", "tableau-turbo", "--photos", "a.png", "b.jpg")
    done = impasto(*common, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "sheet.png") as opened:
        sheet = np.asarray(opened.convert("RGB")).astype(float)
    assert sheet.shape == (3 * 170 + 2 * 6, 120 + 2 * (6 + 340), 3)
    for row, style in enumerate((None, "udnie-turbo", "tableau-turbo")):
        for column, name in enumerate(("a.png", "b.jpg")):
            with Image.open(tmp_path / name) as opened:
                small = opened.convert("RGB") if style is None else package.load(style)(opened.convert("RGB"))
            cell = sheet[176 * row : 176 * row + 170, 126 + 346 * column :][:, :340]
            wanted = np.asarray(small.resize((340, 170), Image.Resampling.LANCZOS)).astype(float)
            assert np.abs(cell - wanted).mean() < 2, (style, name)
    again = impasto(*common, cwd=tmp_path)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert impasto("styles", "--photos", "a.png", cwd=tmp_path).returncode == 2


def test_all_that_comes_with_the_package_is_small() -> None:
    folder = Path(package.__file__).parent
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 15_000_000


STYLES = package.styles()
SAMPLES = ("chelsea", "coffee")


def sample(name: str, side: int = 256) -> NDArray[np.uint8]:
    picture = Image.fromarray(getattr(skimage.data, name)())
    short = min(picture.size)
    return np.asarray(picture.crop((0, 0, short, short)).resize((side, side), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("name", [name for name in STYLES if name.startswith(("great_wave", "tableau"))])
@pytest.mark.parametrize("photo_name", SAMPLES)
def test_strength_leads_smoothly_from_the_photo_to_the_style(name: str, photo_name: str) -> None:
    stylizer, original = package.load(name), sample(photo_name)
    series = [stylizer(original, strength=s / 8).astype(float) for s in range(9)]
    error = np.square(series[0] - original).mean()
    assert error < 255**2 / 1000  # 30 dB
    away = [np.sqrt(np.square(picture - original).mean()) for picture in series]
    assert all(later > earlier for earlier, later in itertools.pairwise(away))
    steps = [np.sqrt(np.square(b - a).mean()) for a, b in itertools.pairwise(series)]
    assert max(steps) < 0.5 * away[-1]  # no sudden change


def test_all_styles_are_told_from_each_other() -> None:
    """Colours and texture in a few numbers differ more between styles than between photos in one style."""

    def looks(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        flat = picture.reshape(-1, 3) / 255
        edges = [np.abs(np.diff(picture.astype(float), axis=axis)).mean() / 30 for axis in (0, 1)]
        return np.array([*flat.mean(0), *flat.std(0), *np.corrcoef(flat.T)[np.triu_indices(3, 1)], *edges])

    names = [name for name in STYLES if not name.endswith("-turbo")]
    assert len(names) >= 12
    found = {name: np.mean([looks(package.load(name)(sample(p))) for p in SAMPLES], axis=0) for name in names}
    apart = {(a, b): np.linalg.norm(found[a] - found[b]) for a in names for b in names if a < b}
    assert min(apart.values()) > 0.1, min(apart, key=apart.__getitem__)

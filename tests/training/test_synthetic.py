"""Synthetic photos: always the same ones, with the statistics of photos, of parts that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from impasto.training.synthetic import BLOCK, SCENES_PER_BLOCK, SyntheticPhotos, outlines
from impasto.training.synthetic.painter import Layer, Light, Painter, Shapes
from impasto.training.synthetic.palette import MATERIALS, mix_paint, rgb
from impasto.training.synthetic.scenes import _SHARES as SCENES
from impasto.training.synthetic.textures import DEVIATION, MIDDLE, SIDE, make_textures, places
from impasto.training.synthetic.workshop import Workshop

SMALL = 32


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def some() -> Tensor:
    """Photos of scenes of their own, (64, 3, 128, 128) in [0, 1]."""
    synthetic = SyntheticPhotos(seed=3, size=128)
    return torch.stack([synthetic.sample(number) for number in range(64)]).float() / 255


# --- The same photo for the same place ---


def test_a_photo_depends_on_seed_epoch_and_place_alone() -> None:
    asked = [(seed, epoch, place) for seed in (0, 1) for epoch in (0, 1) for place in (0, SCENES_PER_BLOCK, BLOCK)]
    first, again = ([SyntheticPhotos(seed, SMALL).photo(epoch, place) for seed, epoch, place in asked] for _ in "ab")
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({photo.numpy().tobytes() for photo in first}) == len(asked)


@settings(max_examples=5)
@given(st.permutations([0, 1, 5, 63, 64, 130]), st.integers(0, 2**63 - 1))
def test_the_order_of_drawing_does_not_matter(order: list[int], seed: int) -> None:
    forwards, shuffled = SyntheticPhotos(seed, SMALL), SyntheticPhotos(seed, SMALL)
    expected = {place: forwards.photo(0, place) for place in sorted(order)}
    for place in order:
        assert torch.equal(shuffled.photo(0, place), expected[place])


@pytest.mark.parametrize("size", [32, 57, 256])
def test_a_photo_has_the_size_asked_for(size: int) -> None:
    photo = SyntheticPhotos(0, size).photo(0, 0)
    assert photo.shape == (3, size, size)
    assert photo.dtype == torch.uint8
    assert photo.is_contiguous()


def test_a_photo_larger_than_the_largest_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.training.synthetic.LARGEST_SCENE", 48)
    assert SyntheticPhotos(0, 64).photo(0, 0).shape == (3, 64, 64)


def test_neighbours_in_a_batch_show_different_scenes_and_a_block_few(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr("impasto.training.synthetic.draw_scene", lambda *_: drawn.append(1) or torch.zeros(3, 80, 80))
    synthetic = SyntheticPhotos(0, SMALL)
    for place in range(SCENES_PER_BLOCK):
        synthetic._scene(0, place)
    assert len(drawn) == SCENES_PER_BLOCK
    monkeypatch.setattr("impasto.training.synthetic.take_photo", lambda *_: torch.zeros(3, SMALL, SMALL))
    for place in range(BLOCK, 3 * BLOCK):
        synthetic.photo(0, place)
    assert len(drawn) == 3 * SCENES_PER_BLOCK


# --- The statistics of photos ---


def test_the_spectrum_falls_as_that_of_photos(some: Tensor) -> None:
    """Power falls with about the second to third power of the frequency; real photos lie between -3.3 and -1.7."""
    grey = some.mean(1).numpy()
    window = np.outer(np.hanning(128), np.hanning(128))
    power = np.abs(np.fft.fft2((grey - grey.mean((1, 2), keepdims=True)) * window)) ** 2
    cycles = np.fft.fftfreq(128) * 128
    radius = np.hypot(cycles[:, None], cycles)
    low, high = (np.log(power[:, (radius > r / 1.2) & (radius < r * 1.2)].mean(1)) for r in (5, 40))
    slopes = (high - low) / np.log(40 / 5)
    assert -2.8 < slopes.mean() < -2.1
    assert slopes.std() < 0.7


def test_there_are_smooth_parts_and_rough_ones(some: Tensor) -> None:
    patches = some.mean(1).unfold(1, 16, 16).unfold(2, 16, 16).std((-2, -1))
    assert 0.05 < (patches < 5 / 255).float().mean() < 0.35
    assert (patches > 0.2).float().mean() > 0.03


def test_edges_are_rare_and_strong(some: Tensor) -> None:
    steps = some.mean(1).diff(dim=2).flatten(1)
    kurtosis = ((steps - steps.mean(1, keepdim=True)) ** 4).mean(1) / steps.var(1) ** 2
    assert 6 < kurtosis.median() < 40  # 3 would be noise


def test_colours_and_exposures_vary(some: Tensor) -> None:
    brightness, contrast = some.mean((1, 2, 3)), some.mean(1).std((1, 2))
    chroma = some.amax(1) - some.amin(1)
    assert 0.35 < brightness.mean() < 0.55
    assert brightness.min() < 0.3
    assert brightness.max() > 0.6
    assert 0.15 < contrast.mean() < 0.25
    assert 0.1 < chroma.mean() < 0.22
    assert chroma.mean((1, 2)).std() > 0.05
    assert some.min() == 0
    assert some.max() == 1


def test_some_photos_are_grey() -> None:
    synthetic = SyntheticPhotos(1, SMALL)
    spread = [(photo.amax(0) - photo.amin(0)).max() for photo in (synthetic.sample(number) for number in range(100))]
    assert 1 <= sum(value <= 1 for value in spread) <= 12


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_every_kind_of_scene_covers_the_canvas_at_any_size(scene: object, seed: int) -> None:
    assert callable(scene)
    layers = scene(Workshop.open(rng(seed), make_textures()))
    for side in (33, 160):
        canvas = Painter(rng(), make_textures(), side).paint(layers)
        assert canvas.shape == (3, side, side)
        assert (canvas.sum(0) == 0).float().mean() < 0.5


# --- Textures, materials, outlines ---


def test_textures_have_one_brightness_and_no_seam() -> None:
    tiles = make_textures().tiles.reshape(-1, SIDE, SIDE).astype(np.float32)
    assert abs(tiles.mean((1, 2)) - MIDDLE).max() < 8
    assert abs(tiles.std((1, 2)) - DEVIATION).max() < 8
    for turned in (tiles, tiles.transpose(0, 2, 1)):
        seam = abs(turned[:, 0] - turned[:, -1]).mean(1)
        inside = abs(np.diff(turned, axis=1)).mean(2).max(1)  # between planks the step is as sharp as it gets
        assert (seam < 2 * inside + 2).all()


def test_a_texture_goes_on_from_where_its_shape_begins() -> None:
    textures = make_textures()
    tile = textures.tiles.reshape(-1, SIDE, SIDE)[7]
    shift = 5 * SIDE + 9
    seen = textures.look_up(np.full((4, 4), (7 << 18) + shift), places(4, 4))
    assert (seen == tile[5:9, 9:13]).all()


@pytest.mark.parametrize("name", MATERIALS)
def test_a_materials_textures_exist_and_its_colour_is_one(name: str) -> None:
    assert set(MATERIALS[name].textures.split()) <= set(make_textures().families)
    paint = mix_paint(rng(), name)
    assert paint.color.min() >= 0
    assert paint.color.max() <= 1


@pytest.mark.parametrize(
    ("hue", "saturation", "value", "expected"),
    [(0, 1, 1, (1, 0, 0)), (1 / 3, 1, 0.5, (0, 0.5, 0)), (-1 / 3, 1, 1, (0, 0, 1)), (0.7, 0, 0.4, (0.4, 0.4, 0.4))],
)
def test_hue_saturation_and_value(hue: float, saturation: float, value: float, expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(rgb(hue, saturation, value), expected, atol=1e-6)


def test_sizes_fall_with_the_cube() -> None:
    """With density 1/r³ between 1 and 10, the share beyond r is (r⁻² − 10⁻²) / (1 − 10⁻²)."""
    sizes = outlines.power_law(rng(), 20_000, 1.0, 10.0)
    assert sizes.min() >= 1
    assert sizes.max() <= 10
    for r in (2.0, 4.0):
        assert (sizes > r).mean() == pytest.approx((r**-2 - 0.01) / 0.99, abs=0.01)


def test_shapes_are_turned_enlarged_and_moved() -> None:
    shape = np.array([[[1.0, 0.0], [0.0, 2.0]]])
    placed = outlines.place(shape, np.array((10.0, 20.0)), 3.0, np.pi / 2)
    np.testing.assert_allclose(placed, [[[10, 23], [4, 20]]], atol=1e-6)


def test_cells_of_a_grid() -> None:
    quad = np.array([[0, 0], [2, 0], [2, 1], [0, 1.0]])
    cells = outlines.cells(quad, columns=2, rows=1, gap=0.25)
    np.testing.assert_allclose(cells[1], [[1.25, 0.25], [1.75, 0.25], [1.75, 0.75], [1.25, 0.75]])


def test_a_strip_has_its_width() -> None:
    strip = outlines.strips(np.array([[0, 0.0]]), np.array([[4, 0.0]]), 2.0)
    np.testing.assert_allclose(strip, [[[0, 1], [4, 1], [4, -1], [0, -1]]])


# --- Painting ---


def quad(left: float, top: float, right: float, bottom: float, *colors: float, bulge: float = 0.0) -> Shapes:
    """A plain rectangle, under a light from above that only `bulge` lets see."""
    shape = np.array([[(left, top), (right, top), (right, bottom), (left, bottom)]], np.float32)
    shading = Light(rng()).shading(shape, bulge, 0.0)
    return Shapes(shape, np.array([colors], np.float32), np.zeros((1, 3), np.float32), shading, np.zeros(1, np.intp))


def paint(*layers: Layer, side: int = 64) -> Tensor:
    return Painter(rng(), make_textures(), side).paint(layers)


def test_the_later_shape_is_in_front_and_so_is_the_later_layer() -> None:
    red, green, blue = quad(0, 0, 1, 1, 0.8, 0, 0), quad(0, 0, 0.5, 1, 0, 0.6, 0), quad(0, 0, 1, 0.5, 0, 0, 0.4)
    canvas = paint(Layer([red, green], dapple=0), Layer([blue], dapple=0))
    assert canvas[:, 48, 48].tolist() == [204, 0, 0]
    assert canvas[:, 48, 16].tolist() == [0, 153, 0]
    assert canvas[:, 16, 16].tolist() == [0, 0, 102]


def test_what_is_out_of_focus_has_soft_edges_and_keeps_its_brightness() -> None:
    half = Layer([quad(-0.5, -0.5, 0.5, 1.5, 0.8, 0.8, 0.8)], blur=0.03, dapple=0)
    canvas = paint(Layer([quad(0, 0, 1, 1, 0.2, 0.2, 0.2)], dapple=0), half, side=128).float()
    row = canvas[0, 64]
    assert (row.diff() <= 0.5).all()
    assert row[:40].min() > 200
    assert row[88:].max() < 55
    assert -row.diff().min() < 25  # a sharp edge falls by 153 at once


def test_a_shadow_falls_on_what_lies_behind() -> None:
    ground, box = quad(0, 0, 1, 1, 0.8, 0.8, 0.8), quad(0.3, 0.3, 0.6, 0.6, 0.5, 0.5, 0.5)
    plain, shaded = (paint(Layer([ground, box], shadow=s, dapple=0), side=128)[0].int() for s in (0.0, 0.8))
    assert shaded[79, 79] < plain[79, 79] - 20
    assert shaded[60, 60] > plain[60, 60] - 20
    assert shaded[20, 20] == plain[20, 20]


def test_a_dome_is_brighter_in_the_middle() -> None:
    """By half the bulge there, and darker by as much at the corners: 1 + 0.4 · (½ − u²), u² = 1 at a corner."""
    dome = quad(0.1, 0.1, 0.9, 0.9, 0.5, 0.5, 0.5, bulge=0.4)
    canvas = paint(Layer([dome], dapple=0), side=101)[0].float() / 127.5
    assert canvas[50, 50] == pytest.approx(1.2, abs=0.02)
    assert canvas[12, 12] == pytest.approx(1 + 0.4 * (0.5 - (38 / 40.4) ** 2), abs=0.02)


def test_the_side_towards_the_light_is_brighter() -> None:
    light = Light(rng())
    circle = outlines.place(outlines.ellipses(rng(), 1, flattest=1.0), np.array((0.4, 0.6)), 0.2, 0.0)
    shading = light.shading(circle, bulge=0.0, slope=1.0)[0]

    def brightness(x: float, y: float) -> float:
        return float(shading @ (1, x, y, x * x, x * y, y * y))

    x, y = np.array((0.4, 0.6)) + 0.2 * light.toward
    assert brightness(0.4, 0.6) == pytest.approx(1, abs=1e-3)
    assert brightness(float(x), float(y)) == pytest.approx(1 + light.strength, abs=1e-3)

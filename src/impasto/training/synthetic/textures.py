"""The bank of grey textures that synthetic photos are covered with: noises, weaves, masonry, grass, foliage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from impasto.training.synthetic import outlines
from impasto.training.synthetic.outlines import Array, Draws

SIDE_BITS = 9
SIDE = 1 << SIDE_BITS
MASK = SIDE * SIDE - 1
"""A place in a tile is ``y * SIDE + x`` modulo the tile, and the bits above this mask say which tile."""
MIDDLE, DEVIATION = 128, 44
_SEED = 20_010_707  # any number will do: the bank is the same in every training


@dataclass(frozen=True)
class Textures:
    """Tiles that repeat without a seam, uint8 with mean 128 and deviation 44, flat one after the other."""

    tiles: NDArray[np.uint8]  # (count · SIDE · SIDE,)
    families: dict[str, range]

    def codes(self, rng: Draws, family: str, count: int, *, shared: bool = False) -> NDArray[np.intp]:
        """A random tile of the family and a random place in it for each of `count` shapes."""
        members = self.families[family]
        tile = rng.integers(members.start, members.stop)
        places = rng.integers(0, MASK + 1, 1 if shared else count)
        codes: NDArray[np.intp] = (np.broadcast_to(places, count) + (tile << 2 * SIDE_BITS)).astype(np.intp)
        return codes

    def look_up(self, codes: NDArray[np.intp], places: NDArray[np.intp]) -> NDArray[np.uint8]:
        """The texture's value at `places` (H, W), each seen from the place where its shape's texture begins."""
        index = ((codes + places) & MASK) + (codes & ~MASK)
        found: NDArray[np.uint8] = np.take(self.tiles, index)
        return found


def places(side: int, full: int) -> NDArray[np.intp]:
    """Each pixel's place in a texture tile (side, side), where `full` pixels of the tile stretch along a side."""
    at = np.arange(side) * full // side
    return at[:, None] * SIDE + at


@cache
def make_textures() -> Textures:
    """The bank, which takes a second to make."""
    rng = np.random.default_rng(_SEED)
    tiles: list[NDArray[np.uint8]] = []
    families: dict[str, range] = {}
    for family, members in _FAMILIES.items():
        start = len(tiles)
        tiles.extend(_normalized(tile) for tile in members(rng))
        families[family] = range(start, len(tiles))
    return Textures(np.concatenate([tile.ravel() for tile in tiles]), families)


def _normalized(tile: Array) -> NDArray[np.uint8]:
    scaled = (tile - tile.mean()) * (DEVIATION / max(float(tile.std()), 1e-6)) + MIDDLE
    whole: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return whole


def _noise(rng: Draws, exponent: float, stretch: float = 1.0, angle: float = 0.0, finest: float = 0.0) -> Array:
    """Gaussian noise of amplitude 1/f^exponent, `stretch` times longer along `angle` than across.

    `finest` in cycles a tile takes away what is coarser, which leaves spots of one size.
    """
    fy, fx = np.fft.fftfreq(SIDE)[:, None] * SIDE, np.fft.rfftfreq(SIDE)[None] * SIDE
    along, across = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
    frequency = np.hypot(along * stretch, across) / np.sqrt(stretch)
    spectrum = rng.standard_normal((*frequency.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    spectrum *= np.maximum(frequency, 1.0) ** -exponent
    if finest:
        spectrum *= frequency > finest
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (SIDE, SIDE))
    return np.asarray(noise / noise.std(), np.float32)


def _clouds(rng: Draws) -> Iterator[Array]:
    for exponent in (1.6, 1.9, 2.3):
        yield _noise(rng, exponent)
    yield np.maximum(_noise(rng, 1.7, 2.0), -0.4)


def _sensor(rng: Draws) -> Iterator[Array]:
    for exponent in (0.0, 0.4):
        yield _noise(rng, exponent)


def _grain(rng: Draws) -> Iterator[Array]:
    for exponent in (0.3, 0.7, 1.0, 1.2):
        yield _noise(rng, exponent)
    yield _noise(rng, 1.0) + 0.6 * _noise(rng, 2.0)


def _streaks(rng: Draws) -> Iterator[Array]:
    for stretch, exponent in ((3, 0.9), (6, 1.1), (12, 1.0), (5, 0.7), (25, 0.9)):
        yield _noise(rng, exponent, stretch, rng.uniform(0, np.pi))


def _ripples(rng: Draws) -> Iterator[Array]:
    """Water and sand: waves of nearly one length, mostly level."""
    for finest in (8, 16, 28):
        yield _noise(rng, 2.2, 4.0, rng.normal(0, 0.1), finest) + 0.3 * _noise(rng, 1.2, 3.0)


def _veins(rng: Draws) -> Iterator[Array]:
    """Marble, wood and cracks: the level lines of a noise."""
    yield np.sin(6 * _noise(rng, 1.8, 6.0, 1.5)) + 0.5 * _noise(rng, 1.0, 8.0, 1.5)
    yield -np.exp(-8 * np.abs(_noise(rng, 1.7))) + 0.2 * _noise(rng, 1.0)
    yield np.sin(4 * _noise(rng, 2.0)) + 0.4 * _noise(rng, 1.0)


def _spots(rng: Draws) -> Iterator[Array]:
    for finest in (10, 22, 40):
        yield np.tanh(2 * _noise(rng, 3.0, finest=finest)) + 0.2 * _noise(rng, 0.8)


def _weave(rng: Draws) -> Iterator[Array]:
    """Cloth, nets, corrugated iron: waves that fit the tile, bent a little."""
    y, x = np.mgrid[:SIDE, :SIDE] * np.float32(2 * np.pi / SIDE)
    for across, down in ((64, 64), (24, 0), (0, 40), (48, 48), (16, 16), (90, 0)):
        bend = 0.6 * _noise(rng, 2.2)
        threads = np.sin(across * x + bend) * np.sign(across) + np.sin(down * y + bend) * np.sign(down)
        yield np.asarray(threads, np.float32) + 0.4 * _noise(rng, 0.8)


def _masonry(rng: Draws) -> Iterator[Array]:
    """Bricks, tiles and planks: each of a tone of its own, joints between them."""
    y, x = np.mgrid[:SIDE, :SIDE]
    for width, height, joint in ((32, 16, 2), (64, 32, 3), (32, 32, 2), (512, 32, 2), (128, 64, 4), (16, 16, 1)):
        row = y // height
        shifted = x + (row % 2) * (width // 2)
        tones = rng.standard_normal((SIDE // height, SIDE // width + 1))
        tone = 0.6 * tones[row, shifted % SIDE // width]
        gap = (y % height < joint) | ((shifted % width < joint) & (width < SIDE))
        yield np.asarray(np.where(gap, -1.8, tone), np.float32) + 0.5 * _noise(rng, 0.9)


def _leaves(rng: Draws) -> Iterator[Array]:
    """Dead leaves: shapes of all sizes that hide each other (Lee, Mumford, Huang 2001)."""
    for largest, count in ((60, 2500), (30, 4000), (15, 6000)):
        yield _heap(rng, outlines.blobs(rng, count, 10), outlines.power_law(rng, count, 3, largest), 1.2)


def _blades(rng: Draws) -> Iterator[Array]:
    for length, spread in ((80, 0.35), (45, 0.5), (60, 1.5)):
        shapes = outlines.blades(rng, 3500, bend=0.4)
        yield _heap(rng, shapes, rng.uniform(0.4, 1.0, 3500) * length, 0.8, rng.normal(0, spread, 3500))


def _pebbles(rng: Draws) -> Iterator[Array]:
    for largest, count in ((40, 1500), (18, 4000)):
        yield _heap(rng, outlines.rocks(rng, count), outlines.power_law(rng, count, 4, largest), 2.0)


def _heap(rng: Draws, shapes: Array, sizes: Array, shade: float, angles: Array | None = None) -> Array:
    """Shapes in random tones thrown onto a tile, each lit from above."""
    count = len(shapes)
    centres = rng.uniform(0, SIDE, (count, 2)).astype(np.float32)
    turns = rng.uniform(0, 2 * np.pi, count).astype(np.float32) if angles is None else angles
    placed = outlines.place(shapes, centres, sizes, turns)
    labels = _wrapped_labels(placed)
    tones = rng.standard_normal(count + 1).astype(np.float32)
    slopes = np.concatenate([np.zeros(1), shade / sizes]).astype(np.float32)
    tops = np.concatenate([np.zeros(1), centres[:, 1]]).astype(np.float32)
    down = np.arange(SIDE, dtype=np.float32)[:, None] - tops[labels]
    down = (down + SIDE / 2) % SIDE - SIDE / 2
    return np.asarray(tones[labels] - slopes[labels] * down + 0.25 * _noise(rng, 0.8), np.float32)


def _wrapped_labels(placed: Array) -> NDArray[np.uint16]:
    """Which shape is seen at each pixel; what leaves the tile at one side comes in at the other."""
    image = Image.new("I;16", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    low, high = placed.min(1), placed.max(1)
    for index, points in enumerate(placed):
        for dx in _shifts(low[index, 0], high[index, 0]):
            for dy in _shifts(low[index, 1], high[index, 1]):
                outlines.fill(draw, (points + np.array((dx, dy))).astype(np.float32).ravel(), index + 1)
    return np.asarray(image)


def _shifts(low: float, high: float) -> Sequence[int]:
    return (0, SIDE) if low < 0 else (0, -SIDE) if high > SIDE else (0,)


_FAMILIES: dict[str, Callable[[Draws], Iterator[Array]]] = {
    "clouds": _clouds,
    "sensor": _sensor,
    "grain": _grain,
    "streaks": _streaks,
    "ripples": _ripples,
    "veins": _veins,
    "spots": _spots,
    "weave": _weave,
    "masonry": _masonry,
    "leaves": _leaves,
    "blades": _blades,
    "pebbles": _pebbles,
}

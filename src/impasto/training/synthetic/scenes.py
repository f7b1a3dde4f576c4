"""Scenes: what stands before what, on which ground, in and out of focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from torch import Tensor

from impasto.training.synthetic import living, made, outlines
from impasto.training.synthetic.outlines import Array, Draws
from impasto.training.synthetic.painter import Layer, Painter, Shapes
from impasto.training.synthetic.palette import GROUNDS, SKIES, WALLS, Paint
from impasto.training.synthetic.textures import Textures
from impasto.training.synthetic.workshop import Thing, Workshop

ANYTHING: tuple[Thing, ...] = (
    *(made.body, made.body, made.body, made.building, made.crate, made.crate, made.wheel, made.wheel, made.writing),
    *(made.lines, living.animal, living.animal, living.person, living.face, living.foliage, living.tuft),
)
OUTDOORS: tuple[Thing, ...] = (
    *(made.building, made.building, made.crate, living.tree, living.person, living.person, living.animal),
    *(living.tuft, living.foliage),
)
INDOORS: tuple[Thing, ...] = (
    *(made.building, made.building, made.crate, made.crate, made.writing, made.body, made.lines, living.person),
)
PLANTS: tuple[Thing, ...] = (living.foliage, living.foliage, living.tuft, living.tuft, living.tree, made.lines)
ALIVE: tuple[Thing, ...] = (living.animal, living.animal, living.person, made.body)


def draw_scene(rng: Draws, textures: Textures, side: int) -> Tensor:
    """A scene as uint8 (3, side, side)."""
    scenes, shares = list(_SHARES), np.array(list(_SHARES.values()))
    scene = scenes[rng.choice(len(scenes), p=shares / shares.sum())]
    return Painter(rng, textures, side).paint(scene(Workshop.open(rng, textures)))


def _portrait(shop: Workshop) -> list[Layer]:
    """One or a few large things before something plain, or out of focus."""
    rng = shop.rng
    back = [_everywhere(shop, *WALLS)]
    if rng.random() < 0.7:
        back += made.heap(shop, int(rng.integers(5, 100)), 0.05, 0.6)
    if rng.random() < 0.4:
        back += _some(shop, OUTDOORS, int(rng.integers(2, 8)), 0.15, 0.5)
    front: list[Shapes] = []
    ground = float(rng.uniform(0.4, 0.95)) if rng.random() < 0.6 else None
    if ground is not None:
        front.append(_floor(shop, ground))
    front += _some(shop, ANYTHING, int(rng.integers(0, 9)), 0.06, 0.3, ground)
    front += _some(shop, ANYTHING, int(rng.integers(1, 4)), 0.25, 0.6, ground)
    return _before(shop, back, front, _defocus(shop, 0.6), 0.3)


def _landscape(shop: Workshop) -> list[Layer]:
    """Sky, hills, ground, and things that are the lower and larger the nearer they are."""
    rng = shop.rng
    horizon = float(rng.uniform(0.15, 0.75))
    sky = [_everywhere(shop, *SKIES), *_clouds(shop, horizon)]
    land = [*_hills(shop, horizon), _floor(shop, horizon)]
    for nearness in np.sort(rng.uniform(0, 1, rng.integers(3, 20)) ** 2):
        size = 0.05 + 0.5 * nearness * rng.uniform(0.4, 1.3)
        foot = horizon + nearness * (1.05 - horizon)
        thing = OUTDOORS[rng.integers(len(OUTDOORS))]
        land += thing(shop, np.array((rng.uniform(0, 1), foot - 0.6 * size)), size)
    return _before(shop, sky, land, 0.01, horizon)


def _street(shop: Workshop) -> list[Layer]:
    """Walls, a floor, and boxes, windows, furniture and people before them."""
    rng = shop.rng
    line = float(rng.uniform(0.45, 0.9))
    walls = [_everywhere(shop, *WALLS), _floor(shop, line)]
    for left, right in pairwise(np.sort(rng.uniform(0, 1, rng.integers(0, 5)))):
        quad = _quad(left, rng.uniform(-0.5, 0.4), right, line + rng.normal(0, 0.03))
        walls.append(shop.dress(quad, shop.paint(*WALLS), bulge=0.05, slope=0.7))
    return _before(shop, walls, [*_some(shop, INDOORS, int(rng.integers(6, 22)), 0.08, 0.5, line)], 0, line - 0.15)


def _thicket(shop: Workshop) -> list[Layer]:
    """Plants before plants, and perhaps an animal among them."""
    rng = shop.rng
    back = [_everywhere(shop, "foliage", "foliage", "grass", "soil", "dark", "sky")]
    back += _some(shop, PLANTS, 4, 0.2, 0.6)
    front = [*_some(shop, PLANTS, int(rng.integers(1, 7)), 0.1, 0.6)]
    if rng.random() < 0.5:
        front += _some(shop, ALIVE, 1, 0.15, 0.4)
        front += _some(shop, PLANTS, int(rng.integers(0, 3)), 0.1, 0.4)
    return _before(shop, back, front, _defocus(shop, 0.5))


def _pile(shop: Workshop) -> list[Layer]:
    """Nothing but shapes of all sizes that hide each other."""
    rng = shop.rng
    pile = made.heap(shop, int(rng.integers(100, 900)), rng.uniform(0.008, 0.03), rng.uniform(0.1, 0.5))
    more = _some(shop, ANYTHING, int(rng.integers(0, 5)), 0.1, 0.3)
    return _before(shop, [_everywhere(shop, *WALLS)], [*pile, *more])


def _surface(shop: Workshop) -> list[Layer]:
    """A surface seen from near, with few things on it."""
    things = _some(shop, ANYTHING, int(shop.rng.integers(2, 14)), 0.06, 0.5)
    return _before(shop, [_everywhere(shop, *GROUNDS, *WALLS)], [*things])


_Scene = Callable[[Workshop], list[Layer]]
_SHARES: dict[_Scene, float] = {_portrait: 8, _landscape: 5, _street: 3, _thicket: 2, _pile: 1, _surface: 1}
"""How often each kind of scene is drawn, so that a loss network's Gram matrices come near to those of photos."""


def _before(
    shop: Workshop, back: list[Shapes], front: list[Shapes], blur: float = 0, horizon: float = 0.5
) -> list[Layer]:
    """`front` before `back`, which is out of focus by `blur`."""
    shadow = float(shop.rng.uniform(0.1, 0.7))
    if blur == 0:
        return [Layer(back + front, shadow=shadow, horizon=horizon)]  # painted in one go
    return [Layer(back, blur=blur), Layer(front, shadow=shadow, horizon=horizon)]


def _defocus(shop: Workshop, share: float) -> float:
    return float(shop.rng.uniform(0.005, 0.04)) if shop.rng.random() < share else 0.0


def _some(
    shop: Workshop, choice: tuple[Thing, ...], count: int, low: float, high: float, ground: float | None = None
) -> Iterator[Shapes]:
    """`count` things, the larger ones mostly in front; with a ground they stand on it."""
    rng = shop.rng
    sizes = outlines.power_law(rng, count, low, high)
    if rng.random() < 0.8:
        sizes = np.sort(sizes)
    for size in sizes:
        thing = choice[rng.integers(len(choice))]
        x, y = rng.uniform(0, 1, 2)
        if ground is not None:
            y = ground + (1.1 - ground) * y - 0.6 * size
        yield from thing(shop, np.array((x, y)), float(size))


def _quad(left: float, top: float, right: float, bottom: float) -> Array:
    return np.array([[(left, top), (right, top), (right, bottom), (left, bottom)]])


def _everywhere(shop: Workshop, *names: str) -> Shapes:
    """One material from edge to edge, darker towards some side or corner."""
    rng = shop.rng
    quad, paint = _quad(-0.1, -0.1, 1.1, 1.1), shop.paint(*names)
    return shop.dress(quad, paint, bulge=rng.uniform(-0.1, 0.35), slope=rng.uniform(0, 1.5))


def _floor(shop: Workshop, top: float) -> Shapes:
    ground = _quad(-0.2, top, 1.2, 1.2)
    ground[0, :2, 1] += shop.rng.normal(0, 0.03, 2)
    return shop.dress(ground, shop.paint(*GROUNDS), bulge=0.05, slope=0.7, flat=True)


def _clouds(shop: Workshop, horizon: float) -> Iterator[Shapes]:
    rng = shop.rng
    n = int(rng.integers(0, 25))
    if n and rng.random() < 0.6:
        centres, sizes = rng.uniform(0, 1, (n, 2)) * (1.1, horizon), outlines.power_law(rng, n, 0.04, 0.25)
        placed = outlines.place(outlines.blobs(rng, n) * (1.0, 0.5), centres, sizes, rng.normal(0, 0.1, n))
        yield shop.dress(placed, shop.paint("white", "overcast"), vary=0.05)


def _hills(shop: Workshop, horizon: float) -> Iterator[Shapes]:
    """Ridges one behind the other, the far ones as pale as the air."""
    rng = shop.rng
    air = shop.paint("overcast", "sky").color
    x = np.linspace(-0.1, 1.1, 40)
    for haze in np.sort(rng.uniform(0, 0.8, rng.integers(0, 4)))[::-1]:
        waves = sum(np.sin(x * 2**k * 5 + rng.uniform(0, 2 * np.pi)) / 2**k for k in range(5))
        ridge = horizon - 0.02 - rng.uniform(0.01, 0.15) * (1 + waves) / 2
        outline = np.concatenate([np.stack([x, ridge], 1), [(1.1, 1.1), (-0.1, 1.1)]])
        paint = shop.paint("foliage", "foliage", "rock", "grass", "straw", "snow")
        color = paint.color * (1 - haze) + air * haze
        yield shop.dress(outline[None], Paint(color, paint.change * (1 - haze), paint.texture), slope=0.3)

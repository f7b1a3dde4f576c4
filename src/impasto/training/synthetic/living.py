"""Living things: leaves, trees, grass, animals, people."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from impasto.training.synthetic import outlines
from impasto.training.synthetic.outlines import Array, Draws
from impasto.training.synthetic.painter import Shapes
from impasto.training.synthetic.palette import Paint
from impasto.training.synthetic.workshop import Workshop

_LEAVES: tuple[Callable[[Draws, int], Array], ...] = (
    lambda rng, count: outlines.blades(rng, count, 0.25, 0.3),
    lambda rng, count: outlines.ellipses(rng, count, 8, 0.25),
    lambda rng, count: outlines.blobs(rng, count, 8),
    lambda rng, count: outlines.stars(rng, count, 16),
)


def foliage(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """Leaves about a point, the lit ones in front."""
    rng = shop.rng
    paint = shop.paint("foliage", "foliage", "grass", "straw", "flower")
    shape = _LEAVES[rng.integers(len(_LEAVES))]
    count = int(rng.integers(20, 80))
    spread = rng.uniform(0.25, 0.5, 2) * size
    leaf = size * rng.uniform(0.03, 0.12)
    for brightness in (0.5, 0.85, 1.2):
        centres = at + rng.normal(0, 1, (count, 2)) * spread
        sizes = leaf * rng.uniform(0.5, 1.5, count)
        placed = outlines.place(shape(rng, count), centres, sizes, rng.uniform(0, 2 * np.pi, count))
        lit = Paint(paint.color * brightness, paint.change * 0.5, "grain")
        yield shop.dress(placed, lit, vary=0.25, slope=2.0)


def tree(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """Branches that fork, with or without leaves; `at` is the foot."""
    rng = shop.rng
    bark = shop.paint("wood", "dark", "rock")
    starts: Array = at[None]
    ends: Array = starts + np.array((rng.normal(0, 0.05), -0.5)) * size
    width = 0.08 * size
    tips = []
    for _ in range(4):
        yield shop.dress(outlines.strips(starts, ends, width), bark, bulge=0.5)
        tips.append(ends)
        starts, ends = _forked(rng, starts, ends)
        width *= 0.6
    if rng.random() < 0.7:
        for tip in tips[1]:
            yield from foliage(shop, tip, size * 0.4)


def _forked(rng: Draws, starts: Array, ends: Array) -> tuple[Array, Array]:
    """Three shorter branches from the end of each."""
    along = np.repeat((ends - starts) * rng.uniform(0.5, 0.8), 3, 0)
    angle = np.tile([-0.6, 0.05, 0.6], len(starts)) + rng.normal(0, 0.25, len(along))
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.stack([along[:, 0] * cos - along[:, 1] * sin, along[:, 0] * sin + along[:, 1] * cos], 1)
    roots = np.repeat(ends, 3, 0)
    return roots, roots + turned


def tuft(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """Grass, reeds, hair: blades that rise from a line."""
    rng = shop.rng
    count = int(rng.integers(30, 160))
    centres = at + rng.normal(0, 1, (count, 2)) * (0.5 * size, 0.08 * size)
    centres = centres[np.argsort(centres[:, 1])]
    shapes = outlines.blades(rng, count, rng.uniform(0.01, 0.05), rng.uniform(0.1, 0.6))
    placed = outlines.place(shapes, centres, size * rng.uniform(0.3, 1, count), rng.normal(0, 0.25, count))
    yield shop.dress(placed, shop.paint("grass", "straw", "foliage", "straw"), vary=0.3, slope=0.5)


def animal(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """Legs, a neck, a body, a head with ears and eyes, in one fur."""
    rng = shop.rng
    fur = shop.paint("fur", "fur", "dark", "white", "rock", "soil", "red")
    side = rng.choice((-1.0, 1.0))
    legs = 5
    feet = np.stack([np.linspace(-0.5, 0.5, legs) + rng.normal(0, 0.06, legs), rng.uniform(0.5, 0.8, legs)], 1)
    hips = np.stack([np.linspace(-0.45, 0.45, legs), np.full(legs, 0.1)], 1)
    limbs = outlines.strips(at + feet * size, at + hips * size, rng.uniform(0.08, 0.16, legs) * size)
    yield shop.dress(limbs, fur.shaded(0.75), bulge=0.5)
    head = at + np.array((side * rng.uniform(0.5, 0.8), rng.uniform(-0.6, 0.0))) * size
    shoulder = at + np.array((side * 0.4, 0.0)) * size
    yield shop.dress(outlines.strips(shoulder[None], head[None], 0.3 * size), fur, bulge=0.4, whole=True)
    centres = np.stack([at, at + np.array((side * 0.3, 0.02)) * size, head])
    trunk = outlines.blobs(rng, 3, roughness=0.15)
    placed = outlines.place(trunk, centres, np.array((0.62, 0.36, 0.24)) * size, rng.normal(0, 0.2, 3))
    yield shop.dress(placed, fur, bulge=0.5, whole=True)
    ears = outlines.place(outlines.blades(rng, 2, 0.25), head, 0.3 * size, rng.normal(0, 0.6, 2))
    yield shop.dress(ears, fur)
    yield from _eyes(shop, head, 0.2 * size)


def person(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    """Legs, arms, a torso and a head; `at` is the middle."""
    rng = shop.rng
    skin, shirt = shop.paint("skin"), shop.paint("cloth", "white", "paint", "red")

    def limbs(*ends: tuple[float, float, float, float], width: float) -> Array:
        points = np.tile(at, 2) + (np.array(ends) + rng.normal(0, 0.04, (len(ends), 4))) * size
        return outlines.strips(points[:, :2], points[:, 2:], width * size)

    legs = limbs((-0.1, 0.2, -0.15, 0.95), (0.1, 0.2, 0.15, 0.95), width=0.17)
    yield shop.dress(legs, shop.paint("cloth", "dark"), bulge=0.4)
    arms = limbs((-0.22, -0.3, -0.4, 0.2), (0.22, -0.3, 0.4, 0.1), width=0.1)
    yield shop.dress(arms, skin, bulge=0.4)
    torso = outlines.boxes(rng, 1, 0.08)[:, :, ::-1]
    yield shop.dress(outlines.place(torso, at - (0, 0.1 * size), 0.42 * size, shop.tilt(0.1)), shirt, bulge=0.3)
    sleeves = limbs((-0.22, -0.35, -0.36, 0.0), (0.22, -0.35, 0.36, 0.0), width=0.13)
    yield shop.dress(sleeves, shirt, bulge=0.4)
    yield from _head(shop, at - (rng.normal(0, 0.05) * size, 0.62 * size), 0.2 * size, skin)


def face(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    yield from _head(shop, at, size, shop.paint("skin"))


def _head(shop: Workshop, at: Array, size: float, skin: Paint) -> Iterator[Shapes]:
    """Hair, a head, eyes below brows, a nose and a mouth."""
    rng = shop.rng
    hair = shop.paint("fur", "dark", "wood")
    yield shop.dress(outlines.place(outlines.blobs(rng, 1), at - (0, 0.2 * size), 1.2 * size, 1.5), hair)
    skull = outlines.ellipses(rng, 1, flattest=0.7)
    yield shop.dress(outlines.place(skull, at, size, np.pi / 2), skin, bulge=0.5)
    yield from _eyes(shop, at, size)
    nose = skin.shaded(0.75)
    lips = Paint(nose.color * (1, 0.7, 0.7), nose.change, nose.texture)
    for x, y, width, paint in (
        (-0.38, -0.3, 0.22, hair),
        (0.38, -0.3, 0.22, hair),
        (0, 0.15, 0.14, nose),
        (0, 0.5, 0.28, lips),
    ):
        part = outlines.ellipses(rng, 1, flattest=0.5) * (1, 0.5)
        placed = outlines.place(part, at + np.array((x, y)) * size, width * size, shop.tilt(0.1))
        yield shop.dress(placed, paint, bulge=0.3)


def _eyes(shop: Workshop, at: Array, size: float) -> Iterator[Shapes]:
    centres = at + np.array([(-0.38, -0.12), (0.38, -0.12)]) * size
    for share, name in ((0.17, "white"), (0.11, "dark")):
        eyes = outlines.place(outlines.ellipses(shop.rng, 2), centres, share * size, 0.0)
        yield shop.dress(eyes, shop.paint(name), vary=0.02)

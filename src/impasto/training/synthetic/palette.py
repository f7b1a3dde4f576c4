"""What synthetic shapes are made of: materials with the colours and textures that they have in photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from impasto.training.synthetic.outlines import Array, Draws

Span = tuple[float, float]


class Material(NamedTuple):
    """Spans from which hue (in turns), saturation and value are drawn; how strong its textures are, and which."""

    hue: Span
    saturation: Span
    value: Span
    contrast: Span
    textures: str


MATERIALS: dict[str, Material] = {
    "sky": Material((0.54, 0.62), (0.1, 0.65), (0.6, 1.0), (0.0, 0.12), "clouds"),
    "overcast": Material((0.5, 0.65), (0.0, 0.2), (0.6, 1.0), (0.02, 0.25), "clouds"),
    "dusk": Material((-0.06, 0.12), (0.2, 0.6), (0.4, 0.95), (0.0, 0.2), "clouds"),
    "backdrop": Material((0.0, 1.0), (0.0, 0.4), (0.05, 1.0), (0.0, 0.08), "clouds grain"),
    "plaster": Material((0.05, 0.16), (0.05, 0.45), (0.45, 0.95), (0.02, 0.12), "grain clouds veins"),
    "foliage": Material((0.18, 0.33), (0.25, 0.7), (0.15, 0.55), (0.3, 0.8), "leaves leaves blades grain"),
    "grass": Material((0.17, 0.3), (0.25, 0.65), (0.3, 0.65), (0.2, 0.6), "blades blades grain streaks"),
    "straw": Material((0.09, 0.15), (0.2, 0.6), (0.4, 0.8), (0.2, 0.6), "blades streaks grain"),
    "soil": Material((0.04, 0.1), (0.25, 0.65), (0.2, 0.55), (0.15, 0.5), "grain grain pebbles"),
    "sand": Material((0.07, 0.13), (0.2, 0.55), (0.5, 0.9), (0.05, 0.25), "grain ripples pebbles"),
    "rock": Material((0.02, 0.16), (0.03, 0.3), (0.2, 0.75), (0.15, 0.6), "grain veins pebbles leaves"),
    "snow": Material((0.55, 0.65), (0.0, 0.12), (0.75, 1.0), (0.02, 0.15), "grain clouds"),
    "water": Material((0.45, 0.62), (0.15, 0.6), (0.15, 0.65), (0.1, 0.5), "ripples ripples clouds"),
    "wood": Material((0.04, 0.11), (0.3, 0.75), (0.2, 0.7), (0.1, 0.45), "streaks veins masonry"),
    "brick": Material((0.0, 0.08), (0.25, 0.65), (0.3, 0.7), (0.2, 0.5), "masonry"),
    "stone": Material((0.06, 0.14), (0.08, 0.4), (0.4, 0.8), (0.1, 0.4), "masonry grain pebbles"),
    "asphalt": Material((0.0, 1.0), (0.0, 0.12), (0.2, 0.6), (0.05, 0.25), "grain"),
    "metal": Material((0.5, 0.65), (0.0, 0.2), (0.2, 0.9), (0.02, 0.25), "streaks clouds weave"),
    "skin": Material((0.02, 0.08), (0.25, 0.6), (0.35, 0.95), (0.02, 0.1), "grain clouds"),
    "fur": Material((0.04, 0.11), (0.15, 0.65), (0.1, 0.85), (0.15, 0.5), "streaks blades spots grain"),
    "cloth": Material((0.0, 1.0), (0.05, 0.65), (0.08, 0.9), (0.02, 0.35), "weave grain clouds streaks"),
    "white": Material((0.0, 1.0), (0.0, 0.06), (0.8, 1.0), (0.0, 0.1), "clouds grain"),
    "dark": Material((0.0, 1.0), (0.0, 0.35), (0.02, 0.15), (0.02, 0.3), "clouds grain"),
    "paint": Material((0.0, 1.0), (0.3, 0.85), (0.4, 0.95), (0.0, 0.15), "clouds grain"),
    "red": Material((-0.03, 0.08), (0.45, 0.9), (0.4, 0.95), (0.0, 0.2), "clouds grain spots"),
    "flower": Material((0.8, 1.15), (0.15, 0.75), (0.5, 1.0), (0.05, 0.3), "clouds streaks grain"),
}

GROUNDS = ("grass", "grass", "straw", "soil", "sand", "rock", "snow", "water", "water", "asphalt", "stone", "wood")
SKIES = ("sky", "sky", "sky", "overcast", "overcast", "dusk", "dark")
WALLS = ("plaster", "plaster", "backdrop", "brick", "stone", "wood", "foliage", "white", "dark", "cloth", "metal")
THINGS = (
    *("cloth", "cloth", "cloth", "metal", "metal", "wood", "white", "white", "dark", "dark", "dark", "paint"),
    *("fur", "fur", "skin", "rock", "stone", "red", "plaster", "foliage", "brick", "soil"),
)


@dataclass(frozen=True)
class Paint:
    """One sample of a material: its colour, what its texture adds per unit, and the texture's family."""

    color: Array  # (3,) in [0, 1]
    change: Array  # (3,)
    texture: str

    def shaded(self, brightness: float) -> Paint:
        return Paint(self.color * brightness, self.change * brightness, self.texture)


def rgb(hue: float, saturation: float, value: float) -> Array:
    """HSV, each in [0, 1] (the hue may lie outside), as red, green and blue in [0, 1]."""
    distance = np.abs((hue + np.array([0.0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1
    color: Array = value * (1 - saturation * (1 - np.clip(distance, 0, 1)))
    return color


def mix_paint(rng: Draws, name: str) -> Paint:
    """A sample of the material `name`. Its texture makes it lighter and darker, and a little warmer or cooler."""
    material = MATERIALS[name]
    hue, saturation, value, contrast = (rng.uniform(*span) for span in material[:4])
    color = rgb(hue, saturation, value)
    change = contrast * (0.3 * color + 0.7 * color.mean()) * (1 + rng.normal(0, 0.15, 3))
    return Paint(color, change, str(rng.choice(material.textures.split())))

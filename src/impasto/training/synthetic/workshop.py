"""Where the things of a scene are made: its light, its paints, its random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from impasto.training.synthetic.outlines import Array, Draws
from impasto.training.synthetic.painter import Light, Shapes
from impasto.training.synthetic.palette import THINGS, Paint, mix_paint
from impasto.training.synthetic.textures import DEVIATION, MIDDLE, Textures


@dataclass(frozen=True)
class Workshop:
    """Makes shapes for one scene, in which a few paints keep coming back."""

    rng: Draws
    textures: Textures
    light: Light
    paints: list[Paint]

    @classmethod
    def open(cls, rng: Draws, textures: Textures) -> Workshop:
        return cls(rng, textures, Light(rng), [mix_paint(rng, str(rng.choice(THINGS))) for _ in range(4)])

    def paint(self, *names: str) -> Paint:
        """A new paint of one of the materials `names`."""
        return mix_paint(self.rng, str(self.rng.choice(names)))

    def usual_paint(self) -> Paint:
        if self.rng.random() < 0.3:
            return self.paint(*THINGS)
        return self.paints[self.rng.integers(len(self.paints))]

    def tilt(self, spread: float = 0.3) -> float:
        """An angle near the upright, as most things have."""
        return float(self.rng.normal(0, spread))

    def dress(
        self,
        outlines: Array,
        paint: Paint,
        *,
        vary: float = 0.1,
        bulge: float = 0.1,
        slope: float = 1.0,
        whole: bool = False,
        flat: bool = False,
    ) -> Shapes:
        """Shapes of one paint, each lighter or darker by about `vary`.

        Args:
            outlines: (n, k, 2) in [0, 1] of the canvas.
            bulge: how much brighter the middle is than the rim.
            slope: how much brighter the side towards the light is, as a factor of the light's own strength.
            whole: whether one texture runs through all of them.
            flat: whether the texture lies on the ground.
        """
        count = len(outlines)
        tones = np.exp(self.rng.normal(0, vary, (count, 1))) * (1 + self.rng.normal(0, vary / 4, (count, 3)))
        changes = paint.change * tones / DEVIATION
        return Shapes(
            outlines.astype(np.float32),
            (paint.color * tones - changes * MIDDLE).astype(np.float32),
            changes.astype(np.float32),
            self.light.shading(outlines, bulge, slope),
            self.textures.codes(self.rng, paint.texture, count, shared=whole),
            flat,
        )


Thing = Callable[[Workshop, Array, float], Iterator[Shapes]]
"""Makes a thing about a point (2,), of a size in shares of the canvas; its hind parts come first."""

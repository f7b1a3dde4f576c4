"""Synthetic photos: drawn scenes with the statistics of photos, to train with where there are none.

The model is that of dead leaves (Lee, Mumford, Huang 2001): opaque shapes of all sizes that hide each other give images
the spectrum and the edges of photos, and networks trained on such images work on photos (Baradad et al. 2021; Achddou
et al. 2021). Here the shapes make up simple things in simple scenes, with light, texture, depth and natural colours.

Imports go one way: camera, scenes → living, made → workshop → painter → textures, palette → outlines.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from torch import Tensor

from impasto.training.synthetic.camera import take_photo
from impasto.training.synthetic.scenes import draw_scene
from impasto.training.synthetic.textures import Textures, make_textures

BLOCK = 64
"""So many neighbours in an epoch's order share their scenes: who draws them together draws each scene once."""
SCENES_PER_BLOCK = 4
LARGEST_SCENE = 1280
_SCENE, _PHOTO = 0, 1
_NO_EPOCH = -1


class SyntheticPhotos:
    """Draws the photo for any place in any epoch's order: always the same one for a seed and a size.

    A scene is large and dear, so several photos are taken of each.
    """

    def __init__(self, seed: int, size: int) -> None:
        self.seed = seed
        self.size = size
        self._scenes: dict[tuple[int, int], Tensor] = {}

    def prepare(self) -> None:
        """Makes the textures now, so that processes that are forked afterwards share them."""
        _ = self._textures

    def photo(self, epoch: int, place: int) -> Tensor:
        """The photo for a place in the order of an epoch (from 0 on), uint8 (3, size, size)."""
        scene = self._scene(epoch, place // BLOCK * SCENES_PER_BLOCK + place % SCENES_PER_BLOCK)
        return take_photo(self._draws(_PHOTO, epoch, place), scene, self.size, self._textures)

    def sample(self, number: int) -> Tensor:
        """A photo that is in no epoch, each number's of another scene, uint8 (3, size, size)."""
        block, scene = divmod(number, SCENES_PER_BLOCK)
        return self.photo(_NO_EPOCH, block * BLOCK + scene)

    @cached_property
    def _textures(self) -> Textures:
        return make_textures()

    def _scene(self, epoch: int, number: int) -> Tensor:
        key = epoch, number
        if key not in self._scenes:
            if len(self._scenes) >= SCENES_PER_BLOCK:
                self._scenes.clear()
            side = max(self.size, min(round(2.5 * self.size), LARGEST_SCENE))
            self._scenes[key] = draw_scene(self._draws(_SCENE, epoch, number), self._textures, side)
        return self._scenes[key]

    def _draws(self, purpose: int, epoch: int, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, purpose, epoch - _NO_EPOCH, number]))

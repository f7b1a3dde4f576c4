"""Takes photos of scenes: a crop, an exposure, a colour cast, the grain of a sensor."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from impasto.training.synthetic.outlines import Draws
from impasto.training.synthetic.textures import DEVIATION, MIDDLE, Textures, places

GREY_SHARE = 0.04
NEAREST = 1.3
"""How many pixels of a scene a photo's pixel spans at least: fewer would show that its edges are not smooth."""
_TOE = 0.08
"""Below this brightness a camera's curve falls half as steeply, which keeps most shadows from turning black."""


def take_photo(rng: Draws, scene: Tensor, size: int, textures: Textures) -> Tensor:
    """A photo of some part of `scene`, uint8 (3, size, size)."""
    photo = _expose(rng, _aim(rng, scene, size))
    return torch.from_numpy(_grain(rng, photo, textures))


def _aim(rng: Draws, scene: Tensor, size: int) -> NDArray[np.uint8]:
    """A part of the scene, upright or mirrored; photos are stretched to a square, so this one may be too."""
    # Who takes a photo points at something: of two random views, the one of more contrast.
    part = max((_view(rng, scene, size) for _ in range(2)), key=lambda view: float(_rough(view).std()))
    photo = F.interpolate(part[None], (size, size), mode="bicubic", antialias=True)[0]
    if rng.random() < 0.5:
        photo = photo.flip(2)
    pixels: NDArray[np.uint8] = photo.contiguous().numpy()
    return pixels


def _view(rng: Draws, scene: Tensor, size: int) -> Tensor:
    full = scene.shape[-1]
    side = np.exp(rng.uniform(np.log(min(full, NEAREST * size)), np.log(full)))
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    height, width = (int(min(full, side * factor)) for factor in (stretch, 1 / stretch))
    top, left = rng.integers(0, full - height + 1), rng.integers(0, full - width + 1)
    return scene[:, top : top + height, left : left + width]


def _rough(view: Tensor) -> NDArray[np.float32]:
    """Some of a picture's grey values, in [0, 1]."""
    step = max(1, view.shape[-1] // 40)
    some = view.numpy()[:, step // 2 :: step, step // 2 :: step]
    return np.asarray(some.mean(0) / 255, np.float32)


def _expose(rng: Draws, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brings brightness and contrast near to what photos have, as a camera does; some become grey."""
    some = _rough(torch.from_numpy(photo))
    brightness, contrast = float(some.mean()), float(some.std())
    wanted = np.clip(rng.normal(0.44, 0.13), 0.12, 0.85), np.clip(rng.normal(0.225, 0.065), 0.06, 0.4)
    factor = np.clip((wanted[1] / (contrast + 0.01)) ** 0.85, 0.5, 2.0)
    middle = brightness + 0.85 * (wanted[0] - brightness)
    curve = (np.arange(256) / 255 - brightness) * factor + middle
    curve = np.maximum(curve, (curve + _TOE) / 2)
    casts = np.exp(rng.normal(0, 0.04, 3))
    if rng.random() < GREY_SHARE:
        photo = np.broadcast_to(photo.mean(0).astype(np.uint8), photo.shape)
        casts[:] = casts[0]
    planes = [
        plane.tobytes().translate(np.clip(curve * cast * 255, 0, 255).astype(np.uint8).tobytes())
        for plane, cast in zip(photo, casts, strict=True)
    ]
    return np.frombuffer(b"".join(planes), np.uint8).reshape(photo.shape)


def _grain(rng: Draws, photo: NDArray[np.uint8], textures: Textures) -> NDArray[np.uint8]:
    """Adds the noise of a sensor: mostly little, alike in all colours."""
    strength = rng.exponential(2.0)
    size = photo.shape[-1]
    noise = textures.look_up(textures.codes(rng, "sensor", 1), places(size, size))
    grain = ((noise.astype(np.float32) - MIDDLE) * np.float32(strength / DEVIATION)).astype(np.int16)
    grainy: NDArray[np.uint8] = np.clip(photo + grain, 0, 255).astype(np.uint8)
    return grainy

"""The photo's colours kept in a stylized image, in two ways. Planes are float32 (3, H, W) sRGB in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from impasto.stylizing.samples import Floats

Colors = Literal["style", "photo", "match"]
"""Whose colours a stylized image has: the style's; the photo's under the stylized lightness; or the style's, moved as a
whole to where the photo's lie."""

# Björn Ottosson, A perceptual color space for image processing, 2020.
LMS_OF_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
OKLAB_OF_LMS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
RGB_OF_LMS = np.linalg.inv(LMS_OF_RGB.astype(np.float64)).astype(np.float32)
LMS_OF_OKLAB = np.linalg.inv(OKLAB_OF_LMS.astype(np.float64)).astype(np.float32)
GAMUT_STEPS = 6
"""Halvings in the search for the most chroma that a screen can show."""
GAMUT_MARGIN = 1e-3


def photo_chroma(stylized: Floats, photo: Floats) -> Floats:
    """The lightness of `stylized` with the hue and chroma of `photo` in Oklab.

    Where that colour does not exist on a screen the chroma is reduced, never the hue turned or the lightness changed.
    """
    lab = oklab(photo.reshape(3, -1))
    lab[0] = oklab(stylized.reshape(3, -1))[0]
    return _in_gamut(lab).reshape(stylized.shape)


class Moments:
    """Mean and covariance of colours that come in parts (Chan, Golub, LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = np.zeros((3, 1))
        self._products = np.zeros((3, 3))

    def add(self, planes: Floats) -> None:
        """Takes the colours of planes (3, …) in."""
        flat = planes.reshape(3, -1).astype(np.float64)
        here = flat.shape[1]
        own = flat.mean(1, keepdims=True)
        flat -= own
        move, total = own - self.mean, self.count + here
        self._products += flat @ flat.T + move @ move.T * (self.count * here / total)
        self.mean = self.mean + move * (here / total)
        self.count = total

    @property
    def covariance(self) -> NDArray[np.float64]:
        return self._products / max(1, self.count - 1)


def matching(stylized: Moments, photo: Moments) -> Callable[[Floats], Floats]:
    """The linear change of planes that gives them the mean and the covariance of the photo's colours.

    The map is the symmetric one of optimal transport between Gaussians (Pitié, Kokaram 2007; Gatys et al., Preserving
    Color in Neural Artistic Style Transfer, 2016, section 4.1, propose any of that family).
    """
    root = _root(stylized.covariance + 1e-6 * np.eye(3))
    inverse = np.linalg.inv(root)
    turn = inverse @ _root(root @ photo.covariance @ root) @ inverse
    move = (photo.mean - turn @ stylized.mean).astype(np.float32)

    def moved(planes: Floats) -> Floats:
        flat: Floats = turn.astype(np.float32) @ planes.reshape(3, -1) + move
        return flat.clip(0, 1).reshape(planes.shape)

    return moved


def oklab(rgb: Floats) -> Floats:
    """Oklab (3, n): lightness in [0, 1] and two axes of colour, of sRGB (3, n) in [0, 1]."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)
    lab: Floats = OKLAB_OF_LMS @ np.cbrt(LMS_OF_RGB @ linear.astype(np.float32))
    return lab


def linear_rgb(lab: Floats) -> Floats:
    """Linear RGB (3, n), outside [0, 1] for colours that a screen cannot show, of Oklab (3, n)."""
    rgb: Floats = RGB_OF_LMS @ (LMS_OF_OKLAB @ lab) ** 3
    return rgb


def _in_gamut(lab: Floats) -> Floats:
    """sRGB (3, n) in [0, 1] of Oklab colours, with less chroma where there is no such colour."""
    rgb = linear_rgb(lab)
    outside = np.flatnonzero((rgb.min(0) < -GAMUT_MARGIN) | (rgb.max(0) > 1 + GAMUT_MARGIN))
    if outside.size:
        rgb[:, outside] = _less_chroma(lab[:, outside])
    rgb = rgb.clip(0, 1)
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)


def _less_chroma(lab: Floats) -> Floats:
    """Linear RGB with the largest share of the chroma that stays within [0, 1], found by halving."""
    share, best = np.full(lab.shape[1], 0.5, np.float32), np.zeros(lab.shape[1], np.float32)
    for step in range(2, GAMUT_STEPS + 2):
        rgb = linear_rgb(np.stack([lab[0], lab[1] * share, lab[2] * share]))
        fits = (rgb.min(0) >= 0) & (rgb.max(0) <= 1)
        best = np.where(fits, share, best)
        share = share + np.where(fits, 1, -1).astype(np.float32) / 2**step
    return linear_rgb(np.stack([lab[0], lab[1] * best, lab[2] * best]))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric root of a symmetric positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root

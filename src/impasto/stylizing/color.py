"""The photo's colours kept in a stylized image, in two ways. Planes are float32 (3, H, W) sRGB in [0, 1]."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
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
STRIP = 1 << 18
"""Pixels that are worked on at a time, so that the memory does not grow with the picture."""


def with_colors(stylized: Floats, photo: Floats, colors: Colors) -> Floats:
    """`stylized` in the colours that `colors` asks for."""
    if colors == "photo":
        return photo_chroma(stylized, photo)
    return matched(stylized, photo) if colors == "match" else stylized


def photo_chroma(stylized: Floats, photo: Floats) -> Floats:
    """The lightness of `stylized` with the hue and chroma of `photo` in Oklab.

    Where that colour does not exist on a screen the chroma is reduced, never the hue turned or the lightness changed.
    """
    flat, other = stylized.reshape(3, -1), photo.reshape(3, -1)
    result = np.empty_like(flat)
    for start in range(0, flat.shape[1], STRIP):
        part = np.s_[:, start : start + STRIP]
        lab = oklab(other[part])
        lab[0] = oklab(flat[part])[0]
        result[part] = _in_gamut(lab)
    return result.reshape(stylized.shape)


def matched(stylized: Floats, photo: Floats) -> Floats:
    """`stylized` moved linearly so that its colours have the mean and the covariance of the photo's.

    The map is the symmetric one of optimal transport between Gaussians (Pitié, Kokaram 2007; Gatys et al., Preserving
    Color in Neural Artistic Style Transfer, 2016, section 4.1, propose any of that family).
    """
    flat, target = stylized.reshape(3, -1).astype(np.float64), photo.reshape(3, -1).astype(np.float64)
    mean, wanted_mean = flat.mean(1, keepdims=True), target.mean(1, keepdims=True)
    root = _root(np.cov(flat) + 1e-6 * np.eye(3))
    inverse = np.linalg.inv(root)
    move = inverse @ _root(root @ np.cov(target) @ root) @ inverse
    result: Floats = (move @ (flat - mean) + wanted_mean).clip(0, 1).astype(np.float32).reshape(stylized.shape)
    return result


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

"""The objective once more, in NumPy and float64, written from the definition alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]


def enlarged(image: Array, factor: float) -> Array:
    """(C, H, W) sampled bilinearly at the centres of the new pixels, the border repeated."""
    for axis in (1, 2):
        old = image.shape[axis]
        at = np.clip((np.arange(int(old * factor)) + 0.5) / factor - 0.5, 0, None)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
        high = np.minimum(low + 1, old - 1)
        image = image.take(low, axis) * (1 - share) + image.take(high, axis) * share
    return image


def convolved(image: Array, layer: nn.Conv2d) -> Array:
    """Convolution without padding, then ReLU: (C, H, W) → (C', H', W')."""
    assert layer.bias is not None
    weight, bias = layer.weight.double().numpy(), layer.bias.double().numpy()
    step, side = layer.stride[0], weight.shape[2]
    rows, columns = ((length - side) // step + 1 for length in image.shape[1:])
    out = np.empty((weight.shape[0], rows, columns))
    for y in range(rows):
        for x in range(columns):
            patch = image[:, y * step : y * step + side, x * step : x * step + side]
            out[:, y, x] = np.maximum(0, (weight * patch).sum(axis=(1, 2, 3)) + bias)
    return out


def gram(features: Array) -> Array:
    flat = features.reshape(features.shape[0], -1)
    return flat @ flat.T / features.size


def distance(found: Array, target: Array) -> float:
    return float(((found - target) ** 2).sum() / (target**2).sum())

"""Measures of a stylized image that need no judge."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def ssim(image: Tensor, photo: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) of two images (1, 3, H, W) in [0, 1], mean over the channels."""
    from skimage.metrics import structural_similarity

    first, second = (np.asarray(x[0].cpu().numpy(), dtype=np.float64) for x in (image, photo))
    return float(structural_similarity(first, second, channel_axis=0, data_range=1.0))


def checkerboard(image: Tensor) -> float:
    """Mean squared second differences over mean squared first differences, along rows and columns, per channel.

    0 for a ramp or a plain colour, 3 for white noise, 4 for stripes or a checkerboard of single pixels; a painting has
    1 to 2. What an image has above its painting is grain that the painter did not put there.

    Args:
        image: (1, C, H, W), at least 3 pixels a side.
    """
    image = image.double()
    first = [torch.diff(image, dim=dim) for dim in (2, 3)]
    second = [torch.diff(step, dim=dim) for step, dim in zip(first, (2, 3), strict=True)]
    slope, bend = (sum(float(step.square().mean()) for step in steps) for steps in (first, second))
    return bend / slope if slope else 0.0

"""From a trained network to a style file's content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.files.style_file import Style
from impasto.training.state import NotFiniteError

PROBE = (40, 52)
SMALL_PROBE = (16, 20)
"""Height and width of the probe photo; the small one is for files of rows, which are small themselves."""


def make_style(
    network: NetworkConfig,
    weights: Mapping[str, Tensor],
    names: Sequence[str],
    provenance: Mapping[str, Any],
    probe: tuple[int, int] = PROBE,
) -> Style:
    """The style of trained `weights` (by parameter name), with the float32 answer to a probe photo of that size.

    Raises:
        NotFiniteError: the network gives no finite image.
    """
    tensors = {name: value.detach().float().cpu().contiguous().numpy() for name, value in weights.items()}
    photo = probe_photo(*probe)
    model = TransformerNet(network).eval()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    with torch.inference_mode():
        pixels = torch.from_numpy(photo.transpose(0, 3, 1, 2).copy()).float() / 255
        answer = model(pixels).numpy()
    if not np.isfinite(answer).all():
        raise NotFiniteError("the stylized image became infinite or NaN")
    return Style(network, tuple(names), tensors, provenance, photo, answer)


def probe_photo(height: int = PROBE[0], width: int = PROBE[1]) -> NDArray[np.uint8]:
    """A small picture (1, H, W, 3) with gradients, an edge and texture; not square, so that a swap of sides shows."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    sky = np.stack([90 + 2 * y, 120 + y, 200 - 2 * y], axis=-1)
    disc = ((x - 34) ** 2 + (y - 14) ** 2 < 81)[..., None] * np.array([120.0, 90.0, -120.0])
    waves = (np.sin(x / 2) * np.cos(y / 3) * (y > 24))[..., None] * np.array([20.0, 40.0, 30.0])
    photo: NDArray[np.uint8] = (sky + disc + waves).clip(0, 255).round().astype(np.uint8)
    return photo[None]

"""What a network begins as: the one in the package, which has learned to paint many paintings already.

A new painting then takes a fraction of the steps (Dumoulin, Shlens, Kudlur, ICLR 2017, section 3.2).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from impasto.config import NetworkConfig
from impasto.core.losses import PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.files import assets, style_file
from impasto.files.style_file import Style

START = "turbo.safetensors"
"""Made by `scripts/train_start.py`."""


def trained_start(network: NetworkConfig, loss: PerceptualLoss, photos: Tensor) -> tuple[str, dict[str, Tensor]] | None:
    """The weights in the package for a network of that shape, with the row that is nearest to the style of `loss`.

    Args:
        photos: (B, 3, H, W) in [0, 1], a few to try the rows on.
    Returns:
        The name of that row and the weights; None where the package's network has another shape.
    """
    start = style_file.load(assets.folder("start") / START)
    if replace(start.network, styles=1) != network:
        return None
    row = nearest_row(start, loss, photos)
    return start.names[row], one_row(start, row)


@torch.inference_mode()
def nearest_row(start: Style, loss: PerceptualLoss, photos: Tensor) -> int:
    """Number of the style in `start` that makes the style loss smallest."""
    photos = photos.to(loss.network.mean.device)
    painter = TransformerNet(start.network).eval()
    painter.load_state_dict({name: torch.from_numpy(value) for name, value in start.tensors.items()})
    painter = painter.to(photos.device)
    losses = [float(loss(painter(photos, row), photos).style) for row in range(start.network.styles)]
    return min(range(len(losses)), key=losses.__getitem__)


def one_row(start: Style, row: int) -> dict[str, Tensor]:
    """The weights of a network of one style that paints as `start` does with that row."""
    tensors = {name: value[row : row + 1] if is_row(name) else value for name, value in start.tensors.items()}
    return {name: torch.from_numpy(value.copy()) for name, value in tensors.items()}


def is_row(parameter: str) -> bool:
    """Whether a parameter of that name has a row for each style."""
    return parameter.endswith((".norm.scale", ".norm.offset"))

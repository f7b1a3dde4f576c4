"""What a network begins as: the one in the package, which has learned to paint many paintings already.

A new painting then takes a fraction of the steps (Dumoulin, Shlens, Kudlur, ICLR 2017, section 3.2).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.config import TrainConfig
from impasto.core.losses import PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.files import assets, gallery, style_file
from impasto.files.style_file import IDENTITY, Style

START = "turbo.safetensors"
"""Made by `scripts/train_base.py`."""


class Start(NamedTuple):
    """What a training begins with."""

    row: str
    """Name of the style as which it paints at first."""
    weights: dict[str, Tensor]


def start_file(config: TrainConfig) -> Path:
    """The file in the package that a training of that configuration begins with."""
    return gallery.path_of(config.network.body) if config.start == "gallery" else assets.folder("start") / START


def fits(config: TrainConfig) -> bool:
    """Whether the network in the package has the shape of the one that is to be trained."""
    path = start_file(config)
    return path.exists() and replace(style_file.load(path).network, styles=config.network.styles) == config.network


def trained_start(config: TrainConfig, loss: PerceptualLoss, photos: Tensor) -> Start:
    """The weights of the network in the package, with the row that is nearest to the style of `loss`.

    Args:
        photos: (B, 3, H, W) in [0, 1], a few to try the rows on.
    """
    start = style_file.load(start_file(config))
    row = nearest_row(start, loss, photos)
    identity = [start.names.index(IDENTITY)] if IDENTITY in start.names else [row]
    rows = [row, *identity][: config.network.styles]
    return Start(start.names[row], rows_from(start, rows))


@torch.inference_mode()
def nearest_row(start: Style, loss: PerceptualLoss, photos: Tensor) -> int:
    """Number of the style in `start` that makes the style loss smallest."""
    photos = photos.to(loss.network.mean.device)
    painter = TransformerNet(start.network).eval()
    painter.load_state_dict({name: torch.from_numpy(value) for name, value in start.tensors.items()})
    painter = painter.to(photos.device)
    painted = [row for row, name in enumerate(start.names) if name != IDENTITY]
    losses = {row: float(loss(painter(photos, row), photos).style) for row in painted}
    return min(losses, key=losses.__getitem__)


def rows_from(start: Style, rows: list[int]) -> dict[str, Tensor]:
    """The weights of a network that paints as `start` does with those rows."""
    tensors = {name: value[rows] if gallery.is_row(name) else value for name, value in start.tensors.items()}
    return {name: torch.from_numpy(value.copy()) for name, value in tensors.items()}

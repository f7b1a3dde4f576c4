"""A judge small enough for float64 loops."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from impasto.config import LossLayers
from impasto.core.loss_network import LossNetwork
from impasto.evaluation.objective import Judge


@pytest.fixture
def layers() -> dict[str, nn.Conv2d]:
    torch.manual_seed(3)
    return {"first": nn.Conv2d(3, 4, 3, stride=2), "second": nn.Conv2d(4, 6, 3), "third": nn.Conv2d(6, 5, 3)}


@pytest.fixture
def judge(layers: dict[str, nn.Conv2d]) -> Judge:
    network = LossNetwork({name: nn.Sequential(layer, nn.ReLU()) for name, layer in layers.items()}, "torchvision")
    return Judge("tiny", network, LossLayers(("second",), ("first", "third"), 1.0, 1.0))

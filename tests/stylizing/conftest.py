"""A style file's content with three styles, and a stylizer of it."""

from __future__ import annotations

import pytest
import torch

from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.files.style_file import Style
from impasto.stylizing.backends import make_backend
from impasto.stylizing.stylizer import Stylizer
from impasto.training.result import make_style

NAMES = ("wave", "große Nacht", "3")


@pytest.fixture(scope="package")
def network() -> TransformerNet:
    torch.manual_seed(21)
    network = TransformerNet(NetworkConfig(width=3, blocks=1, styles=len(NAMES))).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("scale", "offset", "bias")):
                parameter.add_(0.4 * torch.randn(parameter.shape))
    return network.requires_grad_(False)


@pytest.fixture(scope="package")
def style(network: TransformerNet) -> Style:
    return make_style(network.config, dict(network.named_parameters()), NAMES, {"painting": "none"})


@pytest.fixture(scope="package")
def stylizer(style: Style) -> Stylizer:
    return Stylizer(style, make_backend(style, "cpu", precision="float32"))

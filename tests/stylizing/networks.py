"""Small networks of every kind, as styles whose rows, biases and shares of the photo all matter."""

from __future__ import annotations

import torch

from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.files.style_file import Style
from impasto.training.result import make_style

KINDS: dict[str, dict[str, object]] = {
    "classic": {},
    "classic, reflection, linear, skip": {"padding": "reflection", "output": "linear", "skip": True},
    "classic, zero, linear": {"output": "linear"},
    "turbo": {"body": "turbo", "padding": "reflection", "output": "linear", "skip": True},
    "turbo, zero, tanh": {"body": "turbo", "skip": True},
    "turbo by 8": {"body": "turbo", "downsampling": 8, "padding": "reflection"},
    "turbo by 8, zero, linear": {"body": "turbo", "downsampling": 8, "output": "linear"},
}
NAMES = ("a", "b", "c")


def network_of(kind: str) -> TransformerNet:
    torch.manual_seed(3)
    options = KINDS[kind]
    config = NetworkConfig(width=20 if "turbo" in kind else 5, blocks=2, styles=len(NAMES), **options)  # type: ignore[arg-type]
    network = TransformerNet(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.endswith(("bias", "offset", "scale", "gain")):
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return network


def style_of(kind: str) -> Style:
    network = network_of(kind)
    return make_style(network.config, dict(network.named_parameters()), NAMES, {"painting": "none"})

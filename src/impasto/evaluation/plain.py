"""The transformer network as pytorch/examples and most others run it, to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def plain_network() -> nn.Sequential:
    """Reflection pads, `nn.InstanceNorm2d`, nearest upsampling before 3×3 convolutions; float32, 1,679,235 parameters.

    From pixel values (B, 3, H, W) to pixel values, neither of them bounded.
    """

    def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, upsample: bool = False) -> nn.Sequential:
        parts: list[nn.Module] = [nn.Upsample(scale_factor=2, mode="nearest")] if upsample else []
        return nn.Sequential(*parts, nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride))

    def normed(inputs: int, outputs: int, kernel: int, stride: int = 1, upsample: bool = False) -> nn.Sequential:
        norm = nn.InstanceNorm2d(outputs, affine=True)
        return nn.Sequential(conv(inputs, outputs, kernel, stride, upsample), norm, nn.ReLU())

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            second = nn.Sequential(conv(128, 128, 3), nn.InstanceNorm2d(128, affine=True))
            self.body = nn.Sequential(normed(128, 128, 3), second)

        def forward(self, x: Tensor) -> Tensor:
            changed: Tensor = x + self.body(x)
            return changed

    return nn.Sequential(
        normed(3, 32, 9),
        normed(32, 64, 3, 2),
        normed(64, 128, 3, 2),
        *(Residual() for _ in range(5)),
        normed(128, 64, 3, upsample=True),
        normed(64, 32, 3, upsample=True),
        conv(32, 3, 9),
    )


def plain_weights(network: nn.Sequential) -> dict[str, Tensor]:
    """The parameters of a plain network under the names of our classic one, linear output, reflection pads."""
    parts = ["down.0", "down.1", "down.2"]
    parts += [f"blocks.{number}.{which}" for number in range(5) for which in ("first", "second")]
    parts += ["up.0", "up.1"]
    modules = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.InstanceNorm2d)]
    *pairs, last = modules
    weights: dict[str, Tensor] = {}
    for name, conv, norm in zip(parts, pairs[::2], pairs[1::2], strict=True):
        weights |= {f"{name}.conv.{kind}": getattr(conv, kind).detach() for kind in ("weight", "bias")}
        weights[f"{name}.norm.scale"] = torch.as_tensor(norm.weight).detach()[None]
        weights[f"{name}.norm.offset"] = torch.as_tensor(norm.bias).detach()[None]
    # It gives pixel values; ours gives -1 to 1.
    return weights | {
        "head.weight": torch.as_tensor(last.weight).detach() / 127.5,
        "head.bias": torch.as_tensor(last.bias).detach() / 127.5 - 1,
    }

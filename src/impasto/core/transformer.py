"""The image transformer network of Johnson, Alahi and Fei-Fei (ECCV 2016), with rows of styles."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config import NetworkConfig, Padding
from impasto.core.norm import ConditionalInstanceNorm, style_mix

PIXEL_RANGE = 255.0
DOWNSAMPLING = 4
# Reflection by 4 pixels needs 5, and by 1 pixel at a quarter of the size needs 8.
SMALLEST_SIDE = 8


class Conv(nn.Conv2d):
    """A convolution of odd kernel whose output is its input's size over the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: Padding = "zero") -> None:
        mode: Literal["zeros", "reflect"] = "zeros" if padding == "zero" else "reflect"
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode=mode)
        nn.init.xavier_uniform_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)


class ConvNorm(nn.Module):
    """Optional nearest ×2, convolution, conditional instance norm, optional ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        config: NetworkConfig,
        *,
        stride: int = 1,
        upsample: bool = False,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = Conv(inputs, outputs, kernel, stride, config.padding)
        self.norm = ConditionalInstanceNorm(outputs, config.styles)
        self.upsample = upsample
        self.relu = relu

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="nearest")  # (B, C, 2H, 2W)
        normed: Tensor = self.norm(self.conv(x), mix)
        if self.relu:
            normed = F.relu(normed, inplace=True)
        return normed


class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), no ReLU after the sum."""

    def __init__(self, channels: int, config: NetworkConfig) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, 3, config)
        self.second = ConvNorm(channels, channels, 3, config, relu=False)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        change: Tensor = self.second(self.first(x, mix), mix)
        return x + change


class TransformerNet(nn.Module):
    """Repaints photos in one pass; the classic one has 1,679,235 parameters (DESIGN 1).

    Biased convolutions with Glorot-uniform weights, strided down to a quarter, residual blocks, nearest
    upsampling before plain convolutions (no transposed convolution, hence no checkerboard from overlap).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.down = nn.ModuleList(
            [
                ConvNorm(3, w, 9, config),
                ConvNorm(w, 2 * w, 3, config, stride=2),
                ConvNorm(2 * w, 4 * w, 3, config, stride=2),
            ]
        )
        self.blocks = nn.ModuleList(ResidualBlock(4 * w, config) for _ in range(config.blocks))
        self.up = nn.ModuleList(
            [ConvNorm(4 * w, 2 * w, 3, config, upsample=True), ConvNorm(2 * w, w, 3, config, upsample=True)]
        )
        self.head = Conv(w, 3, 9, padding=config.padding)

    def forward(self, photos: Tensor, style: int | Tensor = 0) -> Tensor:
        """Stylized images (B, 3, H, W) in [0, 1] of `photos` (B, 3, H, W) in [0, 1], any size.

        `style` is an index, indices (B,), or weights (styles,) or (B, styles) that mix styles. With
        linear output the values are clamped to [0, 1] in evaluation only: a clamp has no gradient outside.

        Raises:
            ValueError: photos or style of another shape.
        """
        if photos.ndim != 4 or photos.shape[1] != 3 or 0 in photos.shape:
            raise ValueError(f"photos have shape {tuple(photos.shape)}, expected (B, 3, H, W)")
        mix = style_mix(style, photos.shape[0], self.config.styles, like=photos)
        x = pad_to_grid(photos) * PIXEL_RANGE
        for layer in self.down:
            x = layer(x, mix)  # (B, 4w, H/4, W/4) after the last
        for block in self.blocks:
            x = block(x, mix)
        for layer in self.up:
            x = layer(x, mix)  # (B, w, H, W) after the last
        x = self.head(x).float()  # (B, 3, H, W)
        x = x[..., : photos.shape[2], : photos.shape[3]]
        if self.config.output == "tanh":
            x = torch.tanh(x)
        elif not self.training:
            x = x.clamp(-1, 1)
        return (x + 1) / 2


def pad_to_grid(images: Tensor) -> Tensor:
    """`images` (B, C, H, W) with the last row and column repeated until both sides are multiples of 4, at least 8."""
    bottom, right = (max(SMALLEST_SIDE, -(-side // DOWNSAMPLING) * DOWNSAMPLING) - side for side in images.shape[2:])
    return F.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images

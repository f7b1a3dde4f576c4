"""The image transformer network of Johnson, Alahi and Fei-Fei (ECCV 2016), with rows of styles."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config import NetworkConfig, Padding
from impasto.core.norm import ConditionalInstanceNorm, style_mix

Resample = Literal["none", "nearest", "bilinear"]

PIXEL_RANGE = 255.0
SMALLEST_GRID = 2
"""Cells along a side of the smallest grid: reflecting one needs another."""
TURBO_HEAD = 8
"""Channels of a turbo network at full resolution."""


class Conv(nn.Conv2d):
    """A convolution of odd kernel whose output is its input's size over the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: Padding = "zero") -> None:
        mode: Literal["zeros", "reflect"] = "zeros" if padding == "zero" else "reflect"
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode=mode)
        nn.init.xavier_uniform_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)


class ConvNorm(nn.Module):
    """Optional ×2 or space to depth, convolution, conditional instance norm, optional ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        config: NetworkConfig,
        *,
        stride: int = 1,
        resample: Resample = "none",
        cell: int = 1,
        relu: bool = True,
    ) -> None:
        """`inputs` are those of the convolution; `cell` is the side of the squares that become channels."""
        super().__init__()
        self.conv = Conv(inputs, outputs, kernel, stride, config.padding)
        self.norm = ConditionalInstanceNorm(outputs, config.styles)
        self.resample = resample
        self.cell = cell
        self.relu = relu

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        if self.cell > 1:
            x = F.pixel_unshuffle(x, self.cell)  # (B, cell²·C, H/cell, W/cell)
        x = upsampled(x, self.resample)  # (B, C, 2H, 2W)
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


def upsampled(x: Tensor, resample: Resample) -> Tensor:
    """(B, C, H, W) → (B, C, 2H, 2W), or `x` itself."""
    if resample == "none":
        return x
    return F.interpolate(x, scale_factor=2, mode=resample, align_corners=False if resample == "bilinear" else None)


class SmoothHead(nn.Module):
    """From half the resolution to the picture: convolution, ReLU, bilinear ×2, convolution over that and the photo.

    What is even stays even, whatever the weights: unlike depth to space it cannot lay a grid over flat areas.
    The photo's own pixels bring back the edges that a coarse grid cannot place.
    """

    def __init__(self, inputs: int, config: NetworkConfig) -> None:
        super().__init__()
        self.narrow = Conv(inputs, TURBO_HEAD, 3, padding=config.padding)
        self.full = Conv(TURBO_HEAD + 3, 3, 3, padding=config.padding)

    def forward(self, x: Tensor, photos: Tensor) -> Tensor:
        """From `x` (B, inputs, H, W) and `photos` (B, 3, 2H, 2W) in [0, 1]."""
        x = upsampled(F.relu(self.narrow(x)), "bilinear")  # (B, 8, 2H, 2W)
        x = torch.cat([x, (2 * photos - 1).to(x.dtype)], dim=1)
        image: Tensor = self.full(x)
        return image


class TransformerNet(nn.Module):
    """Repaints photos in one pass; the classic one has 1,679,235 parameters.

    Biased convolutions with Glorot-uniform weights. `classic` (Johnson et al. 2016): strided down to a quarter,
    residual blocks, nearest upsampling before plain convolutions (no transposed convolution, hence no checkerboard
    from overlap). `turbo`: squares of 4×4 (or 8×8) pixels become channels at once, so that nothing but a thin last
    layer is computed at full resolution; 17.5 thousand multiplications a pixel at width 48, where classic has 154.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        down, channels, up, self.head = (turbo_body if config.body == "turbo" else classic_body)(config)
        self.down = nn.ModuleList(down)
        self.blocks = nn.ModuleList(ResidualBlock(channels, config) for _ in range(config.blocks))
        self.up = nn.ModuleList(up)

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
        padded = pad_to_grid(photos, self.config.downsampling)
        x = padded * PIXEL_RANGE
        for layer in self.down:
            x = layer(x, mix)  # (B, C, H/4, W/4) after the last
        for block in self.blocks:
            x = block(x, mix)
        for layer in self.up:
            x = layer(x, mix)  # (B, w, H, W) after the last, of turbo half that size
        x = (self.head(x, padded) if isinstance(self.head, SmoothHead) else self.head(x)).float()  # (B, 3, H, W)
        x = x[..., : photos.shape[2], : photos.shape[3]]
        if self.config.output == "tanh":
            x = torch.tanh(x)
        elif not self.training:
            x = x.clamp(-1, 1)
        return (x + 1) / 2


Parts = tuple[list[ConvNorm], int, list[ConvNorm], nn.Module]
"""What leads down to the residual blocks, their channels, what leads up from them, and the last layer."""


def classic_body(config: NetworkConfig) -> Parts:
    w = config.width
    down = [
        ConvNorm(3, w, 9, config),
        ConvNorm(w, 2 * w, 3, config, stride=2),
        ConvNorm(2 * w, 4 * w, 3, config, stride=2),
    ]
    up = [
        ConvNorm(4 * w, 2 * w, 3, config, resample="nearest"),
        ConvNorm(2 * w, w, 3, config, resample="nearest"),
    ]
    return down, 4 * w, up, Conv(w, 3, 9, padding=config.padding)


def turbo_body(config: NetworkConfig) -> Parts:
    w, cell = config.width, config.downsampling
    down = [ConvNorm(3 * cell * cell, w, 3, config, cell=cell)]
    channels = [w, *(max(TURBO_HEAD, w >> step) for step in range(1, cell.bit_length() - 1))]  # one for each ×2
    up = [ConvNorm(*pair, 3, config, resample="bilinear") for pair in itertools.pairwise(channels)]
    return down, w, up, SmoothHead(channels[-1], config)


def pad_to_grid(images: Tensor, cell: int) -> Tensor:
    """`images` (B, C, H, W) with the last row and column repeated up to a multiple of `cell`, of two at least."""
    bottom, right = (max(SMALLEST_GRID, -(-side // cell)) * cell - side for side in images.shape[2:])
    return F.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images

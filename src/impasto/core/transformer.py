"""The image transformer network of Johnson, Alahi and Fei-Fei (ECCV 2016), with rows of styles."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config import NetworkConfig
from impasto.core.norm import ConditionalInstanceNorm, is_channels_last, style_mix

Resample = Literal["none", "nearest", "bilinear"]
Border = Literal["zero", "reflection", "edge"]
"""What a convolution sees beyond the border: zeros, the pixels mirrored at the outermost ones, or those repeated."""

PIXEL_RANGE = 255.0
SMALLEST_GRID = 2
"""Cells along a side of the smallest grid: reflecting one needs another."""
TURBO_HEAD = 16
"""Channels before the last layer of a turbo network, which works at half the resolution."""
HEAD_CELL = 2
"""Side of the squares of pixels that this layer lays down."""


class Conv(nn.Conv2d):
    """A convolution of odd kernel whose output is its input's size over the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, border: Border = "zero") -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2 if border == "zero" else 0)
        self.beyond = kernel // 2 - int(self.padding[0])
        self.repeats = border == "edge"
        nn.init.xavier_uniform_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(extended(x, self.beyond, self.repeats))


def extended(x: Tensor, width: int, repeats: bool = False) -> Tensor:
    """`x` (B, C, H, W) with `width` more pixels around it, mirrored at the outermost ones or repeating them."""
    if not width:
        return x
    if x.requires_grad and is_channels_last(x):
        padded: Tensor = _Extension.apply(x, width, repeats)  # type: ignore[no-untyped-call]
        return padded
    return F.pad(x, (width,) * 4, mode="replicate" if repeats else "reflect")


class _Extension(torch.autograd.Function):
    """Padding that stays in the channels-last layout, which PyTorch's own leaves on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, width: int, repeats: bool) -> Tensor:
        ctx.width, ctx.repeats = width, repeats
        batch, channels, height, breadth = x.shape
        sides = batch, channels, height + 2 * width, breadth + 2 * width
        padded = torch.empty(sides, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        padded[..., width:-width, width:-width] = x
        for axis in (2, 3):
            for outer, inner in _beyond(padded.shape[axis], width, repeats):
                padded.select(axis, outer).copy_(padded.select(axis, inner))
        return padded

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        width: int = ctx.width
        folded = gradient.clone(memory_format=torch.channels_last)
        for axis in (3, 2):
            for outer, inner in _beyond(gradient.shape[axis], width, ctx.repeats):
                folded.select(axis, inner).add_(folded.select(axis, outer))
        return folded[..., width:-width, width:-width].contiguous(memory_format=torch.channels_last), None, None


def _beyond(side: int, width: int, repeats: bool) -> list[tuple[int, int]]:
    """Pairs of a place in the padding and the place that it shows, along a padded side."""
    near = [(place, width if repeats else 2 * width - place) for place in range(width)]
    return near + [(side - 1 - outer, side - 1 - inner) for outer, inner in near]


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
        # So that bilinear ×2 and the convolution behind it can be one on the small grid (stylizing/graph.py).
        repeats = resample == "bilinear" and config.padding == "reflection"
        self.conv = Conv(inputs, outputs, kernel, stride, "edge" if repeats else config.padding)
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


class TurboHead(nn.Module):
    """From half the resolution to the picture: two convolutions over features and photo, then depth to space.

    The photo comes along as it is, its squares of 2×2 pixels as channels, to bring back the edges that a coarse grid
    cannot place. The four pixels of a square begin alike (ICNR, Aitken et al. 2017), and whatever they learn, the
    binomial filter behind them keeps what is even even, since it lets nothing through of a pattern of two pixels.
    """

    def __init__(self, inputs: int, config: NetworkConfig) -> None:
        super().__init__()
        self.mixed = Conv(inputs + 3 * HEAD_CELL**2, TURBO_HEAD, 3, border=config.padding)
        self.full = Conv(TURBO_HEAD, 3 * HEAD_CELL**2, 3, border=config.padding)
        with torch.no_grad():
            self.full.weight.copy_(self.full.weight[:: HEAD_CELL**2].repeat_interleave(HEAD_CELL**2, dim=0))

    def forward(self, x: Tensor, photos: Tensor) -> Tensor:
        """From `x` (B, inputs, H, W) and `photos` (B, 3, 2H, 2W) in [0, 1]."""
        pixels = F.pixel_unshuffle(2 * photos - 1, HEAD_CELL).to(x.dtype)  # (B, 12, H, W)
        if is_channels_last(x):  # or all that follows would be slow
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        x = F.relu(self.mixed(torch.cat([x, pixels], dim=1)), inplace=True)
        return smoothed(F.pixel_shuffle(self.full(x), HEAD_CELL).float())  # (B, 3, 2H, 2W)


class PhotoSkip(nn.Module):
    """Lets a share of the photo through, one for each style and colour.

    Instance norm takes brightness and contrast out of a photo; only past it can they come back, as strength 0 needs.
    """

    def __init__(self, styles: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(styles, 3))

    def forward(self, x: Tensor, photos: Tensor, mix: Tensor) -> Tensor:
        """`x` (B, 3, H, W) in [-1, 1], and `photos` likewise in [0, 1]."""
        gain = (mix[..., None] * self.gain).sum(dim=1)  # (B, 3)
        return x + gain[..., None, None] * (2 * photos - 1)


def smoothed(x: Tensor) -> Tensor:
    """`x` (B, C, H, W), mirrored at its border, filtered by (1, 2, 1) / 4 along rows and columns."""
    x = extended(x, 1)
    for axis in (2, 3):  # sums of slices: a convolution or a pooling of three channels is several times slower
        before, here, after = (x.narrow(axis, start, x.shape[axis] - 2) for start in range(3))
        x = (before + 2 * here + after) / 4
    return x


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
        self.skip = PhotoSkip(config.styles) if config.skip else None

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
        x = (self.head(x, padded) if isinstance(self.head, TurboHead) else self.head(x)).float()  # (B, 3, H, W)
        x = x[..., : photos.shape[2], : photos.shape[3]]
        if self.skip is not None:
            x = self.skip(x, photos, mix)
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
    return down, 4 * w, up, Conv(w, 3, 9, border=config.padding)


def turbo_body(config: NetworkConfig) -> Parts:
    w, cell = config.width, config.downsampling
    down = [ConvNorm(3 * cell * cell, w, 3, config, cell=cell)]
    channels = [w, *(max(TURBO_HEAD, w >> step) for step in range(1, cell.bit_length() - 1))]  # one for each ×2
    up = [ConvNorm(*pair, 3, config, resample="bilinear") for pair in itertools.pairwise(channels)]
    return down, w, up, TurboHead(channels[-1], config)


def pad_to_grid(images: Tensor, cell: int) -> Tensor:
    """`images` (B, C, H, W) with the last row and column repeated up to a multiple of `cell`, of two at least."""
    bottom, right = (max(SMALLEST_GRID, -(-side // cell)) * cell - side for side in images.shape[2:])
    return F.pad(images, (0, right, 0, bottom), mode="replicate") if bottom or right else images

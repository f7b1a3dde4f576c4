"""Average pooling as a convolution of each channel by itself, which on CPUs takes a fraction of the time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.core.norm import is_channels_last

SIDE, STRIDE = 3, 2


class AveragePool(nn.Module):
    """The mean over squares of 3×3, every second one, of what of them lies within the features.

    Without `padding` all of each square does: (B, C, H, W) → (B, C, (H - 1) // 2, (W - 1) // 2). With it the first
    begins one cell outside: (B, C, (H + 1) // 2, (W + 1) // 2).
    """

    def __init__(self, padding: bool = False) -> None:
        super().__init__()
        self.padding = int(padding)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not is_channels_last(x):
            return F.avg_pool2d(x, SIDE, STRIDE, self.padding, count_include_pad=False)
        pooled: Tensor = _Means.apply(x, self.padding)  # type: ignore[no-untyped-call]
        return pooled


class _Means(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: int) -> Tensor:
        ctx.sides, ctx.padding = x.shape[2:], padding
        with torch.autocast(x.device.type, enabled=False):
            ninths = F.conv2d(x, _ninths(x), None, STRIDE, padding, groups=x.shape[1])
        return _shared(ninths, ctx)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # In bf16, or with padding, the convolution would be ten times slower.
        wide = _shared(gradient.to(torch.float32, copy=True), ctx)
        with torch.autocast(gradient.device.type, enabled=False):
            spread = F.conv_transpose2d(wide, _ninths(wide), None, STRIDE, groups=wide.shape[1])
        # The last row and column of an even side lie in no square where there is no padding.
        beyond = (whole + ctx.padding - side for whole, side in zip(ctx.sides, spread.shape[2:], strict=True))
        bottom, right = (max(0, cells) for cells in beyond)
        if bottom or right:
            spread = F.pad(spread, (0, right, 0, bottom))
        height, width = ctx.sides
        inner = spread[..., ctx.padding : ctx.padding + height, ctx.padding : ctx.padding + width]
        return inner.to(gradient.dtype).contiguous(memory_format=torch.channels_last), None


def _ninths(like: Tensor) -> Tensor:
    return like.new_full((like.shape[1], 1, SIDE, SIDE), 1 / SIDE**2)


def _shared(pooled: Tensor, ctx: Any) -> Tensor:
    """`pooled`, changed in place: squares of which a third lies outside are shared by six cells instead of nine."""
    if ctx.padding:
        for axis, whole in zip((2, 3), ctx.sides, strict=True):
            pooled.select(axis, 0).mul_(SIDE / 2)
            if whole % 2:
                pooled.select(axis, -1).mul_(SIDE / 2)
    return pooled

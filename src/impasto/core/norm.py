"""Conditional instance normalization: one (scale, offset) row per style."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5


class ConditionalInstanceNorm(nn.Module):
    """Instance norm whose affine part is a mix of learned rows (Dumoulin et al., ICLR 2017, eq. 5).

    Each channel of each image is brought to mean 0 and variance 1 over its pixels, then scaled and
    offset by ``mix @ scale`` and ``mix @ offset``. With one style it is the affine instance norm of
    Ulyanov et al. 2016.
    """

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.offset = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """Normalizes `x` (B, C, H, W) with the style weights `mix` (B, styles)."""
        batch, channels, height, width = x.shape
        # No matrix product: autocast would make it one in bf16, in which a learning step on the rows disappears.
        scale, offset = ((mix[..., None] * rows).sum(dim=1) for rows in (self.scale, self.offset))  # (B, C)
        if is_channels_last(x):
            # Image by image, since what follows would transpose all pixels there and back.
            images = [_batch_norm(*image) for image in zip(x.chunk(batch), scale, offset, strict=True)]
            return torch.cat(images) if batch > 1 else images[0]  # cat copies even a single one
        # Batch norm of one image with B·C channels is instance norm with an affine part per image, in one pass.
        flat = _batch_norm(x.reshape(1, batch * channels, height, width), scale.flatten(), offset.flatten())
        return flat.view(batch, channels, height, width)


def is_channels_last(x: Tensor) -> bool:
    """Whether `x` (B, C, H, W) has its channels last in memory, which convolutions are fastest in."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _batch_norm(image: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    return F.batch_norm(image, None, None, scale, offset, training=True, eps=EPSILON)


def style_mix(style: int | Tensor, batch: int, styles: int, like: Tensor) -> Tensor:
    """The weights (batch, styles) that `style` stands for.

    `style` is an index for all images, an integer tensor (B,) of one index per image, or a float
    tensor (styles,) or (B, styles) of weights.

    Raises:
        ValueError: an index out of range or a tensor of another shape.
    """
    if isinstance(style, int):
        style = torch.tensor([style], device=like.device)
    if not style.is_floating_point():
        if style.ndim > 1 or style.numel() not in (1, batch):
            raise ValueError(f"style indices have shape {tuple(style.shape)}, expected one or {batch}")
        if style.numel() and not 0 <= int(style.min()) <= int(style.max()) < styles:
            raise ValueError(f"style index out of range: the network has {styles} styles, numbered from 0")
        style = F.one_hot(style.reshape(-1).to(like.device, torch.long), styles)
    mix = style.to(like.device, torch.float32)
    if mix.ndim not in (1, 2) or mix.shape[-1] != styles or (mix.ndim == 2 and mix.shape[0] not in (1, batch)):
        raise ValueError(f"style weights have shape {tuple(mix.shape)}, expected ({batch}, {styles})")
    return mix.expand(batch, styles)

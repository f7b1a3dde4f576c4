"""Content, style and total-variation loss as pure functions, and the module that adds them up.

Johnson, Alahi, Fei-Fei: Perceptual Losses for Real-Time Style Transfer, ECCV 2016, section 3.2;
Gatys, Ecker, Bethge: Image Style Transfer Using Convolutional Neural Networks, CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config import LossConfig
from impasto.core.loss_network import LossNetwork

LOOK_SCALES = 6
"""How many different enlargements a training draws from."""
WINDOW, WINDOW_STEP = 16, 4
"""Side of the windows in which an image is lively or calm, and their distance, in pixels."""
FLAT = 0.03
"""Root of the liveliness up to which a part of a photo counts as flat."""
CALM_QUANTILE = 0.25
"""Of a painting's liveliness, below which is its calm part."""


def gram_matrix(features: Tensor) -> Tensor:
    """G = F·Fᵀ / (C·H·W) with F of shape (C, H·W) (Johnson et al., eq. 3), in float32 or wider.

    Args:
        features: (B, C, H, W).
    Returns:
        (B, C, C), symmetric and positive semi-definite.
    """
    gram: Tensor = _Gram.apply(features)  # type: ignore[no-untyped-call]
    return gram


class _Gram(torch.autograd.Function):
    """Keeps the features as they are, in bf16 say, and makes one product backward, since G is symmetric.

    The gradient gets the memory layout of the features: a mix of layouts makes all that follows several times slower.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        with torch.autocast(features.device.type, enabled=False):
            flat = _pixels_by_channels(features)
            gram: Tensor = _wide(flat.mT @ flat) / features[0].numel()  # (B, C, C)
            return gram

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        features: Tensor = ctx.saved_tensors[0]
        both = ((gradient + gradient.mT) / features[0].numel()).to(features.dtype)
        flat = _pixels_by_channels(features)
        with torch.autocast(features.device.type, enabled=False):
            if features.is_contiguous():
                return (both @ flat.mT).view_as(features)
            channels_last = (flat @ both).view(-1, *features.shape[2:], features.shape[1])  # (B, H, W, C)
            return channels_last.permute(0, 3, 1, 2)


def _pixels_by_channels(features: Tensor) -> Tensor:
    """(B, C, H, W) → (B, H·W, C), a view in either memory layout."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def content_loss(stylized: Tensor, photo: Tensor) -> Tensor:
    """Mean over every element of (φ(Y) − φ(X))², φ of any shape (Johnson et al., eq. 2)."""
    return (_wide(stylized) - _wide(photo)).square().mean()


def style_loss(stylized: Tensor | Sequence[Tensor], style: Tensor | Sequence[Tensor]) -> Tensor:
    """Sum over layers of the summed squares of G(Y) − G(S), then the mean over the batch (eq. 4).

    Each argument is one layer or several; a layer is features (B, C, H, W) or Gram matrices (B, C, C).
    The style's batch is 1 or B.
    """
    total = torch.zeros(())
    for grams, target in zip(_grams(stylized), _grams(style), strict=True):
        total = total.to(grams.device) + (grams - target).square().sum(dim=(1, 2)).mean()
    return total


def total_variation(images: Tensor) -> Tensor:
    """Mean squared difference of vertical plus that of horizontal neighbours (Mahendran, Vedaldi 2015, β = 2).

    Args:
        images: (B, C, H, W); a side of one pixel adds nothing. The value does not depend on the size.
    """
    rows = images[..., 1:, :] - images[..., :-1, :]
    columns = images[..., :, 1:] - images[..., :, :-1]
    zero = images.new_zeros(())
    return sum((d.square().mean() for d in (rows, columns) if d.numel()), start=zero)


def liveliness(images: Tensor) -> Tensor:
    """Mean squared difference of neighbours, vertical plus horizontal, in windows of 16×16 pixels, one every 4.

    Args:
        images: (B, 3, H, W), H and W at least 2; in a smaller image the window is as large as that.
    Returns:
        (B, 1, h, w), zero where all pixels are the same.
    """
    corner = images[..., :-1, :-1]
    rows, columns = images[..., 1:, :-1] - corner, images[..., :-1, 1:] - corner
    local = (rows.square() + columns.square()).mean(dim=1, keepdim=True)
    return F.avg_pool2d(local, [min(WINDOW, side) for side in local.shape[2:]], WINDOW_STEP)


def calm_loss(stylized: Tensor, photo: Tensor, limit: Tensor, scale: Tensor) -> Tensor:
    """How much livelier than `limit` the result is where the photo is flat, in shares of `scale`; a scalar.

    Gram matrices do not say where marks belong: a feed-forward network meets them with a lattice of the same small
    mark all over a sky. Weighting by the photo's flatness is as in the edge-aware smoothness of Godard, Mac Aodha,
    Brostow, CVPR 2017, eq. 3.

    Args:
        stylized, photo: (B, 3, H, W) in [0, 1].
        limit, scale: :func:`liveliness` of the painting in its calm part, and everywhere; (B,) or (1,).
    """
    flat = torch.exp(liveliness(photo) / -(FLAT**2))
    excess = (liveliness(stylized) - limit.view(-1, 1, 1, 1)).clamp_min(0)
    return (flat * excess / scale.view(-1, 1, 1, 1).clamp_min(1e-12)).mean()


def balanced_content_loss(stylized: Tensor, photo: Tensor) -> Tensor:
    """Per image ‖φ(Y) − φ(X)‖² / ‖φ(X)‖², then the mean over the batch (Cheng et al., CVPR 2021, idea)."""
    photo = _wide(photo)
    distance = (_wide(stylized) - photo).square().flatten(1).sum(1)
    return (distance / photo.square().flatten(1).sum(1).clamp_min(1e-12)).mean()


def balanced_style_loss(stylized: Tensor | Sequence[Tensor], style: Tensor | Sequence[Tensor]) -> Tensor:
    """Mean over layers and batch of ‖G(Y) − G(S)‖² / (‖G(Y)‖² + ‖G(S)‖²), the divisor without gradient.

    Style-aware normalization of Cheng et al., CVPR 2021, eq. 9: every painting and every layer counts alike.
    """
    terms = []
    for grams, target in zip(_grams(stylized), _grams(style), strict=True):
        scale = (_norm2(grams.detach()) + _norm2(target)).clamp_min(1e-12)
        terms.append((_norm2(grams - target) / scale).mean())
    return torch.stack(terms).mean()


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _norm2(grams: Tensor) -> Tensor:
    return grams.square().sum(dim=(1, 2))


def _grams(layers: Tensor | Sequence[Tensor]) -> list[Tensor]:
    listed = [layers] if isinstance(layers, Tensor) else list(layers)
    return [x if x.ndim == 3 else gram_matrix(x) for x in listed]


class Losses(NamedTuple):
    """The parts of a step's loss, unweighted, and their weighted sum; scalars."""

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor
    calm: Tensor


class Look(NamedTuple):
    """How the loss network looks at a step's images: enlarged, mirrored at the border, then a few pixels cropped.

    A network with a strided first layer is blind to some single-pixel patterns at a fixed scale and
    place; a random look at each step leaves it none to be blind to.
    """

    step: int = 0
    """Which of the configuration's enlargements (:func:`look_scales`)."""
    top: int = 0
    left: int = 0

    @classmethod
    def draw(cls, config: LossConfig, generator: torch.Generator) -> Look:
        """A random look within the configuration's ranges."""
        step = int(torch.randint(len(look_scales(config)), (), generator=generator))
        top, left = torch.randint(config.look_shift + 1, (2,), generator=generator).tolist()
        return cls(step, top, left)


def look_scales(config: LossConfig) -> tuple[float, ...]:
    """The enlargements that looks are drawn from, evenly spaced.

    A few instead of any: the style's Gram matrices belong to a scale, and convolutions prepare themselves
    anew for every size.
    """
    low, high = config.look_scale
    if low == high:
        return (low,)
    return tuple(low + (high - low) * step / (LOOK_SCALES - 1) for step in range(LOOK_SCALES))


class PerceptualLoss(nn.Module):
    """content_weight · content + style_weight · style + tv_weight · total variation + calm_weight · calm.

    Holds the Gram matrices of the style images at every scale of a look, computed once: image i of a batch
    is compared with those of style ``style[i]``.
    """

    def __init__(self, network: LossNetwork, style_images: Sequence[Tensor], config: LossConfig) -> None:
        """`style_images`: one (1, 3, H, W) in [0, 1] for each style, of any size.

        Raises:
            ValueError: a layer that the loss network does not have.
        """
        super().__init__()
        self.network = network
        self.config = config
        network.require_layers((*config.content_layers, *config.style_layers))
        with torch.no_grad():
            lively = [liveliness(image).flatten() for image in style_images]
            self.register_buffer(
                "calm_limit", torch.stack([x.quantile(CALM_QUANTILE) for x in lively]), persistent=False
            )
            self.register_buffer("calm_scale", torch.stack([x.mean() for x in lively]), persistent=False)
            for step, scale in enumerate(look_scales(config)):
                seen = (mirrored(enlarged(image, scale), config.look_beyond) for image in style_images)
                features = [network(image, config.style_layers) for image in seen]
                for name in config.style_layers:
                    grams = torch.cat([gram_matrix(found[name]) for found in features])
                    self.register_buffer(f"gram_{step}_{name}", grams, persistent=False)  # (styles, C, C)

    def style_grams(self, style: Tensor, step: int = 0) -> list[Tensor]:
        """The Gram matrices (B, C, C) of each style layer, for the style indices (B,) and the step of a look."""
        return [self.get_buffer(f"gram_{step}_{name}")[style] for name in self.config.style_layers]

    def look_at(self, images: Tensor, look: Look) -> Tensor:
        """`images` (B, 3, H, W) as the loss network sees them; the size depends on the look's scale alone."""
        seen = mirrored(enlarged(images, look_scales(self.config)[look.step]), self.config.look_beyond)
        height, width = (side - self.config.look_shift for side in seen.shape[2:])
        return seen[..., look.top : look.top + height, look.left : look.left + width]

    def forward(
        self,
        stylized: Tensor,
        photos: Tensor,
        style: Tensor | None = None,
        look: Look | None = None,
        calm_share: float = 1.0,
    ) -> Losses:
        """The loss of `stylized` against `photos`, both (B, 3, H, W) in [0, 1].

        `style` (B,) holds each image's style index (default: all of style 0); so much of the calm loss's weight counts.
        """
        config, look = self.config, look or Look()
        features = self.network(self.look_at(stylized, look), (*config.content_layers, *config.style_layers))
        with torch.no_grad():
            targets = self.network(self.look_at(photos, look), config.content_layers)
        which = torch.zeros(1, dtype=torch.long, device=photos.device) if style is None else style
        content_part = balanced_content_loss if config.balanced else content_loss
        style_part = balanced_style_loss if config.balanced else style_loss
        content = torch.stack([content_part(features[name], targets[name]) for name in config.content_layers]).sum()
        grams = self.style_grams(which, look.step)
        styled = style_part([features[name] for name in config.style_layers], grams)
        tv = total_variation(stylized) if config.tv_weight else stylized.new_zeros(())
        assert config.content_weight is not None
        assert config.style_weight is not None
        total = config.content_weight * content + config.style_weight * styled + config.tv_weight * tv
        calm = stylized.new_zeros(())
        if config.calm_weight:
            limit, scale = (self.get_buffer(name)[which] for name in ("calm_limit", "calm_scale"))
            calm = calm_loss(stylized, photos, limit, scale)
            total = total + calm_share * config.calm_weight * calm
        return Losses(total, content, styled, tv, calm)


def mirrored(images: Tensor, width: int) -> Tensor:
    """`images` (B, C, H, W) with `width` more pixels around them, or as many as there are, mirrored at the border."""
    if not width:
        return images
    high, wide = (min(width, side - 1) for side in images.shape[2:])
    return F.pad(images, (wide, wide, high, high), mode="reflect")


def enlarged(images: Tensor, scale: float) -> Tensor:
    """`images` (B, 3, H, W) → (B, 3, scale·H, scale·W), bilinear, rounded down."""
    if scale == 1.0:
        return images
    # Three channels side by side, as a network on a CPU leaves them, take twice the time.
    return F.interpolate(images.contiguous(), scale_factor=scale, mode="bilinear", align_corners=False)

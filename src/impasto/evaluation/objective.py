"""What optimization minimizes, and what a stylized image is judged by: the same number for both.

Gatys, Ecker, Bethge: Image Style Transfer Using Convolutional Neural Networks, CVPR 2016; each part is
divided by its target's own size, so that one weight fits any painting and any judge.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.config import LossLayers
from impasto.core.loss_network import LossNetwork
from impasto.core.losses import enlarged, gram_matrix

ENLARGEMENT = 1.5
"""The judge sees everything enlarged by this, which a network with a strided first layer sees more of."""
TINY = 1e-12
BYTES_PER_PIXEL = {"squeezenet": 2900, "pocket": 1100, "vgg16": 5600, "vgg19": 5600}
"""Measured peak of an objective and its gradient per pixel of the image; a little less for large images."""
BYTES_OF_OPTIMIZER = 600
"""What L-BFGS remembers of its last steps, per pixel."""


class Parts(NamedTuple):
    """The two parts of the objective, unweighted, near 1; scalars."""

    content: Tensor
    style: Tensor

    def objective(self, style_weight: float) -> Tensor:
        """content + λ · style."""
        return self.content + style_weight * self.style


@dataclass(frozen=True, eq=False)
class Judge:
    """A loss network, the layers of it that are compared, and how much it sees everything enlarged."""

    name: str
    """The loss network's."""
    network: LossNetwork
    layers: LossLayers
    enlargement: float = ENLARGEMENT

    def __post_init__(self) -> None:
        """Raises ValueError for a layer that the network does not have."""
        self.network.require_layers((*self.layers.content, *self.layers.style))

    @property
    def device(self) -> torch.device:
        return self.network.mean.device

    @cached_property
    def sha256(self) -> str:
        """Of the weights and what they expect of a pixel, in whichever file they came."""
        found = hashlib.sha256(",".join((*self.layers.content, *self.layers.style)).encode())
        for tensor in (*self.network.state_dict().values(), self.network.mean, self.network.deviation):
            found.update(tensor.cpu().contiguous().numpy().tobytes())
        return found.hexdigest()

    def working_memory(self, height: int, width: int) -> int:
        """Bytes that optimizing an image of this size takes at its peak."""
        most = max(BYTES_PER_PIXEL.values())
        return height * width * (BYTES_PER_PIXEL.get(self.name, most) + BYTES_OF_OPTIMIZER)

    def features(self, image: Tensor, names: tuple[str, ...]) -> list[Tensor]:
        """Features (1, C, h, w) of `image` (1, 3, H, W) in [0, 1], in the order of `names`."""
        found = self.network(enlarged(image, self.enlargement / self.network.magnification), names)
        return [found[name] for name in names]

    @torch.no_grad()
    def grams(self, painting: Tensor) -> list[Tensor]:
        """The Gram matrices (1, C, C) of the style layers, of `painting` (1, 3, H, W) in [0, 1]."""
        return [gram_matrix(found) for found in self.features(painting, self.layers.style)]


class Objective:
    """Content and style part of any image, for one photo and one painting.

    content = mean over the content layers of ‖φ(Y) − φ(X)‖² / ‖φ(X)‖²;
    style = mean over the style layers of ‖G(Y) − G(S)‖² / ‖G(S)‖².
    """

    def __init__(self, judge: Judge, photo: Tensor, grams: list[Tensor]) -> None:
        """`photo` (1, 3, H, W) in [0, 1]; `grams` those of the painting, from :meth:`Judge.grams`."""
        self.judge = judge
        self.grams = grams
        with torch.no_grad():
            self.content = judge.features(photo, judge.layers.content)

    def __call__(self, image: Tensor) -> Parts:
        """The parts for `image`, of the photo's shape, (1, 3, H, W) in [0, 1] or beyond; differentiable."""
        layers = self.judge.layers
        features = self.judge.features(image, (*layers.content, *layers.style))
        content, style = features[: len(layers.content)], features[len(layers.content) :]
        return Parts(
            torch.stack([_distance(*pair) for pair in zip(content, self.content, strict=True)]).mean(),
            torch.stack([_distance(gram_matrix(f), g) for f, g in zip(style, self.grams, strict=True)]).mean(),
        )


def _distance(found: Tensor, target: Tensor) -> Tensor:
    """‖found − target‖² / ‖target‖², which is also the ratio of their means."""
    return (found - target).square().sum() / target.square().sum().clamp_min(TINY)

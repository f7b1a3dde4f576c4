"""Loss networks: frozen image classifiers whose named layers are compared; normalization inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

PIXEL_RANGE = 255.0

NORMALIZATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "caffe": ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
    "caffe-rounded": ((123.0, 117.0, 104.0), (1.0, 1.0, 1.0)),
    "torchvision": ((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)),
}
"""(mean, deviation) of the pixel values 0..255, R G B, that weights of that origin were trained with."""


class LossNetwork(nn.Module):
    """A chain of named layers, from each of which taps may branch off; features are asked for by these names.

    The weights are frozen; gradients flow to the images alone.
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        normalization: str,
        taps: Mapping[str, Mapping[str, nn.Module]] | None = None,
    ) -> None:
        """`taps` maps a layer's name to named modules that read its features and that nothing else depends on."""
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.layers = nn.ModuleDict(layers)
        self.taps = nn.ModuleDict({layer: nn.ModuleDict(branches) for layer, branches in (taps or {}).items()})
        mean, deviation = NORMALIZATIONS[normalization]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(name for layer in self.layers for name in (layer, *self._taps_of(layer)))

    def _taps_of(self, layer: str) -> dict[str, nn.Module]:
        branches = dict(self.taps.items()).get(layer)
        return dict(branches.items()) if isinstance(branches, nn.ModuleDict) else {}

    def require_layers(self, names: Sequence[str]) -> None:
        """Raises ValueError for a name that the network does not have."""
        unknown = [name for name in names if name not in self.layer_names]
        if unknown:
            raise ValueError(f"the loss network has no layer {unknown[0]!r}; it has {', '.join(self.layer_names)}")

    def forward(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Features (B, C, h, w) by layer name of `images` (B, 3, H, W) in [0, 1].

        Nothing behind the deepest layer named is computed.
        """
        self.require_layers(names)
        x = (images * PIXEL_RANGE - self.mean) / self.deviation
        wanted = set(names)
        found: dict[str, Tensor] = {}
        for name, layer in self.layers.items():
            if len(found) == len(wanted):
                break
            x = layer(x)
            if name in wanted:
                found[name] = x
            found |= {tap: branch(x) for tap, branch in self._taps_of(name).items() if tap in wanted}
        return found


class Fire(nn.Module):
    """SqueezeNet's module: squeeze 1×1, then 1×1 and 3×3 side by side (Iandola et al. 2016)."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))  # (B, 2·expand, H, W)


VGG_CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
VGG_CHANNELS = (64, 128, 256, 512, 512)


def vgg(name: str, normalization: str = "caffe") -> LossNetwork:
    """VGG-16 or VGG-19 (Simonyan, Zisserman 2015) with layers relu1_1 … relu5_3 (relu5_4), random weights."""
    layers: dict[str, nn.Module] = {}
    inputs = 3
    for stage, (count, channels) in enumerate(zip(VGG_CONVOLUTIONS[name], VGG_CHANNELS, strict=True), start=1):
        for index in range(1, count + 1):
            parts: list[nn.Module] = [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
            if index == 1 and stage > 1:
                parts.insert(0, nn.MaxPool2d(2))
            layers[f"relu{stage}_{index}"] = nn.Sequential(*parts)
            inputs = channels
    return LossNetwork(layers, normalization)


def squeezenet(normalization: str = "caffe-rounded") -> LossNetwork:
    """SqueezeNet 1.0 (Iandola et al. 2016) with layers conv1, fire2 … fire9, random weights."""
    fires = [(96, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128)]
    fires += [(256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]
    layers: dict[str, nn.Module] = {"conv1": nn.Sequential(nn.Conv2d(3, 96, 7, 2), nn.ReLU(inplace=True))}
    for number, sizes in enumerate(fires, start=2):
        pooled = number in (2, 5, 9)  # torchvision's 1.0: pooling before fire2, fire5 and fire9
        fire = Fire(*sizes)
        layers[f"fire{number}"] = nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), fire) if pooled else fire
    return LossNetwork(layers, normalization)


POCKET_STAGES = ((16, 2), (32, 3), (64, 3), (128, 4))
"""Channels and number of the convolutions of each stage."""
POCKET_TAPS = {
    "stage1": {"conv1": 16},
    "stage2": {"fire2": 32, "fire3": 32},
    "stage3": {"fire4": 64, "fire5": 64},
    "stage4": {"fire6": 64, "fire8": 64},
}
"""What each stage imitates of SqueezeNet: the layer, and how many of its principal components."""


def pocket(normalization: str = "torchvision") -> LossNetwork:
    """Impasto's own: four stages of 3×3 convolutions of stride 1, average pooling between them; random weights.

    A tap is a 1×1 convolution that gives the leading principal components of the SqueezeNet layer of its name,
    so that Gram matrices of taps differ by what those of SqueezeNet differ by (`scripts/distill_pocket.py`).
    Without strides in its convolutions it is blind to no single pixel.
    """
    layers: dict[str, nn.Module] = {}
    taps: dict[str, dict[str, nn.Module]] = {}
    inputs = 3
    for number, (channels, count) in enumerate(POCKET_STAGES, start=1):
        parts: list[nn.Module] = [nn.AvgPool2d(2)] if number > 1 else []
        for _ in range(count):
            parts += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = channels
        stage = f"stage{number}"
        layers[stage] = nn.Sequential(*parts)
        taps[stage] = {tap: nn.Conv2d(channels, size, 1) for tap, size in POCKET_TAPS[stage].items()}
    return LossNetwork(layers, normalization, taps)


def build(name: str, normalization: str) -> LossNetwork:
    """The loss network `name`: vgg16, vgg19, squeezenet or pocket."""
    own = {"squeezenet": squeezenet, "pocket": pocket}
    return own[name](normalization) if name in own else vgg(name, normalization)


def convolutions(network: LossNetwork) -> list[nn.Conv2d]:
    """The network's convolutions in the order of the forward pass, which is also that of every published file."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]

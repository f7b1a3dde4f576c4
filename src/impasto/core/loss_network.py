"""Loss networks: frozen image classifiers whose named layers are compared; normalization inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from impasto.core.transformer import Border, Conv

PIXEL_RANGE = 255.0

NORMALIZATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "caffe": ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
    "caffe-rounded": ((123.0, 117.0, 104.0), (1.0, 1.0, 1.0)),
    "torchvision": ((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)),
}
"""(mean, deviation) of the pixel values 0..255, R G B, that weights of that origin were trained with."""


class LossNetwork(nn.Module):
    """A chain of named layers; features are asked for by these names.

    A layer may have a head, through which it is looked at and which what follows does not see. The weights are frozen;
    gradients flow to the images alone.
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        normalization: str,
        heads: Mapping[str, nn.Module] | None = None,
        magnification: float = 1.0,
    ) -> None:
        super().__init__()
        self.magnification = magnification
        """How many times as large as they are images look to it."""
        self.mean: Tensor
        self.deviation: Tensor
        self.layers = nn.ModuleDict(layers)
        self.heads = nn.ModuleDict(heads)
        mean, deviation = NORMALIZATIONS[normalization]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(self.layers)

    def require_layers(self, names: Sequence[str]) -> None:
        """Raises ValueError for a name that the network does not have."""
        unknown = [name for name in names if name not in self.layers]
        if unknown:
            raise ValueError(f"the loss network has no layer {unknown[0]!r}; it has {', '.join(self.layer_names)}")

    def forward(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Features (B, C, h, w) by layer name of `images` (B, 3, H, W) in [0, 1].

        Nothing behind the deepest layer named is computed.
        """
        self.require_layers(names)
        x = (images - self.mean / PIXEL_RANGE) * (PIXEL_RANGE / self.deviation)
        wanted = set(names)
        found: dict[str, Tensor] = {}
        for name, layer in self.layers.items():
            if len(found) == len(wanted):
                break
            x = layer(x)
            if name in wanted:
                found[name] = self.heads[name](x) if name in self.heads else x
        return found


class Fire(nn.Module):
    """SqueezeNet's module: squeeze 1×1, then 1×1 and 3×3 side by side (Iandola et al. 2016)."""

    def __init__(self, inputs: int, squeeze: int, expand: int, border: Border = "zero") -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = Conv(squeeze, expand, 3, border=border)

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
    layers: dict[str, nn.Module] = {"conv1": nn.Sequential(nn.Conv2d(3, 96, 7, 2), nn.ReLU(inplace=True))}
    # torchvision's 1.0: pooling before fire2, fire5 and fire9
    layers |= _fires(96, 9, {number: nn.MaxPool2d(3, 2, ceil_mode=True) for number in (2, 5, 9)})
    return LossNetwork(layers, normalization)


FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Squeeze and expand channels of fire2 … fire9."""


def _fires(inputs: int, last: int, pools: Mapping[int, nn.Module], border: Border = "zero") -> dict[str, nn.Module]:
    """fire2 up to the `last`, the first with so many `inputs`, those that `pools` names with a pooling before them."""
    layers: dict[str, nn.Module] = {}
    for number, (squeeze, expand) in enumerate(FIRES[: last - 1], start=2):
        fire = Fire(inputs, squeeze, expand, border)
        layers[f"fire{number}"] = nn.Sequential(pools[number], fire) if number in pools else fire
        inputs = 2 * expand
    return layers


POCKET_STAGES = ((16,), (32, 64))
"""Channels of the convolutions of the first two stages."""
POCKET_HEADS = {"stage2": 24, "fire2": 48, "fire3": 48, "fire4": 64, "fire6": 128, "fire8": 128}
"""In how many of the directions in which SqueezeNet's features vary most each of these layers is looked at."""
POCKET_MAGNIFICATION = 1.5


def pocket(normalization: str = "caffe-rounded") -> LossNetwork:
    """Impasto's own: four stages, all convolutions of stride 1, average pooling between them; random weights.

    stage1 at full and stage2 at half resolution are plain 3×3 convolutions, so that it is blind to no single pixel;
    fire2 to fire4 work at a quarter and fire5 to fire8 at an eighth. stage2 imitates SqueezeNet's conv1 and the others
    its layers of their names (`scripts/distill_pocket.py`), as SqueezeNet would see everything one and a half times as
    large: as much of style, with less than half the work. Beyond a border they see what lies at it: against zeros a sky
    along a painting's top is an edge, and style that asks for it a band along the top of every result. Where Gram
    matrices are made, heads turn features into SqueezeNet's, in the directions in which those vary most: less than half
    the work for Gram matrices.
    """
    layers: dict[str, nn.Module] = {}
    inputs = 3
    for number, stage in enumerate(POCKET_STAGES, start=1):
        # Without padding here and with it below, cells lie where SqueezeNet's do: at pixels 2·i + 1, 4·j + 1, 8·k + 1.
        parts: list[nn.Module] = [nn.AvgPool2d(3, 2)] if number > 1 else []
        for channels in stage:
            parts += [Conv(inputs, channels, 3, border="edge"), nn.ReLU(inplace=True)]
            inputs = channels
        layers[f"stage{number}"] = nn.Sequential(*parts)
    pools = {number: nn.AvgPool2d(3, 2, padding=1, count_include_pad=False) for number in (2, 5)}
    layers |= _fires(inputs, 8, pools, border="edge")
    widths = {"stage2": inputs} | {f"fire{number}": 2 * expand for number, (_, expand) in enumerate(FIRES, start=2)}
    heads = {name: nn.Conv2d(widths[name], kept, 1) for name, kept in POCKET_HEADS.items()}
    return LossNetwork(layers, normalization, heads, POCKET_MAGNIFICATION)


def build(name: str, normalization: str) -> LossNetwork:
    """The loss network `name`: vgg16, vgg19, squeezenet or pocket."""
    own = {"squeezenet": squeezenet, "pocket": pocket}
    return own[name](normalization) if name in own else vgg(name, normalization)


def convolutions(network: LossNetwork) -> list[nn.Conv2d]:
    """The network's convolutions in the order of the forward pass, which is also that of every published file."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]

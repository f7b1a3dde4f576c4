"""Layers, parameters and MACs against numbers worked out by hand, and bodies other than today's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files import style_file
from impasto.files.style_file import Style
from impasto.inspection import Layer, inspect_style, layers_of
from impasto.inspection.boxes import boxes_of, skips_of
from impasto.training.result import make_style

CLASSIC = NetworkConfig()


def small_style(network: NetworkConfig) -> Style:
    torch.manual_seed(0)
    names = [f"style {number}" for number in range(network.styles)]
    return make_style(network, TransformerNet(network).state_dict(), names, {"painting": "wave.jpg"})


def layers(network: NetworkConfig, size: int = 256) -> dict[str, Layer]:
    return {layer.name: layer for layer in layers_of(TransformerNet(network).eval(), network.styles, size)}


def test_macs_of_the_classic_network() -> None:
    found = {name: layer.macs for name, layer in layers(CLASSIC).items() if layer.macs}
    expected = {
        "down.0.conv": 256 * 256 * 32 * 3 * 81,
        "down.1.conv": 128 * 128 * 64 * 32 * 9,
        "down.2.conv": 64 * 64 * 128 * 64 * 9,
        **{f"blocks.{i}.{part}.conv": 64 * 64 * 128 * 128 * 9 for i in range(5) for part in ("first", "second")},
        "up.0.conv": 128 * 128 * 64 * 128 * 9,
        "up.1.conv": 256 * 256 * 32 * 64 * 9,
        "head": 256 * 256 * 3 * 32 * 81,
    }
    assert found == expected
    # 7776 + 4608 + 4608 + 92160 + 18432 + 18432 + 7776
    assert sum(found.values()) == 153_792 * 256 * 256


def test_parameters_of_the_classic_network() -> None:
    found = layers(CLASSIC)
    assert found["down.0.conv"].parameters == 32 * 3 * 81 + 32
    assert found["down.1.conv"].parameters == 64 * 32 * 9 + 64
    assert found["blocks.4.second.conv"].parameters == 128 * 128 * 9 + 128
    assert found["blocks.4.second.norm"].parameters == 2 * 128
    assert found["head"].parameters == 3 * 32 * 81 + 3
    assert sum(layer.parameters for layer in found.values()) == 1_679_235


def test_kinds_and_shapes() -> None:
    found = layers(replace(CLASSIC, blocks=1, styles=3))
    told = {name: (layer.kind, layer.output) for name, layer in found.items()}
    assert told == {
        "photo": ("photo, ×255", (3, 256, 256)),
        "down.0.conv": ("conv 9×9", (32, 256, 256)),
        "down.0.norm": ("instance norm, 3 styles, ReLU", (32, 256, 256)),
        "down.1.conv": ("conv 3×3, stride 2", (64, 128, 128)),
        "down.1.norm": ("instance norm, 3 styles, ReLU", (64, 128, 128)),
        "down.2.conv": ("conv 3×3, stride 2", (128, 64, 64)),
        "down.2.norm": ("instance norm, 3 styles, ReLU", (128, 64, 64)),
        "blocks.0.first.conv": ("conv 3×3", (128, 64, 64)),
        "blocks.0.first.norm": ("instance norm, 3 styles, ReLU", (128, 64, 64)),
        "blocks.0.second.conv": ("conv 3×3", (128, 64, 64)),
        "blocks.0.second.norm": ("instance norm, 3 styles", (128, 64, 64)),  # no ReLU after the sum either
        "blocks.0": ("residual add", (128, 64, 64)),
        "up.0": ("nearest ×2", (128, 128, 128)),
        "up.0.conv": ("conv 3×3", (64, 128, 128)),
        "up.0.norm": ("instance norm, 3 styles, ReLU", (64, 128, 128)),
        "up.1": ("nearest ×2", (64, 256, 256)),
        "up.1.conv": ("conv 3×3", (32, 256, 256)),
        "up.1.norm": ("instance norm, 3 styles, ReLU", (32, 256, 256)),
        "head": ("conv 9×9", (3, 256, 256)),
        "output": ("tanh, +1, ÷2", (3, 256, 256)),
    }


def test_padding_linear_output_and_a_size_off_the_grid() -> None:
    found = layers(NetworkConfig(width=4, blocks=0, padding="reflection", output="linear"), size=9)
    assert (found["pad"].kind, found["pad"].output) == ("replicate padding, ×255", (3, 12, 12))
    # The convolution's own padding is part of it, and takes no stride with it.
    assert (found["down.0.conv"].kind, found["down.0.conv"].output) == ("conv 9×9", (4, 12, 12))
    assert (found["output"].kind, found["output"].output) == ("crop, clamp, +1, ÷2", (3, 9, 9))


@pytest.mark.parametrize("blocks", [0, 1, 12])
def test_boxes_and_skips(blocks: int) -> None:
    boxes = boxes_of(layers_of(TransformerNet(NetworkConfig(width=4, blocks=blocks)).eval(), 1))
    names = ["photo", "down.0", "down.1", "down.2"]
    for number in range(blocks):
        names += [f"blocks.{number}.first", f"blocks.{number}.second", f"blocks.{number}"]
    assert [box.name for box in boxes] == [*names, "up.0", "up.1", "head", "output"]
    # Each block's input goes around its two convolutions into its sum.
    assert [(skip.source, skip.target) for skip in skips_of(boxes)] == [(3 + 3 * i, 6 + 3 * i) for i in range(blocks)]
    assert boxes[-4].label == ("nearest ×2", "conv 3×3", "instance norm", "ReLU")


class OtherBody(nn.Module):
    """What a faster network may look like: space to depth, depthwise, a sequence, a long skip."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))
        self.enter = nn.Sequential(nn.Conv2d(48, 8, 1, bias=False), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.InstanceNorm2d(8), nn.GELU())
        self.leave = nn.ConvTranspose2d(8, 3, 4, stride=4)

    def forward(self, photos: Tensor, mix: Tensor) -> Tensor:
        x = self.enter(F.pixel_unshuffle(photos, 4) * self.gain)
        x = torch.cat([x, self.middle(self.middle(x))], dim=1)
        return torch.sigmoid(self.leave(x[:, :8]))


def test_another_body() -> None:
    found = layers_of(OtherBody().eval(), 1, 32)
    told = [(layer.name, layer.kind, layer.output, layer.parameters, layer.macs) for layer in found]
    assert told == [
        ("photo", "photo", (3, 32, 32), 1, 0),
        ("resize", "space to depth ÷4, mul", (48, 8, 8), 0, 0),
        ("enter.0", "conv 1×1, ReLU", (8, 8, 8), 8 * 48, 8 * 8 * 8 * 48),
        ("middle.0", "conv 3×3, depthwise", (8, 8, 8), 8 * 9 + 8, 8 * 8 * 8 * 9),
        ("middle.1", "instance norm, GELU", (8, 8, 8), 0, 0),
        ("middle.0", "conv 3×3, depthwise", (8, 8, 8), 0, 8 * 8 * 8 * 9),  # the same weights again
        ("middle.1", "instance norm, GELU", (8, 8, 8), 0, 0),
        ("join", "concatenation", (16, 8, 8), 0, 0),
        ("crop", "crop", (8, 8, 8), 0, 0),
        ("leave", "transposed conv 4×4, ×4", (3, 32, 32), 8 * 3 * 16 + 3, 8 * 8 * 8 * 3 * 16),
        ("output", "sigmoid", (3, 32, 32), 0, 0),
    ]
    assert found[7].inputs == (2, 6)


def test_weights_of_another_network(tmp_path: Path) -> None:
    style = small_style(NetworkConfig(width=4, blocks=1))
    path = tmp_path / "wave.safetensors"
    style_file.save(path, replace(style, network=NetworkConfig(width=4, blocks=2)))
    with pytest.raises(ImpastoError, match=r"do not fit its network: blocks\.1\.first\.conv\.bias is missing"):
        inspect_style(path)
    style_file.save(path, replace(style, network=NetworkConfig(width=5, blocks=1)))
    with pytest.raises(ImpastoError, match=r"is \(16,\) and should be \(20,\)"):
        inspect_style(path)


@pytest.mark.parametrize("size", [0, -1, 65537])
def test_size_out_of_range(size: int, tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=f"--size is {size}"):
        inspect_style(tmp_path / "wave.safetensors", size)


def test_file_and_layers_agree(tmp_path: Path) -> None:
    network = NetworkConfig(width=8, blocks=2, styles=3)
    path = tmp_path / "wave.safetensors"
    style_file.save(path, small_style(network))
    found = inspect_style(path, 65536)  # a size that no memory could hold
    assert found.parameters == sum(layer.parameters for layer in found.layers)
    # 8·3·81 + 16·8·9/4 + 32·16·9/16 + 4·32·32·9/16 + 16·32·9/4 + 8·16·9 + 3·8·81
    assert found.macs_per_pixel == 1944 + 288 + 288 + 2304 + 1152 + 1152 + 1944
    assert found.layers[1].output == (8, 65536, 65536)

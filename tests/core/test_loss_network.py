"""Loss networks: the published architectures layer by layer, frozen weights, no more computed than asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from impasto.config import USUAL_LAYERS
from impasto.core.loss_network import NORMALIZATIONS, LossNetwork, build, convolutions, squeezenet, vgg

VGG16_NAMES = [
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3"),
    *("relu4_1", "relu4_2", "relu4_3", "relu5_1", "relu5_2", "relu5_3"),
]
VGG19_NAMES = [
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu3_4"),
    *("relu4_1", "relu4_2", "relu4_3", "relu4_4", "relu5_1", "relu5_2", "relu5_3", "relu5_4"),
]

# Iandola et al. 2016, table 1, for an input of 224×224: channels and side behind each layer. 7×7 /2 without padding
# gives (224-7)/2+1 = 109; the poolings 3×3 /2, rounded up, give 54, 27 and 13.
SQUEEZENET = {
    "conv1": (96, 109),
    "fire2": (128, 54),
    "fire3": (128, 54),
    "fire4": (256, 54),
    "fire5": (256, 27),
    "fire6": (384, 27),
    "fire7": (384, 27),
    "fire8": (512, 27),
    "fire9": (512, 13),
}


def tiny(normalization: str = "caffe") -> LossNetwork:
    layers = {
        "a": nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True)),
        "b": nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(inplace=True)),
        "c": nn.Sequential(nn.Conv2d(5, 6, 3, padding=1), nn.ReLU(inplace=True)),
    }
    return LossNetwork(layers, normalization)


def on_meta(name: str) -> LossNetwork:
    with torch.device("meta"):
        return build(name, "caffe")


@pytest.mark.parametrize(("name", "names"), [("vgg16", VGG16_NAMES), ("vgg19", VGG19_NAMES)])
def test_vgg_has_the_published_layers(name: str, names: list[str]) -> None:
    network = on_meta(name)
    assert list(network.layer_names) == names
    features = network(torch.empty(1, 3, 224, 224, device="meta"), names)
    for layer, found in features.items():
        stage = int(layer[4])
        side = 224 // 2 ** (stage - 1)
        assert found.shape == (1, (64, 128, 256, 512, 512)[stage - 1], side, side), layer


@pytest.mark.parametrize(("name", "count"), [("vgg16", 14_714_688), ("vgg19", 20_024_384)])
def test_vgg_has_the_published_number_of_convolution_parameters(name: str, count: int) -> None:
    assert sum(p.numel() for p in on_meta(name).parameters()) == count


def test_squeezenet_has_the_published_layers() -> None:
    network = on_meta("squeezenet")
    assert network.layer_names == tuple(SQUEEZENET)
    features = network(torch.empty(1, 3, 224, 224, device="meta"), list(SQUEEZENET))
    assert {name: found.shape[1:] for name, found in features.items()} == {
        name: (channels, side, side) for name, (channels, side) in SQUEEZENET.items()
    }


def test_squeezenet_has_the_published_number_of_parameters() -> None:
    # Iandola et al. count 1,248,424 with the classifier, whose 1×1 convolution holds 512·1000 + 1000.
    assert sum(p.numel() for p in on_meta("squeezenet").parameters()) == 1_248_424 - 513_000


def test_a_fire_module_sets_its_1x1_answers_before_its_3x3_answers() -> None:
    network = squeezenet()
    fire = network.layers["fire3"]
    with torch.no_grad():
        for part in (fire.squeeze, fire.expand1x1, fire.expand3x3):
            part.weight.zero_()
            part.bias.zero_()
        fire.expand1x1.bias.fill_(1.0)
        fire.expand3x3.bias.fill_(2.0)
    found = network(torch.rand(1, 3, 64, 64), ["fire3"])["fire3"]
    assert bool((found[:, :64] == 1).all())
    assert bool((found[:, 64:] == 2).all())


@pytest.mark.parametrize("name", ["vgg16", "squeezenet"])
def test_features_are_after_the_relu_and_are_not_overwritten_by_what_follows(name: str) -> None:
    network = squeezenet() if name == "squeezenet" else vgg(name)
    images = torch.rand(1, 3, 48, 48)
    together = network(images, network.layer_names[:6])
    for layer, found in together.items():
        assert float(found.min()) == 0, layer
        torch.testing.assert_close(network(images, [layer])[layer], found, rtol=0, atol=0)


def test_nothing_behind_the_deepest_layer_is_computed() -> None:
    network = tiny()
    ran: list[str] = []
    for name, layer in network.layers.items():
        layer.register_forward_hook(lambda *_, name=name: ran.append(name))
    found = network(torch.rand(1, 3, 8, 8), ["b", "a"])
    assert ran == ["a", "b"]
    assert set(found) == {"a", "b"}


def test_the_classic_layers_need_ten_of_vgg16s_thirteen_convolutions() -> None:
    network = vgg("vgg16")
    ran: list[nn.Module] = []
    for convolution in convolutions(network):
        convolution.register_forward_hook(lambda module, *_: ran.append(module))
    network(torch.rand(1, 3, 32, 32), ["relu1_2", "relu2_2", "relu3_3", "relu4_3"])
    assert len(convolutions(network)) == 13
    assert ran == convolutions(network)[:10]


def test_a_layer_asked_for_twice_is_given_once() -> None:
    assert set(tiny()(torch.rand(1, 3, 8, 8), ["a", "a"])) == {"a"}


def test_what_follows_a_layer_with_a_head_does_not_see_the_head() -> None:
    plain = tiny()
    head = nn.Conv2d(5, 2, 1)
    headed = LossNetwork(dict(plain.layers), "caffe", {"b": head})
    images = torch.rand(1, 3, 8, 8)
    found, expected = headed(images, ["a", "b", "c"]), plain(images, ["a", "b", "c"])
    torch.testing.assert_close(found["b"], head(expected["b"]))
    assert torch.equal(found["a"], expected["a"])
    assert torch.equal(found["c"], expected["c"])
    assert not head.weight.requires_grad


def test_an_unknown_layer_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'relu9_9'.*a, b, c"):
        tiny()(torch.rand(1, 3, 8, 8), ["a", "relu9_9"])


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_normalization_by_hand(normalization: str) -> None:
    mean, deviation = {
        "caffe": ((123.68, 116.779, 103.939), (1, 1, 1)),
        "caffe-rounded": ((123, 117, 104), (1, 1, 1)),
        "torchvision": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    }[normalization]
    network = LossNetwork({"same": nn.Identity()}, normalization)
    image = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)
    found = network(image, ["same"])["same"].flatten()
    expected = [(0 - mean[0]) / deviation[0], (127.5 - mean[1]) / deviation[1], (255 - mean[2]) / deviation[2]]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["vgg16", "squeezenet"])
def test_the_state_holds_weights_alone(name: str) -> None:
    state = on_meta(name).state_dict()
    assert {key.rsplit(".", 1)[1] for key in state} == {"weight", "bias"}


def test_the_callers_images_stay_as_they_are() -> None:
    images = torch.rand(2, 3, 8, 8)
    before = images.clone()
    tiny()(images, ["c"])
    torch.testing.assert_close(images, before, rtol=0, atol=0)


def test_gradients_flow_to_the_images_alone() -> None:
    network = tiny()
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    network(images, ["c"])["c"].sum().backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0
    assert all(not p.requires_grad and p.grad is None for p in network.parameters())
    assert not network.training


# --- pocket ---


def test_the_cells_of_pocket_lie_where_those_of_squeezenet_do() -> None:
    """A cell's centre is the middle of the pixels that it depends on.

    In a picture half as large again, SqueezeNet's cell 3·n - 1 lies, up to a pixel, where cell 2·n of pocket does in
    the picture itself.
    """

    def centre(name: str, layer: str, cell: int) -> float:
        network = build(name, "caffe")
        for module in convolutions(network):  # all positive, so that no ReLU hides a dependence
            nn.init.constant_(module.weight, 1e-3)
        images = torch.full((1, 3, 160, 160), 0.9, requires_grad=True)
        for module in network.modules():  # the maximum of equals has a gradient to one of them alone
            if isinstance(module, nn.Sequential) and isinstance(module[0], nn.MaxPool2d):
                module[0] = nn.AvgPool2d(3, 2, ceil_mode=True)
        network(images, [layer])[layer][0, :, cell, cell].sum().backward()
        assert images.grad is not None
        rows = images.grad[0, 0].abs().sum(1).nonzero()
        return float(rows[0] + rows[-1]) / 2

    for ours, theirs, n in (
        ("stage2", "conv1", 9),
        ("fire2", "fire2", 5),
        ("fire4", "fire4", 6),
        ("fire5", "fire5", 3),
    ):
        enlarged = (centre("pocket", ours, 2 * n) + 0.5) * 1.5 - 0.5
        assert 0 <= enlarged - centre("squeezenet", theirs, 3 * n - 1) < 1, ours


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_is_even_is_even_to_pocket_up_to_the_border(layout: torch.memory_format) -> None:
    torch.manual_seed(3)
    network = build("pocket", "caffe-rounded").to(memory_format=layout)
    even = torch.tensor([0.9, 0.8, 0.3]).view(1, 3, 1, 1).expand(1, 3, 45, 62).contiguous(memory_format=layout)
    even.requires_grad_()  # or padding goes another way
    for found in network(even, network.layer_names).values():
        features = found.detach()
        same = features[..., 2:3, 2:3].expand_as(features)
        torch.testing.assert_close(features, same, rtol=1e-4, atol=1e-4 * float(same.abs().max()))
        assert float(same.abs().max()) > 0


def test_pocket_costs_a_tenth_of_vgg16_and_has_no_strides_but_pooling() -> None:
    def macs(name: str, layers: Sequence[str]) -> int:
        total = 0

        def count(module: nn.Conv2d, _: object, output: torch.Tensor) -> None:
            nonlocal total
            total += output.numel() * module.weight[0].numel()

        network = on_meta(name)
        for module in convolutions(network):
            module.register_forward_hook(count)
        network(torch.empty(1, 3, 256, 256, device="meta"), layers)
        return total

    assert macs("pocket", on_meta("pocket").layer_names) <= macs("vgg16", USUAL_LAYERS["vgg16"].style) / 10
    for module in convolutions(on_meta("pocket")):
        assert module.stride == (1, 1)
        assert module.kernel_size in ((3, 3), (1, 1))

"""The image transformer network: counts by hand, numbers against NumPy in float64, any size, styles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from impasto.config import RECIPES, NetworkConfig, make_config
from impasto.core.norm import ConditionalInstanceNorm, is_channels_last, style_mix
from impasto.core.transformer import TransformerNet, extended, pad_to_grid


def varied(network: TransformerNet, seed: int = 0) -> TransformerNet:
    """Biases and style rows drawn at random too, so that leaving one out would show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("bias", "offset")):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
            elif name.endswith("scale"):
                parameter.copy_(1 + torch.randn(parameter.shape, generator=generator) * 0.3)
    return network.eval()


def small(styles: int = 1, **options: object) -> TransformerNet:
    torch.manual_seed(4)
    return varied(TransformerNet(NetworkConfig(width=4, blocks=1, styles=styles, **options)))


def photos(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# --- The classic network, counted by hand ---


def test_the_classic_network_has_1_679_235_parameters() -> None:
    network = TransformerNet(NetworkConfig())
    norm = {32: 64, 64: 128, 128: 256}
    counts = {
        "down.0": 9 * 9 * 3 * 32 + 32 + norm[32],  # 7,872
        "down.1": 3 * 3 * 32 * 64 + 64 + norm[64],  # 18,624
        "down.2": 3 * 3 * 64 * 128 + 128 + norm[128],  # 74,112
        **{f"blocks.{i}": 2 * (3 * 3 * 128 * 128 + 128 + norm[128]) for i in range(5)},  # 295,680 each
        "up.0": 3 * 3 * 128 * 64 + 64 + norm[64],  # 73,920
        "up.1": 3 * 3 * 64 * 32 + 32 + norm[32],  # 18,528
        "head": 9 * 9 * 32 * 3 + 3,  # 7,779
    }
    assert {name: sum(p.numel() for p in network.get_submodule(name).parameters()) for name in counts} == counts
    assert sum(counts.values()) == 1_679_235
    assert sum(p.numel() for p in network.parameters()) == 1_679_235
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}


def test_a_style_more_costs_two_numbers_for_each_of_the_channels_alone() -> None:
    one, two = (sum(p.numel() for p in TransformerNet(NetworkConfig(styles=n)).parameters()) for n in (1, 2))
    # Channels behind a norm: 32 + 64 + 128, ten times 128, 64 + 32.
    assert two - one == 2 * (224 + 1280 + 96) == 3200


def test_weights_begin_glorot_uniform_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    network = TransformerNet(NetworkConfig())
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 16
    for module in convolutions:
        area = module.kernel_size[0] * module.kernel_size[1]
        bound = math.sqrt(6 / (area * (module.in_channels + module.out_channels)))
        weight = module.weight.detach()
        assert 0.98 * bound < float(weight.abs().max()) <= bound * (1 + 1e-6)
        # A uniform distribution's deviation is its bound over the root of three.
        assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert abs(float(weight.mean())) < 0.05 * bound
        assert module.bias is not None
        assert float(module.bias.detach().abs().max()) == 0
    for module in network.modules():
        if isinstance(module, ConditionalInstanceNorm):
            assert bool((module.scale == 1).all())
            assert bool((module.offset == 0).all())


def test_linear_output_is_not_clamped_while_training() -> None:
    network = small(output="linear")
    with torch.no_grad():
        network.head.bias.fill_(5.0)
    result = network.train()(photos(1, 3, 16, 16))
    assert result.min().item() > 1
    result.sum().backward()
    assert network.head.bias.grad is not None
    assert float(network.head.bias.grad.min()) > 0
    assert bool((network.eval()(photos(1, 3, 16, 16)) == 1).all())


# --- The forward pass ---


@pytest.mark.parametrize("padding", ["zero", "reflection"])
@pytest.mark.parametrize("output", ["tanh", "linear"])
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_the_forward_pass_equals_numpy(padding: str, output: str, blocks: int) -> None:
    torch.manual_seed(1)
    network = varied(TransformerNet(NetworkConfig(width=4, blocks=blocks, padding=padding, output=output, styles=2)))
    weights = {name: p.detach().double().numpy() for name, p in network.named_parameters()}
    batch, mix = photos(2, 3, 16, 12), np.array([0.3, 0.7])
    ours = network(batch, torch.from_numpy(mix)).detach().numpy()
    assert ours.dtype == np.float32
    for photo, found in zip(batch.double().numpy(), ours, strict=True):
        expected = reference.transformer(weights, photo, blocks=blocks, padding=padding, output=output, mix=mix)
        assert expected.std() > 0.01  # not saturated: there is something to compare
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_nearly_black_photo_equals_numpy() -> None:
    # Here the norm's epsilon matters, and with it that pixels go in as 0..255.
    network = small()
    weights = {name: p.detach().double().numpy() for name, p in network.named_parameters()}
    photo = photos(1, 3, 16, 12) * 1e-4
    expected = reference.transformer(
        weights, photo[0].double().numpy(), blocks=1, padding="zero", output="tanh", mix=np.ones(1)
    )
    np.testing.assert_allclose(network(photo)[0].detach().numpy(), expected, atol=1e-4)
    assert np.abs(network(255 * photo)[0].detach().numpy() - expected).max() > 0.01


@pytest.mark.parametrize("padding", ["zero", "reflection"])
@pytest.mark.parametrize("cell", [4, 8])
@pytest.mark.parametrize("blocks", [0, 2])
def test_the_turbo_forward_pass_equals_numpy(padding: str, cell: int, blocks: int) -> None:
    torch.manual_seed(1)
    config = NetworkConfig(
        body="turbo", width=12, blocks=blocks, downsampling=cell, padding=padding, output="linear", styles=2
    )
    network = varied(TransformerNet(config))
    weights = {name: p.detach().double().numpy() for name, p in network.named_parameters()}
    batch, mix = photos(2, 3, 24, 32), np.array([0.3, 0.7])
    ours = network(batch, torch.from_numpy(mix)).detach().numpy()
    for photo, found in zip(batch.double().numpy(), ours, strict=True):
        expected = reference.turbo(weights, photo, blocks=blocks, cell=cell, padding=padding, mix=mix)
        assert expected.std() > 0.05
        np.testing.assert_allclose(found, expected, atol=1e-4)


def macs_per_pixel(config: NetworkConfig) -> float:
    """Counted from the shapes that convolutions see, on a photo of 64×64."""
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += output.numel() * module.weight[0].numel()

    network = TransformerNet(config).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(photos(1, 3, 64, 64))
    return total / 64**2


def test_turbo_costs_at_most_twenty_thousand_macs_a_pixel() -> None:
    quick = make_config(RECIPES["quick"]).network
    assert quick.body == "turbo"
    assert macs_per_pixel(quick) <= 20_000
    # By hand at width 48: stem, ten convolutions of the blocks, half resolution three times.
    by_hand = 9 * (48 * 48 / 16 + 10 * 48 * 48 / 16 + 48 * 24 / 4 + (24 + 12) * 16 / 4 + 16 * 12 / 4)
    assert macs_per_pixel(NetworkConfig(body="turbo", width=48)) == by_hand
    assert macs_per_pixel(NetworkConfig()) > 150_000


def test_a_turbo_network_leaves_no_grid_on_an_even_photo() -> None:
    torch.manual_seed(0)
    network = varied(TransformerNet(NetworkConfig(body="turbo", width=16, padding="reflection", output="linear")))
    result = network(torch.full((1, 3, 48, 64), 0.4)).detach()
    assert float((result - result.mean(dim=(2, 3), keepdim=True)).abs().max()) < 1e-4


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(5, 9), st.integers(5, 9), st.booleans())
def test_padding_that_keeps_the_layout_is_pytorchs_own(width: int, height: int, breadth: int, repeats: bool) -> None:
    plain = torch.rand(2, 3, height, breadth, dtype=torch.float64, requires_grad=True)
    ours = extended(plain.to(memory_format=torch.channels_last), width, repeats)
    theirs = F.pad(plain, (width,) * 4, mode="replicate" if repeats else "reflect")
    assert is_channels_last(ours)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    gradient = torch.rand_like(theirs)
    found, wanted = (torch.autograd.grad(x, plain, gradient)[0] for x in (ours, theirs))
    torch.testing.assert_close(found, wanted)


tiny_networks = {
    (padding, output, body): varied(
        TransformerNet(NetworkConfig(body=body, width=2, blocks=1, padding=padding, output=output, downsampling=cell))
    )
    for padding in ("zero", "reflection")
    for output in ("tanh", "linear")
    for body, cell in (("classic", 4), ("turbo", 4))
}


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(list(tiny_networks)), st.booleans())
def test_any_size_comes_back_to_the_pixel(height: int, width: int, kind: tuple[str, str, str], white: bool) -> None:
    batch = torch.ones(1, 3, height, width) if white else photos(1, 3, height, width)
    with torch.inference_mode():
        result = tiny_networks[kind](batch)
    assert result.shape == batch.shape
    assert bool(torch.isfinite(result).all())
    assert 0 <= float(result.min()) <= float(result.max()) <= 1


@pytest.mark.parametrize(
    ("sides", "padded"),
    [((1, 1), (8, 8)), ((8, 8), (8, 8)), ((9, 12), (12, 12)), ((5, 21), (8, 24)), ((16, 7), (16, 8))],
)
def test_padding_repeats_the_last_row_and_column(sides: tuple[int, int], padded: tuple[int, int]) -> None:
    image = photos(1, 3, *sides)
    result = pad_to_grid(image, 4)
    assert result.shape[2:] == padded
    rows = [min(row, sides[0] - 1) for row in range(padded[0])]
    columns = [min(column, sides[1] - 1) for column in range(padded[1])]
    torch.testing.assert_close(result, image[:, :, rows][..., columns], rtol=0, atol=0)


def test_a_size_off_the_grid_equals_the_padded_photo_cropped() -> None:
    network, photo = small(), photos(1, 3, 13, 22)
    torch.testing.assert_close(network(photo), network(pad_to_grid(photo, 4))[..., :13, :22], rtol=0, atol=0)


def test_an_image_does_not_see_its_neighbours_in_the_batch() -> None:
    network, batch = small(), photos(3, 3, 16, 20)
    together = network(batch)
    for index in range(3):
        torch.testing.assert_close(network(batch[index : index + 1])[0], together[index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(16, 16), (7, 9)])
def test_the_callers_photos_stay_as_they_are(size: tuple[int, int]) -> None:
    batch = photos(2, 3, *size)
    before = batch.clone()
    for network in (small(), small(padding="reflection", output="linear").train()):
        network(batch)
    torch.testing.assert_close(batch, before, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 4, 8, 8), (8, 8, 3), (0, 3, 8, 8), (1, 3, 0, 8)])
def test_something_else_than_photos_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        small()(torch.zeros(shape))


def test_gradients_are_finite_even_for_a_photo_of_one_colour() -> None:
    network = small().train()
    network(torch.full((1, 3, 16, 16), 0.5)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name


# --- Styles ---


def test_conditional_instance_norm_equals_numpy() -> None:
    norm = ConditionalInstanceNorm(3, 2)
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]]))
        norm.offset.copy_(torch.tensor([[0.0, 1.0, -1.0], [2.0, 3.0, 4.0]]))
    x, mix = 50 * photos(2, 3, 5, 4) - 9, torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    ours = norm(x, mix).detach().numpy()
    for index in range(2):
        scale, offset = (mix[index].double() @ p.detach().double() for p in (norm.scale, norm.offset))
        expected = reference.instance_norm(x[index].double().numpy(), scale.numpy(), offset.numpy())
        np.testing.assert_allclose(ours[index], expected, atol=1e-5)


def test_instance_norm_by_hand() -> None:
    # Values 1, 3: mean 2, variance 1 (over n, not n-1): -1 and 1 but for epsilon; times 2, plus 5.
    norm = ConditionalInstanceNorm(1, 1)
    with torch.no_grad():
        norm.scale.fill_(2.0)
        norm.offset.fill_(5.0)
    result = norm(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), torch.ones(1, 1)).flatten()
    unit = 1 / math.sqrt(1 + 1e-5)
    torch.testing.assert_close(result.detach(), torch.tensor([5 - 2 * unit, 5 + 2 * unit]))


def test_a_style_given_in_any_way_is_the_same_style() -> None:
    network, batch = small(styles=3), photos(2, 3, 16, 12)
    expected = network(batch, 1)
    assert float((expected - network(batch, 0)).detach().abs().max()) > 0.01
    one_hot = torch.tensor([0.0, 1.0, 0.0])
    for style in (
        torch.tensor(1),
        torch.tensor([1]),
        torch.tensor([1, 1]),
        one_hot,
        one_hot.expand(1, 3),
        one_hot.expand(2, 3),
    ):
        torch.testing.assert_close(network(batch, style), expected, rtol=0, atol=0)


def test_each_photo_of_a_batch_can_have_a_style_of_its_own() -> None:
    network, batch = small(styles=3), photos(3, 3, 16, 12)
    together = network(batch, torch.tensor([2, 0, 1]))
    for index, style in enumerate((2, 0, 1)):
        torch.testing.assert_close(network(batch[index : index + 1], style)[0], together[index], rtol=1e-4, atol=1e-5)


def test_mixing_half_and_half_equals_a_network_of_the_averaged_rows() -> None:
    network = small(styles=2)
    averaged = TransformerNet(NetworkConfig(width=4, blocks=1)).eval()
    state = {
        name: value.mean(0, keepdim=True) if name.endswith(("scale", "offset")) else value
        for name, value in network.state_dict().items()
    }
    averaged.load_state_dict(state)
    batch = photos(1, 3, 16, 12)
    torch.testing.assert_close(network(batch, torch.tensor([0.5, 0.5])), averaged(batch))


def test_mixes_of_a_batch_by_row() -> None:
    mixes = torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    network, batch = small(styles=2), photos(2, 3, 16, 12)
    together = network(batch, mixes)
    for index in range(2):
        alone = network(batch[index : index + 1], mixes[index])
        torch.testing.assert_close(alone[0], together[index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("body", ["classic", "turbo"])
def test_a_share_of_the_photo_comes_past_the_network(body: str) -> None:
    network = small(styles=2, body=body, skip=True, output="linear").train()  # no clamp
    plain = small(styles=2, body=body, output="linear").train()
    x, gain = photos(1, 3, 17, 22), torch.tensor([[0.0, 0.0, 0.0], [0.5, -1.0, 2.0]])
    torch.testing.assert_close(network(x), plain(x))  # untrained, nothing comes
    assert network.skip is not None
    with torch.no_grad():
        network.skip.gain.copy_(gain)
    for style, weights in ((0, [1.0, 0.0]), (1, [0.0, 1.0]), (torch.tensor([0.25, 0.75]), [0.25, 0.75])):
        share = (torch.tensor(weights) @ gain).view(1, 3, 1, 1)
        # Within [-1, 1] the photo is 2x - 1, and a picture half of what comes out.
        torch.testing.assert_close(network(x, style), plain(x, style) + share * (x - 0.5), rtol=1e-4, atol=1e-5)


def test_an_identity_row_can_give_the_photo_back_exactly() -> None:
    network = small(styles=2, skip=True, output="linear", padding="reflection")
    assert network.skip is not None
    with torch.no_grad():
        network.skip.gain[1] = 1
        network.up[-1].norm.scale[1] = network.up[-1].norm.offset[1] = 0
        network.head.bias.zero_()
    x = photos(2, 3, 19, 24)
    torch.testing.assert_close(network(x, 1), x, rtol=0, atol=1e-6)


def test_only_the_rows_of_a_used_style_get_a_gradient() -> None:
    network = small(styles=2).train()
    network(photos(1, 3, 16, 12), 1).sum().backward()
    for name, parameter in network.named_parameters():
        if name.endswith(("scale", "offset")):
            assert parameter.grad is not None
            assert float(parameter.grad[0].abs().max()) == 0, name
            assert float(parameter.grad[1].abs().max()) > 0, name


@pytest.mark.parametrize(
    "style",
    [
        3,
        -1,
        torch.tensor([0, 3]),
        torch.tensor([-1, 0]),
        torch.tensor([0, 1, 2]),
        torch.tensor([[0], [1]]),
        torch.tensor([], dtype=torch.long),
        torch.tensor([0.5, 0.5]),
        torch.tensor(0.5),
        torch.ones(3, 3),
        torch.ones(1, 2, 3),
        torch.ones(2, 2),
    ],
    ids=str,
)
def test_a_style_that_does_not_exist_or_fit_is_refused(style: int | Tensor) -> None:
    with pytest.raises(ValueError, match="style"):
        small(styles=3)(photos(2, 3, 16, 12), style)


def test_style_mix_makes_one_row_a_photo() -> None:
    like = torch.zeros(1)
    assert style_mix(1, 2, 3, like).tolist() == [[0, 1, 0], [0, 1, 0]]
    assert style_mix(torch.tensor([2, 0]), 2, 3, like).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert style_mix(torch.tensor([0.25, 0.5, 0.25]), 2, 3, like).tolist() == [[0.25, 0.5, 0.25]] * 2

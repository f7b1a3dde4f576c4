"""The whole classic loss against NumPy in float64, and its gradient by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import reference
import torch
from reference import Array
from torch import Tensor, nn

from impasto.config import LossConfig, NetworkConfig
from impasto.core.loss_network import LossNetwork, convolutions, vgg
from impasto.core.losses import Look, Losses, PerceptualLoss, enlarged
from impasto.core.transformer import TransformerNet

STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
SIDE = 32


def wide(x: Tensor) -> Array:
    return x.detach().double().numpy()


@pytest.fixture(scope="module")
def vgg16() -> LossNetwork:
    """VGG-16 with random weights that keep the signal's size from layer to layer."""
    torch.manual_seed(16)
    network = vgg("vgg16")
    for convolution in convolutions(network):
        nn.init.kaiming_normal_(convolution.weight)
        nn.init.normal_(convolution.bias, std=5.0)
    return network


@pytest.fixture(scope="module")
def pictures() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = {"photos": (2, 3, SIDE, SIDE), "stylized": (2, 3, SIDE, SIDE), "style": (1, 3, 40, 36)}
    return {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def features(vgg16: LossNetwork, pictures: dict[str, Tensor]) -> dict[str, list[dict[str, Array]]]:
    """NumPy's features of every picture."""
    weights = [(wide(c.weight), wide(c.bias)) for c in convolutions(vgg16)]
    return {
        name: [reference.vgg16_features(weights, image, STYLE_LAYERS) for image in wide(images)]
        for name, images in pictures.items()
    }


def test_vgg16_equals_numpy(vgg16: LossNetwork, pictures: dict[str, Tensor], features) -> None:
    found = vgg16(pictures["photos"], STYLE_LAYERS)
    assert set(found) == set(STYLE_LAYERS)
    for name, ours in found.items():
        for image in range(2):
            expected = features["photos"][image][name]
            np.testing.assert_allclose(wide(ours[image]), expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_the_classic_total_equals_numpy(vgg16: LossNetwork, pictures: dict[str, Tensor], features) -> None:
    losses = PerceptualLoss(vgg16, [pictures["style"]], LossConfig())(pictures["stylized"], pictures["photos"])
    content = reference.content_loss(
        [found["relu3_3"] for found in features["stylized"]], [found["relu3_3"] for found in features["photos"]]
    )
    style = reference.style_loss(
        [[found[name] for name in STYLE_LAYERS] for found in features["stylized"]],
        [[features["style"][0][name] for name in STYLE_LAYERS]] * 2,
    )
    assert min(content, style) > 0
    assert float(losses.content) == pytest.approx(content, rel=1e-4)
    assert float(losses.style) == pytest.approx(style, rel=1e-4)
    assert float(losses.total) == pytest.approx(1e-4 * content + 3e-8 * style, rel=1e-4)
    assert float(losses.tv) == 0


def test_the_balanced_total_equals_numpy(vgg16: LossNetwork, pictures: dict[str, Tensor], features) -> None:
    config = LossConfig(balanced=True, tv_weight=2.0)
    losses = PerceptualLoss(vgg16, [pictures["style"]], config)(pictures["stylized"], pictures["photos"])
    content = reference.balanced_content_loss(
        [found["relu3_3"] for found in features["stylized"]], [found["relu3_3"] for found in features["photos"]]
    )
    style = reference.balanced_style_loss(
        [[found[name] for name in STYLE_LAYERS] for found in features["stylized"]],
        [[features["style"][0][name] for name in STYLE_LAYERS]] * 2,
    )
    tv = reference.total_variation(wide(pictures["stylized"]))
    assert float(losses.content) == pytest.approx(content, rel=1e-4)
    assert float(losses.style) == pytest.approx(style, rel=1e-4)
    assert float(losses.tv) == pytest.approx(tv, rel=1e-5)
    assert float(losses.total) == pytest.approx(content + 25 * style + 2 * tv, rel=1e-4)


# --- Calm where the photo is flat ---


def lattice(side: int, strength: float) -> Tensor:
    """A dot on every sixth pixel of a grey sky, (1, 3, side, side)."""
    sky = torch.full((1, 3, side, side), 0.5)
    sky[..., ::6, ::6] += strength
    return sky


def calm_of(stylized: Tensor, photo: Tensor, painting: Tensor) -> float:
    loss = PerceptualLoss(chain(), [painting], config(balanced=True, calm_weight=1.0))
    return float(loss(stylized, photo).calm)


def flat_painting() -> Tensor:
    """Noise above, one colour below."""
    generator = torch.Generator().manual_seed(8)
    painting = torch.rand((1, 3, 64, 64), generator=generator)
    painting[..., 32:, :] = 0.3
    return painting


@pytest.mark.parametrize("side", [20, 33])
def test_calm_equals_numpy(side: int) -> None:
    generator = torch.Generator().manual_seed(side)
    painting = 0.5 + 0.1 * torch.rand((1, 3, 24, 40), generator=generator)
    photos = 0.5 + 0.1 * torch.rand((2, 3, side, side + 6), generator=generator)
    stylized = torch.rand((2, 3, side, side + 6), generator=generator)
    expected = [reference.calm_loss(wide(y), wide(x), wide(painting[0])) for y, x in zip(stylized, photos, strict=True)]
    assert min(expected) > 0
    assert calm_of(stylized, photos, painting) == pytest.approx(np.mean(expected), rel=1e-4)


def test_a_lattice_in_a_sky_costs_more_the_stronger_it_is() -> None:
    sky = lattice(48, 0)
    costs = [calm_of(lattice(48, strength), sky, flat_painting()) for strength in (0, 0.1, 0.2, 0.4)]
    assert costs[0] == 0
    assert costs == sorted(costs)
    assert costs[1] > 0


def test_the_same_lattice_is_free_where_the_photo_is_lively() -> None:
    noise = torch.rand((1, 3, 48, 48), generator=torch.Generator().manual_seed(9))
    assert calm_of(lattice(48, 0.4), noise, flat_painting()) < 1e-6


def test_a_painting_without_calm_parts_allows_its_marks_anywhere() -> None:
    noise = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(10))
    assert calm_of(lattice(48, 0.4), lattice(48, 0), noise) == 0


def test_every_image_is_as_calm_as_its_own_painting() -> None:
    noise = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(10))
    loss = PerceptualLoss(chain(), [flat_painting(), noise], config(balanced=True, calm_weight=3.0))
    marked, sky = lattice(48, 0.4).expand(2, -1, -1, -1), lattice(48, 0).expand(2, -1, -1, -1)
    both, none = (loss(marked, sky, style=torch.tensor(which)) for which in ([0, 1], [1, 1]))
    assert float(both.calm) == pytest.approx(calm_of(marked[:1], sky[:1], flat_painting()) / 2)
    assert float(none.calm) == 0
    for share in (0.0, 0.4, 1.0):
        found = loss(marked, sky, style=torch.tensor([0, 1]), calm_share=share)
        parts = float(found.content + 0.5 * found.style + share * 3 * found.calm)
        assert float(found.total) == pytest.approx(parts, rel=1e-5)


# --- On a small chain: styles, looks, gradients ---


def chain() -> LossNetwork:
    torch.manual_seed(5)
    layers = {
        "a": nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True)),
        "b": nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(inplace=True)),
    }
    return LossNetwork(layers, "caffe")


def config(**options: object) -> LossConfig:
    return LossConfig(content_layers=("b",), style_layers=("a", "b"), content_weight=1.0, style_weight=0.5, **options)


def images(count: int, seed: int, side: int = 12) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def same(ours: Losses, theirs: Losses) -> None:
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_the_loss_of_the_style_image_itself_is_zero() -> None:
    style = images(1, 1)
    losses = PerceptualLoss(chain(), [style], config())(style, style)
    assert [float(part) for part in losses] == [0, 0, 0, 0, 0]


def test_each_image_is_compared_with_the_style_that_it_was_given() -> None:
    styles = [images(1, 1), images(1, 2, side=20)]
    both = PerceptualLoss(chain(), styles, config())
    stylized, photos = images(3, 3), images(3, 4)
    together = both(stylized, photos, torch.tensor([1, 0, 1]))
    alone = [
        PerceptualLoss(chain(), [styles[index]], config())(stylized[i : i + 1], photos[i : i + 1])
        for i, index in enumerate((1, 0, 1))
    ]
    torch.testing.assert_close(together.style, torch.stack([one.style for one in alone]).mean())
    torch.testing.assert_close(together.content, torch.stack([one.content for one in alone]).mean())
    same(both(stylized, photos), both(stylized, photos, torch.zeros(3, dtype=torch.long)))


def test_the_usual_look_changes_nothing() -> None:
    loss = PerceptualLoss(chain(), [images(1, 1)], config())
    photos = images(2, 3)
    assert torch.equal(loss.look_at(photos, Look()), photos)
    same(loss(photos, images(2, 4), look=Look()), loss(photos, images(2, 4)))


def test_a_look_enlarges_and_then_crops_around_its_corner() -> None:
    loss = PerceptualLoss(chain(), [images(1, 1)], config(look_scale=(1.5, 1.5), look_shift=3))
    photos = images(2, 3)
    for top, left in ((0, 0), (3, 0), (1, 2), (3, 3)):
        expected = enlarged(photos, 1.5)[..., top : top + 15, left : left + 15]  # 1.5 · 12 - 3 = 15
        torch.testing.assert_close(loss.look_at(photos, Look(0, top, left)), expected, rtol=0, atol=0)


def test_a_look_beyond_the_border_sees_the_picture_mirrored() -> None:
    photos = images(2, 3)
    loss = PerceptualLoss(chain(), [images(1, 1)], config(look_shift=3, look_beyond=4))
    wide = np.pad(photos.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    for top, left in ((0, 0), (3, 1)):
        expected = torch.from_numpy(wide[..., top : top + 17, left : left + 17])  # 12 + 2 · 4 - 3 = 17
        torch.testing.assert_close(loss.look_at(photos, Look(0, top, left)), expected, rtol=0, atol=0)
    small = images(1, 2, side=3)  # two pixels are all that there is beyond a border
    assert loss.look_at(small, Look()).shape[2:] == (3 + 2 * 2 - 3,) * 2


def test_the_painting_is_seen_mirrored_beyond_its_border_too() -> None:
    style, photos = images(1, 1), images(2, 3)
    beyond = PerceptualLoss(chain(), [style], config(look_beyond=4))
    wide = torch.from_numpy(np.pad(style.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect"))
    for ours, theirs in zip(
        *(loss.style_grams(torch.tensor([0])) for loss in (beyond, PerceptualLoss(chain(), [wide], config()))),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert float(beyond(style, style).style) == 0
    assert float(beyond(photos, style).style) > 0


def test_a_look_is_the_same_for_the_stylized_image_and_the_photo() -> None:
    style, photos, others = images(1, 1), images(2, 3), images(2, 4)
    look = Look(5, 1, 2)
    loss = PerceptualLoss(chain(), [style], config(look_scale=(0.75, 1.25), look_shift=3))
    assert float(loss(photos, photos, look=look).content) == 0
    seen = [enlarged(batch, 1.25)[..., 1:13, 2:14] for batch in (photos, others)]
    same(loss(photos, others, look=look), PerceptualLoss(chain(), [enlarged(style, 1.25)], config())(*seen))


def test_the_style_is_seen_at_the_scale_of_the_look() -> None:
    style, photos = images(1, 1), images(2, 3)
    ranged = PerceptualLoss(chain(), [style], config(look_scale=(0.75, 1.25)))
    for step, scale in enumerate((0.75, 0.85, 0.95, 1.05, 1.15, 1.25)):
        fixed = PerceptualLoss(chain(), [style], config(look_scale=(scale, scale)))
        same(ranged(photos, images(2, 4), look=Look(step)), fixed(photos, images(2, 4)))
        assert float(ranged(style, style, look=Look(step)).style) == 0


def test_an_unknown_layer_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="relu3_3"):
        PerceptualLoss(chain(), [images(1, 1)], LossConfig())


def test_the_targets_move_with_the_module_but_are_not_saved() -> None:
    loss = PerceptualLoss(chain(), [images(1, 1)], config())
    assert all("gram" not in name for name in loss.state_dict())
    assert all(gram.is_meta for gram in loss.to("meta").style_grams(torch.zeros(1, dtype=torch.long, device="meta")))


def test_gradients_reach_the_stylized_image_and_nothing_else() -> None:
    loss = PerceptualLoss(chain(), [images(1, 1)], config(tv_weight=1.0))
    stylized, photos = images(2, 3).requires_grad_(), images(2, 4).requires_grad_()
    loss(stylized, photos).total.backward()
    assert stylized.grad is not None
    assert float(stylized.grad.abs().sum()) > 0
    assert photos.grad is None
    assert all(p.grad is None for p in loss.parameters())


def test_the_parts_of_the_gradient_have_their_weights() -> None:
    loss = PerceptualLoss(chain(), [images(1, 1)], config(tv_weight=3.0))
    gradients = []
    for part in ("total", "content", "style", "tv"):
        stylized = images(2, 3).requires_grad_()
        getattr(loss(stylized, images(2, 4)), part).backward()
        assert stylized.grad is not None
        gradients.append(stylized.grad)
    total, content, style, tv = gradients
    torch.testing.assert_close(total, content + 0.5 * style + 3 * tv, rtol=1e-4, atol=1e-5 * float(total.abs().max()))


def test_autocast_keeps_the_losses_in_float32_and_near() -> None:
    loss = PerceptualLoss(chain(), [images(1, 1)], config())
    exact = loss(images(2, 3), images(2, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = loss(images(2, 3), images(2, 4))
    for a, b in zip(rough, exact, strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, b, rtol=0.05, atol=0)


# --- The gradient of a training step, by central differences in NumPy ---


def numpy_objective(network: TransformerNet, loss_network: LossNetwork, photo: Array, style: Array) -> Callable:
    """The loss of one photo as a function of the transformer's weights, all in NumPy."""
    convs = [(wide(c.weight), wide(c.bias)) for c in convolutions(loss_network)]

    def look(image: Array) -> list[Array]:
        x = np.stack([255 * plane - mean for plane, mean in zip(image, reference.CAFFE_MEAN, strict=True)])
        first = reference.relu(reference.convolve(x, *convs[0], padding=1))
        return [first, reference.relu(reference.convolve(reference.max_pool(first), *convs[1], padding=1))]

    photo_features, style_features = look(photo), look(style)
    shape = network.config

    def objective(weights: dict[str, Array]) -> float:
        stylized = reference.transformer(
            weights, photo, blocks=shape.blocks, padding=shape.padding, output=shape.output, mix=np.ones(1)
        )
        found = look(stylized)
        content = reference.content_loss([found[1]], [photo_features[1]])
        return content + 0.5 * reference.style_loss([found], [style_features])

    return objective


def test_the_gradient_of_the_weights_by_central_differences() -> None:
    torch.manual_seed(9)
    network, loss_network = TransformerNet(NetworkConfig(width=3, blocks=1)), chain()
    photo, style = images(1, 7, side=16), images(1, 8, side=16)
    loss = PerceptualLoss(loss_network, [style], config())
    value = loss(network(photo), photo).total
    value.backward()

    objective = numpy_objective(network, loss_network, wide(photo[0]), wide(style[0]))
    weights = {name: wide(p) for name, p in network.named_parameters()}
    assert value.item() == pytest.approx(objective(weights), rel=1e-4)

    for name in (
        "down.0.conv.weight",
        "down.1.norm.scale",
        "blocks.0.first.conv.weight",
        "up.1.norm.offset",
        "head.bias",
    ):
        gradient = wide(network.get_parameter(name).grad)
        steepest = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        sides = []
        for step in (1e-6, -1e-6):
            moved = {key: array.copy() for key, array in weights.items()}
            moved[name][steepest] += step
            sides.append(objective(moved))
        assert gradient[steepest] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=2e-3), name

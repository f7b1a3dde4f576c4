"""The losses against hand-worked numbers, against NumPy in float64, and by their properties."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from impasto.config import LossConfig
from impasto.core.losses import (
    Look,
    balanced_content_loss,
    balanced_style_loss,
    content_loss,
    enlarged,
    gram_matrix,
    look_scales,
    style_loss,
    total_variation,
)

quick = settings(max_examples=30)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
seeds = st.integers(0, 2**31)


def rand(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


# --- Gram matrix ---


def test_gram_of_two_channels_by_hand() -> None:
    # F = [1 2 3; 0 -1 2]: F·Fᵀ = [14 4; 4 5], and C·H·W = 2·1·3 = 6.
    features = torch.tensor([[[[1.0, 2.0, 3.0]], [[0.0, -1.0, 2.0]]]])
    expected = torch.tensor([[[14 / 6, 4 / 6], [4 / 6, 5 / 6]]])
    torch.testing.assert_close(gram_matrix(features), expected)


def test_gram_of_one_pixel_is_the_outer_product_over_the_channels() -> None:
    features = torch.tensor([2.0, -3.0, 1.0]).view(1, 3, 1, 1)
    expected = torch.tensor([[[4.0, -6, 2], [-6, 9, -3], [2, -3, 1]]]) / 3
    torch.testing.assert_close(gram_matrix(features), expected)


@quick
@given(shapes, seeds)
def test_gram_equals_numpy_for_each_image_by_itself(shape: tuple[int, ...], seed: int) -> None:
    features = rand(shape, seed)
    ours = gram_matrix(features)
    assert ours.shape == (shape[0], shape[1], shape[1])
    assert ours.dtype == torch.float64
    for index in range(shape[0]):
        np.testing.assert_allclose(ours[index].numpy(), reference.gram(features[index].numpy()), atol=1e-12)


@quick
@given(shapes, seeds)
def test_gram_is_symmetric_and_positive_semi_definite(shape: tuple[int, ...], seed: int) -> None:
    gram = gram_matrix(rand(shape, seed))
    torch.testing.assert_close(gram, gram.mT)
    assert float(torch.linalg.eigvalsh(gram).min()) > -1e-12


@quick
@given(shapes, seeds)
def test_gram_does_not_know_where_a_pixel_was(shape: tuple[int, ...], seed: int) -> None:
    features = rand(shape, seed)
    batch, channels, height, width = shape
    order = np.random.default_rng(seed).permutation(height * width)
    shuffled = features.flatten(2)[..., order].view(batch, channels, width, height)
    torch.testing.assert_close(gram_matrix(shuffled), gram_matrix(features))


@quick
@given(shapes, seeds, st.floats(-20, 20))
def test_gram_scales_by_the_square(shape: tuple[int, ...], seed: int, factor: float) -> None:
    features = rand(shape, seed)
    torch.testing.assert_close(gram_matrix(factor * features), factor**2 * gram_matrix(features))


def test_gram_does_not_depend_on_the_size_of_a_repeated_picture() -> None:
    features = rand((1, 4, 3, 5), 1)
    torch.testing.assert_close(gram_matrix(features.repeat(1, 1, 2, 3)), gram_matrix(features))


def test_gram_has_the_right_gradient() -> None:
    features = rand((2, 3, 2, 4), 2).requires_grad_()
    assert torch.autograd.gradcheck(gram_matrix, (features,))


def test_the_gradient_of_one_gram_entry_by_hand() -> None:
    # G01 = (a·c + b·d) / 4 for channels (a, b), (c, d): its gradient is (c, d, a, b) / 4.
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 5.0]]]], requires_grad=True)
    gram_matrix(features)[0, 0, 1].backward()
    torch.testing.assert_close(features.grad, torch.tensor([[[[3.0, 5.0]], [[1.0, 2.0]]]]) / 4)


def test_gram_of_bfloat16_is_summed_in_float32() -> None:
    features = rand((1, 3, 40, 40), 3, torch.bfloat16)
    gram = gram_matrix(features)
    assert gram.dtype == torch.float32
    # Only the finished sums are rounded, to 8 bits: a running sum in bf16 would be off by about 1e-2.
    torch.testing.assert_close(gram.double(), gram_matrix(features.double()), rtol=2**-8, atol=1e-6)


def test_the_gradient_to_bfloat16_features_is_bfloat16() -> None:
    features = rand((1, 3, 8, 8), 4, torch.bfloat16).requires_grad_()
    gram_matrix(features).square().sum().backward()
    wide = features.detach().double().requires_grad_()
    gram_matrix(wide).square().sum().backward()
    assert features.grad is not None
    assert wide.grad is not None
    assert features.grad.dtype == torch.bfloat16
    torch.testing.assert_close(features.grad.double(), wide.grad, rtol=0.05, atol=1e-3)


def test_autocast_leaves_the_gram_in_float32() -> None:
    features = rand((2, 4, 9, 9), 5, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = gram_matrix(features)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, gram_matrix(features), rtol=0, atol=0)


def test_gram_of_a_channels_last_tensor_is_the_same() -> None:
    features = rand((2, 4, 5, 6), 6)
    torch.testing.assert_close(gram_matrix(features.to(memory_format=torch.channels_last)), gram_matrix(features))


# --- Content loss ---


def test_content_loss_by_hand() -> None:
    # Differences 1, -2, 0, 3: the mean of 1 + 4 + 0 + 9 over four elements.
    ours, theirs = torch.tensor([2.0, 1.0, 5.0, 3.0]), torch.tensor([1.0, 3.0, 5.0, 0.0])
    assert float(content_loss(ours.view(1, 1, 2, 2), theirs.view(1, 1, 2, 2))) == 3.5


@quick
@given(shapes, seeds)
def test_content_loss_is_the_mean_over_every_element_of_the_batch(shape: tuple[int, ...], seed: int) -> None:
    ours, theirs = rand(shape, seed), rand(shape, seed + 1)
    expected = reference.content_loss(list(ours.numpy()), list(theirs.numpy()))
    assert float(content_loss(ours, theirs)) == pytest.approx(expected, rel=1e-12)
    single = [float(content_loss(a[None], b[None])) for a, b in zip(ours, theirs, strict=True)]
    assert float(content_loss(ours, theirs)) == pytest.approx(sum(single) / len(single), rel=1e-12)


def test_content_loss_of_bfloat16_is_float32() -> None:
    ours, theirs = rand((1, 2, 3, 3), 7, torch.bfloat16), rand((1, 2, 3, 3), 8, torch.bfloat16)
    loss = content_loss(ours, theirs)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), content_loss(ours.double(), theirs.double()), rtol=1e-5, atol=0)


# --- Style loss ---


def test_style_loss_by_hand() -> None:
    # Two channels of one pixel, (1, 3) and (2, 1): Grams [1 3; 3 9]/2 and [4 2; 2 1]/2.
    # Their difference is [-3 1; 1 8]/2, its squares sum up to (9 + 1 + 1 + 64)/4.
    ours, style = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1), torch.tensor([2.0, 1.0]).view(1, 2, 1, 1)
    assert float(style_loss(ours, style)) == pytest.approx(18.75)


def test_style_loss_sums_the_layers() -> None:
    first, second = (rand((1, 3, 4, 4), 1), rand((1, 3, 4, 4), 2)), (rand((1, 5, 2, 2), 3), rand((1, 5, 2, 2), 4))
    both = style_loss([first[0], second[0]], [first[1], second[1]])
    torch.testing.assert_close(both, style_loss(*first) + style_loss(*second))


def test_style_loss_of_a_batch_is_the_mean_of_the_single_ones() -> None:
    ours, style = rand((2, 3, 4, 5), 5), rand((1, 3, 6, 6), 6)
    single = [style_loss(image[None], style) for image in ours]
    assert float(single[0]) != pytest.approx(float(single[1]), rel=0.01)
    torch.testing.assert_close(style_loss(ours, style), (single[0] + single[1]) / 2)


def test_each_image_can_have_a_style_of_its_own() -> None:
    ours, style = rand((2, 3, 4, 5), 5), rand((2, 3, 4, 5), 6)
    single = [style_loss(a[None], b[None]) for a, b in zip(ours, style, strict=True)]
    torch.testing.assert_close(style_loss(ours, style), (single[0] + single[1]) / 2)


@quick
@given(shapes, seeds)
def test_style_loss_equals_numpy(shape: tuple[int, ...], seed: int) -> None:
    ours, style = rand(shape, seed), rand((1, *shape[1:]), seed + 1)
    target = [[style[0].numpy()]] * shape[0]
    layers = [[image] for image in ours.numpy()]
    assert float(style_loss(ours, style)) == pytest.approx(reference.style_loss(layers, target), rel=1e-9)
    balanced = float(balanced_style_loss(ours, style))
    assert balanced == pytest.approx(reference.balanced_style_loss(layers, target), rel=1e-9)


@quick
@given(shapes, seeds)
def test_style_loss_is_zero_at_equality_and_for_shuffled_pixels(shape: tuple[int, ...], seed: int) -> None:
    features = rand(shape, seed)
    assert float(style_loss(features, features)) == 0
    assert float(style_loss(features, features.flip(2, 3))) < 1e-20


@pytest.mark.parametrize("loss", [style_loss, balanced_style_loss])
def test_features_and_their_grams_give_the_same_style_loss(loss) -> None:
    ours, style = [rand((2, 3, 4, 4), 1), rand((2, 4, 2, 2), 2)], [rand((1, 3, 4, 4), 3), rand((1, 4, 2, 2), 4)]
    grams = [[gram_matrix(x) for x in layers] for layers in (ours, style)]
    expected = loss(ours, style)
    for a in (ours, grams[0]):
        for b in (style, grams[1]):
            torch.testing.assert_close(loss(a, b), expected, rtol=0, atol=0)


@pytest.mark.parametrize("loss", [style_loss, balanced_style_loss])
def test_another_number_of_layers_is_refused(loss) -> None:
    layer = rand((1, 2, 3, 3), 1)
    with pytest.raises(ValueError, match="zip"):
        loss([layer, layer], [layer])


def test_style_loss_has_the_right_gradient() -> None:
    ours = [rand((2, 3, 3, 3), 1).requires_grad_(), rand((2, 2, 4, 3), 2).requires_grad_()]
    style = [rand((1, 3, 3, 3), 3), rand((1, 2, 4, 3), 4)]
    assert torch.autograd.gradcheck(lambda *layers: style_loss(layers, style), ours)


# --- Balanced ---


def test_balanced_losses_by_hand() -> None:
    # Content: (1² + 2²) / (3² + 4²) = 0.2. Style, one channel of one pixel: Grams 4 and 2, (4-2)²/(4² + 2²) = 0.2.
    ours, photo = torch.tensor([4.0, 6.0]).view(1, 2, 1, 1), torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert float(balanced_content_loss(ours, photo)) == pytest.approx(5 / 25)
    ours, style = torch.tensor([2.0]).view(1, 1, 1, 1), torch.tensor([2.0]).sqrt().view(1, 1, 1, 1)
    assert float(balanced_style_loss(ours, style)) == pytest.approx(4 / 20)


def test_balanced_content_loss_divides_each_image_by_its_own_scale() -> None:
    ours, photos = rand((2, 3, 4, 4), 1), rand((2, 3, 4, 4), 2)
    photos[1] *= 100
    expected = reference.balanced_content_loss(list(ours.numpy()), list(photos.numpy()))
    assert float(balanced_content_loss(ours, photos)) == pytest.approx(expected, rel=1e-12)


@quick
@given(seeds, st.floats(0.01, 100))
def test_balanced_losses_do_not_depend_on_the_scale_of_the_features(seed: int, factor: float) -> None:
    ours, theirs = rand((2, 3, 4, 4), seed), rand((2, 3, 4, 4), seed + 1)
    for loss in (balanced_content_loss, balanced_style_loss):
        torch.testing.assert_close(loss(factor * ours, factor * theirs), loss(ours, theirs))


@quick
@given(shapes, seeds)
def test_balanced_style_loss_lies_between_zero_and_one(shape: tuple[int, ...], seed: int) -> None:
    # ‖A-B‖² ≤ ‖A‖² + ‖B‖² for positive semi-definite matrices, whose inner product is never negative.
    assert 0 <= float(balanced_style_loss(rand(shape, seed), rand(shape, seed + 1))) <= 1 + 1e-12


def test_balanced_style_loss_is_the_mean_over_layers_and_images() -> None:
    ours, style = [rand((2, 3, 4, 4), 1), rand((2, 4, 2, 2), 2)], [rand((1, 3, 4, 4), 3), rand((1, 4, 2, 2), 4)]
    by_image = [[layer[i].numpy() for layer in ours] for i in range(2)]
    target = [[layer[0].numpy() for layer in style]] * 2
    expected = reference.balanced_style_loss(by_image, target)
    assert float(balanced_style_loss(ours, style)) == pytest.approx(expected, rel=1e-12)


def test_the_divisor_of_the_balanced_style_loss_has_no_gradient() -> None:
    ours, style = rand((1, 3, 4, 4), 1).requires_grad_(), rand((1, 3, 4, 4), 2)
    balanced_style_loss(ours, style).backward()
    grams = [gram_matrix(x.detach()) for x in (ours, style)]
    scale = sum(float(gram.square().sum()) for gram in grams)
    plain = ours.detach().clone().requires_grad_()
    (style_loss(plain, style) / scale).backward()
    torch.testing.assert_close(ours.grad, plain.grad)


@pytest.mark.parametrize("loss", [balanced_content_loss, balanced_style_loss])
def test_balanced_losses_of_black_features_are_finite(loss) -> None:
    black = torch.zeros(1, 2, 3, 3, requires_grad=True)
    value = loss(black, torch.zeros(1, 2, 3, 3))
    value.backward()
    assert value.item() == 0
    assert black.grad is not None
    assert bool(torch.isfinite(black.grad).all())


# --- Total variation ---


def test_total_variation_of_a_checkerboard_by_hand() -> None:
    # Every pair of neighbours differs by 3, down and across: 9 + 9.
    board = torch.tensor([[0.0, 3.0, 0.0], [3.0, 0.0, 3.0]]).view(1, 1, 2, 3)
    assert float(total_variation(board)) == 18


def test_total_variation_of_a_ramp_by_hand() -> None:
    # Rows rise by 2 (mean of squares 4), columns by 1 (mean of squares 1).
    ramp = 2 * torch.arange(4.0).view(1, 1, 4, 1) + torch.arange(7.0)
    assert float(total_variation(ramp)) == 5


@quick
@given(shapes, st.floats(-5, 5))
def test_total_variation_of_one_colour_is_zero(shape: tuple[int, ...], value: float) -> None:
    assert float(total_variation(torch.full(shape, value))) == 0


@quick
@given(shapes, seeds)
def test_total_variation_equals_numpy(shape: tuple[int, ...], seed: int) -> None:
    images = rand(shape, seed)
    assert float(total_variation(images)) == pytest.approx(reference.total_variation(images.numpy()), rel=1e-12)


def test_total_variation_has_the_right_gradient() -> None:
    assert torch.autograd.gradcheck(total_variation, (rand((2, 3, 4, 5), 1).requires_grad_(),))


# --- Looks ---


def test_the_usual_look_is_always_the_same() -> None:
    assert look_scales(LossConfig()) == (1.0,)
    assert {Look.draw(LossConfig(), torch.Generator().manual_seed(seed)) for seed in range(20)} == {Look()}


def test_the_scales_are_evenly_spaced_and_reach_both_ends() -> None:
    assert look_scales(LossConfig(look_scale=(0.5, 2.0))) == pytest.approx((0.5, 0.8, 1.1, 1.4, 1.7, 2.0))
    assert look_scales(LossConfig(look_scale=(1.5, 1.5))) == (1.5,)


def test_looks_are_drawn_from_the_whole_range() -> None:
    config = LossConfig(look_scale=(0.5, 2.0), look_shift=2)
    generator = torch.Generator().manual_seed(0)
    looks = [Look.draw(config, generator) for _ in range(200)]
    assert {look.step for look in looks} == set(range(6))
    assert {(look.top, look.left) for look in looks} == {(top, left) for top in range(3) for left in range(3)}


def test_enlarging_doubles_by_hand() -> None:
    # Bilinear between pixel centres: 0, ¼·4, ¾·4, 4.
    images = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2).expand(1, 3, 2, 2)
    torch.testing.assert_close(enlarged(images, 2.0)[0, 0, 0], torch.tensor([0.0, 1.0, 3.0, 4.0]))
    assert enlarged(images, 1.0) is images
    assert enlarged(torch.zeros(1, 3, 9, 11), 1.5).shape == (1, 3, 13, 16)

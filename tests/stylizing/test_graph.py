"""What graph.py does in another way than the network, against NumPy in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from networks import KINDS, network_of
from numpy.typing import NDArray

from impasto.stylizing.graph import (
    binomial_of_squares,
    folded,
    folded_border,
    folded_crop,
    order_of_cells_in_cells,
    parameter_shapes,
)

Array = NDArray[np.float64]
RNG = np.random.default_rng(0)
MODES = {"zero": "constant", "reflection": "reflect", "edge": "edge"}


def convolved(x: Array, weight: Array) -> Array:
    """(I, H, W) by (O, I, k, k) without padding, one product after the other."""
    outputs, _, k, _ = weight.shape
    height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    result = np.zeros((outputs, height, width))
    for row in range(k):
        for column in range(k):
            part = x[:, row : row + height, column : column + width]
            result += np.einsum("oi,ihw->ohw", weight[:, :, row, column], part)
    return result


def laid_down(x: Array, kernel: Array, stride: int) -> Array:
    """The transposed convolution (I, O, k, k) of (I, H, W), not cropped."""
    k = kernel.shape[2]
    result = np.zeros((kernel.shape[1], (x.shape[1] - 1) * stride + k, (x.shape[2] - 1) * stride + k))
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            at = np.s_[:, row * stride : row * stride + k, column * stride : column * stride + k]
            result[at] += np.einsum("i,iokl->okl", x[:, row, column], kernel)
    return result


@pytest.mark.parametrize("border", ["zero", "reflection"])
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (6, 4)])
def test_nearest_then_3x3_is_one_transposed_convolution(border: str, size: tuple[int, int]) -> None:
    x, weight = RNG.standard_normal((3, *size)), RNG.standard_normal((4, 3, 3, 3))
    doubled = x.repeat(2, 1).repeat(2, 2)
    expected = convolved(np.pad(doubled, ((0, 0), (1, 1), (1, 1)), MODES[border]), weight)
    kernel = folded(weight.astype(np.float32), "nearest").astype(np.float64)
    assert kernel.shape == (3, 4, 4, 4)  # 16 products for each of four pixels, where it was 36
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), MODES[folded_border(border)])
    assert folded_crop("nearest") == 3
    np.testing.assert_allclose(laid_down(padded, kernel, 2)[:, 3:-3, 3:-3], expected, atol=1e-5)


def bilinear_twice(x: Array) -> Array:
    """Each pixel of the enlarged picture by the two small ones that its centre lies between, along both sides."""
    result = np.zeros((x.shape[0], 2 * x.shape[1], 2 * x.shape[2]))
    for row in range(result.shape[1]):
        for column in range(result.shape[2]):
            y, z = (row + 0.5) / 2 - 0.5, (column + 0.5) / 2 - 0.5
            for r, a in ((int(np.floor(y)), 1 - y % 1), (int(np.floor(y)) + 1, y % 1)):
                for c, b in ((int(np.floor(z)), 1 - z % 1), (int(np.floor(z)) + 1, z % 1)):
                    inside = np.clip(r, 0, x.shape[1] - 1), np.clip(c, 0, x.shape[2] - 1)
                    result[:, row, column] += a * b * x[(slice(None), *inside)]
    return result


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (6, 4)])
def test_bilinear_then_3x3_is_one_transposed_convolution(size: tuple[int, int]) -> None:
    x, weight = RNG.standard_normal((3, *size)), RNG.standard_normal((4, 3, 3, 3))
    expected = convolved(np.pad(bilinear_twice(x), ((0, 0), (1, 1), (1, 1)), "edge"), weight)
    kernel = folded(weight.astype(np.float32), "bilinear").astype(np.float64)
    assert kernel.shape == (3, 4, 6, 6)
    crop = folded_crop("bilinear")
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), "edge")
    np.testing.assert_allclose(laid_down(padded, kernel, 2)[:, crop:-crop, crop:-crop], expected, atol=1e-5)


def cells(x: Array, side: int) -> Array:
    """Squares of pixels as channels, a channel's pixels together, one by one."""
    channels, height, width = x.shape
    result = np.zeros((channels * side**2, height // side, width // side))
    for c in range(channels):
        for y in range(height):
            for z in range(width):
                result[c * side**2 + (y % side) * side + z % side, y // side, z // side] = x[c, y, z]
    return result


@pytest.mark.parametrize(("inner", "outer"), [(2, 2), (2, 4)])
def test_cells_of_cells_are_cells_in_another_order(inner: int, outer: int) -> None:
    x = RNG.standard_normal((3, 16, 8))
    order = order_of_cells_in_cells(3, inner, outer)
    np.testing.assert_array_equal(cells(cells(x, inner), outer), cells(x, inner * outer)[order])


def test_the_binomial_filter_of_pixels_as_a_convolution_of_their_squares() -> None:
    x = RNG.standard_normal((3, 8, 12))
    mirrored = np.pad(x, ((0, 0), (1, 1), (1, 1)), "reflect")
    along = (mirrored[:, :-2] + 2 * mirrored[:, 1:-1] + mirrored[:, 2:]) / 4
    expected = (along[..., :-2] + 2 * along[..., 1:-1] + along[..., 2:]) / 4
    squares = np.pad(cells(x, 2), ((0, 0), (1, 1), (1, 1)), "edge")
    ours = convolved(squares, binomial_of_squares(3).astype(np.float64))
    np.testing.assert_allclose(ours, cells(expected, 2), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shapes_of_the_parameters_are_those_of_the_network(kind: str) -> None:
    network = network_of(kind)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert parameter_shapes(network.config) == expected

"""Conditional instance norm against NumPy float64, in both memory layouts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from impasto.core.norm import EPSILON, ConditionalInstanceNorm

LAYOUTS = {"planes": torch.contiguous_format, "channels last": torch.channels_last}


def module() -> ConditionalInstanceNorm:
    norm = ConditionalInstanceNorm(3, 2).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        norm.scale.copy_(torch.rand(2, 3, generator=generator))
        norm.offset.copy_(torch.rand(2, 3, generator=generator))
    return norm


def photos(layout: str) -> torch.Tensor:
    x = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 9
    return x.contiguous(memory_format=LAYOUTS[layout])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_channel_of_each_image_gets_mean_and_deviation_of_its_row(layout: str) -> None:
    norm, x = module(), photos(layout)
    mix = torch.tensor([[1.0, 0.0], [0.25, 0.75]], dtype=torch.float64)
    pixels = x.numpy()
    scale, offset = (mix.numpy() @ rows.detach().numpy() for rows in (norm.scale, norm.offset))
    mean, variance = pixels.mean(axis=(2, 3), keepdims=True), pixels.var(axis=(2, 3), keepdims=True)
    expected = (pixels - mean) / np.sqrt(variance + EPSILON) * scale[..., None, None] + offset[..., None, None]
    with torch.no_grad():
        result = norm(x, mix)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-9)
    assert result.is_contiguous(memory_format=LAYOUTS[layout])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_are_right(layout: str) -> None:
    norm, x = module(), photos(layout).requires_grad_()
    mix = torch.tensor([[1.0, 0.0], [0.25, 0.75]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x, mix))


def test_rows_keep_their_precision_under_autocast() -> None:
    norm = ConditionalInstanceNorm(4, 1)
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([[1.0, 1.001, 1.002, 1.003]]))
    x = torch.rand(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        result = norm(x, torch.ones(1, 1))
    deviation = (result.var(dim=(0, 2, 3), correction=0) / (1 - EPSILON / x.var(dim=(0, 2, 3), correction=0))).sqrt()
    np.testing.assert_allclose(deviation.numpy(), [1.0, 1.001, 1.002, 1.003], atol=2e-4)

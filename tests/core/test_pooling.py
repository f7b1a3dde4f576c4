"""Average pooling as a convolution, against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.core.norm import is_channels_last
from impasto.core.pooling import AveragePool


@settings(max_examples=60)
@given(st.booleans(), st.integers(1, 3), st.integers(2, 20), st.integers(3, 18), st.integers(3, 18))
def test_it_is_pytorchs_average_pooling(padded: bool, batch: int, channels: int, height: int, width: int) -> None:
    plain = torch.rand(batch, channels, height, width, dtype=torch.float64, requires_grad=True)
    ours = AveragePool(padded)(plain.float().to(memory_format=torch.channels_last))
    theirs = F.avg_pool2d(plain, 3, 2, padding=int(padded), count_include_pad=False)
    torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=1e-6)
    gradient = torch.rand_like(theirs)
    found, wanted = (torch.autograd.grad(x, plain, gradient.to(x.dtype))[0] for x in (ours, theirs))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("padded", [False, True])
def test_it_keeps_the_layout_and_the_type_both_ways(padded: bool) -> None:
    x = torch.rand(2, 5, 12, 9).bfloat16().to(memory_format=torch.channels_last).requires_grad_()
    y = AveragePool(padded)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    for z in (y, gradient):
        assert is_channels_last(z)
        assert z.dtype == torch.bfloat16
    wide = AveragePool(padded)(x.detach().float())
    assert float((y.detach() - wide).abs().max()) < 0.01

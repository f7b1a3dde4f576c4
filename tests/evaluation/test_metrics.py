"""Measures whose answers are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.evaluation.metrics import checkerboard, ssim


def test_a_checkerboard_and_stripes_of_single_pixels_give_four() -> None:
    board = torch.from_numpy(np.indices((9, 12)).sum(0) % 2).float().expand(1, 3, 9, 12)
    stripes = (torch.arange(12) % 2).float().expand(1, 3, 9, 12)
    assert checkerboard(board) == pytest.approx(4)
    assert checkerboard(stripes) == pytest.approx(4)


def test_a_ramp_and_a_plain_colour_give_nothing() -> None:
    ramp = torch.linspace(0, 1, 30).expand(1, 3, 20, 30)
    assert checkerboard(ramp) == pytest.approx(0, abs=1e-9)
    assert checkerboard(torch.full((1, 3, 8, 8), 0.3)) == 0


def test_one_row_by_hand() -> None:
    # Along the row: differences 1, 2, -1, means of squares 2; second differences 1, -3, mean 5. Down: nothing.
    row = torch.tensor([0.0, 1.0, 3.0, 2.0]).expand(1, 1, 5, 4)
    assert checkerboard(row) == pytest.approx(5 / 2)


def test_white_noise_gives_three() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 200, 200)))
    assert checkerboard(noise) == pytest.approx(3, rel=0.02)


@given(st.integers(0, 2**31), st.floats(0.1, 10), st.floats(-5, 5))
def test_brightness_contrast_and_mirroring_do_not_matter(seed: int, contrast: float, brightness: float) -> None:
    image = torch.rand(1, 3, 7, 9, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert checkerboard(image * contrast + brightness) == pytest.approx(checkerboard(image))
    assert checkerboard(image.flip(2, 3)) == pytest.approx(checkerboard(image))
    assert checkerboard(image.mT) == pytest.approx(checkerboard(image))


def test_ssim_is_one_for_the_photo_itself_and_falls_with_noise() -> None:
    photo = torch.rand(1, 3, 32, 40)
    noisy, noisier = ((photo + amount * torch.randn_like(photo)).clamp(0, 1) for amount in (0.05, 0.5))
    assert ssim(photo, photo) == pytest.approx(1)
    assert 1 > ssim(noisy, photo) > ssim(noisier, photo)

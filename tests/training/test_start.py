"""Beginning with the trained network in the package, in the way to paint that is nearest to the painting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.config import RECIPES, NetworkConfig, make_config
from impasto.core.losses import PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.files import assets, style_file
from impasto.files.style_file import Style
from impasto.training.loss_weights import load_loss_network
from impasto.training.start import START, begin_as_trained, is_row

QUICK = make_config(RECIPES["quick"])


@pytest.fixture(scope="module")
def start() -> Style:
    return style_file.load(assets.folder("start") / START)


@pytest.fixture(scope="module")
def photos() -> Tensor:
    data = pytest.importorskip("skimage.data")
    pictures = [np.asarray(getattr(data, name)(), "float32")[..., :3] / 255 for name in ("chelsea", "coffee")]
    squares = [torch.from_numpy(picture[:300, :300]).permute(2, 0, 1)[None] for picture in pictures]
    return F.interpolate(torch.cat(squares), (128, 128), mode="bilinear", antialias=True)


def loss_of(painting: Tensor) -> PerceptualLoss:
    return PerceptualLoss(load_loss_network("pocket"), [painting], QUICK.loss)


def test_it_has_the_shape_of_the_recipe_and_is_small(start: Style) -> None:
    assert replace(start.network, styles=1) == QUICK.network
    assert start.network.styles == len(start.names) >= 8
    assert (assets.folder("start") / START).stat().st_size < 1_500_000


def test_the_row_whose_pictures_the_painting_is_like_is_chosen(start: Style, photos: Tensor) -> None:
    painter = TransformerNet(start.network).eval()
    painter.load_state_dict({name: torch.from_numpy(value) for name, value in start.tensors.items()})
    for row in (1, len(start.names) - 1):
        with torch.inference_mode():
            painting = painter(photos[:1], row).clone()
        network = TransformerNet(QUICK.network).eval()
        assert begin_as_trained(network, loss_of(painting), photos) == start.names[row]
        with torch.inference_mode():
            torch.testing.assert_close(network(photos), painter(photos, row), rtol=1e-4, atol=1e-4)


def test_all_but_the_rows_is_taken_as_it_is(start: Style, photos: Tensor) -> None:
    network = TransformerNet(QUICK.network)
    begin_as_trained(network, loss_of(photos[1:]), photos)
    for name, value in network.state_dict().items():
        wanted = torch.from_numpy(start.tensors[name])
        assert value.shape == (wanted[:1] if is_row(name) else wanted).shape
        if not is_row(name):
            torch.testing.assert_close(value, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [NetworkConfig(), replace(QUICK.network, width=32), replace(QUICK.network, blocks=3)])
def test_a_network_of_another_shape_stays_as_it_is(shape: NetworkConfig, photos: Tensor) -> None:
    network = TransformerNet(shape)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert begin_as_trained(network, loss_of(photos[1:]), photos) is None
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)

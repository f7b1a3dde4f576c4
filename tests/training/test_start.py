"""Beginning with the trained network in the package, in the way to paint that is nearest to the painting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.config import BASES, RECIPES, make_config
from impasto.core.losses import PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.files import assets, gallery, style_file
from impasto.files.style_file import IDENTITY, Style
from impasto.training.loss_weights import load_loss_network
from impasto.training.start import START, fits, rows_from, trained_start
from impasto.training.state import TrainState

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
        found = trained_start(QUICK, loss_of(painting), photos)
        assert found.row == start.names[row]
        network = TransformerNet(QUICK.network).eval()
        network.load_state_dict(found.weights)
        with torch.inference_mode():
            torch.testing.assert_close(network(photos), painter(photos, row), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("base", BASES)
def test_a_fit_begins_with_the_nearest_bundled_style_and_the_identity(base: str, photos: Tensor) -> None:
    config = make_config({**RECIPES["fit"], **BASES[base]})
    assert fits(config)
    theirs = style_file.load(gallery.path_of(base))
    painter = TransformerNet(theirs.network).eval()
    painter.load_state_dict({name: torch.from_numpy(value) for name, value in theirs.tensors.items()})
    row = theirs.names.index("tableau")
    with torch.inference_mode():
        painting = painter(photos[:1], row).clone()
    found = trained_start(config, loss_of(painting), photos)
    assert found.row == "tableau"
    network = TransformerNet(config.network).eval()
    network.load_state_dict(found.weights)
    with torch.inference_mode():
        torch.testing.assert_close(network(photos, 0), painter(photos, row), rtol=1e-4, atol=1e-4)
        identity = painter(photos, theirs.names.index(IDENTITY))
        torch.testing.assert_close(network(photos, 1), identity, rtol=1e-4, atol=1e-4)


def test_all_but_the_rows_is_taken_as_it_is(start: Style) -> None:
    for name, value in rows_from(start, [3, 1]).items():
        wanted = torch.from_numpy(start.tensors[name])
        torch.testing.assert_close(value, wanted[[3, 1]] if gallery.is_row(name) else wanted, rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"body": "classic"}, {"width": 32}, {"blocks": 3}, {"skip": True}], ids=str)
def test_there_is_none_for_a_network_of_another_shape(options: dict[str, Any]) -> None:
    assert fits(QUICK)
    assert not fits(make_config({**RECIPES["quick"], **options}))


def test_a_training_begins_with_it_in_all_its_weights(start: Style) -> None:
    state = TrainState(TransformerNet(QUICK.network), QUICK)
    weights = rows_from(start, [2])
    state.begin_with(weights)
    for found in (dict(state.network.named_parameters()), state.result()):
        assert all(torch.equal(found[name].detach(), value) for name, value in weights.items())
    with torch.no_grad():
        state.network.head.full.bias.fill_(7)
    state.restore_last_good()
    assert torch.equal(state.network.head.full.bias.detach(), weights["head.full.bias"])

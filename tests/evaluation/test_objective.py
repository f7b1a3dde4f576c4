"""The objective against the definition in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_hand import Array, convolved, distance, enlarged, gram
from torch import nn

from impasto.config import LossLayers
from impasto.core.loss_network import NORMALIZATIONS
from impasto.evaluation.objective import Judge, Objective


def features(image: torch.Tensor, layers: dict[str, nn.Conv2d]) -> dict[str, Array]:
    mean, deviation = (np.array(x).reshape(3, 1, 1) for x in NORMALIZATIONS["torchvision"])
    x = (enlarged(image[0].double().numpy(), 1.5) * 255 - mean) / deviation
    found = {}
    for name, layer in layers.items():
        x = convolved(x, layer)
        found[name] = x
    return found


def test_the_parts_are_those_of_the_definition(judge: Judge, layers: dict[str, nn.Conv2d]) -> None:
    photo, image, painting = torch.rand(1, 3, 16, 18), torch.rand(1, 3, 16, 18), torch.rand(1, 3, 15, 21)
    parts = Objective(judge, photo, judge.grams(painting))(image)
    mine, of_photo, of_painting = (features(x, layers) for x in (image, photo, painting))
    content = distance(mine["second"], of_photo["second"])
    style = np.mean([distance(gram(mine[name]), gram(of_painting[name])) for name in ("first", "third")])
    assert float(parts.content) == pytest.approx(content, rel=1e-4)
    assert float(parts.style) == pytest.approx(style, rel=1e-4)
    assert float(parts.objective(30)) == pytest.approx(content + 30 * style, rel=1e-4)


def test_the_photo_has_no_content_part_and_the_painting_no_style_part(judge: Judge) -> None:
    photo, painting = torch.rand(2, 1, 3, 20, 20).unbind()
    objective = Objective(judge, photo, judge.grams(painting))
    assert float(objective(photo).content) == 0
    assert float(objective(painting).style) == 0
    assert float(objective(photo).style) > 0


def test_the_gradient_reaches_the_image_and_is_finite_even_for_black(judge: Judge) -> None:
    black = torch.zeros(1, 3, 16, 16)
    objective = Objective(judge, torch.rand(1, 3, 16, 16), judge.grams(black))
    image = black.clone().requires_grad_()
    objective(image).objective(10).backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()
    assert image.grad.abs().sum() > 0


def test_a_judge_is_told_by_weights_and_layers(judge: Judge) -> None:
    same = Judge("renamed", judge.network, judge.layers)
    assert same.sha256 == judge.sha256
    other = Judge("tiny", judge.network, LossLayers(("first",), ("first", "third"), 1.0, 1.0))
    assert other.sha256 != judge.sha256
    before = judge.sha256
    next(judge.network.parameters()).data[0] += 1
    assert Judge("tiny", judge.network, judge.layers).sha256 != before


def test_a_layer_that_the_network_lacks_is_refused(judge: Judge) -> None:
    with pytest.raises(ValueError, match="no layer 'fourth'"):
        Judge("tiny", judge.network, LossLayers(("fourth",), ("first",), 1.0, 1.0))

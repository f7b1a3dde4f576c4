"""progress.png."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.training.clock import clock
from impasto.training.figure import LARGEST_SHARE, ProgressFigure, describe, smoothed
from impasto.training.trainer import TrainProgress


def progress(iteration: int) -> TrainProgress:
    return TrainProgress(
        iteration=iteration,
        iterations=200,
        epoch=1,
        epochs=2,
        total_loss=3.0,
        content_loss=2.0,
        style_loss=1.0,
        tv_loss=0.0,
        learning_rate=1e-3,
        photos_per_second=2.0,
        waited=0.0,
        elapsed=3723.0,
        done=iteration / 200,
        photo=torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(3, 32, 32),
        stylized=torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1).expand(3, 32, 32),
    )


def entry(iteration: int) -> dict[str, float]:
    return {"iteration": iteration, "total_loss": 30 / iteration, "content_loss": 2.0, "style_loss": 1 / iteration}


def test_it_shows_curves_both_pictures_and_where_the_training_is() -> None:
    figure = ProgressFigure([entry(i) for i in range(1, 50)])
    first = np.asarray(Image.open(io.BytesIO(figure.draw(progress(50)))).convert("RGB")).astype(int)
    assert first.shape == (540, 990, 3)
    red, blue = (np.abs(first - colour).max(axis=2) < 8 for colour in ((255, 0, 0), (0, 0, 255)))
    assert red.sum() > 10_000
    assert blue.sum() > 10_000
    assert np.argwhere(red).mean(axis=0)[0] < np.argwhere(blue).mean(axis=0)[0]  # photo above stylized image
    for i in range(50, 100):
        figure.add(entry(i))
    second = np.asarray(Image.open(io.BytesIO(figure.draw(progress(100)))).convert("RGB")).astype(int)
    assert np.abs(first - second)[:, :495].sum() > 0  # the curves went on
    border = np.concatenate([second[0], second[-1], second[:, 0], second[:, -1]])
    assert (border == 255).all()


def test_a_redraw_waits_until_it_costs_less_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = ProgressFigure()
    assert figure.due()
    figure.draw(progress(1))
    drawn, cost = figure._drawn_at, figure._cost
    assert cost > 0
    monkeypatch.setattr("time.monotonic", lambda: drawn + 0.9 * cost / LARGEST_SHARE)
    assert not figure.due()
    monkeypatch.setattr("time.monotonic", lambda: drawn + 1.1 * cost / LARGEST_SHARE)
    assert figure.due()
    assert LARGEST_SHARE <= 0.03


def test_the_text_says_epoch_iteration_elapsed_and_percent() -> None:
    assert describe(progress(50)) == "epoch 1 of 2   iteration 50 of 200   elapsed 1:02:03   25 %"


def test_remaining_time_goes_by_the_pace_so_far() -> None:
    assert progress(50).remaining == pytest.approx(3 * 3723)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (36_061, "10:01:01"), (-3, "0:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_smoothed_curve_has_no_bias_at_the_start() -> None:
    assert smoothed([4.0, 4.0, 4.0]) == pytest.approx([4.0] * 3)
    assert smoothed([1.0, 3.0], decay=0.5) == pytest.approx([1.0, (0.5 * 1 + 3) / 1.5])

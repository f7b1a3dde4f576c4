"""L-BFGS on pixels, and what a result is worth in its steps."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.evaluation.objective import Judge, Objective, Parts
from impasto.evaluation.optimization import Optimization, Step, worth


@pytest.fixture
def photo() -> Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, 16, 20)


@pytest.fixture
def objective(judge: Judge, photo: Tensor) -> Objective:
    return Objective(judge, photo, judge.grams(torch.rand(1, 3, 24, 18) ** 2))


def test_steps_lower_the_objective_and_the_curve_never_rises(objective: Objective, photo: Tensor) -> None:
    optimization = Optimization(objective, 10, photo)
    optimization.run(25)
    curve = optimization.curve
    assert len(curve) == 26
    assert curve[0] == pytest.approx(float(objective(photo).objective(10)), rel=1e-5)
    assert all(later <= earlier for earlier, later in pairwise(curve))
    assert curve[-1] < 0.7 * curve[0]
    assert curve[-1] < curve[12] < curve[4]


def test_it_is_plain_lbfgs_on_pixel_values_from_0_to_255(objective: Objective, photo: Tensor) -> None:
    pixels = (photo * 255).requires_grad_()
    plain = torch.optim.LBFGS([pixels], lr=1, max_iter=9, history_size=20, tolerance_grad=0, tolerance_change=0)
    seen: list[float] = []

    def closure() -> Tensor:
        plain.zero_grad()
        value = objective(pixels / 255).objective(10)
        value.backward()
        seen.append(float(value.detach()))
        return value

    plain.step(closure)
    optimization = Optimization(objective, 10, photo)
    optimization.run(8)
    assert optimization.curve == pytest.approx([min(seen[: i + 1]) for i in range(9)], rel=1e-5)


def test_the_memory_layout_of_the_photo_does_not_matter(objective: Objective, photo: Tensor) -> None:
    curves = []
    for given_photo in (photo, photo.to(memory_format=torch.channels_last)):
        optimization = Optimization(objective, 10, given_photo)
        optimization.run(5)
        curves.append(optimization.curve)
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


def test_snapshots_hold_the_best_image_so_far_and_its_parts(objective: Objective, photo: Tensor) -> None:
    optimization = Optimization(objective, 10, photo, keep=(0, 3, 12))
    optimization.run(12)
    assert list(optimization.snapshots) == [0, 3, 12]
    assert torch.allclose(optimization.snapshots[0].image, photo, atol=1e-6)
    for step, taken in optimization.snapshots.items():
        assert taken.step == step
        assert taken.content + 10 * taken.style == pytest.approx(optimization.curve[step], rel=1e-4)
        assert 0 <= float(taken.image.min()) <= float(taken.image.max()) <= 1
    assert 0 <= optimization.snapshots[0].seconds <= optimization.snapshots[12].seconds


def test_what_ends_in_no_number_keeps_the_last_good_image() -> None:
    def square_root(image: Tensor) -> Parts:
        """Falls until a pixel is below 0.4, then is no number."""
        return Parts((image - 0.4).sqrt().sum(), torch.zeros(()))

    photo = torch.full((1, 3, 2, 2), 0.401)
    optimization = Optimization(square_root, 1, photo)
    optimization.run(40)
    assert len(optimization.curve) == 41
    assert all(value == value for value in optimization.curve)
    assert optimization.curve[-1] < optimization.curve[0]
    assert (optimization.best.image >= 0.4 - 1e-6).all()
    with pytest.raises(ImpastoError, match="no finite numbers"):
        Optimization(square_root, 1, photo - 0.1).run(3)


def test_where_nothing_is_left_to_gain_the_curve_goes_on_flat() -> None:
    flat = Optimization(lambda image: Parts((image * 0).sum() + 2, torch.zeros(())), 1, torch.rand(1, 3, 4, 4))
    flat.run(5)
    assert flat.curve == [2.0] * 6


def test_it_can_be_ended_after_any_step(objective: Objective, photo: Tensor) -> None:
    steps: list[Step] = []

    def until_the_fourth(step: Step) -> None:
        steps.append(step)
        if step.number == 4:
            raise KeyboardInterrupt

    optimization = Optimization(objective, 10, photo)
    with pytest.raises(KeyboardInterrupt):
        optimization.run(30, until_the_fourth)
    assert len(optimization.curve) == 5
    best = optimization.best
    assert best.step == 4
    assert float(objective(best.image).objective(10)) <= optimization.curve[0]
    assert [step.number for step in steps] == [0, 1, 2, 3, 4]
    assert [step.best for step in steps] == optimization.curve
    assert steps[0].remaining is None
    assert steps[3].remaining == pytest.approx(steps[3].elapsed * 9)
    assert steps[3].done == 0.1


def test_worth_by_hand() -> None:
    curve = [9.0, 8.0, 8.0, 5.0, 4.5]
    assert worth(curve, 8.0) == 1
    assert worth(curve, 7.9) == 3
    assert worth(curve, 4.5) == 4
    assert worth(curve, 4.4) is None
    assert worth(curve, 9.0) == 0  # no better than the photo
    assert worth(curve, 20.0) == 0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.floats(0, 100), st.floats(0, 100))
def test_a_better_result_is_never_worth_less(values: list[float], first: float, second: float) -> None:
    curve = sorted(values, reverse=True)
    better, worse = (worth(curve, value) for value in sorted((first, second)))
    assert worse is not None or better is None
    if better is not None and worse is not None:
        assert better >= worse
        assert curve[better] <= min(first, second)
        assert better == 0 or curve[better - 1] > min(first, second)

"""SOAP against NumPy in float64, and what it is there for: directions that hang together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.training import soap
from impasto.training.soap import Soap

RATE = 0.01
SHAPE = (4, 3, 2, 2)
SIDES = (4, 3, 4)
"""Outputs, inputs, taps."""

Array = NDArray[np.float64]


def orthogonal(size: int, seed: int) -> Array:
    q: Array = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    return q


def turned(x: Array, *bases: Array) -> Array:
    """`x` (outputs, inputs, taps) multiplied along each axis."""
    result: Array = np.einsum("oit,ao,bi,ct->abc", x, *bases)
    return result


def gradients(count: int, seed: int = 0) -> list[Array]:
    """Some that differ from step to step and vary by far more in some directions than in others."""
    random = np.random.default_rng(seed)
    bases = [orthogonal(side, 1 + axis) for axis, side in enumerate(SIDES)]
    scales = np.einsum("o,i,t->oit", *(2.0 ** -np.arange(side) for side in SIDES))
    return [turned(random.normal(size=SIDES) * scales, *bases) for _ in range(count)]


def weights_after(steps: list[Array], dtype: torch.dtype = torch.float64) -> Tensor:
    """What becomes of zero weights."""
    parameter = torch.nn.Parameter(torch.zeros(SHAPE, dtype=dtype))
    optimizer = Soap([parameter], RATE, (0.9, 0.999))
    for gradient in steps:
        parameter.grad = torch.from_numpy(gradient).to(dtype).view(SHAPE)
        optimizer.step()
    return parameter.detach().view(SIDES)


def weights_by_numpy(steps: list[Array]) -> Array:
    """Algorithms 3 and 4 of the paper for three sides, their first moment kept outside the bases; Adam at first."""
    beta, weights = 0.95, np.zeros(SIDES)
    products = [np.zeros((side, side)) for side in SIDES]
    bases = [np.eye(side) for side in SIDES]
    mean, square = np.zeros(SIDES), np.zeros(SIDES)
    begun, t = False, 0
    for gradient in steps:
        t += 1
        into = [basis.T for basis in bases]
        mean = beta * mean + (1 - beta) * gradient
        square = beta * square + (1 - beta) * turned(gradient, *into) ** 2
        change = (turned(mean, *into) / (1 - beta**t)) / (np.sqrt(square / (1 - beta**t)) + 1e-8)
        weights = weights - RATE * turned(change, *bases)
        for axis, side in enumerate(SIDES):
            rows = np.moveaxis(gradient, axis, 0).reshape(side, -1)
            products[axis] = beta * products[axis] + (1 - beta) * rows @ rows.T
        if t == soap.FIRST_TURN and not begun:
            bases = [np.linalg.eigh(x + soap.DAMPING * np.diag(np.diag(x)))[1] for x in products]
            mean, square = np.zeros(SIDES), np.zeros(SIDES)
            begun, t = True, 0
        elif begun and t % soap.TURN_EVERY == 0:
            for axis, (product, basis) in enumerate(zip(products, bases, strict=True)):
                # By size of the eigenvalues, as QR finds the leading directions first.
                order = np.argsort(-np.diag(basis.T @ product @ basis))
                square = np.take(square, order, axis)
                bases[axis] = np.linalg.qr(product @ basis[:, order])[0]
    return weights


@pytest.mark.parametrize("steps", [1, 10, 11, 29, 31, 65])
def test_steps_are_those_of_the_paper(steps: int) -> None:
    some = gradients(steps)
    found, expected = weights_after(some).numpy(), weights_by_numpy(some)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_what_is_no_convolution_gets_adam() -> None:
    start = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizers = Soap([ours], RATE, (0.8, 0.99)), torch.optim.Adam([theirs], RATE, (0.8, 0.99))
    for step in range(30):
        gradient = torch.randn(3, 7, generator=torch.Generator().manual_seed(step))
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_side_that_is_too_wide_keeps_its_own_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soap, "WIDEST", 1)
    some = gradients(30)
    parameter = torch.nn.Parameter(torch.zeros(SIDES, dtype=torch.float64))
    adam = torch.optim.Adam([parameter], RATE, (soap.BETA, soap.BETA))
    for gradient in some:
        parameter.grad = torch.from_numpy(gradient)
        adam.step()
    torch.testing.assert_close(weights_after(some), parameter.detach(), rtol=1e-6, atol=1e-9)


def test_nearly_the_same_gradients_end_in_nearly_the_same_weights() -> None:
    # As those of one process and of two do; after few gradients most of these directions are open.
    random = np.random.default_rng(0)
    some = gradients(40)
    others = [gradient * (1 + 1e-9 * random.normal(size=SIDES)) for gradient in some]
    np.testing.assert_allclose(weights_after(some), weights_after(others), atol=RATE / 100)


def test_what_float32_cannot_decompose_is_decomposed_in_float64() -> None:
    asked = []

    def fails_at_first(matrix: Tensor) -> Tensor:
        asked.append(matrix.dtype)
        if matrix.dtype == torch.float32:
            raise torch.linalg.LinAlgError("did not converge")
        return matrix + 1

    found = soap._decomposed(fails_at_first, torch.ones(2, 2))
    assert asked == [torch.float32, torch.float64]
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.full((2, 2), 2.0))


def test_a_closure_is_called_with_gradients_on() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = Soap([parameter], RATE, (0.9, 0.999))

    def closure() -> float:
        loss = parameter.square().sum()
        loss.backward()
        return float(loss.detach())

    assert optimizer.step(closure) == 3
    torch.testing.assert_close(parameter.detach(), torch.full((3,), 1 - RATE))


def test_directions_that_hang_together_are_learned_faster_than_by_adam() -> None:
    bases = [torch.from_numpy(orthogonal(side, 1 + axis)) for axis, side in enumerate(SIDES)]
    curvature = torch.from_numpy(
        np.einsum("o,i,t->oit", *(base ** -np.arange(n) for base, n in zip((9.0, 5.0, 2.0), SIDES, strict=True)))
    )

    def loss(weights: Tensor) -> Tensor:
        missing = torch.einsum("oit,oa,ib,tc->abc", weights.view(SIDES) - 1, *bases)
        return (curvature * missing.square()).sum()

    def left_after(make: Callable[[list[Tensor]], torch.optim.Optimizer], steps: int = 300) -> float:
        weights = torch.nn.Parameter(torch.zeros(SHAPE, dtype=torch.float64))
        optimizer = make([weights])
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / steps)
            optimizer.zero_grad()
            loss(weights).backward()
            optimizer.step()
        return float(loss(weights.detach()) / loss(torch.zeros(SHAPE, dtype=torch.float64)))

    ours = left_after(lambda parameters: Soap(parameters, 0.05, (0.9, 0.999)))
    adams = left_after(lambda parameters: torch.optim.Adam(parameters, 0.05))
    assert ours < adams / 5


def test_it_goes_on_from_its_state_to_the_same_bits(tmp_path: Path) -> None:
    some = gradients(50)
    whole = weights_after(some, torch.float32)
    parameter = torch.nn.Parameter(torch.zeros(SHAPE))
    optimizer = Soap([parameter], RATE, (0.9, 0.999))
    for number, gradient in enumerate(some):
        if number in (1, 9, 10, 29, 30, 43):
            torch.save(optimizer.state_dict(), tmp_path / "kept.pt")
            optimizer = Soap([parameter], RATE, (0.9, 0.999))
            optimizer.load_state_dict(torch.load(tmp_path / "kept.pt", weights_only=True))
        parameter.grad = torch.from_numpy(gradient).float().view(SHAPE)
        optimizer.step()
    assert torch.equal(parameter.detach().view(SIDES), whole)


def test_the_state_of_an_earlier_version_is_refused_in_one_line() -> None:
    optimizer = Soap([torch.nn.Parameter(torch.zeros(SHAPE))], RATE, (0.9, 0.999))
    state = {"step": 1, "mean": torch.zeros(4, 12), "square": torch.zeros(4, 12)}
    with pytest.raises(ImpastoError, match="earlier version"):
        optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: state}})


def test_layers_of_the_same_shape_learn_as_if_alone() -> None:
    some, others = gradients(35, seed=3), gradients(35, seed=4)
    parameters = [torch.nn.Parameter(torch.zeros(SHAPE, dtype=torch.float64)) for _ in range(2)]
    optimizer = Soap(parameters, RATE, (0.9, 0.999))
    for both in zip(some, others, strict=True):
        for parameter, gradient in zip(parameters, both, strict=True):
            parameter.grad = torch.from_numpy(gradient).view(SHAPE)
        optimizer.step()
    for parameter, steps in zip(parameters, (some, others), strict=True):
        torch.testing.assert_close(parameter.detach().view(SIDES), weights_after(steps), rtol=1e-9, atol=1e-12)


def test_a_layer_without_a_gradient_stays_and_one_of_zeros_too() -> None:
    still, zeros = torch.nn.Parameter(torch.ones(SHAPE)), torch.nn.Parameter(torch.ones(SHAPE))
    optimizer = Soap([still, zeros], RATE, (0.9, 0.999))
    for _ in range(25):
        zeros.grad = torch.zeros(SHAPE)
        optimizer.step()
    assert torch.equal(still, torch.ones(SHAPE))
    assert torch.equal(zeros, torch.ones(SHAPE))

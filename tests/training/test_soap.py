"""SOAP against NumPy in float64, and what it is there for: directions that hang together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.training import soap
from impasto.training.soap import Soap

RATE = 0.01
SHAPE = (4, 3, 2, 2)
MATRIX = (4, 12)

Matrix = NDArray[np.float64]


def orthogonal(size: int, seed: int) -> Matrix:
    q: Matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    return q


def gradients(count: int, seed: int = 0) -> list[Matrix]:
    """Some that differ from step to step and vary by far more in some directions than in others."""
    random = np.random.default_rng(seed)
    left, right = orthogonal(MATRIX[0], 1), orthogonal(MATRIX[1], 2)
    scales = np.outer(2.0 ** -np.arange(MATRIX[0]), 2.0 ** -np.arange(MATRIX[1]))
    return [left @ (random.normal(size=MATRIX) * scales) @ right.T for _ in range(count)]


def weights_after(steps: list[Matrix], dtype: torch.dtype = torch.float64) -> Tensor:
    """What becomes of zero weights."""
    parameter = torch.nn.Parameter(torch.zeros(SHAPE, dtype=dtype))
    optimizer = Soap([parameter], RATE, (0.9, 0.999))
    for gradient in steps:
        parameter.grad = torch.from_numpy(gradient).to(dtype).view(SHAPE)
        optimizer.step()
    return parameter.detach().view(MATRIX)


def weights_by_numpy(steps: list[Matrix]) -> Matrix:
    """Algorithms 3 and 4 of the paper, its first moment kept outside the basis as there; Adam at first."""
    beta, weights = 0.95, np.zeros(MATRIX)
    left, right = np.zeros((MATRIX[0],) * 2), np.zeros((MATRIX[1],) * 2)
    mean, square = np.zeros(MATRIX), np.zeros(MATRIX)
    ql, qr = np.eye(MATRIX[0]), np.eye(MATRIX[1])
    begun, t = False, 0
    for gradient in steps:
        t += 1
        mean = beta * mean + (1 - beta) * gradient
        square = beta * square + (1 - beta) * (ql.T @ gradient @ qr) ** 2
        change = (ql.T @ mean @ qr / (1 - beta**t)) / (np.sqrt(square / (1 - beta**t)) + 1e-8)
        weights = weights - RATE * ql @ change @ qr.T
        left = beta * left + (1 - beta) * gradient @ gradient.T
        right = beta * right + (1 - beta) * gradient.T @ gradient
        if t == soap.FIRST_TURN and not begun:
            ql, qr = (np.linalg.eigh(x + soap.DAMPING * np.diag(np.diag(x)))[1] for x in (left, right))
            mean, square = np.zeros(MATRIX), np.zeros(MATRIX)
            begun, t = True, 0
        elif begun and t % soap.TURN_EVERY == 0:
            # By size of the eigenvalues, as QR finds the leading directions first.
            rows = np.argsort(-np.diag(ql.T @ left @ ql))
            columns = np.argsort(-np.diag(qr.T @ right @ qr))
            square = square[rows][:, columns]
            ql, qr = np.linalg.qr(left @ ql[:, rows])[0], np.linalg.qr(right @ qr[:, columns])[0]
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
    parameter = torch.nn.Parameter(torch.zeros(MATRIX, dtype=torch.float64))
    adam = torch.optim.Adam([parameter], RATE, (soap.BETA, soap.BETA))
    for gradient in some:
        parameter.grad = torch.from_numpy(gradient)
        adam.step()
    torch.testing.assert_close(weights_after(some), parameter.detach(), rtol=1e-6, atol=1e-9)


def test_nearly_the_same_gradients_end_in_nearly_the_same_weights() -> None:
    # As those of one process and of two do; after few gradients most of these directions are open.
    random = np.random.default_rng(0)
    some = gradients(40)
    others = [gradient * (1 + 1e-9 * random.normal(size=MATRIX)) for gradient in some]
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
    left, right = (torch.from_numpy(orthogonal(size, seed)) for size, seed in zip(MATRIX, (1, 2), strict=True))
    curvature = torch.from_numpy(np.outer(10.0 ** -np.arange(4), 2.0 ** -np.arange(12)))

    def loss(weights: Tensor) -> Tensor:
        return (curvature * (left.T @ (weights.view(MATRIX) - 1) @ right).square()).sum()

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
    assert torch.equal(parameter.detach().view(MATRIX), whole)


def test_a_layer_without_a_gradient_stays_and_one_of_zeros_too() -> None:
    still, zeros = torch.nn.Parameter(torch.ones(SHAPE)), torch.nn.Parameter(torch.ones(SHAPE))
    optimizer = Soap([still, zeros], RATE, (0.9, 0.999))
    for _ in range(25):
        zeros.grad = torch.zeros(SHAPE)
        optimizer.step()
    assert torch.equal(still, torch.ones(SHAPE))
    assert torch.equal(zeros, torch.ones(SHAPE))

"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner, which learns more of a style in as many steps as Adam.

Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade: SOAP: Improving and Stabilizing Shampoo using Adam,
ICLR 2025, algorithm 3. The gradients of a painting's Gram matrices are far from independent of each other: turned into
the directions in which they vary on their own, each gets a step of its own size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

BETA = 0.95
"""Decay of the moments and of the averaged products of gradients."""
FIRST_TURN = 10
"""Step after which there are eigenbases."""
DAMPING = 0.01
"""Share of its own diagonal that a product gets for the first of them: few gradients leave many directions open."""
TURN_EVERY = 20
"""Steps between two corrections of the eigenbases."""
WIDEST = 2048
"""A side of more rows or columns than this keeps its own directions: its eigenbasis would cost more than it wins."""
EPSILON = 1e-8
SIDES = ("rows", "columns")


class Soap(torch.optim.Optimizer):
    """For a network's parameters: convolutions are matrices (outputs, inputs · k · k), all others get plain Adam."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, betas: tuple[float, float]) -> None:
        """`betas` are Adam's, for what is no convolution."""
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step with the gradients that the parameters have, after calling `closure`; what that returns."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                if parameter.ndim == 4:
                    change = _turned_adam(state, parameter.grad.flatten(1)).view(parameter.shape)
                else:
                    change = _adam(state, parameter.grad, group["betas"])
                parameter.add_(change, alpha=-group["lr"])
        return loss


def _turned_adam(state: dict[str, Any], gradient: Tensor) -> Tensor:
    """Adam's step for `gradient` (rows, columns), made in the eigenbases of both sides and turned back.

    The first steps are plain Adam's, in the parameters' own directions.
    """
    change = _out_of(state, _adam(state, _into(state, gradient), (BETA, BETA)))
    for side, matrix in zip(SIDES, (gradient, gradient.mT), strict=True):
        if len(matrix) <= WIDEST:
            product = state.setdefault(f"{side} product", matrix.new_zeros(len(matrix), len(matrix)))
            product.addmm_(matrix, matrix.mT, beta=BETA, alpha=1 - BETA)
    if any(f"{side} basis" in state for side in SIDES):
        if state["step"] % TURN_EVERY == 0:
            _turn(state)
    elif state["step"] == FIRST_TURN:
        _begin_turning(state)
    return change


def _adam(state: dict[str, Any], gradient: Tensor, betas: tuple[float, float]) -> Tensor:
    """Adam's step (Kingma, Ba, ICLR 2015, algorithm 1)."""
    if not state["step"]:
        state["mean"] = torch.zeros_like(gradient)
        state["square"] = torch.zeros_like(gradient)
    state["step"] += 1
    steps: int = state["step"]
    first, second = betas
    mean: Tensor = state["mean"].lerp_(gradient, 1 - first) / (1 - first**steps)
    square: Tensor = state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second) / (1 - second**steps)
    return mean / (square.sqrt() + EPSILON)


def _begin_turning(state: dict[str, Any]) -> None:
    """The eigenbases of the averaged products; Adam begins anew in them."""
    products = {side: state[f"{side} product"] for side in SIDES if f"{side} product" in state}
    bases = {
        f"{side} basis": _decomposed(lambda x: torch.linalg.eigh(x).eigenvectors, p + DAMPING * p.diagonal().diag())
        for side, p in products.items()
    }
    if bases:
        state.update(bases, step=0)


def _turn(state: dict[str, Any]) -> None:
    """One step of the power method with a QR decomposition (algorithm 4), the largest eigenvalues first."""
    mean = _out_of(state, state["mean"])
    for axis, side in enumerate(SIDES):
        if f"{side} basis" not in state:
            continue
        product, basis = state[f"{side} product"], state[f"{side} basis"]
        order = (basis * (product @ basis)).sum(dim=0).argsort(descending=True)
        state["square"] = state["square"].index_select(axis, order)
        state[f"{side} basis"] = _decomposed(lambda x: torch.linalg.qr(x).Q, product @ basis[:, order])
    state["mean"] = _into(state, mean)


def _decomposed(decompose: Callable[[Tensor], Tensor], matrix: Tensor) -> Tensor:
    """`decompose(matrix)`, on the CPU where the device knows no such thing, and in float64 where float32 won't do."""
    try:
        return decompose(matrix.cpu() if matrix.device.type == "mps" else matrix).to(matrix.device)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return decompose(matrix.double().cpu()).to(matrix)


def _into(state: dict[str, Any], x: Tensor) -> Tensor:
    x = state["rows basis"].mT @ x if "rows basis" in state else x
    return x @ state["columns basis"] if "columns basis" in state else x


def _out_of(state: dict[str, Any], x: Tensor) -> Tensor:
    x = state["rows basis"] @ x if "rows basis" in state else x
    return x @ state["columns basis"].mT if "columns basis" in state else x

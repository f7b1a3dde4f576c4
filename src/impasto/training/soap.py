"""SOAP: Adam in the eigenbases of Shampoo's preconditioners, which learns more of a style in as many steps as Adam.

Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade: SOAP: Improving and Stabilizing Shampoo using Adam,
ICLR 2025, algorithm 3. The gradients of a painting's Gram matrices are far from independent of each other: turned into
the directions in which they vary on their own, each gets a step of its own size. A convolution has an eigenbasis for
each of its outputs, inputs and taps (Gupta, Koren, Singer: Shampoo, ICML 2018, algorithm 2): as good here as one for
inputs and taps together, in half the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from impasto.errors import ImpastoError

BETA = 0.95
"""Decay of the moments and of the averaged products of gradients."""
FIRST_TURN = 10
"""Step after which there are eigenbases."""
DAMPING = 0.01
"""Share of its own diagonal that a product gets for the first of them: few gradients leave many directions open."""
TURN_EVERY = 20
"""Steps between two corrections of the eigenbases."""
WIDEST = 2048
"""A side longer than this keeps its own directions: its eigenbasis would cost more than it wins."""
EPSILON = 1e-8
SIDES = {"outputs": 1, "inputs": 2, "taps": 3}
"""The sides of a convolution that are turned, by their place in gradients (N, outputs, inputs, taps)."""

State = dict[str, Any]


class Soap(torch.optim.Optimizer):
    """For a network's parameters: convolutions are turned, all others get plain Adam.

    Parameters of the same shape are learned in one go, faster than one by one; the first of them has the
    state. Where only some have a gradient, that of the others is taken as zero.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, betas: tuple[float, float]) -> None:
        """`betas` are Adam's, for what is no convolution."""
        super().__init__(parameters, {"lr": lr, "betas": betas})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raises ImpastoError for the state of an earlier version, which kept each parameter's on its own."""
        super().load_state_dict(state_dict)
        for parameter, state in self.state.items():
            if state["mean"].ndim != (4 if parameter.ndim == 4 else parameter.ndim + 1):
                raise ImpastoError("this training began with an earlier version, whose SOAP cannot go on here")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step with the gradients that the parameters have, after calling `closure`; what that returns."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for alike in _by_shape(group["params"]):
                gradients = torch.stack([torch.zeros_like(p) if p.grad is None else p.grad for p in alike])
                state = self.state[alike[0]]
                if not state:
                    state["step"] = 0
                if alike[0].ndim == 4:
                    changes = _turned_adam(state, gradients.flatten(3)).view(gradients.shape)
                else:
                    changes = _adam(state, gradients, group["betas"])
                for parameter, change in zip(alike, changes, strict=True):
                    parameter.add_(change, alpha=-group["lr"])
        return loss


def _by_shape(parameters: list[Tensor]) -> list[list[Tensor]]:
    alike: dict[torch.Size, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.requires_grad:
            alike.setdefault(parameter.shape, []).append(parameter)
    return list(alike.values())


def _turned_adam(state: State, gradients: Tensor) -> Tensor:
    """Adam's step for `gradients` (N, outputs, inputs, taps), made in the eigenbases and turned back.

    The first steps are plain Adam's, in the parameters' own directions.
    """
    changes = _out_of(state, _adam(state, _into(state, gradients), (BETA, BETA)))
    for side, axis in SIDES.items():
        if 1 < gradients.shape[axis] <= WIDEST:
            rows = gradients.movedim(axis, 1).flatten(2)
            product = state.setdefault(f"{side} product", rows.new_zeros(*rows.shape[:2], rows.shape[1]))
            product.baddbmm_(rows, rows.mT, beta=BETA, alpha=1 - BETA)
    if any(f"{side} basis" in state for side in SIDES):
        if state["step"] % TURN_EVERY == 0:
            _turn(state)
    elif state["step"] == FIRST_TURN:
        _begin_turning(state)
    return changes


def _adam(state: State, gradients: Tensor, betas: tuple[float, float]) -> Tensor:
    """Adam's step (Kingma, Ba, ICLR 2015, algorithm 1)."""
    if not state["step"]:
        state["mean"] = torch.zeros_like(gradients)
        state["square"] = torch.zeros_like(gradients)
    state["step"] += 1
    steps: int = state["step"]
    first, second = betas
    mean: Tensor = state["mean"].lerp_(gradients, 1 - first) / (1 - first**steps)
    squares: Tensor = state["square"].mul_(second).addcmul_(gradients, gradients, value=1 - second)
    return mean / (squares / (1 - second**steps)).sqrt_().add_(EPSILON)


def _begin_turning(state: State) -> None:
    """The eigenbases of the averaged products; Adam begins anew in them."""
    products = {side: state[f"{side} product"] for side in SIDES if f"{side} product" in state}
    bases = {
        f"{side} basis": _decomposed(
            lambda x: torch.linalg.eigh(x).eigenvectors, p + DAMPING * torch.diag_embed(p.diagonal(dim1=1, dim2=2))
        )
        for side, p in products.items()
    }
    if bases:
        state.update(bases, step=0)


def _turn(state: State) -> None:
    """One step of the power method with a QR decomposition (algorithm 4), the largest eigenvalues first."""
    mean = _out_of(state, state["mean"])
    for side, axis in SIDES.items():
        if f"{side} basis" not in state:
            continue
        basis = state[f"{side} basis"]
        stretched = state[f"{side} product"] @ basis
        order = (basis * stretched).sum(dim=1).argsort(descending=True)  # (N, side)
        state["square"] = _in_order(state["square"], order, axis)
        state[f"{side} basis"] = _decomposed(lambda x: torch.linalg.qr(x).Q, _in_order(stretched, order, axis=2))
    state["mean"] = _into(state, mean)


def _in_order(x: Tensor, order: Tensor, axis: int) -> Tensor:
    """`x` (N, …), the slices along `axis` of each of the N in the `order` (N, side)."""
    shape = [len(order), *(order.shape[1] if place == axis else 1 for place in range(1, x.ndim))]
    return x.take_along_dim(order.view(shape), dim=axis)


def _decomposed(decompose: Callable[[Tensor], Tensor], matrix: Tensor) -> Tensor:
    """`decompose(matrix)`, on the CPU where the device knows no such thing, and in float64 where float32 won't do."""
    try:
        return decompose(matrix.cpu() if matrix.device.type == "mps" else matrix).to(matrix.device)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return decompose(matrix.double().cpu()).to(matrix)


def _into(state: State, x: Tensor) -> Tensor:
    return _turned(x, {axis: state[f"{side} basis"].mT for side, axis in SIDES.items() if f"{side} basis" in state})


def _out_of(state: State, x: Tensor) -> Tensor:
    return _turned(x, {axis: state[f"{side} basis"] for side, axis in SIDES.items() if f"{side} basis" in state})


def _turned(x: Tensor, turns: dict[int, Tensor]) -> Tensor:
    """`x` (N, outputs, inputs, taps), multiplied along each axis by its matrices (N, side, side)."""
    for axis, turn in turns.items():
        along = x.movedim(axis, 1)
        x = (turn @ along.flatten(2)).view(along.shape).movedim(1, axis)
    return x.contiguous()

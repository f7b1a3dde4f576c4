"""Stylizing one photo by optimizing its pixels: slow, needs no training, and the yardstick for what does.

Gatys, Ecker, Bethge, CVPR 2016, with L-BFGS; compared as in Johnson, Alahi, Fei-Fei, ECCV 2016, section 4.1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.core.loss_network import PIXEL_RANGE
from impasto.errors import ImpastoError
from impasto.evaluation.objective import Parts

HISTORY = 20
"""Steps that L-BFGS remembers."""


@dataclass(frozen=True)
class Step:
    """Where an optimization is after one of its steps."""

    number: int
    """0 for the photo itself."""
    steps: int
    """How many there will be."""
    best: float
    """The smallest objective so far."""
    elapsed: float
    """Seconds."""

    @property
    def done(self) -> float:
        """0 to 1."""
        return self.number / self.steps

    @property
    def what(self) -> str:
        return f"step {self.number} of {self.steps}, objective {self.best:.4g}"

    @property
    def remaining(self) -> float | None:
        """Seconds, by the pace so far; None where nothing tells yet."""
        return self.elapsed * (1 / self.done - 1) if self.number else None


Judged = Callable[[Tensor], Parts]
"""What is minimized: an :class:`~impasto.evaluation.objective.Objective`, or any such function."""
OnStep = Callable[[Step], None]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The best image after some steps."""

    step: int
    image: Tensor
    """(1, 3, H, W), clamped to [0, 1]."""
    content: float
    style: float
    """Parts of the objective of that image."""
    seconds: float
    """Since the start."""


class _Diverged(Exception):  # noqa: N818  (a way out of L-BFGS, no error)
    """The objective is no finite number any more, and would not become one again."""


class Optimization:
    """L-BFGS on the pixels 0..255, unclamped, starting from the photo; what is best so far can be read at any time."""

    def __init__(self, objective: Judged, style_weight: float, photo: Tensor, keep: Sequence[int] = ()) -> None:
        """`photo` (1, 3, H, W) in [0, 1]; `keep` the steps after which a snapshot is taken."""
        self.objective = objective
        self.style_weight = style_weight
        self.curve: list[float] = []
        """The best objective after each step; the first is the photo's."""
        self.snapshots: dict[int, Snapshot] = {}
        self._keep = frozenset(keep)
        # L-BFGS flattens its gradient, which takes the memory layout of these.
        self._pixels = (photo * PIXEL_RANGE).detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        self._best = Snapshot(0, photo, math.nan, math.nan, 0.0)
        self._started = 0.0

    @property
    def best(self) -> Snapshot:
        """The best image so far, clamped; the photo where nothing was better. Its step is the last one done."""
        return self._snapshot(max(0, len(self.curve) - 1))

    def run(self, steps: int, on_step: OnStep | None = None) -> None:
        """Makes `steps` steps; `on_step` hears of each, and may raise to end early with :attr:`best` kept."""
        # torch counts the last iteration without evaluating where it led: one more evaluates all of `steps`.
        # Tolerances of zero, lest a step that happens to be small ends it.
        optimizer = torch.optim.LBFGS(
            [self._pixels],
            lr=1,
            max_iter=steps + 1,
            max_eval=steps + 1,
            tolerance_grad=0,
            tolerance_change=0,
            history_size=HISTORY,
        )

        def evaluate() -> Tensor:
            optimizer.zero_grad()
            parts = self.objective(self._pixels / PIXEL_RANGE)
            value = parts.objective(self.style_weight)
            value.backward()  # type: ignore[no-untyped-call]
            self._note(*(float(x.detach()) for x in (value, *parts)))
            if on_step is not None:
                on_step(Step(len(self.curve) - 1, steps, self.curve[-1], self._seconds()))
            return value

        self._started = time.perf_counter()
        with suppress(_Diverged):
            optimizer.step(evaluate)  # type: ignore[no-untyped-call]
        while len(self.curve) <= steps:  # where L-BFGS found no way on, the best stays the best
            self._append(self.curve[-1])

    def _note(self, value: float, content: float, style: float) -> None:
        if not math.isfinite(value):
            if not self.curve:
                raise ImpastoError("the loss network finds no finite numbers in the photo: its weights are no good")
            raise _Diverged
        if not self.curve or value < self.curve[-1]:
            image = self._pixels.detach() / PIXEL_RANGE
            self._best = Snapshot(len(self.curve), image, content, style, 0.0)
            self._append(value)
        else:
            self._append(self.curve[-1])

    def _append(self, value: float) -> None:
        self.curve.append(value)
        step = len(self.curve) - 1
        if step in self._keep:
            self.snapshots[step] = self._snapshot(step)

    def _snapshot(self, step: int) -> Snapshot:
        best = self._best
        return Snapshot(step, best.image.clamp(0, 1), best.content, best.style, self._seconds())

    def _seconds(self) -> float:
        return time.perf_counter() - self._started


def worth(curve: Sequence[float], objective: float) -> int | None:
    """How many optimization steps a result is worth: the first step whose curve value is at most `objective`.

    Args:
        curve: the mean best objective after 0, 1, 2, … steps, never rising.
    Returns:
        0 where the photo itself is as good; None where every value of the curve is above `objective`.
    """
    return next((step for step, value in enumerate(curve) if value <= objective), None)

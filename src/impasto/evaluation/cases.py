"""A photo at one size, and how images of it are measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.core.losses import total_variation
from impasto.evaluation.metrics import checkerboard, ssim
from impasto.evaluation.objective import Judge, Objective
from impasto.evaluation.pictures import Source


class Sample(NamedTuple):
    """One image, measured."""

    content: float
    style: float
    ssim: float
    total_variation: float
    checkerboard: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Case:
    """A photo at one size; read and looked at by the judge when that is first needed."""

    number: int
    size: int
    source: Source
    judge: Judge
    grams: list[Tensor]
    """Those of the painting at this size."""

    @cached_property
    def photo(self) -> Tensor:
        """(1, 3, size, size) in [0, 1]."""
        return self.source.square(self.size).to(self.judge.device)

    @cached_property
    def objective(self) -> Objective:
        """What images of the photo are judged by."""
        return Objective(self.judge, self.photo, self.grams)

    @torch.no_grad()
    def sample(self, image: Tensor, seconds: float) -> Sample:
        """The measures of `image`, (1, 3, size, size) in [0, 1]."""
        parts = self.objective(image)
        return Sample(
            float(parts.content),
            float(parts.style),
            ssim(image, self.photo),
            float(total_variation(image)),
            checkerboard(image),
            seconds,
        )

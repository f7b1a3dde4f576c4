"""How to evaluate and how to optimize: every number with its default, its check and its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from impasto.config import require

SMALLEST, LARGEST = 64, 4096
"""Sides in pixels of what is evaluated."""
SMALLEST_RESULT, LARGEST_RESULT = 64, 16384
"""Longer side in pixels of what is optimized."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What styles are compared on, and who compares."""

    count: int = 16
    """Use so many of the photos, evenly spaced among all."""
    sizes: tuple[int, ...] = (256,)
    """Sides in pixels of the squares that the photos are cropped to; the painting's short side follows."""
    steps: int = 300
    """Steps of the optimization that the styles are compared with."""
    judge: str = "auto"
    """The loss network that measures: auto (one that did not train the style), squeezenet, vgg16, vgg19 or pocket."""
    judge_weights: Path | None = None
    """File of the judge's weights (default: that in the package, or the usual one)."""

    def __post_init__(self) -> None:
        require(self.count >= 1, f"--count is {self.count}; it must be at least 1")
        require(self.steps >= 1, f"--steps is {self.steps}; it must be at least 1")
        given = " ".join(map(str, self.sizes))
        require(len(self.sizes) > 0, "--sizes is empty; name one or several sides in pixels")
        require(len(set(self.sizes)) == len(self.sizes), f"--sizes is {given}; each of them once")
        for size in self.sizes:
            allowed = SMALLEST <= size <= LARGEST
            require(allowed, f"--sizes is {given}; each must lie between {SMALLEST} and {LARGEST} pixels")


@dataclass(frozen=True)
class OptimizeOptions:
    """How one photo is repainted by optimization."""

    size: int = 512
    """Longer side of the result in pixels."""
    steps: int = 300
    """Steps of the optimization: 100 show where it goes, 300 are mostly enough."""
    style_weight: float = 300.0
    """How much the painting counts against the photo: 20 colours it, 300 paints it anew."""
    stroke_size: float = 1.0
    """Size of the brush strokes; at 1 the painting is looked at as large as the photo."""
    loss_network: str = "auto"
    """The network whose features are compared: auto (the first that is here), squeezenet, vgg16, vgg19 or pocket."""
    loss_weights: Path | None = None
    """File of the loss network's weights (default: that in the package, or the usual one)."""

    def __post_init__(self) -> None:
        allowed = SMALLEST_RESULT <= self.size <= LARGEST_RESULT
        require(allowed, f"--size is {self.size}; it must lie between {SMALLEST_RESULT} and {LARGEST_RESULT} pixels")
        require(self.steps >= 1, f"--steps is {self.steps}; it must be at least 1")
        positive = 0 < self.style_weight < float("inf")
        require(positive, f"--style-weight is {self.style_weight}; it must be positive")
        require(0.1 <= self.stroke_size <= 10, f"--stroke-size is {self.stroke_size}; it must lie between 0.1 and 10")

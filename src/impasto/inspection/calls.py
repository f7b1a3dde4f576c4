"""One function call of a forward pass in words and numbers: what it does, and how many MACs it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]

# Calls that only rename or reorder numbers; `getitem` is one as long as it cuts nothing off.
PLUMBING = frozenset(["reshape", "view", "flatten", "contiguous", "to", "float", "type", "expand", "clone", "detach"])
ACTIVATIONS = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "gelu": "GELU", "silu": "SiLU", "hardtanh": "clamp"}
SCALARS = {"mul": "×", "add": "+", "sub": "−", "div": "÷", "true_divide": "÷"}
JOINS = {"add": "residual add", "cat": "concatenation", "mul": "product"}

KINDS = ("conv", "join", "norm", "resize", "crop", "other", "pad", "pointwise")
"""Kinds of call; of several calls inside a module the first of these gives it its name."""


@dataclass(frozen=True)
class Applied:
    """A function call on tensors that come from the photo."""

    name: str
    """The function's: `conv2d`."""
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    before: Shape
    """Shape of the first such tensor before the call ..."""
    made: Shape
    """... and of the result."""
    sources: int
    """How many different tensors come in that were made from the photo."""

    @property
    def is_plumbing(self) -> bool:
        return self.name in PLUMBING or (self.name == "getitem" and self.made == self.before)

    @property
    def macs(self) -> int:
        """Multiplications each followed by an addition, without biases.

        An output value of a convolution is a sum of as many products as one of its filters has weights.
        """
        if self.name == "conv2d":
            return math.prod(self.made) * math.prod(self._weight[1:])
        if self.name == "conv_transpose2d":  # here each input value goes into as many outputs
            return math.prod(self.before) * math.prod(self._weight[1:])
        if self.name in ("linear", "matmul"):
            return math.prod(self.made) * self.before[-1]
        return 0

    def describe(self) -> tuple[str, str]:
        """Its kind, one of KINDS, and a label for people: ``("conv", "conv 9×9, stride 2")``."""
        name = self.name
        if name in ("conv2d", "conv_transpose2d"):
            return "conv", self._convolution()
        if name in ("linear", "matmul"):
            return "conv", "linear" if name == "linear" else "matrix product"
        if self.sources > 1:
            return "join", JOINS.get(name, self._words)
        if name.endswith("norm"):
            return "norm", self._words
        if name in ("interpolate", "upsample"):
            return "resize", f"{self.kwargs.get('mode', 'nearest')} {self._ratio()}"
        if name in ("pixel_shuffle", "pixel_unshuffle"):
            what = "depth to space" if name == "pixel_shuffle" else "space to depth"
            return "resize", f"{what} {self._ratio()}"
        if name == "getitem":
            return "crop", "crop"
        if name == "pad":
            return "pad", f"{self.kwargs.get('mode') or 'constant'} padding"
        return ("pointwise", self._pointwise()) if self.before == self.made else ("other", self._words)

    @property
    def _words(self) -> str:
        return self.name.replace("_", " ")

    @property
    def _weight(self) -> Shape:
        return tuple(self.args[1].shape)

    def _convolution(self) -> str:
        label = f"conv {self._weight[2]}×{self._weight[3]}"
        if self.name == "conv_transpose2d":
            return f"transposed {label}, {self._ratio()}"
        groups = self.before[1] // self._weight[1]
        if groups > 1:
            label += ", depthwise" if groups == self.before[1] else f", {groups} groups"
        stride = self.args[3] if len(self.args) > 3 else self.kwargs.get("stride", 1)
        stride = stride if isinstance(stride, int) else stride[0]
        return label if stride == 1 else f"{label}, stride {stride}"

    def _ratio(self) -> str:
        """`×2` or `÷4`, of the sides."""
        up = self.made[-1] >= self.before[-1]
        ratio = self.made[-1] / self.before[-1] if up else self.before[-1] / self.made[-1]
        return f"{'×' if up else '÷'}{ratio:g}"

    def _pointwise(self) -> str:
        if self.name in SCALARS and len(self.args) > 1 and isinstance(self.args[1], int | float):
            return f"{SCALARS[self.name]}{self.args[1]:g}"
        return ACTIVATIONS.get(self.name.rstrip("_"), self._words)

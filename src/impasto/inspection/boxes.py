"""The network's graph before it is drawn: which layers share a box, and where connections skip boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impasto.inspection.layers import Layer

LEADING = frozenset(["resize", "pad", "crop", "pointwise"])
"""What may stand in a box before its convolution."""


@dataclass(frozen=True)
class Box:
    """Consecutive layers that people think of as one: nearest ×2, convolution, instance norm, ReLU."""

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[int, ...]
    """Numbers of the boxes whose results it takes."""

    @property
    def output(self) -> tuple[int, ...]:
        return self.layers[-1].output

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def is_join(self) -> bool:
        return self.layers[0].role == "join"

    @property
    def label(self) -> tuple[str, ...]:
        """What it does, step by step."""
        return tuple(part for layer in self.layers for part in _steps(layer))


@dataclass(frozen=True)
class Skip:
    """A connection from one box to a later one that does not follow it."""

    source: int
    target: int
    holder: str
    """Class of the module that joins the two ways: ``residual block``."""


def boxes_of(layers: Sequence[Layer]) -> list[Box]:
    """The boxes in the order of the forward pass."""
    groups: list[list[int]] = []
    for number, layer in enumerate(layers):
        if groups and _belongs(layer, number, [layers[i] for i in groups[-1]]):
            groups[-1].append(number)
        else:
            groups.append([number])
    box_of = {number: box for box, group in enumerate(groups) for number in group}
    boxes = []
    for box, group in enumerate(groups):
        inputs = dict.fromkeys(box_of[source] for number in group for source in layers[number].inputs)
        members = tuple(layers[number] for number in group)
        boxes.append(Box(_name(members), members, tuple(source for source in inputs if source != box)))
    return boxes


def _belongs(layer: Layer, number: int, box: Sequence[Layer]) -> bool:
    """Whether `layer` goes on with the last box: same unit, fed by it alone, no second convolution."""
    if layer.group != box[-1].group or layer.group == "" or layer.inputs != (number - 1,):
        return False
    if layer.role in ("conv", "resize", "pad", "crop"):
        return all(member.role in LEADING for member in box)
    return box[0].role != "join"


def _name(members: Sequence[Layer]) -> str:
    return members[0].group or members[0].name


def _steps(layer: Layer) -> tuple[str, ...]:
    """A layer's parts, with no word on the number of styles: it is the same everywhere."""
    parts = [part for part in layer.kind.split(", ") if not part.endswith((" style", " styles"))]
    if layer.role == "conv" and len(parts) > 1 and parts[1].startswith(("stride", "depthwise")):
        parts[:2] = [", ".join(parts[:2])]
    return tuple(parts)


def skips_of(boxes: Sequence[Box]) -> list[Skip]:
    """Every connection that passes over at least one box."""
    return [
        Skip(source, target, box.layers[0].holder)
        for target, box in enumerate(boxes)
        for source in box.inputs
        if source < target - 1
    ]

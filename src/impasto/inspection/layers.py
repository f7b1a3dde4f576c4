"""A style file in numbers: what it says about itself, and each layer's shape, parameters and cost."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from impasto.core.norm import ConditionalInstanceNorm
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files import gallery
from impasto.files.style_file import Style
from impasto.inspection.trace import Call, record

DEFAULT_SIZE = 256
LARGEST_SIZE = 1 << 16


@dataclass(frozen=True)
class Layer:
    """A step of the forward pass: a module without children, or a function that a larger module calls."""

    name: str
    """The module's name, as in the style file's tensors; that of the calling module for a function."""
    kind: str
    """What it does, for people: ``conv 3×3, stride 2``."""
    output: tuple[int, ...]
    """Channels, height and width of its result."""
    parameters: int
    macs: int
    """Multiplications each followed by an addition, without biases."""
    inputs: tuple[int, ...]
    """Numbers of the layers whose results it takes."""
    role: str
    """photo, conv, join, norm, resize, crop, pad, pointwise, other or output."""
    group: str
    """The module that it forms a unit with: convolution and norm of ``down.0`` belong together."""
    holder: str
    """Class of the module that calls it, in words: ``residual block``."""


@dataclass(frozen=True)
class Inspection:
    """All that `impasto inspect` shows of a style file."""

    file: Path
    bytes: int
    style: Style
    size: int
    """Side of the square photo that shapes and MACs are for."""
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        return sum(int(value.size) for value in self.style.tensors.values())

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def macs_per_pixel(self) -> float:
        return self.macs / self.size**2

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values; a layer's ``output`` is [channels, height, width]."""
        shown = ("name", "kind", "output", "parameters", "macs")
        return {
            "file": str(self.file),
            "bytes": self.bytes,
            "names": list(self.style.names),
            "network": dataclasses.asdict(self.style.network),
            "provenance": dict(self.style.provenance),
            "size": self.size,
            "parameters": self.parameters,
            "macs": self.macs,
            "macs_per_pixel": self.macs_per_pixel,
            "layers": [{key: getattr(layer, key) for key in shown} for layer in self.layers],
        }


def inspect_style(path: str | os.PathLike[str], size: int = DEFAULT_SIZE) -> Inspection:
    """The style file `path` and its network's layers for a photo of `size` × `size` pixels.

    Raises:
        ImpastoError: a size out of range, a file that is damaged or foreign, or weights of another network.
    """
    if not 1 <= size <= LARGEST_SIZE:
        raise ImpastoError(f"--size is {size}; it must lie between 1 and {LARGEST_SIZE} pixels")
    style = gallery.load(Path(path))
    with torch.device("meta"):
        network = TransformerNet(style.network).eval()
    _check_tensors(Path(path), style.tensors, network)
    return Inspection(
        Path(path), Path(path).stat().st_size, style, size, layers_of(network, style.network.styles, size)
    )


def _check_tensors(path: Path, tensors: Mapping[str, Any], network: nn.Module) -> None:
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        shapes = [str(where.get(wrong[0], "missing")) for where in (found, expected)]
        raise ImpastoError(
            f"the weights in {path} do not fit its network: {wrong[0]} is {shapes[0]} and should be {shapes[1]}; "
            "copy or train it again"
        )


def layers_of(network: nn.Module, styles: int, size: int = DEFAULT_SIZE) -> tuple[Layer, ...]:
    """The layers of a transformer network of so many styles, from its own forward pass.

    Nothing is computed: photo and parameters need only shapes. A parameter counts where it is first used,
    and an activation function belongs to the layer before it.

    Args:
        network: called with a photo (1, 3, size, size) and style weights (1, styles).
    """
    network = network.to("meta")
    calls = record(network, torch.empty(1, 3, size, size, device="meta"), torch.ones(1, styles, device="meta"))
    merged = _merge_pointwise(calls)
    numbers = {old: new for new, old in enumerate(merged)}
    modules, counted = dict(network.named_modules()), set[int]()
    layers = []
    for number, call in merged.items():
        own = [p for p in modules[call.owner].parameters(recurse=False) if id(p) not in counted]
        counted.update(map(id, own))
        inputs = tuple(numbers[source] for source in call.inputs)
        layers.append(_layer(call, number == max(merged), modules, sum(p.numel() for p in own), inputs))
    return tuple(layers)


def _merge_pointwise(calls: list[Call]) -> dict[int, Call]:
    """The calls by number without those pointwise ones that are part of the call before them.

    What the network itself does to its last layer's values stays apart: that is the output.
    """
    uses = Counter(source for call in calls for source in call.inputs)
    kept: dict[int, Call] = {}
    now: dict[int, int] = {}
    for number, call in enumerate(calls):
        call.inputs = [now[source] for source in call.inputs]
        before = kept[call.inputs[0]] if call.inputs else None
        outside = before is not None and call.owner == "" and before.owner != ""
        if before is not None and call.kind == "pointwise" and uses[call.inputs[0]] == 1 and not outside:
            before.label += f", {call.label}"
            now[number] = call.inputs[0]
            uses[call.inputs[0]] = uses[number]
        else:
            kept[number], now[number] = call, number
    return kept


def _layer(call: Call, last: bool, modules: Mapping[str, nn.Module], parameters: int, inputs: tuple[int, ...]) -> Layer:
    module = modules[call.owner]
    leaf = call.owner != "" and not any(module.children())
    holder = modules[call.owner.rpartition(".")[0]] if leaf else module
    together = leaf and not isinstance(holder, nn.ModuleList | nn.Sequential | nn.ModuleDict) and "." in call.owner
    kind = call.label
    if isinstance(module, ConditionalInstanceNorm):
        styles = module.scale.shape[0]
        count = f"{styles} style" if styles == 1 else f"{styles} styles"
        kind = re.sub("^[a-z]+ norm", f"instance norm, {count}", kind)
    is_output = last and call.owner == ""
    return Layer(
        name=call.owner or ("output" if is_output else call.kind),
        kind=kind,
        output=call.output[1:],
        parameters=parameters,
        macs=call.macs,
        inputs=inputs,
        role="output" if is_output else call.kind,
        group=call.owner.rpartition(".")[0] if together else call.owner,
        holder=_words(type(holder).__name__),
    )


def _words(class_name: str) -> str:
    """`ResidualBlock` → `residual block`."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", class_name).lower()

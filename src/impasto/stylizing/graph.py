"""The transformer network of `core/transformer.py` written once more, without torch, over a handful of operations.

Whoever provides the operations gets the network: OpenVINO's (openvino_backend.py), ONNX's (onnx_export.py), or
rows of planes that never are in memory at once (streaming.py). What is exact and cheaper is done here, for all of them:

- a convolution before an instance norm needs no bias, since the norm takes it out again;
- nearest or bilinear ×2 before a 3×3 convolution is one convolution on the small grid (:func:`folded`);
- the turbo head works on squares of 2×2 pixels as channels up to its last step, the binomial filter included;
- what only scales or shifts pixel values goes into weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from impasto.config import NetworkConfig
from impasto.stylizing.samples import Floats

Border = Literal["zero", "reflection", "edge"]
"""What a convolution sees beyond the border: zeros, the picture mirrored at its last pixel, or that pixel repeated."""
Doubling = Literal["nearest", "bilinear"]
T = TypeVar("T")

HALF = 127.5
"""Of the pixel range: the last layer gives -1 to 1."""
HEAD_CELL, TURBO_HEAD = 2, 16
BINOMIAL = np.array([1, 2, 1], np.float32) / 4


class Ops(Protocol[T]):
    """Operations on planes (B, C, H, W)."""

    def conv(self, x: T, weight: Floats, bias: Floats | None, stride: int, border: Border) -> T:
        """A convolution (O, I, k, k) of odd k whose output is its input's size over the stride."""
        ...

    def conv_of_doubled(self, x: T, weight: Floats, border: Border, how: Doubling) -> T:
        """The convolution (O, I, 3, 3) of `x` enlarged twice; bilinear with the border `edge` alone."""
        ...

    def bilinear(self, x: T) -> T:
        """`x` enlarged twice, pixels being squares, their last row repeated beyond the border."""
        ...

    def instance_norm(self, x: T, scale: Any, offset: Any, *, relu: bool) -> T:
        """Each channel at mean 0 and variance 1, then scaled and offset (values from `row`)."""
        ...

    def row(self, rows: Floats) -> Any:
        """What `rows` (styles, C) come to, mixed."""
        ...

    def scaled(self, x: T, scale: Any, offset: Any) -> T:
        """`x` times `scale` plus `offset`, each a number, one a channel, or a value from `row`."""
        ...

    def repeated(self, row: Any, times: int) -> Any:
        """A value from `row` with each channel's number so many times, one after the other."""
        ...

    def add(self, x: T, y: T) -> T: ...

    def relu(self, x: T) -> T: ...

    def tanh(self, x: T) -> T: ...

    def clamp(self, x: T, low: float, high: float) -> T: ...

    def cells(self, x: T, channels: int, side: int) -> T:
        """Squares of pixels as channels: (B, channels, H, W) → (B, channels·side², H/side, W/side).

        A channel's pixels come together, row by row.
        """
        ...

    def pixels(self, x: T, side: int) -> T:
        """The way back from `cells`."""
        ...

    def padded(self, x: T, multiple: int) -> T:
        """`x` with its last row and column repeated up to a multiple, of two multiples at least."""
        ...

    def cropped(self, x: T, like: T) -> T:
        """The upper left part of `x` that has the height and width of `like`."""
        ...


def draw(ops: Ops[T], network: NetworkConfig, tensors: Mapping[str, Floats], photos: T) -> T:
    """The stylized images of `photos`, both (B, 3, H, W) in pixel values from 0 to 255."""
    result: T = Drawing(ops, network, tensors).draw(photos)
    return result


class Drawing:
    """One network on its way into operations."""

    def __init__(self, ops: Ops[T], network: NetworkConfig, tensors: Mapping[str, Floats]) -> None:
        self.ops: Any = ops
        self.network = network
        self.tensors = tensors
        self.border: Border = network.padding
        # With a linear output the last layer gives pixel values at once; a tanh has to come between.
        self.unit = HALF if network.output == "linear" else 1.0

    def draw(self, photos: Any) -> Any:
        padded = self.ops.padded(photos, self.network.downsampling)
        if self.network.body == "turbo":
            squares = self.ops.cells(padded, 3, HEAD_CELL)  # (B, 12, H/2, W/2)
            x = self._up(self._blocks(self._turbo_down(squares)))
            x = self._finished(self._turbo_head(x, squares), squares, HEAD_CELL**2)
            return self.ops.cropped(self.ops.pixels(x, HEAD_CELL), photos)
        x = self._up(self._blocks(self._classic_down(padded)))
        x = self.ops.conv(x, self._weight("head") * self.unit, self._bias("head") * self.unit, 1, self.border)
        return self.ops.cropped(self._finished(x, padded, 1), photos)

    def _classic_down(self, x: Any) -> Any:
        for name, stride in (("down.0", 1), ("down.1", 2), ("down.2", 2)):
            x = self._norm(name, self.ops.conv(x, self._weight(f"{name}.conv"), None, stride, self.border))
        return x

    def _turbo_down(self, squares: Any) -> Any:
        side = self.network.downsampling // HEAD_CELL
        weight = self._weight("down.0.conv")[:, order_of_cells_in_cells(3, HEAD_CELL, side)]
        cells = self.ops.cells(squares, 3 * HEAD_CELL**2, side)
        return self._norm("down.0", self.ops.conv(cells, weight, None, 1, self.border))

    def _blocks(self, x: Any) -> Any:
        for number in range(self.network.blocks):
            first, second = f"blocks.{number}.first", f"blocks.{number}.second"
            change = self._norm(first, self.ops.conv(x, self._weight(f"{first}.conv"), None, 1, self.border))
            change = self.ops.conv(change, self._weight(f"{second}.conv"), None, 1, self.border)
            x = self.ops.add(x, self._norm(second, change, relu=False))
        return x

    def _up(self, x: Any) -> Any:
        number = 0
        while f"up.{number}.conv.weight" in self.tensors:
            weight = self._weight(f"up.{number}.conv")
            if self.network.body == "classic":
                x = self.ops.conv_of_doubled(x, weight, self.border, "nearest")
            elif self.border == "reflection":
                x = self.ops.conv_of_doubled(x, weight, "edge", "bilinear")
            else:
                x = self.ops.conv(self.ops.bilinear(x), weight, None, 1, self.border)
            x = self._norm(f"up.{number}", x)
            number += 1
        return x

    def _turbo_head(self, x: Any, squares: Any) -> Any:
        weight, bias = self._weight("head.mixed"), self._bias("head.mixed")
        features = weight.shape[1] - 3 * HEAD_CELL**2
        of_photo, scale = weight[:, features:], np.float32(1 / HALF)  # the photo from -1 to 1
        if self.border == "reflection":
            bias = bias - of_photo.sum((1, 2, 3))
            of_photo = of_photo * scale
        else:  # zeros beyond the border are the middle of that range
            squares = self.ops.scaled(squares, scale, np.float32(-1))
        mixed = self.ops.conv(squares, of_photo, bias, 1, self.border)
        mixed = self.ops.relu(self.ops.add(mixed, self.ops.conv(x, weight[:, :features], None, 1, self.border)))
        full = self.ops.conv(mixed, self._weight("head.full"), self._bias("head.full"), 1, self.border)
        # Mirroring pixels at the last one is, in squares of two, repeating the last square.
        return self.ops.conv(full, binomial_of_squares(3) * np.float32(self.unit), None, 1, "edge")

    def _finished(self, x: Any, photos: Any, pixels: int) -> Any:
        """From the last layer, with so many pixels a channel of the photo, to pixel values."""
        if self.network.skip:
            gain = self.ops.repeated(self.ops.row(self.tensors["skip.gain"]), pixels)
            centred = self.ops.scaled(photos, np.float32(self.unit / HALF), np.float32(-self.unit))
            x = self.ops.add(x, self.ops.scaled(centred, gain, np.float32(0)))
        if self.network.output == "tanh":
            return self.ops.scaled(self.ops.tanh(x), np.float32(HALF), np.float32(HALF))
        return self.ops.clamp(self.ops.scaled(x, np.float32(1), np.float32(HALF)), 0, 2 * HALF)

    def _norm(self, name: str, x: Any, *, relu: bool = True) -> Any:
        scale, offset = (self.ops.row(self.tensors[f"{name}.norm.{part}"]) for part in ("scale", "offset"))
        return self.ops.instance_norm(x, scale, offset, relu=relu)

    def _weight(self, name: str) -> Floats:
        return self.tensors[f"{name}.weight"]

    def _bias(self, name: str) -> Floats:
        return self.tensors[f"{name}.bias"]


def parameter_shapes(network: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each of the network's parameters, by name: what a style file must hold."""
    w, cells = network.width, network.downsampling
    layers: dict[str, tuple[int, int, int]] = {}  # inputs, outputs, kernel
    if network.body == "turbo":
        channels = [w, *(max(TURBO_HEAD, w >> step) for step in range(1, cells.bit_length() - 1))]
        layers["down.0"] = (3 * cells**2, w, 3)
        layers |= {f"up.{number}": (*pair, 3) for number, pair in enumerate(itertools.pairwise(channels))}
        inside, squares = w, 3 * HEAD_CELL**2
        heads = {"head.mixed": (channels[-1] + squares, TURBO_HEAD, 3), "head.full": (TURBO_HEAD, squares, 3)}
    else:
        layers |= {"down.0": (3, w, 9), "down.1": (w, 2 * w, 3), "down.2": (2 * w, 4 * w, 3)}
        layers |= {"up.0": (4 * w, 2 * w, 3), "up.1": (2 * w, w, 3)}
        inside, heads = 4 * w, {"head": (w, 3, 9)}
    for number in range(network.blocks):
        layers |= {f"blocks.{number}.{part}": (inside, inside, 3) for part in ("first", "second")}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs, kernel) in layers.items():
        shapes |= {f"{name}.conv.weight": (outputs, inputs, kernel, kernel), f"{name}.conv.bias": (outputs,)}
        shapes |= {f"{name}.norm.{part}": (network.styles, outputs) for part in ("scale", "offset")}
    for name, (inputs, outputs, kernel) in heads.items():
        shapes |= {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}
    return shapes | ({"skip.gain": (network.styles, 3)} if network.skip else {})


def folded(weight: Floats, how: Doubling) -> Floats:
    """The transposed convolution (I, O, k, k) of stride 2 that is ×2 followed by the convolution (O, I, 3, 3).

    After nearest ×2 a pixel of the enlarged picture sees three rows of it, which are two of the small one: 4 products
    instead of 9. In the terms of the transposed convolution, each pixel of the small picture is laid down as a square,
    each pixel of which lays down the mirrored 3×3 kernel: their sum is 4×4 after nearest ×2 and 6×6 after bilinear ×2.
    The small picture is given one more row on each side, so :func:`folded_crop` rows of the output are too many; where
    the border is mirrored after nearest ×2, that row is the small picture's last.
    """
    mirrored, share = weight[:, :, ::-1, ::-1], LAID_DOWN[how]
    side = len(share) + 2
    kernel = np.zeros((*weight.shape[:2], side, side), np.float32)
    for row, column in np.ndindex(len(share), len(share)):
        kernel[:, :, row : row + 3, column : column + 3] += share[row] * share[column] * mirrored
    return np.ascontiguousarray(kernel.swapaxes(0, 1))


def folded_crop(how: Doubling) -> int:
    """Rows to cut off each side of the transposed convolution of a picture with one more row on each side."""
    return 2 + len(LAID_DOWN[how]) // 2


LAID_DOWN: dict[Doubling, Floats] = {
    "nearest": np.array([1, 1], np.float32),
    "bilinear": np.array([0.25, 0.75, 0.75, 0.25], np.float32),
}
"""How much of a pixel is in each of those that it becomes along a side of the enlarged picture."""


def folded_border(border: Border) -> Border:
    """What the folded convolution must see beyond the small picture's border: a row mirrored there is the last one."""
    return "zero" if border == "zero" else "edge"


def order_of_cells_in_cells(channels: int, inner: int, outer: int) -> NDArray[np.int64]:
    """Where each channel of `cells(cells(x, inner), outer)` is in `cells(x, inner * outer)`."""
    side = inner * outer
    there = np.arange(channels * side * side).reshape(channels, outer, inner, outer, inner)  # c, Y, y, X, x
    return there.transpose(0, 2, 4, 1, 3).ravel()


def binomial_of_squares(channels: int) -> Floats:
    """The filter (1 2 1)/4 along rows and columns of pixels as a 3×3 convolution on their squares of 2×2."""
    along = np.zeros((HEAD_CELL, HEAD_CELL, 3), np.float32)  # to which of the two pixels, from which, in which square
    for to in range(HEAD_CELL):
        for tap, value in enumerate(BINOMIAL):
            square, of = divmod(to + tap - 1, HEAD_CELL)
            along[to, of, square + 1] += value
    both = np.einsum("yiv,xjw->yxijvw", along, along).reshape(HEAD_CELL**2, HEAD_CELL**2, 3, 3)
    weight = np.einsum("ab,pqvw->apbqvw", np.eye(channels, dtype=np.float32), both)
    return np.ascontiguousarray(weight.reshape(channels * HEAD_CELL**2, channels * HEAD_CELL**2, 3, 3))

"""Pictures of any size in bounded memory, exactly: the network of graph.py over rows of planes.

Instance norm needs the mean and the variance of a whole plane before the first of its values is known. So the network
is gone through in passes of strips: one for each norm gathers its statistics, and the last gives the picture. What
lies at the coarsest grid, a sixteenth of the pixels and most of the work, is kept between passes, in memory or in a
temporary file; what lies above it is computed again. Strips overlap by what the convolutions see, hence no seam.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import openvino as ov
from openvino import opset15 as op

from impasto.config import Precision
from impasto.files.style_file import Style
from impasto.stylizing.graph import Border, Doubling, draw, folded_border
from impasto.stylizing.mapping import in_order
from impasto.stylizing.openvino_backend import compiled
from impasto.stylizing.openvino_ops import EPSILON, PAD_MODES, bilinear, constant, conv_of_doubled, integers
from impasto.stylizing.samples import Floats, RowSource, RowTarget, largest_of, samples_of
from impasto.stylizing.strip_plan import KEPT_TYPE, Plan

NUMPY_MODES: dict[Border, Any] = {"zero": "constant", "reflection": "reflect", "edge": "edge"}
LARGEST_HALF = 65504.0


class Rows(Protocol):
    """A plane of which rows can be had."""

    channels: int
    height: int
    width: int
    shrunk: int
    """How many times smaller than the picture it is."""

    def rows(self, start: int, stop: int) -> Floats:
        """Rows `start` to `stop` as (channels, stop - start, width)."""
        ...


@dataclass
class PhotoRows:
    """A photo (H, W, 3) as pixel values from 0 to 255."""

    photo: RowSource
    channels: int = 3
    shrunk: int = 1

    def __post_init__(self) -> None:
        self.height, self.width = self.photo.shape[:2]
        self.unit = np.float32(255 / largest_of(self.photo.dtype))

    def rows(self, start: int, stop: int) -> Floats:
        values = self.photo[start:stop].transpose(2, 0, 1).astype(np.float32)
        return values if self.unit == 1 else values * self.unit


@dataclass
class Mapped:
    """Each value of a plane changed by itself."""

    of: Rows
    change: Callable[[Floats], Floats]

    def __post_init__(self) -> None:
        self.channels, self.height, self.width, self.shrunk = dimensions(self.of)

    def rows(self, start: int, stop: int) -> Floats:
        return self.change(self.of.rows(start, stop))


@dataclass
class Sum:
    """Two planes added."""

    first: Rows
    second: Rows

    def __post_init__(self) -> None:
        self.channels, self.height, self.width, self.shrunk = dimensions(self.first)

    def rows(self, start: int, stop: int) -> Floats:
        return self.first.rows(start, stop) + self.second.rows(start, stop)


@dataclass
class Padded:
    """A plane with its last row and column repeated, or its end cut off."""

    of: Rows
    height: int
    width: int

    def __post_init__(self) -> None:
        self.channels, _, _, self.shrunk = dimensions(self.of)

    def rows(self, start: int, stop: int) -> Floats:
        last = self.of.height
        rows = self.of.rows(min(start, last - 1), min(stop, last))[..., : self.width]
        missing = stop - start - rows.shape[1], self.width - rows.shape[2]
        return np.pad(rows, ((0, 0), (0, missing[0]), (0, missing[1])), "edge") if any(missing) else rows


@dataclass
class Cells:
    """Squares of pixels as channels."""

    of: Rows
    side: int

    def __post_init__(self) -> None:
        channels, height, width, shrunk = dimensions(self.of)
        self.channels, self.shrunk = channels * self.side**2, shrunk * self.side
        self.height, self.width = height // self.side, width // self.side

    def rows(self, start: int, stop: int) -> Floats:
        rows = self.of.rows(start * self.side, stop * self.side)
        squares = rows.reshape(self.of.channels, stop - start, self.side, self.width, self.side)
        return squares.transpose(0, 2, 4, 1, 3).reshape(self.channels, stop - start, self.width)


@dataclass
class Pixels:
    """The way back."""

    of: Rows
    side: int

    def __post_init__(self) -> None:
        channels, height, width, shrunk = dimensions(self.of)
        self.channels, self.shrunk = channels // self.side**2, shrunk // self.side
        self.height, self.width = height * self.side, width * self.side

    def rows(self, start: int, stop: int) -> Floats:
        first, last = start // self.side, -(-stop // self.side)
        squares = self.of.rows(first, last).reshape(self.channels, self.side, self.side, last - first, self.of.width)
        rows = squares.transpose(0, 3, 1, 4, 2).reshape(self.channels, -1, self.width)
        return rows[:, start - first * self.side : stop - first * self.side]


@dataclass
class Convolved:
    """A convolution, or what else sees a few rows beyond its own, as a model that OpenVINO has compiled."""

    of: Rows
    channels: int
    height: int
    width: int
    model: Model
    border: Border
    reach: Callable[[int, int], tuple[int, int, int]]
    """From rows to the first and last row (exclusive) that they are made of, and the row that those begin to give."""

    def __post_init__(self) -> None:
        self.shrunk = self.of.shrunk * self.of.height // self.height

    def rows(self, start: int, stop: int, norm: Norm | None = None) -> Floats:
        first, last, begin = self.reach(start, stop)
        height = self.of.height
        inside = self.of.rows(max(first, 0), min(last, height))
        beyond = max(0, -first), max(0, last - height)
        if any(beyond):
            inside = np.pad(inside, ((0, 0), beyond, (0, 0)), NUMPY_MODES[self.border])
        result: Floats = self.model(inside, norm)[:, start - begin : stop - begin]
        return result


@dataclass(frozen=True, eq=False)
class Norm:
    """What an instance norm comes to once its statistics are known: a scale and an offset a channel."""

    scale: Floats
    offset: Floats
    relu: bool

    def __call__(self, rows: Floats) -> Floats:
        rows = rows * self.scale[:, None, None]
        rows += self.offset[:, None, None]
        return np.maximum(rows, 0, out=rows) if self.relu else rows


@dataclass
class Normed:
    """A convolution that is computed again, and normalized where it is computed."""

    of: Convolved
    norm: Norm

    def __post_init__(self) -> None:
        self.channels, self.height, self.width, self.shrunk = dimensions(self.of)

    def rows(self, start: int, stop: int) -> Floats:
        return self.of.rows(start, stop, self.norm)


class Model:
    """A small OpenVINO model (1, C, h, w) → (1, C', h', w') of any size, followed by a norm where one is given."""

    def __init__(self, drawn: Callable[[Any], Any], channels: int, precision: Precision) -> None:
        self.drawn = drawn
        self.channels = channels
        self.precision: Precision = precision
        self._requests: dict[bool | None, Any] = {}

    def __call__(self, rows: Floats, norm: Norm | None) -> Floats:
        kind = None if norm is None else norm.relu
        if kind not in self._requests:
            self._requests[kind] = self._compiled(kind)
        parts = [] if norm is None else [part[None, :, None, None] for part in (norm.scale, norm.offset)]
        result = self._requests[kind].infer([np.ascontiguousarray(rows)[None], *parts], share_inputs=True)
        return np.array(result[0][0])

    def _compiled(self, relu: bool | None) -> Any:
        rows = op.parameter(ov.PartialShape([1, self.channels, -1, -1]), ov.Type.f32)
        result, inputs = self.drawn(rows), [rows]
        if relu is not None:
            shape = ov.PartialShape([1, -1, 1, 1])
            scale, offset = (op.parameter(shape, ov.Type.f32) for _ in range(2))
            result, inputs = op.add(op.multiply(result, scale), offset), [rows, scale, offset]
            result = op.relu(result) if relu else result
        return compiled(ov.Model([result], inputs, "strip"), self.precision)[0]


class Kept:
    """A plane kept between passes: in memory, or in a temporary file that is gone with it."""

    def __init__(self, like: Rows, folder: Path | None) -> None:
        self.channels, self.height, self.width, self.shrunk = dimensions(like)
        self.row_bytes = self.channels * self.width * np.dtype(KEPT_TYPE).itemsize
        self.memory = None if folder else np.empty((self.height, self.channels, self.width), KEPT_TYPE)
        self.file = tempfile.TemporaryFile(dir=folder) if folder else None  # noqa: SIM115

    def rows(self, start: int, stop: int) -> Floats:
        if self.memory is not None:
            rows = self.memory[start:stop]
        else:
            assert self.file is not None
            self.file.seek(start * self.row_bytes)
            data = self.file.read((stop - start) * self.row_bytes)
            rows = np.frombuffer(data, KEPT_TYPE).reshape(-1, self.channels, self.width)
        return rows.transpose(1, 0, 2).astype(np.float32)

    def write(self, start: int, rows: Floats) -> None:
        """Sets the rows from `start` on; in a file they are written one after the other."""
        values = np.ascontiguousarray(rows.clip(-LARGEST_HALF, LARGEST_HALF).transpose(1, 0, 2).astype(KEPT_TYPE))
        if self.memory is not None:
            self.memory[start : start + len(values)] = values
        else:
            assert self.file is not None
            self.file.seek(start * self.row_bytes)
            self.file.write(values.data)


def dimensions(plane: Rows) -> tuple[int, int, int, int]:
    return plane.channels, plane.height, plane.width, plane.shrunk


@dataclass
class StreamOps:
    """The operations of graph.py on rows; drawing the network makes all its passes but the last."""

    mix: Floats
    coarsest: int
    """Planes so many times smaller than the picture are kept."""
    strip: int
    """Rows of the picture in a strip, a multiple of `coarsest`."""
    precision: Precision
    spill: Path | None
    """Folder of temporary files; None keeps in memory."""
    on_rows: Callable[[int], None] = field(default=lambda rows: None)
    """Gets the number of the picture's rows that a pass has gone on."""

    def conv(self, x: Rows, weight: Floats, bias: Floats | None, stride: int, border: Border) -> Rows:
        width = weight.shape[2] // 2

        def drawn(rows: Any) -> Any:
            rows, pad = _beside(rows, width, border)
            y = op.convolution(rows, constant(weight), [stride] * 2, [0, pad], [0, pad], [1, 1])
            return y if bias is None else op.add(y, constant(bias[None, :, None, None]))

        def reach(start: int, stop: int) -> tuple[int, int, int]:
            return start * stride - width, (stop - 1) * stride + width + 1, start

        model = Model(drawn, weight.shape[1], self.precision)
        return Convolved(x, weight.shape[0], x.height // stride, x.width // stride, model, border, reach)

    def conv_of_doubled(self, x: Rows, weight: Floats, border: Border, how: Doubling) -> Rows:
        border = folded_border(border)

        def drawn(rows: Any) -> Any:
            rows, pad = _beside(rows, 1, border)
            return conv_of_doubled(rows, weight, how, [0, pad])

        model = Model(drawn, weight.shape[1], self.precision)
        return Convolved(x, weight.shape[0], 2 * x.height, 2 * x.width, model, border, _reach_of_doubled)

    def bilinear(self, x: Rows) -> Rows:
        def drawn(rows: Any) -> Any:
            return op.slice(bilinear(rows), integers([2]), integers([-2]), integers([1]), integers([2]))

        model = Model(drawn, x.channels, self.precision)
        return Convolved(x, x.channels, 2 * x.height, 2 * x.width, model, "edge", _reach_of_doubled)

    def instance_norm(self, x: Any, scale: Floats, offset: Floats, *, relu: bool) -> Rows:
        kept = Kept(x, self.spill) if x.shrunk == self.coarsest else None
        count, mean, squares = 0, np.zeros(x.channels), np.zeros(x.channels)
        for start, rows in self.strips(x):
            if kept is not None:
                kept.write(start, rows)
            flat = rows.reshape(x.channels, -1)
            here = flat.shape[1]
            own = flat.mean(1, dtype=np.float64)
            flat -= own[:, None].astype(np.float32)
            off = flat.mean(1, dtype=np.float64)  # what float32 lost of the mean
            own_squares = np.array([np.dot(row, row) for row in flat], np.float64) - here * off**2
            own += off
            # Chan, Golub, LeVeque 1979: two parts' means and sums of squares make those of the whole.
            move, total = own - mean, count + here
            mean += move * here / total
            squares += own_squares + move**2 * count * here / total
            count = total
        factor = scale / np.sqrt(squares / count + EPSILON)
        norm = Norm(factor.astype(np.float32), (offset - mean * factor).astype(np.float32), relu)
        return Normed(x, norm) if kept is None else Mapped(kept, norm)

    def row(self, rows: Floats) -> Floats:
        return self.mix @ rows

    def repeated(self, row: Floats, times: int) -> Floats:
        return np.repeat(row, times)

    def scaled(self, x: Rows, scale: Any, offset: Any) -> Rows:
        by, plus = (np.asarray(value, np.float32) for value in (scale, offset))
        by, plus = (value[:, None, None] if value.ndim else value for value in (by, plus))
        return Mapped(x, lambda rows: rows * by + plus)

    def add(self, x: Rows, y: Rows) -> Rows:
        total = Sum(x, y)
        if total.shrunk != self.coarsest:
            return total
        kept = Kept(total, self.spill)
        for start, rows in self.strips(total):
            kept.write(start, rows)
        return kept

    def relu(self, x: Rows) -> Rows:
        return Mapped(x, lambda rows: np.maximum(rows, 0))

    def tanh(self, x: Rows) -> Rows:
        return Mapped(x, np.tanh)

    def clamp(self, x: Rows, low: float, high: float) -> Rows:
        return Mapped(x, lambda rows: rows.clip(low, high))

    def cells(self, x: Rows, channels: int, side: int) -> Rows:
        return Cells(x, side)

    def pixels(self, x: Rows, side: int) -> Rows:
        return Pixels(x, side)

    def padded(self, x: Rows, multiple: int) -> Rows:
        height, width = (max(2, -(-side // multiple)) * multiple for side in (x.height, x.width))
        return Padded(x, height, width)

    def cropped(self, x: Rows, like: Rows) -> Rows:
        return Padded(x, like.height, like.width)

    def strips(self, plane: Rows) -> Iterator[tuple[int, Floats]]:
        """First row and rows of each strip of a plane; the next is computed meanwhile."""
        rows = max(1, self.strip // plane.shrunk)
        spans = [(start, min(plane.height, start + rows)) for start in range(0, plane.height, rows)]
        strips = in_order(spans, lambda span: plane.rows(*span), workers=1, ahead=1)
        for (start, stop), strip in zip(spans, strips, strict=True):
            yield start, strip
            self.on_rows((stop - start) * plane.shrunk)


def _reach_of_doubled(start: int, stop: int) -> tuple[int, int, int]:
    return start // 2 - 1, (stop - 1) // 2 + 2, start // 2 * 2


def _beside(rows: Any, width: int, border: Border) -> tuple[Any, int]:
    """`rows` with their border to the left and right, and the zeros that a convolution is to add there itself."""
    if border == "zero" or not width:
        return rows, width
    ends = integers([0, 0, 0, width])
    return op.pad(rows, ends, ends, PAD_MODES[border]), 0


def passes(style: Style) -> int:
    """How often the picture is gone through."""
    return sum(name.endswith(".norm.scale") for name in style.tensors) + style.network.blocks + 1


def stream(
    style: Style,
    mix: Floats,
    photo: RowSource,
    target: RowTarget,
    plan: Plan,
    *,
    precision: Precision = "float32",
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Repaints `photo` (H, W, 3), uint8, uint16 or float32 in [0, 1], strip by strip into `target`, of the same type.

    Args:
        mix: weights (styles,) of the network's styles.
        plan: how many rows at a time, and where what is kept between the passes is.
        on_progress: gets the share that is done, from 0 to 1.
    """
    network, done = style.network, 0
    total = passes(style) * photo.shape[0]

    def on_rows(rows: int) -> None:
        nonlocal done
        done += rows
        if on_progress is not None:
            on_progress(min(1.0, done / total))

    ops = StreamOps(mix, network.downsampling, plan.strip, precision, plan.spill, on_rows)
    result: Rows = draw(ops, network, style.tensors, PhotoRows(photo))
    for start, rows in ops.strips(result):
        target[start : start + rows.shape[1]] = samples_of(rows * np.float32(1 / 255), photo.dtype)

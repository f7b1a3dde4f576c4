"""Planes of which only the rows that are asked for are computed: the pieces that streaming.py puts together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from impasto.config import Precision
from impasto.stylizing.graph import Border
from impasto.stylizing.openvino_backend import compiled
from impasto.stylizing.openvino_runtime import op, ov
from impasto.stylizing.samples import Floats, RowSource, largest_of
from impasto.stylizing.strip_plan import KEPT_TYPE

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

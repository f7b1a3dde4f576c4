"""Pictures of any size in bounded memory, exactly: the network of graph.py over rows of planes.

Instance norm needs the mean and the variance of a whole plane before the first of its values is known. So the network
is gone through in passes of strips: one for each norm gathers its statistics, and the last gives the picture. What
lies at the coarsest grid, a sixteenth of the pixels and most of the work, is kept between passes, in memory or in a
temporary file; what lies above it is computed again. Strips overlap by what the convolutions see, hence no seam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from impasto.config import Precision
from impasto.files.style_file import Style
from impasto.stylizing.graph import Border, Doubling, draw, folded_border
from impasto.stylizing.mapping import in_order
from impasto.stylizing.openvino_ops import EPSILON, PAD_MODES, bilinear, constant, conv_of_doubled, integers
from impasto.stylizing.openvino_runtime import op
from impasto.stylizing.rows import (
    Cells,
    Convolved,
    Kept,
    Mapped,
    Model,
    Norm,
    Normed,
    Padded,
    PhotoRows,
    Pixels,
    Rows,
    Sum,
)
from impasto.stylizing.samples import Floats, RowSource, RowTarget, samples_of
from impasto.stylizing.strip_plan import Plan


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

"""The operations of graph.py in OpenVINO."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from impasto.stylizing.graph import Border, Doubling, folded, folded_border, folded_crop
from impasto.stylizing.openvino_runtime import op, ov
from impasto.stylizing.samples import Floats

EPSILON = 1e-5
PAD_MODES: dict[Border, str] = {"reflection": "reflect", "edge": "edge"}
HEIGHT_AND_WIDTH = [2, 3]


class OpenVinoOps:
    """Nodes of an OpenVINO graph."""

    def __init__(self, mix: Any) -> None:
        """`mix` is what the rows are mixed by: an array (styles,) once and for all, or a node (B or 1, styles)."""
        self.mix = mix

    def conv(self, x: Any, weight: Floats, bias: Floats | None, stride: int, border: Border) -> Any:
        width = weight.shape[2] // 2
        x, pads = _bordered(x, width, border)
        y = op.convolution(x, constant(weight), [stride] * 2, pads, pads, [1, 1])
        return y if bias is None else op.add(y, per_channel(bias))

    def conv_of_doubled(self, x: Any, weight: Floats, border: Border, how: Doubling) -> Any:
        x, (pad, _) = _bordered(x, 1, folded_border(border))
        return conv_of_doubled(x, weight, how, [pad, pad])

    def bilinear(self, x: Any) -> Any:
        return bilinear(x)

    def instance_norm(self, x: Any, scale: Floats, offset: Floats, *, relu: bool) -> Any:
        y = op.mvn(x, integers(HEIGHT_AND_WIDTH), True, EPSILON, "inside_sqrt")
        y = self.scaled(y, scale, offset)
        return op.relu(y) if relu else y

    def row(self, rows: Floats) -> Any:
        if isinstance(self.mix, np.ndarray):
            return self.mix @ rows
        return op.unsqueeze(op.matmul(self.mix, constant(rows), False, False), integers(HEIGHT_AND_WIDTH))

    def repeated(self, row: Any, times: int) -> Any:
        if isinstance(row, np.ndarray):
            return np.repeat(row, times)
        channels = row.get_output_partial_shape(0)[1].get_length()
        return op.gather(row, integers(np.repeat(np.arange(channels), times)), integers(1))

    def scaled(self, x: Any, scale: Any, offset: Any) -> Any:
        if not _is_plain(scale, 1):
            x = op.multiply(x, per_channel(scale))
        return x if _is_plain(offset, 0) else op.add(x, per_channel(offset))

    def add(self, x: Any, y: Any) -> Any:
        return op.add(x, y)

    def relu(self, x: Any) -> Any:
        return op.relu(x)

    def tanh(self, x: Any) -> Any:
        return op.tanh(x)

    def clamp(self, x: Any, low: float, high: float) -> Any:
        return op.clamp(x, low, high)

    def cells(self, x: Any, channels: int, side: int) -> Any:
        return op.space_to_depth(x, "depth_first", side)

    def pixels(self, x: Any, side: int) -> Any:
        return op.depth_to_space(x, "depth_first", side)

    def padded(self, x: Any, multiple: int) -> Any:
        sizes = _sizes(x)
        cells = op.divide(op.add(sizes, integers(multiple - 1)), integers(multiple))
        wanted = op.multiply(op.maximum(cells, integers(2)), integers(multiple))
        ends = op.concat([integers([0, 0]), op.subtract(wanted, sizes)], 0)
        return op.pad(x, integers([0, 0, 0, 0]), ends, "edge")

    def cropped(self, x: Any, like: Any) -> Any:
        return op.slice(x, integers([0, 0]), _sizes(like), integers([1, 1]), integers(HEIGHT_AND_WIDTH))


def conv_of_doubled(x: Any, weight: Floats, how: Doubling, zeros: list[int]) -> Any:
    """The folded convolution; `zeros` of its border, above and beside, are not in `x`."""
    crop = [folded_crop(how) - 2 * missing for missing in zeros]  # a row of zeros that is not there needs no cropping
    kernel = constant(folded(weight, how))
    return op.convolution_backprop_data(
        x, kernel, [2, 2], pads_begin=crop, pads_end=crop, dilations=[1, 1], auto_pad="explicit"
    )


def bilinear(x: Any) -> Any:
    """`x` enlarged twice."""
    return op.interpolate(
        x,
        constant([2, 2]),
        mode="linear_onnx",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="half_pixel",
        axes=integers(HEIGHT_AND_WIDTH),
    )


def _sizes(x: Any) -> Any:
    return op.gather(op.shape_of(x, ov.Type.i64), integers(HEIGHT_AND_WIDTH), integers(0))


def _bordered(x: Any, width: int, border: Border) -> tuple[Any, list[int]]:
    """`x` with its border where OpenVINO needs it written out, and the zeros that a convolution is to add itself."""
    if border == "zero" or not width:
        return x, [width] * 2
    ends = integers([0, 0, width, width])
    return op.pad(x, ends, ends, PAD_MODES[border]), [0, 0]


def constant(values: ArrayLike) -> ov.Output:
    return op.constant(np.ascontiguousarray(values, np.float32))


def _is_plain(value: Any, neutral: int) -> bool:
    """Whether `value` changes nothing."""
    return isinstance(value, np.ndarray | np.generic) and bool(np.all(value == neutral))


def per_channel(values: Any) -> Any:
    if not isinstance(values, np.ndarray | np.generic):
        return values  # a node already
    values = np.asarray(values, np.float32)
    return constant(values[None, :, None, None] if values.ndim else values)


def integers(values: Any) -> ov.Output:
    return op.constant(np.asarray(values, np.int64))

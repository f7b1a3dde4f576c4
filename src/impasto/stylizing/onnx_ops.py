"""The operations of graph.py in ONNX."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import helper, numpy_helper

from impasto.stylizing.graph import Border, Doubling, folded, folded_border, folded_crop
from impasto.stylizing.samples import Floats

OPSET = 21
IR_VERSION = 10
"""The oldest format that holds this opset, so that older runtimes read the file, too."""
EPSILON = 1e-5
PAD_MODES: dict[Border, str] = {"reflection": "reflect", "edge": "edge"}


class Row(NamedTuple):
    """A row that is mixed when the graph runs."""

    name: str
    channels: int


class OnnxOps:
    """Nodes of an ONNX graph; a value is the name of what a node gives."""

    def __init__(self, mix: Floats | str) -> None:
        """`mix` is what the rows are mixed by: (styles,) once and for all, or the name of an input (B or 1, styles)."""
        self.mix = mix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def conv(self, x: str, weight: Floats, bias: Floats | None, stride: int, border: Border) -> str:
        x, pad = self._bordered(x, weight.shape[2] // 2, border)
        parts = [x, self.constant(weight), *([] if bias is None else [self.constant(bias)])]
        return self.node("Conv", parts, strides=[stride] * 2, pads=[pad] * 4, kernel_shape=list(weight.shape[2:]))

    def conv_of_doubled(self, x: str, weight: Floats, border: Border, how: Doubling) -> str:
        x, pad = self._bordered(x, 1, folded_border(border))
        # A row of zeros that is not there needs no cropping.
        crop = folded_crop(how) - 2 * pad
        return self.node("ConvTranspose", [x, self.constant(folded(weight, how))], strides=[2, 2], pads=[crop] * 4)

    def bilinear(self, x: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")

    def instance_norm(self, x: str, scale: Floats | Row, offset: Floats | Row, *, relu: bool) -> str:
        if isinstance(scale, Row) or isinstance(offset, Row):  # the operator takes one row for all images
            assert isinstance(scale, Row)
            plain = (self.constant(fill(scale.channels, np.float32)) for fill in (np.ones, np.zeros))
            x = self.scaled(self.node("InstanceNormalization", [x, *plain], epsilon=EPSILON), scale, offset)
        else:
            rows = (self.constant(row) for row in (scale, offset))
            x = self.node("InstanceNormalization", [x, *rows], epsilon=EPSILON)
        return self.relu(x) if relu else x

    def row(self, rows: Floats) -> Floats | Row:
        if not isinstance(self.mix, str):
            return self.mix @ rows
        mixed = self.node("MatMul", [self.mix, self.constant(rows)])
        return Row(self.node("Unsqueeze", [mixed, self.integers([2, 3])]), rows.shape[1])

    def repeated(self, row: Floats | Row, times: int) -> Floats | Row:
        if not isinstance(row, Row):
            return np.repeat(row, times)
        order = self.integers(np.repeat(np.arange(row.channels), times))
        return Row(self.node("Gather", [row.name, order], axis=1), row.channels * times)

    def scaled(self, x: str, scale: Any, offset: Any) -> str:
        for kind, by, neutral in (("Mul", scale, 1), ("Add", offset, 0)):
            if isinstance(by, Row):
                x = self.node(kind, [x, by.name])
            elif np.any(by != neutral):
                values = np.asarray(by, np.float32)
                x = self.node(kind, [x, self.constant(values[:, None, None] if values.ndim else values)])
        return x

    def add(self, x: str, y: str) -> str:
        return self.node("Add", [x, y])

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def tanh(self, x: str) -> str:
        return self.node("Tanh", [x])

    def clamp(self, x: str, low: float, high: float) -> str:
        return self.node("Clip", [x, self.constant(np.float32(low)), self.constant(np.float32(high))])

    def cells(self, x: str, channels: int, side: int) -> str:
        # Its own SpaceToDepth puts the channel last, and runtimes do not agree on it: kernels that pick one pixel do.
        kernel = np.zeros((channels, side, side, channels, side, side), np.float32)
        for place in np.ndindex(channels, side, side):
            kernel[place + place] = 1
        picked = self.constant(kernel.reshape(-1, channels, side, side))
        return self.node("Conv", [x, picked], strides=[side] * 2)

    def pixels(self, x: str, side: int) -> str:
        return self.node("DepthToSpace", [x], blocksize=side, mode="CRD")

    def padded(self, x: str, multiple: int) -> str:
        sizes = self._sizes(x)
        up = self.node("Div", [self.node("Add", [sizes, self.integers(multiple - 1)]), self.integers(multiple)])
        cells = self.node("Max", [up, self.integers(2)])
        missing = self.node("Sub", [self.node("Mul", [cells, self.integers(multiple)]), sizes])
        ends = self.node("Concat", [self.integers([0] * 6), missing], axis=0)
        return self.node("Pad", [x, ends], mode="edge")

    def cropped(self, x: str, like: str) -> str:
        return self.node("Slice", [x, self.integers([0, 0]), self._sizes(like), self.integers([2, 3])])

    def _sizes(self, x: str) -> str:
        return self.node("Shape", [x], start=2)

    def _bordered(self, x: str, width: int, border: Border) -> tuple[str, int]:
        """`x` with its border where ONNX needs it written out, and the zeros that a convolution is to add itself."""
        if border == "zero" or not width:
            return x, width
        ends = self.integers([0, 0, width, width] * 2)
        return self.node("Pad", [x, ends], mode=PAD_MODES[border]), 0

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def constant(self, values: ArrayLike) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def integers(self, values: Any) -> str:
        return self.constant(np.asarray(values, np.int64))

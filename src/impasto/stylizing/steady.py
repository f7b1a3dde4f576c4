"""Norms that take statistics averaged over the frames of a video, so that what enters it does not change the rest.

An instance norm divides by what it sees: when something bright comes into the picture, all else becomes darker.
Averaged statistics let that come slowly. They cost more passes over each plane, and exposure that flickers, which
instance norm takes out, shows again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impasto.config import Precision
from impasto.files.style_file import Style
from impasto.stylizing.backends import Photos
from impasto.stylizing.graph import draw
from impasto.stylizing.openvino_backend import OpenVinoBackend, compiled, in_pixels
from impasto.stylizing.openvino_ops import EPSILON, HEIGHT_AND_WIDTH, OpenVinoOps, constant, integers, per_channel
from impasto.stylizing.openvino_runtime import op, ov
from impasto.stylizing.samples import Floats


class SteadyOps(OpenVinoOps):
    """The operations of graph.py, with statistics that are led from picture to picture."""

    def __init__(self, mix: Any, before: Any, share: Any) -> None:
        """`before` (1, 2·channels of all norms, 1, 1) are the averages so far, `share` (1, 1, 1, 1) what is new."""
        super().__init__(mix)
        self.before = before
        self.share = share
        self.after: list[Any] = []
        """The averages with this picture, norm by norm."""
        self._at = 0

    def instance_norm(self, x: Any, scale: Any, offset: Any, *, relu: bool) -> Any:
        axes, channels = integers(HEIGHT_AND_WIDTH), x.get_output_partial_shape(0)[1].get_length()
        mean = op.reduce_mean(x, axes, True)
        square = op.reduce_mean(op.multiply(x, x), axes, True)
        variance = op.relu(op.subtract(square, op.multiply(mean, mean)))
        mean, variance = self._averaged(op.concat([mean, variance], 1), 2 * channels)
        gain = op.divide(per_channel(scale), op.sqrt(op.add(variance, constant(np.float32(EPSILON)))))
        y = op.add(op.multiply(x, gain), op.subtract(per_channel(offset), op.multiply(mean, gain)))
        return op.relu(y) if relu else y

    def _averaged(self, now: Any, count: int) -> Any:
        ends = integers([self._at]), integers([self._at + count])
        before = op.slice(self.before, *ends, integers([1]), integers([1]))
        self._at += count
        self.after.append(op.add(before, op.multiply(self.share, op.subtract(now, before))))
        return op.split(self.after[-1], integers(1), 2).outputs()


class SteadyBackend:
    """The transformer network in OpenVINO for the frames of one video, in order, one at a time."""

    name = "openvino"

    def __init__(self, style: Style, precision: Precision = "float32") -> None:
        self.precision = precision
        self.share = 1.0
        """How much of the averages the next frame makes; 1 forgets those before."""
        self._plain = OpenVinoBackend(style, precision)
        self._request: Any = None
        self._size = (0, 0)
        channels = sum(rows.shape[1] for name, rows in style.tensors.items() if name.endswith("norm.scale"))
        self._averages = np.zeros((1, 2 * channels, 1, 1), np.float32)

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        """The stylized image of one frame, both uint8 (1, H, W, 3)."""
        if self._size != photos.shape[1:3]:
            self._size = photos.shape[1:3]
            self._request = compiled(self._model(len(mix)), self.precision)[0]
        share = np.full((1, 1, 1, 1), self.share, np.float32)
        given = [np.ascontiguousarray(photos), mix[None].astype(np.float32), self._averages, share]
        answer = self._request.infer(given, share_inputs=True)
        self._averages = np.array(answer[1])
        return np.array(answer[0])

    def working_memory(self, height: int, width: int) -> int:
        return self._plain.working_memory(height, width)

    def _model(self, styles: int) -> ov.Model:
        shapes = [1, 3, *self._size], [1, styles], self._averages.shape, [1, 1, 1, 1]
        inputs = [op.parameter(ov.PartialShape(list(shape)), ov.Type.f32) for shape in shapes]
        ops = SteadyOps(*inputs[1:])
        result = draw(ops, self._plain.style.network, self._plain.style.tensors, inputs[0])
        return in_pixels(result, inputs, [op.concat(ops.after, 1)])

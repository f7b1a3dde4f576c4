"""The ONNX Runtime backend, float32 on the CPU: where OpenVINO is not to be had."""

from __future__ import annotations

import numpy as np
import onnxruntime

from impasto.config import Precision
from impasto.files.style_file import Style
from impasto.stylizing.backends import Photos
from impasto.stylizing.onnx_export import MIX, PHOTOS, onnx_model
from impasto.stylizing.samples import Floats

BYTES_PER_CHANNEL = 24
BYTES_PER_PIXEL = 80


class OnnxBackend:
    """The transformer network in ONNX Runtime."""

    name = "onnxruntime"
    precision: Precision = "float32"

    def __init__(self, style: Style) -> None:
        self.network = style.network
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        model = onnx_model(style).SerializeToString()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        if photos.dtype == np.uint8:
            values = photos.transpose(0, 3, 1, 2).astype(np.float32)
            return np.ascontiguousarray(np.rint(self._run(values, mix)).astype(np.uint8).transpose(0, 2, 3, 1))
        return self._run(photos * np.float32(255), mix) / np.float32(255)

    def _run(self, values: Floats, mix: Floats) -> Floats:
        stylized: Floats = self.session.run(None, {PHOTOS: np.ascontiguousarray(values), MIX: mix[None]})[0]
        return stylized

    def working_memory(self, height: int, width: int) -> int:
        return height * width * (BYTES_PER_CHANNEL * self.network.width + BYTES_PER_PIXEL)

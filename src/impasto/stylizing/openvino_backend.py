"""The OpenVINO backend: the network's graph built straight from the style file."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from impasto.config import Precision
from impasto.files import caches
from impasto.files.lock import BusyError, alone, patient
from impasto.files.style_file import Style
from impasto.stylizing.backends import Photos
from impasto.stylizing.graph import draw
from impasto.stylizing.openvino_ops import OpenVinoOps, constant
from impasto.stylizing.openvino_runtime import PrePostProcessor, op, ov
from impasto.stylizing.samples import Floats

MOST_STREAMS = 4
KEPT_MODELS = 6
KEPT_BYTES = 1_000_000_000
"""Compiled models are kept for so many kinds of call and, since each holds its planes, so much memory."""
CACHED_FILES = 64
"""Compiled models on disk, of some hundred kilobytes to a few megabytes each."""
PATIENCE = 10
"""Seconds to wait for another process that compiles."""
BYTES_PER_CHANNEL = {"classic": 9.0, "turbo": 1.5}
"""Measured peak per pixel and channel of the first layer, by body; in float32 it is no more."""
BYTES_PER_PIXEL = 40
FIXED_BYTES = 60_000_000
ANY_SIZE = (-1, -1, -1)


@cache
def core() -> ov.Core:
    """OpenVINO, which keeps what it compiles on disk: its key is the model, its own version and the machine."""
    found = ov.Core()
    with suppress(OSError):
        folder = caches.folder("openvino")
        found.set_property({"CACHE_DIR": str(folder)})
        caches.keep_newest(folder, CACHED_FILES)
    return found


def use_threads(count: int) -> None:
    """Lets this process compute with so many threads (default: one a core)."""
    core().set_property("CPU", {"INFERENCE_NUM_THREADS": count})


def has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compiled(model: ov.Model, precision: Precision, streams: int = 1) -> list[ov.InferRequest]:
    """`model`, ready to run on the CPU, so often at the same time; together they take all cores."""
    # Names are counted on through a process, and they are part of the key that a compiled model is kept by.
    for number, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(str(number))
    for number, port in enumerate([*model.inputs, *model.outputs]):
        port.get_tensor().set_names({f"port {number}"})
    # OpenVINO takes bf16 by itself where the CPU has it, so float32 must be asked for.
    hint = "bf16" if precision == "bf16" else "f32"
    hints = {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": streams, "ENABLE_CPU_PINNING": False}
    ready = _from_cache(model, hints)
    return [ready.create_infer_request() for _ in range(streams)]


def _from_cache(model: ov.Model, hints: dict[str, Any]) -> ov.CompiledModel:
    """`model` as it was kept on disk, or compiled and then kept; only compiled where the disk fails."""
    folder = core().get_property("CACHE_DIR")
    if folder:
        # OpenVINO writes a file under its last name, and who reads it meanwhile is killed (SIGBUS).
        with suppress(BusyError, OSError, RuntimeError), alone(Path(folder), patient(PATIENCE)):
            return core().compile_model(model, "CPU", hints)
    return core().compile_model(model, "CPU", {**hints, "CACHE_DIR": ""})


class OpenVinoBackend:
    """The transformer network in OpenVINO, on the CPU.

    A photo of a new size goes through a model for any size; a size that comes again gets one of its own, about a
    tenth faster.
    """

    name = "openvino"

    def __init__(
        self, style: Style, precision: Precision = "float32", streams: int = 1, *, changing: bool = False
    ) -> None:
        """`streams` calls can be answered at the same time, each with its share of the cores.

        For mixes that keep `changing` there is one model for all of them, which is a little slower.
        """
        # Graphs are drawn when they are needed, with the weights of now.
        self.style = replace(style, tensors={name: value.copy() for name, value in style.tensors.items()})
        self.precision = precision
        self.streams = streams
        self.changing = changing
        self.kept_bytes = KEPT_BYTES
        self._models: OrderedDict[tuple[Any, ...], SimpleQueue[Any]] = OrderedDict()
        self._last: tuple[Any, ...] | None = None
        self._lock = threading.Lock()

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        with self._lock:
            requests = self._requests(photos, mix, photos.dtype == np.uint8)
        request = requests.get()  # each works in planes of its own, so for one call at a time
        try:
            given = [np.ascontiguousarray(photos), *([mix[None].astype(np.float32)] if self.changing else [])]
            return np.array(request.infer(given, share_inputs=True)[0])
        finally:
            requests.put(request)

    def working_memory(self, height: int, width: int) -> int:
        config = self.style.network
        per_pixel = int(BYTES_PER_CHANNEL[config.body] * config.width) + BYTES_PER_PIXEL
        return FIXED_BYTES + height * width * per_pixel

    def _requests(self, photos: Photos, mix: Floats, as_pixels: bool) -> SimpleQueue[Any]:
        batch, (height, width) = photos.shape[0], photos.shape[1:3] if as_pixels else photos.shape[2:]
        call = (b"" if self.changing else mix.tobytes(), as_pixels, batch, height, width)
        size = (batch, height, width) if call == self._last or (*call,) in self._models else ANY_SIZE
        self._last = call
        key = (*call[:2], *size)
        if key not in self._models:
            self._models[key] = SimpleQueue()
            for request in compiled(self.model(mix, as_pixels, size), self.precision, self.streams):
                self._models[key].put(request)
        self._models.move_to_end(key)
        while len(self._models) > 1 and (len(self._models) > KEPT_MODELS or self._kept() > self.kept_bytes):
            self._models.popitem(last=False)
        return self._models[key]

    def _kept(self) -> int:
        """Bytes that the compiled models of one size hold."""
        sizes = [(batch, height, width) for _, _, batch, height, width in self._models if batch > 0]
        each: list[int] = [batch * self.working_memory(height, width) for batch, height, width in sizes]
        return self.streams * sum(each)

    def for_many(self, *, changing: bool = False) -> OpenVinoBackend:
        """For many photos one after the other: several at a time, so that reading and writing slow down but one."""
        return self._with(min(MOST_STREAMS, os.cpu_count() or 1), changing)

    def for_changing(self) -> OpenVinoBackend:
        """For one photo at a time, in mixes that keep changing."""
        return self._with(self.streams, True)

    def _with(self, streams: int, changing: bool) -> OpenVinoBackend:
        if (streams, changing) == (self.streams, self.changing):
            return self
        return OpenVinoBackend(self.style, self.precision, streams, changing=changing)

    def model(self, mix: Floats, as_pixels: bool, size: tuple[int, int, int] = ANY_SIZE) -> ov.Model:
        """The graph, from uint8 (B, H, W, 3) or float32 (B, 3, H, W) in [0, 1] to the same."""
        batch, height, width = size
        photos = op.parameter(ov.PartialShape([batch, 3, height, width]), ov.Type.f32, name="photos")
        values = photos if as_pixels else op.multiply(photos, constant(np.float32(255)))
        inputs = [photos]
        if self.changing:
            inputs.append(op.parameter(ov.PartialShape([1, len(mix)]), ov.Type.f32, name="mix"))
        result = draw(OpenVinoOps(inputs[1] if self.changing else mix), self.style.network, self.style.tensors, values)
        if not as_pixels:
            return ov.Model([op.multiply(result, constant(np.float32(1 / 255)))], inputs, "impasto")
        return in_pixels(result, inputs)


def in_pixels(result: Any, inputs: list[Any], more: Sequence[Any] = ()) -> ov.Model:
    """The model of a graph whose first input and first output are uint8 (B, H, W, 3); `more` are further outputs."""
    # What becomes an integer is cut off, not rounded.
    model = ov.Model([op.add(result, constant(np.float32(0.5))), *more], inputs, "impasto")
    steps = PrePostProcessor(model)
    for place in (steps.input(0), steps.output(0)):
        place.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        place.model().set_layout(ov.Layout("NCHW"))
    return steps.build()

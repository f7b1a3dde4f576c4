"""What runs the transformer network: one small interface, chosen by what is installed."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.files.style_file import Style

PROBE_TOLERANCE = 1.0 / 255
"""Largest difference to the style file's own answer that a backend may show, of the pixel range [0, 1]."""

Floats = NDArray[np.float32]


class Backend(Protocol):
    """A transformer network that is ready to run."""

    name: str

    def __call__(self, photos: Floats, mix: Floats) -> Floats:
        """Stylized images (B, 3, H, W) in [0, 1] of `photos` likewise; `mix` (B, styles) weighs the styles."""
        ...

    def working_memory(self, height: int, width: int) -> int:
        """Bytes that one image of this size takes at its peak."""
        ...


def make_backend(style: Style, device: Device = "auto") -> Backend:
    """The backend for `style` on this machine, checked against the style file's probe.

    Raises:
        ImpastoError: the weights do not fit the network, or the backend computes something else.
    """
    from impasto.stylizing.torch_backend import TorchBackend

    backend = TorchBackend(style, device)
    check(backend, style)
    return backend


def check(backend: Backend, style: Style) -> None:
    """Compares the backend with the float32 answer in the style file. Raises ImpastoError if it is off."""
    photo = np.ascontiguousarray(style.probe_photo.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)
    mix = np.eye(style.network.styles, dtype=np.float32)[:1]
    answer = backend(photo, mix)
    if answer.shape != style.probe_stylized.shape:
        raise ImpastoError("the style file's probe has another size than its answer; copy or train the style again")
    worst = float(np.abs(answer - style.probe_stylized).max())
    if not worst <= PROBE_TOLERANCE:
        raise ImpastoError(
            f"the {backend.name} backend is off by {255 * worst:.1f} of 255 from the answer in the style file; "
            "the file's weights were changed, or this machine computes wrongly"
        )

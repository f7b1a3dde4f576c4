"""How a picture that is too large for the memory is cut into strips, and what that takes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from impasto.config import Body, NetworkConfig
from impasto.errors import ImpastoError

KEPT_TYPE = np.float16
"""Of planes kept between passes: 11 bits, where bfloat16 has 8."""
KEPT_PLANES = 3
"""What is kept at a time: a block's input, its change, and their sum."""
MOST_ROWS = 64
"""Of the picture in a strip: more make it no faster."""
LEAST_ROWS = 16
BYTES_PER_CHANNEL: dict[Body, int] = {"classic": 100, "turbo": 30}
"""Measured peak of a strip per pixel and channel of the first layer, by body; float32."""
FIXED_BYTES = 80_000_000


class Plan(NamedTuple):
    """How to go through a picture."""

    strip: int
    """Rows at a time, a multiple of the network's grid."""
    spill: Path | None = None
    """Folder of the temporary files for what is kept between passes; None keeps it in memory."""


def make_plan(network: NetworkConfig, height: int, width: int, memory: float) -> Plan:
    """The largest strips that `memory` bytes allow.

    Raises:
        ImpastoError: not even the smallest strips fit, or the disk has no room for what is kept between passes.
    """
    kept, row = kept_bytes(network, height, width), row_bytes(network, width)
    in_memory = kept + MOST_ROWS * row + FIXED_BYTES <= memory
    rows = MOST_ROWS if in_memory else int((memory - FIXED_BYTES) / row)
    if rows < LEAST_ROWS:
        least = least_memory(network, height, width)
        raise ImpastoError(
            f"{width}×{height} pixels take {least / 1e6:,.0f} MB even in strips, and {memory / 1e6:,.0f} MB may be "
            "used; allow more with --max-memory, or make the picture smaller with --size"
        )
    folder = None if in_memory else Path(tempfile.gettempdir())
    if folder is not None and shutil.disk_usage(folder).free < kept:
        raise ImpastoError(
            f"{width}×{height} pixels need {kept / 1e9:.1f} GB of temporary files, and {folder} has not so much room; "
            "name another folder with the environment variable TMPDIR"
        )
    return Plan(min(MOST_ROWS, rows) // network.downsampling * network.downsampling, folder)


def least_memory(network: NetworkConfig, height: int, width: int) -> int:
    """Bytes that the smallest strips take."""
    return FIXED_BYTES + LEAST_ROWS * row_bytes(network, width)


def row_bytes(network: NetworkConfig, width: int) -> int:
    """Bytes for each row of the picture in a strip."""
    return BYTES_PER_CHANNEL[network.body] * network.width * width


def kept_bytes(network: NetworkConfig, height: int, width: int) -> int:
    """Bytes of all that is kept between passes."""
    channels = network.width * (4 if network.body == "classic" else 1)
    cells = (height // network.downsampling + 1) * (width // network.downsampling + 1)
    return KEPT_PLANES * channels * cells * np.dtype(KEPT_TYPE).itemsize

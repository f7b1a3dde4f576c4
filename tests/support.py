"""What tests share that is no fixture."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import numpy as np
from PIL import Image

Command = Callable[..., subprocess.CompletedProcess[str]]


def photo(seed: int, width: int = 48, height: int = 40) -> Image.Image:
    """A smooth coloured picture that no other seed gives."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)

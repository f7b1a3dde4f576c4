"""Which device computes."""

from __future__ import annotations

import torch

from impasto.config import Device
from impasto.errors import ImpastoError


def choose_device(device: Device) -> Device:
    """cuda, mps or cpu: the one asked for, or the best there is for auto.

    Raises:
        ImpastoError: an unknown device, or one that is not here.
    """
    here: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, available in here.items() if available)
    if device not in here:
        raise ImpastoError(f"--device is {device!r}; it must be one of auto, {', '.join(here)}")
    if not here[device]:
        raise ImpastoError(f"--device {device}: this machine has none that torch can use; take --device auto or cpu")
    return device


def has_bf16() -> bool:
    """Whether the CUDA device here multiplies bfloat16 itself."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))

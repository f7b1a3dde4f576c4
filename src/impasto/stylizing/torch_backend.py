"""The PyTorch backend: CPU, CUDA or MPS."""

from __future__ import annotations

import numpy as np
import torch

from impasto.config import Device, Precision
from impasto.core.device import choose_device
from impasto.core.transformer import TransformerNet
from impasto.files.style_file import Style
from impasto.stylizing.backends import Photos
from impasto.stylizing.samples import Floats

BYTES_PER_CHANNEL = {"zero": 24, "reflection": 33}
"""Measured peak of the eager network per pixel and channel of its first layer, by padding."""
BYTES_PER_PIXEL = 80
"""What the photo's own planes take on top."""


class TorchBackend:
    """The transformer network in eager PyTorch."""

    name = "torch"

    def __init__(self, style: Style, device: Device = "auto", precision: Precision = "float32") -> None:
        self.device = torch.device(choose_device(device))
        self.precision = precision
        with torch.device("meta"):
            self.network = TransformerNet(style.network).eval()
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in style.tensors.items()}
        self.network.load_state_dict(tensors, assign=True)
        self.network.requires_grad_(False).to(self.device)
        if precision == "bf16":
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        try:
            return self._answer(photos, mix)
        except torch.OutOfMemoryError as error:  # the accelerator's
            raise MemoryError(str(error)) from error

    def _answer(self, photos: Photos, mix: Floats) -> Photos:
        weights = torch.from_numpy(np.ascontiguousarray(mix))
        # Float32 is what was asked for, not the ten bits of TF32 that cuDNN takes for it.
        exact = torch.backends.cudnn.flags(allow_tf32=False)
        half = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")
        with torch.inference_mode(), exact, half:
            given = torch.from_numpy(np.require(photos, requirements=["C", "W"])).to(self.device)
            if given.dtype != torch.uint8:
                return np.asarray(self.network(given, weights).cpu().numpy(), dtype=np.float32)
            stylized = self.network(given.permute(0, 3, 1, 2).float() / 255, weights)
            return np.asarray((stylized * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy())

    def working_memory(self, height: int, width: int) -> int:
        config = self.network.config
        return height * width * (BYTES_PER_CHANNEL[config.padding] * config.width + BYTES_PER_PIXEL)

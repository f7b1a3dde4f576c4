"""The PyTorch backend: CPU, CUDA or MPS."""

from __future__ import annotations

import numpy as np
import torch

from impasto.config import Device
from impasto.core.device import choose_device
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files.style_file import Style
from impasto.stylizing.backends import Floats

BYTES_PER_CHANNEL = {"zero": 24, "reflection": 33}
"""Measured peak of the eager network per pixel and channel of its first layer, by padding."""
BYTES_PER_PIXEL = 80
"""What the photo's own planes take on top."""


class TorchBackend:
    """The transformer network in eager PyTorch, float32."""

    name = "torch"

    def __init__(self, style: Style, device: Device = "auto") -> None:
        self.device = torch.device(choose_device(device))
        # Without memory of its own until the weights are known to fit: a file may claim any architecture.
        with torch.device("meta"):
            self.network = TransformerNet(style.network).eval()
        try:
            tensors = {name: torch.from_numpy(np.array(value)) for name, value in style.tensors.items()}
            self.network.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
            raise ImpastoError(f"the style file's weights do not fit its network: {first}") from error
        self.network.requires_grad_(False).to(self.device)

    def __call__(self, photos: Floats, mix: Floats) -> Floats:
        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(photos)).to(self.device)
            result = self.network(pixels, torch.from_numpy(np.ascontiguousarray(mix)))
            return np.asarray(result.cpu().numpy(), dtype=np.float32)

    def working_memory(self, height: int, width: int) -> int:
        config = self.network.config
        return height * width * (BYTES_PER_CHANNEL[config.padding] * config.width + BYTES_PER_PIXEL)

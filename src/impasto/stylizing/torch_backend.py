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

BYTES_PER_PIXEL_AND_CHANNEL = 32
"""Peak of the eager network per pixel and channel of its first layer: measured 22 with zero padding, 31 reflecting."""


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
        return BYTES_PER_PIXEL_AND_CHANNEL * height * width * self.network.config.width

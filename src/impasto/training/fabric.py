"""Devices and precisions, by Lightning Fabric."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import ClusterEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import nn

from impasto.config import QUICK_BF16_BATCH, RECIPES, Device, Precision
from impasto.core.device import has_bf16

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def choose_precision(precision: Precision, device: Device) -> Precision:
    """bf16 or float32 where `precision` is auto: bf16 where the device computes it natively."""
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bf16" if has_bf16() else "float32"
    if device == "cpu":
        # A CPU without such instructions emulates them, slower than float32. torch < 2.10 can't tell.
        able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"
    return "float32"


def quick_batch(precision: Precision, device: Device) -> int:
    """Photos of a step of the recipe `quick` on drawn images, on this machine."""
    # On two cores of Zen 5 two pieces of 160×160 take a sixth longer than one in bf16, two thirds longer in float32.
    native = precision != "float32" and choose_precision("auto", device) == "bf16"
    return QUICK_BF16_BATCH if native else int(RECIPES["quick"]["batch_size"])


def lay_out(module: ModuleT, fabric: Fabric) -> ModuleT:
    """`module` on the fabric's device, in the memory layout that its convolutions are fastest in."""
    # A step of oneDNN is 1.1 to 2 times faster so, most in bf16. On an H100 instance norm, photo by photo, ate it up.
    if fabric.device.type == "cpu":
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.to(fabric.device)


def make_fabric(
    device: Device, precision: Precision, place: ClusterEnvironment | None = None, devices: int = 1, nodes: int = 1
) -> Fabric:
    """On one device, or at `place` among `devices` on each of `nodes` computers."""
    # Fabric reports on the terminal what the configuration says anyway.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind = "bf16-mixed" if precision == "bf16" else "32-true"
    if place is None:
        return Fabric(accelerator=device, devices=1, precision=kind)
    # The networks have no buffers to agree on, and run several times before they learn.
    strategy = DDPStrategy(broadcast_buffers=False)
    fabric = Fabric(
        accelerator=device, devices=devices, num_nodes=nodes, precision=kind, strategy=strategy, plugins=[place]
    )
    fabric.launch()
    return fabric

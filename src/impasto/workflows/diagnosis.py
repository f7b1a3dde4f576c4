"""What this machine repaints with, and how fast: `impasto doctor` and `impasto bench`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from impasto.config import BackendName, Device, Precision
from impasto.errors import ImpastoError
from impasto.files import caches, gallery
from impasto.files.style_file import IDENTITY
from impasto.stylizing import backends
from impasto.stylizing.stylizer import free_memory
from impasto.workflows.bundled import find_style

PACKAGES = ("openvino", "onnxruntime", "onnx", "torch", "lightning-fabric", "pyvips", "av", "gradio", "ray")
PLAIN = "plain"
"""The usual network of the field in eager PyTorch, float32."""
WARM_UP = 3
LEAST_RUNS = 5


@dataclass(frozen=True)
class Machine:
    """What the program runs on."""

    system: str
    processor: str
    cores: int
    """That this process may use."""
    free_memory: int | None
    """Bytes."""
    python: str
    packages: dict[str, str | None]
    """Versions by name; None is not installed."""
    cache: Path
    """Where compiled models and downloaded weights are kept."""


@dataclass(frozen=True)
class Verdict:
    """One way to run the networks, tried."""

    choice: backends.Choice
    state: Literal["taken", "ready", "off", "missing"]
    why: str
    psnr: float | None = None
    """Decibels to the answer in the style file."""


def machine() -> Machine:
    """Facts of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        f"{platform.system()} {platform.release()} {platform.machine()}",
        _processor(),
        cores,
        free_memory(),
        platform.python_version(),
        {name: _version(name) for name in PACKAGES},
        caches.location("openvino").parent,
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def verdicts(style: str = "great_wave") -> Iterator[Verdict]:
    """Every backend in the order in which they are asked, tried with a style: which is taken, and why."""
    loaded, taken = gallery.load(find_style(style)[0]), False
    for choice in backends.choices():
        if not choice.available:
            yield Verdict(choice, "missing", choice.why)
            continue
        try:
            psnr = backends.check(backends.build(loaded, choice), loaded, choice.precision)
        except ImpastoError as error:
            yield Verdict(choice, "off", str(error))
            continue
        except Exception as error:  # whatever a broken installation raises
            yield Verdict(choice, "off", f"cannot be used: {str(error).splitlines()[0] if str(error) else error!r}")
            continue
        yield Verdict(choice, "ready" if taken else "taken", choice.why, psnr)
        taken = True


@dataclass(frozen=True)
class Timing:
    """How long a network takes for one picture."""

    network: str
    width: int
    height: int
    how: str
    """Backend, precision and device."""
    seconds: float
    """Median."""
    peak_memory: int | None
    """Bytes of the whole process; None where the system does not tell."""
    runs: int


def bench(
    styles: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    *,
    backend: BackendName = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    plain: bool = True,
    seconds: float = 3.0,
    batch: int = 1,
) -> Iterator[Timing]:
    """Times networks on pictures of `sizes` (width, height), from pixels to pixels, each in a process of its own.

    Args:
        plain: also time the usual network of the field in eager PyTorch, where torch is installed.
        seconds: how long each is run, several times at least.
    Raises:
        ImpastoError: an unknown style, or a backend that is not here.
    """
    for style in styles:
        find_style(style)
    backends.choices(device, backend, precision)
    plain = plain and importlib.util.find_spec("torch") is not None
    for size in sizes:
        if plain:
            yield _apart(_time_plain, size, seconds, batch)
        for style in styles:
            yield _apart(_time_style, style, size, (device, backend, precision), seconds, batch)


def _apart(timed: Callable[..., Timing], *arguments: object) -> Timing:
    """In a process of its own, so that the memory is that of one network."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(timed, *arguments).result()
        except BrokenProcessPool as error:
            raise ImpastoError(
                "the process that was measured was killed, probably for its memory; take smaller --sizes or --batch"
            ) from error


def _time_style(
    style: str, size: tuple[int, int], how: tuple[Device, BackendName, Precision], seconds: float, batch: int
) -> Timing:
    path, row = find_style(style)
    loaded = gallery.load(path)
    backend = backends.make_backend(loaded, *how)
    names = [name for name in loaded.names if name != IDENTITY]
    mix = np.zeros(len(loaded.names), np.float32)
    mix[loaded.names.index(row if isinstance(row, str) else names[row])] = 1
    photos = np.stack([picture(*size)] * batch)
    took, runs = _median(lambda: backend(photos, mix), seconds)
    return Timing(style, *size, f"{backend.name} {backend.precision}", took / batch, _peak_memory(), runs)


def _time_plain(size: tuple[int, int], seconds: float, batch: int) -> Timing:
    import torch

    from impasto.evaluation.plain import plain_network

    network = plain_network().eval()
    photos = torch.from_numpy(np.stack([picture(*size)] * batch))

    def run() -> None:
        with torch.inference_mode():
            network(photos.permute(0, 3, 1, 2).float()).clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()

    took, runs = _median(run, seconds)
    return Timing(PLAIN, *size, "torch float32, eager", took / batch, _peak_memory(), runs)


def _median(run: Callable[[], object], seconds: float) -> tuple[float, int]:
    for _ in range(WARM_UP):
        run()
    times: list[float] = []
    while len(times) < LEAST_RUNS or sum(times) < seconds:
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times), len(times)


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """A picture (height, width, 3) with something in it."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 100 * np.sin(x / (20 + 9 * n)) * np.cos(y / (30 - 7 * n)) for n in range(3)]
    noise = np.random.default_rng(0).integers(-20, 20, (height, width, 1))
    return (np.stack(planes, axis=-1) + noise).clip(0, 255).astype(np.uint8)


def _peak_memory() -> int | None:
    if importlib.util.find_spec("resource") is None:
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

"""`impasto bench`."""

from __future__ import annotations

import re
from typing import Annotated

from cyclopts import Parameter

from impasto import workflows
from impasto.cli.progress import console, error_console
from impasto.config import BackendName, Device, Precision
from impasto.errors import ImpastoError

Several = Parameter(consume_multiple=True)
STYLES = ("great_wave", "great_wave-turbo")
SIZES = ("512x512", "1280x720", "1920x1080")


def bench(
    *styles: str,
    sizes: Annotated[tuple[str, ...], Several] = SIZES,
    backend: BackendName = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
    batch: int = 1,
    seconds: float = 3.0,
    plain: Annotated[bool, Parameter(negative="--no-plain")] = True,
) -> None:
    """Measure frames a second and memory on this machine; prints a Markdown table to paste.

    Parameters
    ----------
    styles
        Bundled styles or style files (default: one of each bundled network).
    sizes
        Width and height of the pictures, such as 1280x720.
    backend
        openvino, onnxruntime or torch (default: what `impasto stylize` would take).
    precision
        float32 or bf16.
    device
        auto, cpu, cuda or mps.
    batch
        Pictures that go through the network together.
    seconds
        How long each is run.
    plain
        Measure the usual network of the field in eager PyTorch beside it, where torch is installed.
    """
    if not 1 <= batch <= 64:
        raise ImpastoError(f"--batch is {batch}; it must lie between 1 and 64")
    wanted = [parsed_size(size) for size in sizes]
    here = workflows.machine()
    console.print(f"{here.processor}, {here.cores} cores; medians, from pixels to pixels\n")
    console.print("| network | size | backend | ms | frames/s | times plain | peak memory |")
    console.print("|---|---|---|---:|---:|---:|---:|")
    of_plain: dict[tuple[int, int], float] = {}
    if plain and here.packages["torch"] is None:
        error_console.print("impasto: torch is not installed, so there is no plain network to compare with")
    for timing in workflows.bench(
        styles or STYLES,
        wanted,
        backend=backend,
        device=device,
        precision=precision,
        plain=plain,
        seconds=seconds,
        batch=batch,
    ):
        size = timing.width, timing.height
        if timing.network == workflows.PLAIN:
            of_plain[size] = timing.seconds
        ratio = f"{of_plain[size] / timing.seconds:.1f}" if size in of_plain else ""
        memory = "" if timing.peak_memory is None else f"{timing.peak_memory / 1e6:.0f} MB"
        numbers = f"{three_digits(1000 * timing.seconds)} | {three_digits(1 / timing.seconds)} | {ratio} | {memory}"
        console.print(f"| {timing.network} | {timing.width}×{timing.height} | {timing.how} | {numbers} |")


def parsed_size(text: str) -> tuple[int, int]:
    """(width, height) of 1280x720. Raises ImpastoError for anything else."""
    found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text.strip().lower())
    if found is None or not all(16 <= int(side) <= 20_000 for side in found.groups()):
        raise ImpastoError(f"--sizes has {text!r}; write width and height, 16 to 20000, such as 1280x720")
    return int(found[1]), int(found[2])


def three_digits(number: float) -> str:
    """A number with three digits, or as many as it has before the point."""
    return f"{number:.0f}" if number >= 100 else f"{number:.{2 if number < 10 else 1}f}"

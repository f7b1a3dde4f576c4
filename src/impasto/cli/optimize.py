"""`impasto optimize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto import workflows
from impasto.cli.progress import console
from impasto.cli.work_bar import WorkBar
from impasto.config import Device
from impasto.evaluation.options import OptimizeOptions

USUAL = OptimizeOptions()


def optimize(
    photo: Path,
    /,
    *,
    painting: Path,
    out: Path,
    options: Annotated[OptimizeOptions, Parameter(name="*")] = USUAL,
    device: Device = "auto",
    overwrite: bool = False,
) -> None:
    """Repaint one photo by optimizing its pixels: no style file, but minutes instead of a moment.

    Ctrl-C ends it early and writes what is there.

    Parameters
    ----------
    photo
        The photo.
    painting
        The style image.
    out
        The image file to write.
    device
        auto, cpu, cuda or mps.
    overwrite
        Replace a file that exists.
    """
    with WorkBar("reading the pictures") as bar:
        result = workflows.optimize(
            photo,
            painting,
            out,
            options,
            device=device,
            overwrite=overwrite,
            on_progress=bar,
            on_download=bar.download,
            announce=bar.announce,
        )
    if result.stopped:
        console.print(f"stopped after {result.steps} of {options.steps} steps; this is the best so far:")
    console.print(str(result.path))

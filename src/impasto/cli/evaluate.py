"""`impasto evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto import workflows
from impasto.cli.evaluation_tables import LEGEND, tables
from impasto.cli.progress import console
from impasto.cli.work_bar import WorkBar
from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.evaluation.options import EvaluateOptions

USUAL = EvaluateOptions()


def evaluate(
    *style: str,
    painting: Path,
    photos: Annotated[list[Path], Parameter(consume_multiple=True)],
    options: Annotated[EvaluateOptions, Parameter(name="*", consume_multiple=True)] = USUAL,
    out: Path | None = None,
    reuse: Path | None = None,
    overwrite: bool = False,
    device: Device = "auto",
) -> None:
    """Measure styles: how many steps of optimization from scratch is one pass of a style worth?

    Parameters
    ----------
    style
        Bundled styles' names or style files, all of the same painting.
    painting
        The style image.
    photos
        Folders of photos, or photos.
    out
        Folder for report.html, report.json and pictures.
    reuse
        A report.json of the same painting, photos, judge and steps, whose optimization is taken again.
    overwrite
        Replace a report that exists.
    device
        auto, cpu, cuda or mps.
    """
    if not style:
        raise ImpastoError("which style? Use: impasto evaluate STYLE --painting FILE --photos FOLDER")
    with WorkBar("reading the photos") as bar:
        report = workflows.evaluate(
            style,
            painting,
            photos,
            options,
            out=out,
            reuse=reuse,
            overwrite=overwrite,
            device=device,
            on_progress=bar,
            on_download=bar.download,
            announce=bar.announce,
        )
    for table in tables(report):
        console.print(table)
    console.print(LEGEND)
    if out is not None:
        console.print(f"{out / 'report.html'} shows the pictures")

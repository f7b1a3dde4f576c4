"""`impasto evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto import workflows
from impasto.cli.evaluation_tables import LEGEND, steadiness_table, tables
from impasto.cli.progress import console
from impasto.cli.work_bar import ShareBar, WorkBar
from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.evaluation.options import EvaluateOptions

USUAL = EvaluateOptions()


def evaluate(
    *style: str,
    painting: Path | None = None,
    photos: Annotated[list[Path], Parameter(consume_multiple=True)],
    options: Annotated[EvaluateOptions, Parameter(name="*", consume_multiple=True)] = USUAL,
    temporal: bool = False,
    out: Path | None = None,
    reuse: Path | None = None,
    overwrite: bool = False,
    device: Device = "auto",
) -> None:
    """Measure styles: how many steps of optimization from scratch is one pass of a style worth? Or: how steady is it?

    Parameters
    ----------
    style
        Bundled styles' names or style files, all of the same painting.
    painting
        The style image.
    photos
        Folders of photos, or photos.
    temporal
        Measure instead how steady the styles are: what changes where a photo only moves or gets noise. Needs no
        painting.
    out
        Folder for report.html, report.json and pictures; with --temporal for steadiness.json.
    reuse
        A report.json of the same painting, photos, judge and steps, whose optimization is taken again.
    overwrite
        Replace a report that exists.
    device
        auto, cpu, cuda or mps.
    """
    if not style:
        raise ImpastoError("which style? Use: impasto evaluate STYLE --painting FILE --photos FOLDER")
    if temporal:
        _steadiness(style, photos, options.count, out, overwrite, device)
        return
    if painting is None:
        raise ImpastoError("of which painting are they? Add --painting FILE; --temporal needs none")
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


def _steadiness(
    styles: tuple[str, ...], photos: list[Path], count: int, out: Path | None, overwrite: bool, device: Device
) -> None:
    with ShareBar("moving the photos") as bar:
        found = workflows.steadiness(
            styles, photos, count, out=out, overwrite=overwrite, device=device, on_progress=bar, announce=console.print
        )
    console.print(steadiness_table(found))
    console.print("RMS difference from where the picture should have gone, in percent of the range: less is steadier.")

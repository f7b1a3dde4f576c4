"""`impasto evaluate`."""

from __future__ import annotations

import shlex
import sys
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
    resume: bool = False,
    overwrite: bool = False,
    device: Device = "auto",
) -> None:
    """Measure styles: how many steps of optimization from scratch is one pass of a style worth? Or: how steady is it?

    What is done is kept in --out: a run that is stopped or killed loses at most the photo that it is at.

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
    resume
        Go on where the same command was stopped; what has changed since is computed anew.
    overwrite
        Replace a report that exists, or what a stopped evaluation has done.
    device
        auto, cpu, cuda or mps.
    """
    if not style:
        raise ImpastoError("which style? Use: impasto evaluate STYLE --painting FILE --photos FOLDER")
    _check_resume(resume, overwrite, temporal, out)
    if temporal:
        _steadiness(style, photos, options.count, out, overwrite, device)
        return
    if painting is None:
        raise ImpastoError("of which painting are they? Add --painting FILE; --temporal needs none")
    try:
        with WorkBar("reading the photos") as bar:
            report = workflows.evaluate(
                style,
                painting,
                photos,
                options,
                out=out,
                reuse=reuse,
                resume=resume,
                overwrite=overwrite,
                device=device,
                on_progress=bar,
                on_download=bar.download,
                announce=bar.announce,
            )
    except workflows.EvaluationStopped as stopped:
        raise KeyboardInterrupt(f"{stopped}; go on with: {_resumed()}" if stopped.kept else str(stopped)) from stopped
    for table in tables(report):
        console.print(table)
    console.print(LEGEND)
    if out is not None:
        console.print(f"{out / 'report.html'} shows the pictures")


def _check_resume(resume: bool, overwrite: bool, temporal: bool, out: Path | None) -> None:
    if resume and overwrite:
        raise ImpastoError("--resume goes on with what is there, and --overwrite replaces it; name one")
    if resume and temporal:
        raise ImpastoError("--temporal takes minutes and keeps nothing to go on with; leave --resume out")
    if resume and out is None:
        raise ImpastoError("which evaluation is to go on? Add the --out that it was begun with")


def _resumed() -> str:
    """This command, going on."""
    given = [word for word in sys.argv[1:] if word.partition("=")[0] not in ("--resume", "--overwrite")]
    # Behind the subcommand, since all that follows a bare -- is no option.
    return shlex.join(["impasto", *given[:1], "--resume", *given[1:]])


def _steadiness(
    styles: tuple[str, ...], photos: list[Path], count: int, out: Path | None, overwrite: bool, device: Device
) -> None:
    with ShareBar("moving the photos") as bar:
        found = workflows.steadiness(
            styles, photos, count, out=out, overwrite=overwrite, device=device, on_progress=bar, announce=console.print
        )
    console.print(steadiness_table(found))
    console.print("RMS difference from where the picture should have gone, in percent of the range: less is steadier.")

"""A style measured by the judge, into a report and a ZIP of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.studio import records
from impasto.studio.desk import Desk
from impasto.studio.work.packing import pack
from impasto.studio.work.table import table_of

if TYPE_CHECKING:
    from impasto.evaluation.meter import Progress

REPORT, ARCHIVE, TABLE = "report", "report.zip", "table.json"


def run(desk: Desk) -> None:
    """Evaluates; one that was stopped goes on with what it has kept."""
    folder = desk.results / REPORT
    desk.tell(now=True, what="loading the judge", done=0.0, elapsed=0.0)
    report = workflows.evaluate(
        str(desk.request["style"]),
        _painting(desk),
        _photos(desk),
        _options(desk),
        out=folder,
        resume=folder.exists(),
        on_progress=_teller(desk),
        announce=_announcer(desk),
    )
    pack(folder, desk.results / ARCHIVE)
    records.write(desk.results / TABLE, table_of(report, str(desk.request.get("title") or desk.request["style"])))
    desk.tell(what="the report is ready")


def _options(desk: Desk) -> workflows.EvaluateOptions:
    request = desk.request
    return workflows.EvaluateOptions(
        count=int(request.get("count", 4)), sizes=(int(request.get("size", 256)),), steps=int(request.get("steps", 100))
    )


def _painting(desk: Desk) -> Path:
    """The painting that was given, the bundled one that is named, or the one that the bundled style is of."""
    given = desk.given("painting")
    if given:
        return given[0]
    name = str(desk.request.get("painting") or str(desk.request["style"]).removesuffix("-turbo"))
    if name not in workflows.paintings():
        raise ImpastoError("which painting is the style of? Add its picture")
    return workflows.painting_path(name)


def _photos(desk: Desk) -> list[Path]:
    """Those that were given, or the sample photos."""
    given = desk.given("photos")
    if given:
        return given
    folder = desk.folder / "samples"
    paths = [folder / f"{name}.png" for name in workflows.SAMPLE_PHOTOS]
    for path, pixels in zip(paths, workflows.sample_photos(), strict=True):
        if not path.exists():
            images.write(path, images.Picture(pixels))
    return paths


def _teller(desk: Desk) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        desk.obey()
        desk.tell(
            done=progress.done, elapsed=progress.elapsed, remaining=progress.remaining, what=desk.said(progress.what)
        )

    return tell


def _announcer(desk: Desk) -> Callable[[str], None]:
    def announce(text: str) -> None:
        desk.note(text)
        desk.tell(what=desk.said(text))

    return announce

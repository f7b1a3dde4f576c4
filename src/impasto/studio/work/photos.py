"""Many photos repainted into a folder, and that into a ZIP."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import cast

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.studio.desk import Desk
from impasto.studio.naming import file_name, unlike
from impasto.studio.work.packing import pack
from impasto.studio.work.painting import manner_of, stylizer_of

FOLDER, ARCHIVE = "painted", "painted.zip"


def run(desk: Desk) -> None:
    """Repaints the photos that are not painted yet."""
    targets = _targets(desk, desk.given("photos"))
    left = [(photo, target) for photo, target in targets.items() if not target.exists()]
    options = workflows.StylizeOptions(manner=manner_of(desk))
    errors: list[str] = []
    finished, before = len(targets) - len(left), desk.before
    if left:
        desk.tell(now=True, what="loading the style", done=finished / len(targets))
        steps = workflows.stylize_photos(stylizer_of(desk), left, options)
        with closing(cast("Generator[workflows.Progress]", steps)):  # waits for the threads
            for progress in steps:
                if progress.error is not None:
                    errors.append(str(progress.error))
                    desk.note(str(progress.error))
                _tell(desk, progress, finished, len(targets), before)
                if desk.stop.requested:
                    raise KeyboardInterrupt
    if len(errors) == len(targets):
        raise ImpastoError(errors[0] if len(errors) == 1 else f"none of the photos can be repainted: {errors[0]}")
    pack(desk.results / FOLDER, desk.results / ARCHIVE)
    bad = f", {len(errors):,} could not be read" if errors else ""
    desk.tell(what=f"{_photos(len(targets) - len(errors))} repainted{bad}")


def _tell(desk: Desk, progress: workflows.Progress, before: int, total: int, elapsed: float) -> None:
    finished = before + progress.finished
    rate = progress.finished / max(progress.elapsed, 1e-9)
    desk.tell(
        done=finished / total,
        elapsed=elapsed + progress.elapsed,
        remaining=progress.remaining,
        what=f"{finished:,} of {_photos(total)}, {rate:.1f} a second",
        saved=f"photo {finished:,}",
    )


def _photos(count: int) -> str:
    return f"{count:,} photo{'' if count == 1 else 's'}"


def _targets(desk: Desk, photos: list[Path]) -> dict[Path, Path]:
    """Where each photo goes: under its original name, with a number where several had the same."""
    found: dict[Path, Path] = {}
    taken: set[str] = set()
    for photo in photos:
        name = file_name(desk.original(photo), "photo")
        path = Path(name)
        name = name if path.suffix in images.FORMATS else f"{path.stem}.png"
        name = unlike(name, taken)
        taken.add(name.casefold())
        found[photo] = desk.results / FOLDER / name
    return found

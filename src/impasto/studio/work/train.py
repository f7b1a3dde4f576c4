"""A painting learned: trained, gone on with, or finished early, and hung into the library of styles."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.files import atomic, images
from impasto.studio import records
from impasto.studio.desk import Desk

if TYPE_CHECKING:
    from impasto.training.trainer import TrainProgress

SAVED_EVERY = 0.25
"""Minutes between two checkpoints: what a killed process costs at most."""
PICTURE_SIDE = 512
CHECKPOINT = "checkpoint.pt"


def run(desk: Desk) -> None:
    """Trains or goes on, and publishes the style."""
    listener = _Listener(desk)
    try:
        path = _going_on(desk, listener) if _has_begun(desk) else _begun(desk, listener)
    except KeyboardInterrupt:
        listener.saved_all()
        if desk.wish != "finish":
            raise
        path = _finished_early(desk, listener)
    except ImpastoError as error:
        again = f"go on with: impasto train --resume {shlex.quote(str(desk.folder / records.RUN))}"
        raise ImpastoError(str(error).replace(again, "resume it")) from error
    _publish(desk, path)
    listener.sum_up()


def _has_begun(desk: Desk) -> bool:
    return (desk.folder / records.RUN / "config.toml").exists()


def _begun(desk: Desk, listener: _Listener) -> Path:
    options = {"checkpoint_minutes": SAVED_EVERY, **(desk.request.get("options") or {})}
    if desk.request.get("minutes"):
        options["max_minutes"] = float(desk.request["minutes"])
    photos = desk.given("photos")
    return workflows.train(
        desk.given("painting")[0],
        [photos[0].parent] if photos else (),
        _out(desk),
        recipe=desk.request.get("recipe"),
        name=desk.style,
        run_dir=desk.folder / records.RUN,
        preview=desk.given("preview"),
        overwrite=True,
        on_progress=listener,
        announce=listener.announce,
        **options,
    )


def _going_on(desk: Desk, listener: _Listener) -> Path:
    if desk.wish == "finish":
        return _finished_early(desk, listener)
    return workflows.resume(desk.folder / records.RUN, on_progress=listener, announce=listener.announce)


def _finished_early(desk: Desk, listener: _Listener) -> Path:
    """The style as it is by now: the training is gone on with, its time being over already."""
    seconds = listener.saved_seconds
    # A little less than it has had, and the moment of one step where it has had none.
    minutes = max(1e-6, seconds / 60 * 0.999)
    return workflows.resume(
        desk.folder / records.RUN, on_progress=listener, announce=listener.announce, max_minutes=minutes
    )


def _out(desk: Desk) -> Path:
    return desk.results / f"{desk.style}{workflows.STYLE_SUFFIX}"


class _Listener:
    """Tells how far a training is, and what of it is on the disk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        told = records.read(desk.folder / records.PROGRESS)
        self.saved_seconds = records.number(told, "saved_seconds") or 0.0
        self._last: TrainProgress | None = None
        self._checkpoint = self._date()

    def __call__(self, progress: TrainProgress) -> None:
        self.desk.obey()
        date = self._date()
        if date != self._checkpoint and self._last is not None:
            self._checkpoint = date
            self._note_saved(self._last)
        self._last = progress
        ends = progress.done > 0.02 or progress.iteration == progress.iterations
        about = f" of about {progress.iterations:,}" if ends else ""
        self.desk.tell(
            done=progress.done,
            elapsed=progress.elapsed,
            remaining=progress.remaining if progress.done > 0 else None,
            what=f"step {progress.iteration:,}{about}",
        )

    def announce(self, text: str) -> None:
        """Sentences are kept for whoever looks later, but for those that name the server's folders."""
        if text.startswith(("run folder: ", "a first preview: ")):
            print(text, flush=True)
        else:
            self.desk.note(text)
            self.desk.tell(what=self.desk.said(text))

    def saved_all(self) -> None:
        """The training has stopped, and its last step is on the disk."""
        if self._last is not None:
            self._note_saved(self._last)

    def sum_up(self) -> None:
        told = records.read(self.desk.folder / records.PROGRESS)
        steps = self._last.iteration if self._last else None
        elapsed = self._last.elapsed if self._last else records.number(told, "elapsed") or 0.0
        learned = f"learned in {steps:,} steps" if steps else "learned"
        minutes = f"{elapsed / 60:.1f} minutes" if elapsed >= 60 else f"{elapsed:.0f} seconds"
        self.desk.tell(what=f"{learned}, {minutes}", elapsed=elapsed)

    def _note_saved(self, progress: TrainProgress) -> None:
        self.saved_seconds = progress.elapsed
        self.desk.tell(now=True, saved=f"step {progress.iteration:,}", saved_seconds=progress.elapsed)

    def _date(self) -> int:
        path = self.desk.folder / records.RUN / CHECKPOINT
        return path.stat().st_mtime_ns if path.exists() else 0


def _publish(desk: Desk, path: Path) -> None:
    """Hangs the style into the library; the style file comes last, so that nobody finds it without its picture."""
    target = desk.styles / path.name
    told = {
        "title": desk.request.get("name") or desk.title,
        "recipe": desk.request.get("recipe"),
        "job": desk.folder.name,
    }
    painting = desk.given("painting")[0]
    _write_picture(painting, target.with_suffix(".jpg"))
    told["painting"] = desk.original(painting)
    records.write(target.with_suffix(".json"), told)
    atomic.write_bytes(target, path.read_bytes())


def _write_picture(painting: Path, target: Path) -> None:
    pixels = images.read_small(painting, at_least=PICTURE_SIDE)
    picture = Image.fromarray(np.asarray(pixels))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    images.write(target, images.Picture(np.asarray(picture)), quality=88)

"""How progress looks on a terminal, and as lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from impasto.files.download import Progress as DownloadProgress
from impasto.files.download import Report, size_text
from impasto.training.clock import clock

if TYPE_CHECKING:
    from impasto.training.trainer import TrainProgress

SECONDS_BETWEEN_LINES = 30.0
PHASES = {"wait": "waiting for", "download": "downloading", "check": "checking", "extract": "unpacking"}

console = Console(highlight=False, soft_wrap=True, markup=False)
error_console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


class TrainingBar:
    """A bar on a terminal; where the output is a file, a line every half minute."""

    def __init__(self) -> None:
        self._progress = _TwoLines(
            TextColumn("{task.fields[place]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[left]}"),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=1.0, place="reading the photos", left="", details="")
        self._line_at = -SECONDS_BETWEEN_LINES
        self._last: TrainProgress | None = None

    def __enter__(self) -> TrainingBar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
        if self._last is not None:
            self._line(self._last)

    def announce(self, text: str) -> None:
        console.print(text)

    def download(self, progress: DownloadProgress) -> None:
        """Shows what a download reports that the training has to wait for."""
        share = progress.done / progress.total if progress.total else 0.0
        place = f"{PHASES[progress.phase]} {progress.name}"
        self._progress.update(self._task, completed=share, place=place, left=size_text(progress.done))
        self._progress.refresh()

    def __call__(self, progress: TrainProgress) -> None:
        self._last = progress
        if console.is_terminal:
            place, details, left = describe(progress)
            self._progress.update(self._task, completed=progress.done, place=place, left=left, details=details)
            self._progress.refresh()
        elif time.monotonic() - self._line_at >= SECONDS_BETWEEN_LINES:
            self._line(progress)

    def _line(self, progress: TrainProgress) -> None:
        self._line_at = time.monotonic()
        place, details, left = describe(progress)
        console.print(f"{place}  {100 * progress.done:.0f} %  {left}  {details}")


def describe(progress: TrainProgress) -> tuple[str, str, str]:
    """Where the training is; its losses, pace and age; what is left."""
    epoch = f"epoch {progress.epoch}/{progress.epochs} " if progress.epochs else ""
    place = f"{epoch}iteration {progress.iteration}/{progress.iterations}"
    losses = f"loss {progress.total_loss:.4g} content {progress.content_loss:.4g} style {progress.style_loss:.4g}"
    details = f"{losses}  {progress.photos_per_second:.2f} photos/s  {clock(progress.elapsed)} elapsed"
    return place, details, f"{clock(progress.remaining)} left"


class _TwoLines(Progress):
    """The bar, and below it what would leave it no room on a terminal of 80 columns."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield Text(task.fields["details"], no_wrap=True, overflow="ellipsis")


@contextmanager
def download_bar() -> Iterator[tuple[Report, Callable[[str], None]]]:
    """A bar on the terminal for what downloads report, and a line for what they announce, both on stderr."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(
        TextColumn("{task.description}"),
        *columns,
        console=error_console,
        transient=True,
        disable=not error_console.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def report(progress: DownloadProgress) -> None:
        key = f"{PHASES[progress.phase]} {progress.name}"
        if key not in tasks:
            # What an earlier run got must not count into this one's rate.
            tasks[key] = bar.add_task(key, total=progress.total, completed=progress.done)
        bar.update(tasks[key], total=progress.total, completed=progress.done)

    try:
        with bar:
            yield report, lambda text: error_console.print(text)
    except KeyboardInterrupt:
        error_console.print("stopped; the same command goes on from here")
        raise

"""A bar for work whose length is known, with the time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from impasto.cli.progress import PHASES, SECONDS_BETWEEN_LINES, console
from impasto.files.download import Progress as DownloadProgress
from impasto.files.download import size_text
from impasto.training.clock import clock


class Work(Protocol):
    """How far some work is."""

    @property
    def done(self) -> float:
        """0 to 1."""

    @property
    def what(self) -> str: ...

    @property
    def remaining(self) -> float | None:
        """Seconds; None where nothing tells yet."""


class WorkBar:
    """A bar on a terminal; where the output is a file, a line every half minute."""

    def __init__(self, first: str = "reading the photos") -> None:
        """`first` is what it says before the first progress."""
        self._progress = Progress(
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(first, total=1.0, left="")
        self._line_at = time.monotonic()

    def __enter__(self) -> WorkBar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def announce(self, text: str) -> None:
        console.print(text)

    def download(self, progress: DownloadProgress) -> None:
        """Shows what a download reports that the work has to wait for."""
        share = progress.done / progress.total if progress.total else 0.0
        what = f"{PHASES[progress.phase]} {progress.name}"
        self._progress.update(self._task, completed=share, description=what, left=size_text(progress.done))

    def __call__(self, work: Work) -> None:
        left = "" if work.remaining is None else f"{clock(work.remaining)} left"
        self._progress.update(self._task, completed=work.done, description=work.what, left=left)
        if not console.is_terminal and time.monotonic() - self._line_at >= SECONDS_BETWEEN_LINES:
            self._line_at = time.monotonic()
            console.print(f"{100 * work.done:.0f} %  {left}  {work.what}")


class ShareBar:
    """A bar for one thing that tells nothing but its share, and only where it tells one at all."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> ShareBar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, share: float) -> None:
        if self._bar is None:
            columns = BarColumn(bar_width=20), TextColumn("{task.percentage:3.0f} %"), TimeRemainingColumn()
            text = TextColumn("{task.description}")
            self._bar = Progress(*columns, text, console=console, transient=True, disable=not console.is_terminal)
            self._task = self._bar.add_task(self._what, total=1.0)
            self._bar.start()
        self._bar.update(self._task, completed=share)

"""What a job's process works at: what it was given, where it puts things, and how it tells how far it is."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impasto.errors import in_one_line
from impasto.files.stop_request import StopRequest
from impasto.studio import records
from impasto.studio.job import given_below

EVERY = 0.5
"""Seconds between two writings of the progress, at least."""
MOST_NOTES = 100


class Desk:
    """One job, as its process sees it."""

    def __init__(self, folder: Path, styles: Path, stop: StopRequest) -> None:
        self.folder = folder
        self.styles = styles
        """Where a style that was learned goes."""
        self.stop = stop
        told = records.read(folder / records.REQUEST)
        self.request: Mapping[str, Any] = told["request"]
        self.title: str = told["title"]
        self.kind: str = told["kind"]
        self.style: str = told["style"]
        self.originals: Mapping[str, str] = told["originals"]
        self.results = folder / records.RESULTS
        self.results.mkdir(exist_ok=True)
        self._told = {**records.read(folder / records.PROGRESS), "notes": [], "remaining": None}
        self._written = 0.0
        self._left_out = 0
        self._passed_on = False

    @property
    def before(self) -> float:
        """Seconds of work before this process."""
        return records.number(self._told, "elapsed") or 0.0

    @property
    def wish(self) -> str:
        """What the user wants to come of the work when it stops."""
        return records.text(records.read(self.folder / records.STATE), "wish")

    def given(self, key: str) -> list[Path]:
        """The files that came with the job under `key`."""
        return given_below(self.folder, key)

    def original(self, path: Path) -> str:
        """What a given file was called."""
        below = path.relative_to(self.folder / records.GIVEN).as_posix()
        return self.originals.get(below, path.name)

    def tell(self, *, now: bool = False, **values: Any) -> None:
        """Notes how far it is (`done`, `elapsed`, `remaining`, `what`, `saved`) and writes that now and then."""
        self._told.update(values)
        if now or time.monotonic() - self._written >= EVERY:
            self._written = time.monotonic()
            records.write_lightly(self.folder / records.PROGRESS, self._told)

    def note(self, text: str) -> None:
        """Adds something that is to be told beside how far it is."""
        notes: list[str] = self._told["notes"]
        if len(notes) < MOST_NOTES:
            notes.append(self.said(text))
        else:
            self._left_out += 1
            notes[MOST_NOTES:] = [f"and {self._left_out} more, which log.txt names"]
        print(text, flush=True)

    def obey(self) -> None:
        """Hands a request to stop that came before the work listened to the work; to be called again and again."""
        if self.stop.requested and not self._passed_on:
            self._passed_on = True
            signal.raise_signal(signal.SIGTERM)

    def said(self, text: str) -> str:
        """`text` as people may see it, who know their files by other names and have no use for the server's folders."""
        for below, name in self.originals.items():
            text = text.replace(str(self.folder / records.GIVEN / below), name)
        for place in (self.folder, self.styles):
            text = text.replace(f"{place}/", "")
        return in_one_line(text.replace(str(self.folder), "the job"), 1000)

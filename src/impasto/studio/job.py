"""A job as its folder tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.studio import records
from impasto.studio.kinds import LANES

ID = re.compile("[0-9a-f]{16}")
DAMAGED = "what was known of its state is damaged; resume it"


@dataclass(frozen=True)
class Job:
    """A snapshot of one piece of long work, read from the disk."""

    id: str
    """Random, and the name of its folder."""
    kind: str
    """train, judge, photos or video."""
    title: str
    """What people see."""
    state: str
    """waiting, running, paused (by the user), interrupted (its process or the server ended), done, failed or
    cancelled."""
    done: float
    """Share of the work, 0 to 1."""
    elapsed: float
    """Seconds of work so far, those before a pause included."""
    remaining: float | None
    """Seconds, while it runs; None where nothing tells yet."""
    what: str
    """One line in words: how far it is."""
    error: str
    """In words why it does not go on; empty if nothing is wrong."""
    request: Mapping[str, Any]
    """As submitted."""
    results: tuple[str, ...]
    """Names of the files below `results`, those in folders with a slash."""
    folder: Path
    created: float
    """Seconds since 1970."""
    order: int = 0
    """Place among all that were ever submitted."""
    notes: tuple[str, ...] = ()
    """What else is to be told: photos left out, and why."""
    style: str = ""
    """Of a training: the name, without suffix, that its style has or will have among the styles."""
    originals: Mapping[str, str] = field(default_factory=dict)
    """The given files, by their path below `given`, and what each was called."""

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Raises ImpastoError where there is none, or its request is damaged."""
        told = records.read(folder / records.REQUEST)
        created, order = records.number(told, "created"), records.number(told, "order")
        request, originals, kind = told.get("request"), told.get("originals"), records.text(told, "kind")
        numbered = created is not None and order is not None
        if not isinstance(request, dict) or not isinstance(originals, dict) or kind not in LANES or not numbered:
            raise ImpastoError("there is no such job, or it is damaged")
        state = records.read(folder / records.STATE)
        progress = records.read(folder / records.PROGRESS)
        name = records.text(state, "state")
        running = name == "running"
        return cls(
            id=folder.name,
            kind=kind,
            title=records.text(told, "title"),
            state=name if name in records.STATES else "interrupted",
            done=1.0 if name == "done" else min(1.0, records.number(progress, "done") or 0.0),
            elapsed=records.number(progress, "elapsed") or 0.0,
            remaining=records.number(progress, "remaining") if running else None,
            what=_what(name, records.text(state, "wish"), records.text(progress, "what")),
            error=records.text(state, "error") if name in records.STATES else DAMAGED,
            request=request,
            results=_files_below(folder / records.RESULTS),
            folder=folder,
            created=created or 0.0,
            order=int(order or 0),
            notes=records.texts(progress, "notes"),
            style=records.text(told, "style"),
            originals=originals,
        )

    def result(self, name: str) -> Path:
        """The path of one of the `results`. Raises ImpastoError for anything else."""
        if name not in self.results:
            raise ImpastoError("there is no such result")
        return self.folder / records.RESULTS / name

    def given(self, key: str) -> list[Path]:
        """The files that were submitted under `key`, in their order."""
        return given_below(self.folder, key)

    def curve(self, points: int = 200) -> list[dict[str, float]]:
        """Of a training: the losses of up to so many steps, evenly spaced, the first and the newest among them."""
        lines = _lines(self.folder / records.RUN / "losses.jsonl")
        last, count = len(lines) - 1, max(2, points)
        chosen = range(len(lines)) if last < count else sorted({round(i * last / (count - 1)) for i in range(count)})
        return [entry for entry in (_entry(lines[index]) for index in chosen) if entry]

    def newest_preview(self) -> Path | None:
        """Of a training: the newest picture of photos above their stylized versions."""
        found = (self.folder / records.RUN / "previews").glob("[0-9]*.png")
        return max(found, key=lambda path: (len(path.stem), path.stem), default=None)


def given_below(folder: Path, key: str) -> list[Path]:
    """The files in a job's folder that were given under `key`: one alone, or several in a folder, in their order."""
    place = folder / records.GIVEN
    several = sorted((place / key).iterdir()) if (place / key).is_dir() else []
    return several or sorted(path for path in place.glob(f"{key}.*") if path.is_file())


def _what(state: str, wish: str, told: str) -> str:
    """Nobody but the server knows what its process has not been able to tell yet."""
    if state == "waiting":
        return "waiting for its turn"
    if state == "running" and wish in ("pause", "finish"):
        return "saving what is done" if wish == "pause" else "making a style of what it has learned"
    return told or ("beginning" if state == "running" else "")


def _files_below(folder: Path) -> tuple[str, ...]:
    """What is whole and meant to be seen: no temporary files, locks and parts of videos."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder) for path in found if path.suffix != ".lock")
    shown = (name for name in names if not any(part.startswith(".") or part.endswith(".parts") for part in name.parts))
    return tuple(sorted(name.as_posix() for name in shown))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _entry(line: str) -> dict[str, float]:
    """The numbers in a line; none in a damaged one, as the last one of a training that is writing it may be."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    whole = isinstance(found, dict) and "iteration" in found
    return found if whole and all(isinstance(value, int | float) for value in found.values()) else {}

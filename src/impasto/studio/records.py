"""The small JSON files of a job's folder: each has one writer, and is there whole or not at all.

REQUEST is written once, when the job is submitted; STATE by the server alone; PROGRESS and OUTCOME by the process.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impasto.files import atomic

# Not job.json: a folder that has one is a run folder, in which no photos are looked for.
REQUEST, STATE, PROGRESS, OUTCOME = "request.json", "state.json", "progress.json", "outcome.json"
GIVEN, RESULTS, RUN, LOG = "given", "results", "run", "log.txt"
LOCK = "worker"
"""What a job's process locks as long as it lives."""
BUSY = 75
"""Exit code of a process that found another one at the same job."""

STATES = ("waiting", "running", "paused", "interrupted", "done", "failed", "cancelled")
OVER = ("done", "failed", "cancelled")


def read(path: Path) -> dict[str, Any]:
    """What is in the file; nothing where it is missing or damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Writes `values`, on the disk when this returns. Raises ImpastoError when they cannot be written."""
    atomic.write_bytes(path, json.dumps(values, ensure_ascii=False).encode())


def write_lightly(path: Path, values: Mapping[str, Any]) -> None:
    """Writes what a power failure may take: whole, but not waiting for the disk."""
    with atomic.replacing(path) as temporary:
        temporary.write_bytes(json.dumps(values, ensure_ascii=False).encode())


def text(values: Mapping[str, Any], key: str) -> str:
    """The text under `key`; empty where there is none."""
    value = values.get(key)
    return value if isinstance(value, str) else ""


def number(values: Mapping[str, Any], key: str) -> float | None:
    """The number under `key`, finite and not negative; None where there is none."""
    value = values.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        return None
    return float(value)


def texts(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The texts in the list under `key`."""
    value = values.get(key)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def state_of(folder: Path) -> str:
    """The state of the job in `folder` as it is written down: a damaged one is none of STATES."""
    return text(read(folder / STATE), "state")


def wish_of(folder: Path) -> str:
    """What the user wants to come of the job's work: pause, finish, or nothing but its end."""
    return text(read(folder / STATE), "wish")


def set_state(folder: Path, state: str, *, wish: str = "", error: str = "") -> None:
    """Raises ImpastoError when it cannot be written."""
    write(folder / STATE, {"state": state, "wish": wish, "error": error})

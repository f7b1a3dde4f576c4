"""How far an evaluation is, and how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """How far an evaluation is."""

    done: float
    """0 to 1, by work and not by count: a large size takes most of it. What an earlier run has done counts."""
    what: str
    elapsed: float
    """Seconds of this run."""
    remaining: float | None
    """Seconds, by the pace of this run; None where nothing tells yet."""


OnProgress = Callable[[Progress], None]


class Meter:
    """Adds up what is done and tells whoever listens."""

    def __init__(self, total: int, kept: int, listener: OnProgress | None) -> None:
        """`kept` of the `total` work was done before; it took none of this run's time, so it is no part of the pace."""
        self.done = kept
        self._total = total
        self._listener = listener
        self._started = time.monotonic()
        self._first: tuple[float, int] | None = None

    def add(self, work: int, what: str) -> None:
        self.done += work
        now = time.monotonic()
        # The first piece is no measure: everything is loaded and warms up in it.
        if self._first is None:
            self._first = now, self.done
        since, before = self._first
        paced = self.done - before
        remaining = (now - since) / paced * (self._total - self.done) if paced else None
        if self._listener is not None:
            self._listener(Progress(self.done / self._total, what, now - self._started, remaining))

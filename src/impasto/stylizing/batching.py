"""Photos of one size that several threads have at the same time, put through the network together.

On a GPU that is faster than one after the other; on CPUs it is not (`impasto bench --batch` shows it), so only
backends that name a batch are wrapped.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np

from impasto.config import Precision
from impasto.stylizing.backends import Backend, Photos
from impasto.stylizing.samples import Floats

PATIENCE = 0.003
"""Seconds that a photo waits for others."""


@dataclass
class _Call:
    photos: Photos
    mix: Floats
    answered: threading.Event = field(default_factory=threading.Event)
    answer: Photos | None = None
    error: BaseException | None = None

    def fits(self, other: _Call) -> bool:
        mine, theirs = self.photos, other.photos
        alike = mine.dtype == theirs.dtype and mine.shape[1:] == theirs.shape[1:]
        return alike and bool(np.array_equal(self.mix, other.mix))


class Batching:
    """A backend that gathers what other threads ask of it."""

    def __init__(self, backend: Backend, most: int) -> None:
        """At most so many photos go through `backend` together."""
        self.backend = backend
        self.most = most
        self.name = backend.name
        self.precision: Precision = backend.precision
        self._waiting: list[_Call] = []
        self._guard = threading.Lock()
        self._turn = threading.Lock()

    def __call__(self, photos: Photos, mix: Floats) -> Photos:
        call = _Call(photos, mix)
        with self._guard:
            self._waiting.append(call)
        with self._turn:  # whoever has it answers for all that have come meanwhile
            if not call.answered.is_set():
                time.sleep(PATIENCE)
                self._answer(self._taken(call))
        if call.error is not None:
            raise call.error
        assert call.answer is not None
        return call.answer

    def working_memory(self, height: int, width: int) -> int:
        """Of one photo: if several are too much together, they go one by one."""
        return self.backend.working_memory(height, width)

    def _taken(self, first: _Call) -> list[_Call]:
        """The call and those that can go with it, no longer waiting."""
        with self._guard:
            taken, room = [first], self.most - len(first.photos)
            for other in self._waiting:
                if other is not first and first.fits(other) and len(other.photos) <= room:
                    taken.append(other)
                    room -= len(other.photos)
            self._waiting = [call for call in self._waiting if not any(call is one for one in taken)]
        return taken

    def _answer(self, calls: list[_Call]) -> None:
        try:
            answers = self.backend(np.concatenate([call.photos for call in calls]), calls[0].mix)
            ends = np.cumsum([len(call.photos) for call in calls])[:-1]
            for call, answer in zip(calls, np.split(answers, ends), strict=True):
                call.answer = answer
        except BaseException as error:
            if isinstance(error, MemoryError) and len(calls) > 1:
                for call in calls:
                    self._answer([call])
                return
            for call in calls:
                call.error = error
        for call in calls:
            call.answered.set()

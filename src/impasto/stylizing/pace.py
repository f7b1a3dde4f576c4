"""A size for the network at which it keeps up with a camera."""

from __future__ import annotations

import statistics
from collections import deque

SCALES = (1.0, 0.84, 0.7, 0.59, 0.5, 0.42, 0.35, 0.3, 0.25)
"""Of a picture's sides, each some 0.7 of the pixels of the one before."""
SEEN = 7
"""Pictures that are looked at before the size changes."""
UNCOUNTED = 3
"""After a change, while the network is prepared for the new size."""
MARGIN = 0.8
"""Of the time for a picture that a larger size may be expected to take."""


class Pace:
    """Watches how long pictures take, and changes their scale until there are as many a second as wanted."""

    def __init__(self, wanted: float) -> None:
        """`wanted` pictures a second."""
        self.wanted = wanted
        self._step = 0
        self._skipped = 0
        self._times: deque[float] = deque(maxlen=SEEN)

    @property
    def scale(self) -> float:
        """Of the picture's sides, at most 1."""
        return SCALES[self._step]

    def took(self, seconds: float) -> None:
        """Reports how long the last picture took."""
        if self._skipped < UNCOUNTED:
            self._skipped += 1
            return
        self._times.append(seconds)
        if len(self._times) < SEEN:
            return
        usual, allowed = statistics.median(self._times), 1 / self.wanted
        if usual > allowed and self._step < len(SCALES) - 1:
            self._change(self._step + 1)
        elif self._step > 0 and usual * (SCALES[self._step - 1] / self.scale) ** 2 < MARGIN * allowed:
            self._change(self._step - 1)

    def _change(self, step: int) -> None:
        self._step, self._skipped = step, 0
        self._times.clear()

"""From what the network paints to the result: strength, colours and masks, a strip at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from impasto.stylizing.color import Moments, matching, photo_chroma
from impasto.stylizing.manner import Manner, soft_mask
from impasto.stylizing.samples import Floats, RowSource, RowTarget, planes_of, samples_of

STRIP = 1 << 20
"""Pixels that are worked on at a time, so that the memory does not grow with the picture."""

Recolor = Callable[[Floats, Floats], Floats]
"""From stylized image and photo, planes (3, h, w), to the stylized image in other colours."""


@dataclass
class Finish:
    """A repainting but for its last steps."""

    photo: RowSource
    painted: RowSource
    outside: RowSource | None
    """What is painted where the mask is 0; None is the photo."""
    manner: Manner
    strength: float
    """How much of the painted picture is laid over the photo, beyond what the network did itself."""

    def into(self, target: RowTarget) -> None:
        """Sets the rows of the finished picture, of the photo's size and type."""
        height, width = self.photo.shape[:2]
        mask = None if self.manner.mask is None else soft_mask(self.manner.mask, height, width)
        inside, outside = self._layer(self.painted), None if self.outside is None else self._layer(self.outside)
        for rows in strips(height, width):
            result = inside(rows)
            if mask is not None:
                beneath = planes_of(self.photo[rows]) if outside is None else outside(rows)
                result = beneath + mask[rows] * (result - beneath)
            target[rows] = samples_of(result, self.photo.dtype)

    def _layer(self, painted: RowSource) -> Callable[[slice], Floats]:
        """Rows of a painted picture as they are to be seen."""

        def faded(rows: slice) -> Floats:
            stylized = planes_of(painted[rows])
            if self.strength < 1:
                photo = planes_of(self.photo[rows])
                stylized = photo + np.float32(self.strength) * (stylized - photo)
            return stylized

        recolor = self._recolor(faded)
        return lambda rows: recolor(faded(rows), planes_of(self.photo[rows]))

    def _recolor(self, stylized: Callable[[slice], Floats]) -> Recolor:
        if self.manner.colors == "photo":
            return photo_chroma
        if self.manner.colors == "style":
            return lambda painted, _: painted
        ours, theirs = Moments(), Moments()
        for rows in strips(*self.photo.shape[:2]):
            ours.add(stylized(rows))
            theirs.add(planes_of(self.photo[rows]))
        move = matching(ours, theirs)
        return lambda painted, _: move(painted)


def strips(height: int, width: int) -> list[slice]:
    """Rows of a picture, so many at a time that they hold some `STRIP` pixels."""
    rows = max(1, STRIP // width)
    return [slice(start, min(height, start + rows)) for start in range(0, height, rows)]

"""All photos of a training under one numbering."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

NEAR_BYTES = 1 << 30
NEAR_FEWEST, NEAR_MOST = 64, 1 << 16
"""Photos that must be fetched in blocks are shuffled within so many bytes, and at least and at most so many photos."""


class Part(Protocol):
    """Photos of one kind, numbered from 0."""

    far: bool
    """Whether reading uses threads and connections, which a forked process cannot take over."""

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """What to call the photo in a message; its path where it is a file."""

    def data(self, number: int) -> bytes | None:
        """The content of the photo's file; None where its name is a path. Raises ImpastoError."""

    def blocks(self) -> NDArray[np.int64] | None:
        """For each photo the number of the block that is fetched with it; None where all are at hand."""

    def identity(self) -> Iterator[bytes]:
        """What is different for other photos."""


class Encoded(NamedTuple):
    """A photo as it is stored."""

    name: str
    data: bytes | None
    """None: `name` is its path."""


class Collection:
    """Photos of several parts; picklable, and small whatever their number."""

    def __init__(self, parts: Sequence[Part], chosen: NDArray[np.int64] | None = None) -> None:
        """`chosen`: numbers of the photos that there are, ascending; default all."""
        self.parts = [part for part in parts if len(part)]
        self.starts = np.cumsum([0, *map(len, self.parts)])
        self.chosen = chosen

    def __len__(self) -> int:
        return int(self.starts[-1]) if self.chosen is None else len(self.chosen)

    def __getitem__(self, number: int) -> Encoded:
        """Raises ImpastoError for a photo that can't be fetched."""
        part, place = self._find(number)
        return Encoded(part.name(place), part.data(place))

    def name(self, number: int) -> str:
        part, place = self._find(number)
        return part.name(place)

    def reduced(self, chosen: NDArray[np.int64]) -> Collection:
        """Those with the numbers `chosen`, ascending."""
        return Collection(self.parts, chosen if self.chosen is None else self.chosen[chosen])

    @property
    def far(self) -> bool:
        """Whether a process that reads must be started anew, not forked."""
        return any(part.far for part in self.parts)

    def order(self, random: np.random.Generator) -> NDArray[np.int64]:
        """All numbers in a random order; where photos are fetched in blocks, these come one after the other,
        mixed with their neighbours."""
        blocks = self._blocks()
        if blocks is None:
            return random.permutation(len(self))
        places = random.permutation(int(blocks[-1]) + 1)[blocks]
        in_turn = np.argsort(places, kind="stable")
        mixed = np.arange(len(self)) + random.uniform(0, self._near(), len(self))
        return in_turn[np.argsort(mixed)]

    def digest(self) -> str:
        """Tells one list of photos from another."""
        hashed = hashlib.sha256()
        for part in self.parts:
            for text in part.identity():
                hashed.update(text + b"\0")
        if self.chosen is not None:
            hashed.update(self.chosen.tobytes())
        return hashed.hexdigest()

    def _find(self, number: int) -> tuple[Part, int]:
        place = number if self.chosen is None else int(self.chosen[number])
        part = int(np.searchsorted(self.starts, place, side="right")) - 1
        return self.parts[part], place - int(self.starts[part])

    def _blocks(self) -> NDArray[np.int64] | None:
        """Number of each photo's block, from 0 without gaps, ascending; those at hand have one each; None: all are."""
        listed = [part.blocks() for part in self.parts]
        if all(blocks is None for blocks in listed):
            return None
        found, behind = [], 0
        for part, blocks in zip(self.parts, listed, strict=True):
            found.append(behind + (np.arange(len(part)) if blocks is None else blocks))
            behind = int(found[-1].max()) + 1
        joined = np.concatenate(found)
        joined = joined if self.chosen is None else joined[self.chosen]
        return np.unique(joined, return_inverse=True)[1].astype(np.int64)

    def _near(self) -> float:
        sizes = [getattr(part, "photo_bytes", 0.0) for part in self.parts]
        return float(np.clip(NEAR_BYTES / max(1.0, *sizes), NEAR_FEWEST, NEAR_MOST))

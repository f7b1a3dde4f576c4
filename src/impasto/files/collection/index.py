"""What was found out about a large collection, kept so that it need not be found out again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files import atomic, caches

KEY = "impasto-index"


class Index(NamedTuple):
    """JSON values that tell whether it is still true, and arrays."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def load(place: str) -> Index | None:
    """The index of the folder or shard at a path or URI, if there is a whole one."""
    try:
        with safetensors.safe_open(_file(place), framework="numpy") as opened:
            facts = json.loads((opened.metadata() or {})[KEY])
            return Index(facts, {name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118
    except (OSError, KeyError, ValueError, safetensors.SafetensorError):
        return None


def save(place: str, index: Index) -> None:
    """Keeps `index`; where that can't be done it is made again the next time."""
    data = safetensors.numpy.save(index.arrays, {KEY: json.dumps(index.facts)})
    try:
        atomic.write_bytes(_file(place), data)
    except ImpastoError:
        return


def _file(place: str) -> Path:
    return caches.location("photos") / f"{hashlib.sha256(place.encode(errors='surrogateescape')).hexdigest()}.index"


class Names:
    """Very many short byte strings in two arrays."""

    def __init__(self, text: NDArray[np.uint8], bounds: NDArray[np.int64]) -> None:
        self.text = text
        self.bounds = bounds

    @classmethod
    def of(cls, names: list[bytes]) -> Names:
        bounds = np.zeros(len(names) + 1, np.int64)
        np.cumsum([len(name) for name in names], out=bounds[1:])
        return cls(np.frombuffer(b"".join(names), np.uint8), bounds)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, number: int) -> bytes:
        return self.text[self.bounds[number] : self.bounds[number + 1]].tobytes()

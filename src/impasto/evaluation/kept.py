"""What an evaluation has finished, on the disk as soon as it is, so that one that was stopped can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from impasto.evaluation.cases import Sample
from impasto.files import atomic
from impasto.files.images.resizing import Pixels

SUFFIX = ".piece"
PICTURE = "picture "
DIGEST = 32
"""Bytes of the SHA-256 that a piece begins with."""


@dataclass(frozen=True)
class Piece:
    """What was found out about one photo at one size: by one optimization of it, or by one style's pass."""

    samples: Mapping[int, Sample]
    """By the step of the optimization; a style has the step 0 alone."""
    curve: tuple[float, ...] = ()
    """The best objective after each step of the optimization."""
    pictures: Mapping[str, Pixels] = field(default_factory=dict)
    """By what they show."""

    def to_bytes(self) -> bytes:
        """With its SHA-256 before it: a disk may give back something else than it was given."""
        measured = np.array([*self.samples.values()], np.float64).reshape(-1, len(Sample._fields))
        arrays: dict[str, Any] = {PICTURE + what: pixels for what, pixels in self.pictures.items()}
        arrays |= {"samples": measured, "steps": np.array([*self.samples], np.int64), "curve": np.array(self.curve)}
        data = safetensors.numpy.save(arrays)
        return hashlib.sha256(data).digest() + data

    @classmethod
    def from_bytes(cls, data: bytes) -> Piece:
        """Raises ValueError where `data` is not what :meth:`to_bytes` gave."""
        if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
            raise ValueError("damaged")
        arrays = safetensors.numpy.load(data[DIGEST:])
        measured = (Sample(*row) for row in arrays.pop("samples").tolist())
        samples = dict(zip(arrays.pop("steps").tolist(), measured, strict=True))
        curve = tuple(arrays.pop("curve").tolist())
        return cls(samples, curve, {name.removeprefix(PICTURE): pixels for name, pixels in arrays.items()})


class KeptPieces:
    """Pieces by their keys, in memory and each in a file of its own: a kill loses the one that is in work."""

    def __init__(self, folder: Path | None = None) -> None:
        """Without a `folder` they are in memory alone."""
        self.folder = folder
        self._pieces: dict[str, Piece] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._pieces

    def __getitem__(self, key: str) -> Piece:
        return self._pieces[key]

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, key: str, piece: Piece) -> None:
        """Keeps a piece. Raises ImpastoError where it cannot be written."""
        self._pieces[key] = piece
        if self.folder is not None:
            atomic.write_bytes(self._path(self.folder, key), piece.to_bytes())

    def read(self, keys: Collection[str], announce: Callable[[str], None]) -> None:
        """Takes those of `keys` that an earlier run has left; of damaged ones the user is told."""
        for key in keys:
            path = None if self.folder is None else self._path(self.folder, key)
            if path is None or not path.exists():
                continue
            try:
                self._pieces[key] = Piece.from_bytes(path.read_bytes())
            except (OSError, ValueError):
                announce(f"{path} is damaged; what it held is computed anew")

    def remove(self) -> None:
        """Deletes all pieces on the disk, whatever they belong to, and the folder if nothing else is in it."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in self.folder.glob(f"*{SUFFIX}"):  # the unfinished ones of a killed run among them
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{key}{SUFFIX}"


def key_of(**depends: object) -> str:
    """A name for a piece that no other has: made of all that it depends on, JSON values."""
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:32]

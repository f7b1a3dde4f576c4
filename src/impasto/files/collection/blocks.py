"""Pieces of shards that are dear to fetch, kept on the disk while the training is near them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from impasto.files import atomic, caches
from impasto.files.lock import alone

T = TypeVar("T")

KEPT_BYTES = 4 << 30
"""Most bytes that are kept; the pieces least recently used go first."""


def with_block(key: str, fetch: Callable[[Path], None], use: Callable[[Path], T]) -> T:
    """What `use` makes of the file of the block `key`, which `fetch` writes unless it is there.

    Of several processes one fetches. Raises what `fetch` and `use` raise.
    """
    folder = caches.folder("blocks")
    path = folder / hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    for _ in range(3):  # another process may clear it away in between
        if not path.exists():
            with alone(path, lambda: None):
                if not path.exists():
                    with atomic.replacing(path) as temporary:
                        fetch(temporary)
                        with temporary.open("rb") as file:
                            os.fsync(file.fileno())  # a block that is there is whole, even after a power cut
                    _clear(folder, path)
        with suppress(FileNotFoundError):
            os.utime(path)
            return use(path)
    raise FileNotFoundError(path)


def _clear(folder: Path, but: Path) -> None:
    """Removes what was not used for longest, until the rest is small enough."""
    files = []
    for path in folder.iterdir():
        with suppress(OSError):
            if path.suffix != ".lock":
                files.append((path.stat().st_mtime, path.stat().st_size, path))
    size = sum(bytes_ for _, bytes_, _ in files)
    for _, bytes_, path in sorted(files):
        if size <= KEPT_BYTES:
            return
        if path != but:
            with suppress(OSError):
                path.unlink()
            size -= bytes_

"""Where impasto keeps what it can make or fetch again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import platformdirs


def folder(kind: str) -> Path:
    """``$IMPASTO_CACHE/kind``, or that in the user's cache folder, made if need be. Raises OSError if it can't be."""
    path = location(kind)
    path.mkdir(parents=True, exist_ok=True)
    return path


def location(kind: str) -> Path:
    """The same, whether it exists or not."""
    cache = os.environ.get("IMPASTO_CACHE")
    base = Path(cache).expanduser() if cache else Path(platformdirs.user_cache_dir("impasto", appauthor=False))
    return base.absolute() / kind


def keep_newest(path: Path, count: int) -> None:
    """Removes all but the newest `count` files in the folder `path`."""
    files = [(file.stat().st_mtime, file) for file in path.iterdir() if file.is_file()]
    for _, file in sorted(files)[:-count]:
        with suppress(OSError):
            file.unlink()

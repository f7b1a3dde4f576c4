"""Results in one file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from impasto.files import atomic


def pack(folder: Path, target: Path) -> None:
    """Writes the files below `folder` into the ZIP `target`, as they are: pictures are compressed already."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    with atomic.replacing(target) as temporary, zipfile.ZipFile(temporary, "w", strict_timestamps=False) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder).as_posix())

"""Photos in folders."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files.images.formats import FORMATS, AnyPath
from impasto.files.images.problems import explained

SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"}


def find(folders_or_files: AnyPath | Iterable[AnyPath]) -> list[Path]:
    """Photos in folders and all folders below, sorted, each file once even where links lead to it twice.

    Hidden files and those of operating systems (._photo.jpg, __MACOSX) are left out; links to folders are followed. A
    file named directly is taken whatever its name.

    Raises:
        ImpastoError: a folder or file does not exist, or a folder must not be read.
    """
    given = [folders_or_files] if isinstance(folders_or_files, str | os.PathLike) else folders_or_files
    found: dict[str, Path] = {}
    scanned: set[str] = set()
    for path in _expanded(given):
        with explained("read", path, "check the name and its access rights"):
            if path.is_dir():
                for real, photo in _scan(path, scanned):
                    found.setdefault(real, photo)
            else:
                found.setdefault(os.path.realpath(path, strict=True), path)
    return sorted(found.values(), key=lambda path: path.as_posix())


def _expanded(given: Iterable[AnyPath]) -> Iterator[Path]:
    """What patterns stand for, of photos alone; a file may be called like a pattern."""
    for path in given:
        if not _is_pattern(path) or Path(path).exists():
            yield Path(path)
            continue
        matches = sorted(glob.glob(os.fspath(path), recursive=True))  # noqa: PTH207
        photos = [Path(match) for match in matches if Path(match).suffix.lower() in FORMATS or Path(match).is_dir()]
        if not photos:
            raise ImpastoError(f"no photos match {os.fspath(path)}; check the pattern (** stands for folders below)")
        yield from photos


def root_of(path: AnyPath) -> Path:
    """The folder below which a pattern looks; any other path itself."""
    parts = Path(path).parts
    plain = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(path) if plain == len(parts) or Path(path).exists() else Path(*parts[:plain])


def _is_pattern(path: AnyPath) -> bool:
    return glob.has_magic(os.fspath(path))


def _scan(folder: Path, scanned: set[str]) -> Iterator[tuple[str, Path]]:
    """Real path and found path of each photo below `folder`; `scanned` breaks loops of links."""
    real = os.path.realpath(folder)
    if real in scanned:
        return
    scanned.add(real)
    with (
        explained("read", folder, "give yourself access to the folder or move it away"),
        os.scandir(folder) as listing,
    ):
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name in SYSTEM_FOLDERS:
            continue
        path, is_link = Path(entry.path), entry.is_symlink()
        # Only links are asked again: a system call for each of a hundred thousand photos takes seconds.
        if path.is_dir() if is_link else entry.is_dir():
            yield from _scan(path, scanned)
        elif path.suffix.lower() in FORMATS:
            yield os.path.realpath(path) if is_link else real + os.sep + entry.name, path

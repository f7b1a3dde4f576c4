"""A new job's folder: the request, and the files that came with it under names of our own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.files.style_file import IDENTITY
from impasto.studio import records
from impasto.studio.naming import file_name, plain, suffix_of, unlike
from impasto.workflows import styles

Files = Mapping[str, Path | Sequence[Path]]


@dataclass(frozen=True)
class Draft:
    """The folder of a job that is not submitted yet: its files are there, under a name that nobody looks at."""

    id: str
    path: Path
    originals: Mapping[str, str]
    """The files by their new paths, and what they were called."""

    def submit(self, kind: str, title: str, request: Mapping[str, Any], *, order: int, style: str) -> Path:
        """Makes a job of it, all at once; its folder. Raises ImpastoError where the disk does not allow it."""
        told = {
            "kind": kind,
            "title": title,
            "request": dict(request),
            "created": time.time(),
            "order": order,
            "style": style,
            "originals": dict(self.originals),
        }
        with _disk():
            records.write(self.path / records.REQUEST, told)
            records.write(self.path / records.STATE, {"state": "waiting"})
            return self.path.rename(self.path.with_name(self.id))


@contextmanager
def drafted(jobs: Path, files: Files) -> Iterator[Draft]:
    """A draft with its files, which may take a while to copy; gone afterwards where it was not submitted.

    Raises:
        ImpastoError: a file or the disk does not allow it.
    """
    id = secrets.token_hex(8)
    part = jobs / f".{id}.part"
    try:
        with _disk():
            part.mkdir(parents=True)
            originals = _brought(part / records.GIVEN, files)
        yield Draft(id, part, originals)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImpastoError(f"cannot keep the files for this: {error.strerror or error}") from error


def free_name(wanted: str, library: Path, others: Collection[str]) -> str:
    """The name of a style file for what someone called `wanted`: unlike those in the library and all bundled ones."""
    taken = {path.stem for path in library.glob("*")} | {*styles(), IDENTITY, *others}
    return unlike(plain(wanted, "style"), taken, "_")


def _brought(place: Path, files: Files) -> dict[str, str]:
    """Puts files below `place`; by their new paths what they were called."""
    originals: dict[str, str] = {}
    for key, given in files.items():
        assert re.fullmatch("[a-z]+", key), key
        if isinstance(given, Path):
            name = f"{key}{suffix_of(given.name) or '.bin'}"
            originals[name] = _bring(given, place / name)
            continue
        for number, path in enumerate(given, 1):
            name = f"{key}/{number:05d}-{plain(path.stem, key)}{suffix_of(path.name)}"
            originals[name] = _bring(path, place / name)
    return originals


def _bring(source: Path, target: Path) -> str:
    """Gives a file a second name where the disk can, and copies it elsewhere; what it was called."""
    target.parent.mkdir(parents=True, exist_ok=True)
    real = source.resolve()
    if not real.is_file():
        raise ImpastoError(f"{file_name(source.name, 'a file')} is not there any more; add it again")
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)
    return file_name(source.name, target.name)

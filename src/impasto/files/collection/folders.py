"""Photos in folders: the names of millions in a few arrays, and large folders listed once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.files.collection import index
from impasto.files.collection.index import Index, Names
from impasto.files.collection.places import is_photo, is_shard
from impasto.files.images.finding import SYSTEM_FOLDERS
from impasto.files.images.problems import explained

KEPT_FROM = 20_000
"""From so many photos on the list of a folder is kept for the next time."""
STILL = 2e9
"""Nanoseconds that a folder must have been left alone before its date tells all later changes."""
JOB = "job.json"
"""The file that tells a run folder, whose pictures are no photos."""


@dataclass(frozen=True)
class Listing:
    """The photos below a folder, and the shards."""

    folders: list[str]
    dates: list[int]
    """When each of them last changed, in nanoseconds; -1 where that was too recent to tell anything."""
    of: NDArray[np.uint32]
    """Number of each photo's folder."""
    names: Names
    shards: list[str]

    def __len__(self) -> int:
        return len(self.of)

    def without(self, folders: set[str]) -> Listing:
        """Less what is in `folders`, real paths."""
        left = np.array([os.path.realpath(folder) not in folders for folder in self.folders], bool)
        if left.all():
            return self
        of, kept = self.of[left[self.of]], np.flatnonzero(left[self.of]).tolist()
        return replace(self, of=of, names=Names.of([self.names[number] for number in kept]))

    def path(self, number: int) -> Path:
        return Path(self.folders[self.of[number]], os.fsdecode(self.names[number]))


def list_folder(root: Path) -> Listing:
    """The photos below `root`, by name in each folder; hidden ones and those in run folders are left out.

    Links to folders are followed, and a file that links lead to is there once.

    Raises:
        ImpastoError: a folder that must not be read.
    """
    kept = index.load(os.path.realpath(root))
    listing = None if kept is None else _unpacked(kept)
    if listing is None or not _is_true(listing):
        listing = _listed(root)
        if len(listing) >= KEPT_FROM:
            index.save(os.path.realpath(root), _packed(listing))
    return listing


def list_files(paths: Iterable[Path]) -> Listing:
    """Photos that are named one by one, whatever their names are."""
    paths = list(paths)
    numbers = {folder: number for number, folder in enumerate(dict.fromkeys(str(path.parent) for path in paths))}
    of = np.array([numbers[str(path.parent)] for path in paths], np.uint32)
    return Listing(list(numbers), [-1] * len(numbers), of, Names.of([os.fsencode(path.name) for path in paths]), [])


def _listed(root: Path) -> Listing:
    folders: list[str] = []
    dates: list[int] = []
    counts: list[int] = []
    names: list[bytes] = []
    shards: list[str] = []
    links: dict[str, tuple[int, bytes]] = {}
    scanned: set[str] = set()
    for folder, date, photos, linked, found in _scan(root, scanned):
        for real, name in linked:
            links.setdefault(real, (len(folders), name))
        folders.append(str(folder))
        dates.append(date)
        counts.append(len(photos))
        names += photos
        shards += found
    of = np.repeat(np.arange(len(folders), dtype=np.uint32), counts)
    # A linked file counts where nothing else leads to it.
    outside = [link for real, link in links.items() if os.path.dirname(real) not in scanned]  # noqa: PTH120
    of = np.append(of, np.array([folder for folder, _ in outside], np.uint32))
    return Listing(folders, dates, of, Names.of([*names, *(name for _, name in outside)]), shards)


Scanned = tuple[Path, int, list[bytes], list[tuple[str, bytes]], list[str]]


def _scan(folder: Path, scanned: set[str]) -> Iterator[Scanned]:
    """Of each folder: itself, its date, names of photos, real paths and names of linked ones, paths of shards."""
    real = os.path.realpath(folder)
    if real in scanned or (folder / JOB).exists() or (folder.parent / JOB).exists():
        return
    scanned.add(real)
    with explained("read", folder, "give yourself access to the folder or move it away"):
        date = folder.stat().st_mtime_ns
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    photos, linked, shards, below = [], [], [], []
    for entry in entries:
        if entry.name.startswith(".") or entry.name in SYSTEM_FOLDERS:
            continue
        is_link = entry.is_symlink()
        # Only links are asked again: a system call for each of a million photos takes long.
        if Path(entry.path).is_dir() if is_link else entry.is_dir():
            below.append(Path(entry.path))
        elif is_shard(entry.name):
            shards.append(entry.path)
        elif is_photo(entry.name):
            name = os.fsencode(entry.name)
            if is_link:
                linked.append((os.path.realpath(entry.path), name))
            else:
                photos.append(name)
    yield folder, date if time.time_ns() - date > STILL else -1, photos, linked, shards
    for path in below:
        yield from _scan(path, scanned)


def _is_true(listing: Listing) -> bool:
    """Whether no folder has changed since."""
    try:
        return all(
            os.stat(folder).st_mtime_ns == date  # noqa: PTH116
            for folder, date in zip(listing.folders, listing.dates, strict=True)
        )
    except OSError:
        return False


def _packed(listing: Listing) -> Index:
    facts = {"folders": listing.folders, "dates": listing.dates, "shards": listing.shards}
    return Index(facts, {"of": listing.of, "text": listing.names.text, "bounds": listing.names.bounds})


def _unpacked(kept: Index) -> Listing | None:
    try:
        names = Names(kept.arrays["text"], kept.arrays["bounds"])
        return Listing(kept.facts["folders"], kept.facts["dates"], kept.arrays["of"], names, kept.facts["shards"])
    except KeyError:
        return None


class FolderPart:
    """Photos that are files of their own here: at hand in any order."""

    far = False

    def __init__(self, listing: Listing) -> None:
        self.listing = listing

    def __len__(self) -> int:
        return len(self.listing)

    def name(self, number: int) -> str:
        return str(self.listing.path(number))

    def data(self, number: int) -> bytes | None:
        """None: the name is a path."""
        return None

    def blocks(self) -> None:
        return None

    def identity(self) -> Iterator[bytes]:
        for folder in self.listing.folders:
            yield os.fsencode(folder)
        yield self.listing.of.tobytes()
        yield self.listing.names.text.tobytes()
        yield self.listing.names.bounds.tobytes()

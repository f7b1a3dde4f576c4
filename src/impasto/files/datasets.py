"""Photo collections to train with: downloaded, checked and unpacked, each step resumable."""

from __future__ import annotations

import os
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from impasto.errors import ImpastoError
from impasto.files.download import Progress, Report, Source, fetch, require_room
from impasto.files.lock import alone

_COCO_TERMS = "COCO images are under Flickr terms; annotations CC BY 4.0; see https://cocodataset.org/#termsofuse"
_MOST_MEMBERS = 1_000_000
_LARGEST_RATIO = 4  # photos hardly compress: an archive that grows more than this is not one of photos
_ALWAYS_ALLOWED = 10_000_000
_CHUNK = 1 << 20


@dataclass(frozen=True)
class DataSet:
    """An archive of photos."""

    name: str
    """What the command line calls it."""
    source: Source
    """The zip archive."""
    folder: str
    """The folder in the archive that holds the photos."""
    photos: int
    """How many there are."""
    terms: str
    """Under which terms one may use them, in a sentence."""


DATA_SETS: tuple[DataSet, ...] = (
    DataSet(
        "coco2014",
        Source(
            ("http://images.cocodataset.org/zips/train2014.zip",),
            size=13_510_573_713,
            sha256="ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
        ),
        "train2014",
        82_783,
        _COCO_TERMS,
    ),
    DataSet(
        "coco2014-val",
        Source(
            ("http://images.cocodataset.org/zips/val2014.zip",),
            size=6_645_013_297,
            sha256="fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
        ),
        "val2014",
        40_504,
        _COCO_TERMS,
    ),
)


def named(name: str, data_sets: Sequence[DataSet] = DATA_SETS) -> DataSet:
    """The data set called `name`.

    Raises:
        ImpastoError: there is none.
    """
    for data in data_sets:
        if data.name == name:
            return data
    raise ImpastoError(f"there is no data set {name!r}; there are {', '.join(data.name for data in data_sets)}")


def obtain(
    data: DataSet,
    folder: Path,
    progress: Report | None = None,
    announce: Callable[[str], None] | None = None,
    *,
    keep_archive: bool = False,
) -> Path:
    """Downloads and unpacks `data` into `folder`; goes on where an earlier call was stopped.

    ``IMPASTO_DATA_URL`` names a mirror: it replaces what stands before the file name.

    Args:
        progress: gets the state of download, check and unpacking.
        announce: gets the terms of use and what is about to happen, before it does.
        keep_archive: leave the archive beside the photos.

    Returns:
        The folder with the photos.

    Raises:
        ImpastoError: a failed download, no room, a folder that cannot be written to, an archive that is
            damaged or not safe to unpack.
    """
    photos = folder / data.folder
    report: Report = progress or (lambda _: None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(photos, lambda: report(Progress("wait", data.folder, 0, None))):
            if _count(photos) != data.photos:
                _download_and_extract(data, folder, report, announce or (lambda _: None), keep_archive)
    except OSError as error:
        raise ImpastoError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
    return photos


def _download_and_extract(
    data: DataSet, folder: Path, report: Report, announce: Callable[[str], None], keep_archive: bool
) -> None:
    source, archive = data.source.moved_to(os.environ.get("IMPASTO_DATA_URL", "")), folder / data.source.name
    announce(data.terms)
    announce(f"{data.name}: {data.photos:,} photos, {source.size_text}, from {source.urls[0]} to {folder}")
    _require_room_for_all(archive, source)
    fetch(source, archive, report)
    extract(archive, folder, report)
    if not keep_archive:
        archive.unlink()


def extract(archive: Path, folder: Path, progress: Report | None = None) -> None:
    """Unpacks a zip archive into `folder`; files that are there with the right size are left alone.

    Every file is there whole or not at all, so that a stopped unpacking goes on where it was. Of several
    calls for the same `folder` only one may run at a time, as :func:`obtain` sees to.

    Raises:
        ImpastoError: a damaged archive, or one that would write outside `folder` or fill the disk.
        OSError: `folder` cannot be written to.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            _extract_members(opened, _safe_members(opened, archive), archive, folder, progress or (lambda _: None))
    # What zipfile raises for damaged, encrypted and unknown contents.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ImpastoError(f"the archive {archive} is damaged ({error}); delete it and run this again") from error


def _safe_members(opened: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """The files of the archive, once all of them are known to stay inside the folder and within reason."""
    members = [member for member in opened.infolist() if not member.is_dir()]
    for member in members:
        name, windows = PurePosixPath(member.filename), PureWindowsPath(member.filename)
        outside = name.is_absolute() or windows.drive or windows.root or ".." in windows.parts
        if outside or not name.parts or stat.S_ISLNK(member.external_attr >> 16):
            raise ImpastoError(f"the archive {archive} would write outside its folder ({member.filename!r}); refused")
    size, allowed = sum(member.file_size for member in members), archive.stat().st_size * _LARGEST_RATIO
    if len(members) > _MOST_MEMBERS or size > allowed + _ALWAYS_ALLOWED:
        raise ImpastoError(f"the archive {archive} would unpack to {len(members):,} files, {size:,} bytes; refused")
    return members


def _extract_members(
    opened: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], archive: Path, folder: Path, report: Report
) -> None:
    total = sum(member.file_size for member in members)
    missing = [member for member in members if not _is_there(folder / member.filename, member.file_size)]
    done = total - sum(member.file_size for member in missing)
    require_room(folder, total - done)
    # One name for all files on their way: what a killed run leaves there, the next one overwrites.
    part, said = folder / f"{archive.name}.unpacking", 0.0
    for member in missing:
        target = folder / member.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as packed, part.open("wb") as file:
            for count in _copy(packed, file):
                done += count
                if time.monotonic() - said >= 0.1:
                    said = time.monotonic()
                    report(Progress("extract", archive.name, done, total))
        part.replace(target)
    part.unlink(missing_ok=True)
    report(Progress("extract", archive.name, total, total))


def _copy(packed: IO[bytes], file: IO[bytes]) -> Iterator[int]:
    """Yields the bytes of each chunk written; the CRC is checked at the end by zipfile."""
    while chunk := packed.read(_CHUNK):
        file.write(chunk)
        yield len(chunk)


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _count(folder: Path) -> int:
    return sum(1 for path in folder.glob("*.jpg")) if folder.is_dir() else 0


def _require_room_for_all(archive: Path, source: Source) -> None:
    """Room for the rest of the archive and for its photos, which take about as much again."""
    part = archive.with_name(archive.name + ".part")
    have = next((path.stat().st_size for path in (archive, part) if path.is_file()), 0)
    if source.size is not None and have < source.size:
        require_room(archive.parent, 2 * source.size - have)

"""Where the studio keeps things: what stays (the library), and what goes (scratch)."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import platformdirs

from impasto.errors import ImpastoError
from impasto.files.atomic import check_writable
from impasto.files.lock import hold
from impasto.studio.limits import Limits

PREFIX = "impasto-studio-"
LOCK = ".lock"
ROUND = 60.0
"""Seconds between two rounds of the janitor."""
LEAST = 64_000
"""What any file counts in bytes, so that the number of files is bounded too."""


@dataclass(frozen=True)
class Places:
    """The folders of one server. Made by `opened`."""

    library: Path
    """What the user keeps: styles and jobs."""
    scratch: Path
    """Private and temporary; nothing in it outlives the server."""
    limits: Limits
    chores: list[Callable[[], None]] = field(default_factory=list)
    """What the janitor does besides, once a round."""
    _kept: set[Path] = field(default_factory=set)

    @property
    def styles(self) -> Path:
        """The styles that were learned here."""
        return self.library / "styles"

    @property
    def jobs(self) -> Path:
        """One folder a job."""
        return self.library / "jobs"

    @property
    def uploads(self) -> Path:
        """What the page sends and is sent: Gradio's own temporary folder."""
        return self.scratch / "uploads"

    def settle(self) -> None:
        """Keeps what lies in scratch now as long as the server lives: what the page itself shows."""
        self._kept.update(_files(self.scratch))

    def room(self) -> int:
        """How many bytes may still be written to scratch."""
        used = sum(_size(path) for path in _files(self.scratch))
        free = shutil.disk_usage(self.scratch).free - self.limits.spare_bytes
        return max(0, min(self.limits.scratch_bytes - used, free))

    def tidy(self, now: float | None = None) -> None:
        """Removes what is too old and not settled; `now` in seconds since 1970."""
        now = time.time() if now is None else now
        for path in list(_files(self.scratch)):
            if path.name != LOCK and path not in self._kept and self._is_over(path, now):
                with suppress(OSError):
                    path.unlink()
        self._remove_empty(now)

    def _is_over(self, path: Path, now: float) -> bool:
        # Gradio writes an upload to its folder under a random name, and moves it into one of its own when it is whole.
        loose = path.parent == self.uploads
        kept = self.limits.loose_minutes * 60 if loose else self.limits.kept_hours * 3600
        return now - _written(path) > kept

    def _remove_empty(self, now: float) -> None:
        for parent in (self.uploads, self.scratch / "work"):
            for name, _, _ in os.walk(parent, topdown=False):
                path = Path(name)
                old = now - _written(path) > self.limits.kept_hours * 3600
                if path != parent and old:
                    with suppress(OSError):  # not empty
                        path.rmdir()


@contextmanager
def opened(folder: Path | None, limits: Limits) -> Iterator[Places]:
    """The library in `folder` (or the usual place), and a new scratch folder that is gone afterwards.

    What servers that were killed have left is removed as well.

    Raises:
        ImpastoError: the library or the system's temporary folder cannot be written to.
    """
    library = library_folder() if folder is None else folder.expanduser().absolute()
    for part in ("styles", "jobs"):
        try:
            check_writable(library / part / "probe")
        except ImpastoError as error:
            raise ImpastoError(f"cannot write to the library {library}; name another with --folder") from error
    remove_leftovers()
    # Named before it is there: a signal that comes right after would leave behind what nobody knows of.
    scratch = Path(tempfile.gettempdir(), PREFIX + secrets.token_hex(8))
    places = Places(library, scratch, limits)
    ended = threading.Event()
    lock = None
    try:
        lock = _made(scratch)
        for path in (places.uploads, scratch / "work"):
            path.mkdir(mode=0o700)
        janitor = threading.Thread(target=_keep_tidy, args=(places, ended), name="janitor", daemon=True)
        janitor.start()
        yield places
    finally:
        ended.set()
        remove(scratch, lock)


def library_folder() -> Path:
    """``$IMPASTO_HOME/studio``, or that in the user's data folder."""
    home = os.environ.get("IMPASTO_HOME")
    base = Path(home).expanduser() if home else platformdirs.user_data_path("impasto", appauthor=False)
    return base.absolute() / "studio"


def remove_leftovers() -> None:
    """Removes the scratch folders of servers that are no more; those of others and of living ones stay."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if _is_ours(path) and (lock := hold(path / LOCK)) is not None:
                remove(path, lock)


def remove(scratch: Path, lock: BinaryIO | None) -> None:
    """Removes a scratch folder whose lock this process holds, or that it was about to lock."""
    for path in ("uploads", "work"):
        shutil.rmtree(scratch / path, ignore_errors=True)
    if lock is not None:
        lock.close()  # Windows removes no file that is open
    shutil.rmtree(scratch, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    """A real folder of this user, and not one that a server is making right now."""
    status = path.lstat()
    ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    made = time.time() - status.st_mtime > 2 or (path / "uploads").exists()
    return stat.S_ISDIR(status.st_mode) and ours and made


def _made(scratch: Path) -> BinaryIO:
    """Makes the folder, and holds its lock."""
    try:
        scratch.mkdir(mode=0o700)
        lock = hold(scratch / LOCK)
    except OSError as error:
        raise ImpastoError(f"cannot write to {scratch.parent}: {error.strerror or error}") from error
    if lock is None:
        raise ImpastoError(f"{scratch} was taken by another program")
    return lock


def _keep_tidy(places: Places, ended: threading.Event) -> None:
    while not ended.wait(ROUND):
        for chore in (places.tidy, *places.chores):
            with suppress(OSError):
                chore()


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _size(path: Path) -> int:
    try:
        return max(path.lstat().st_size, LEAST)
    except OSError:  # gone meanwhile
        return 0


def _written(path: Path) -> float:
    """When it came to be where it is: a copy keeps the time of its source, but not that of its inode."""
    try:
        status = path.lstat()
    except OSError:
        return time.time()
    return max(status.st_mtime, status.st_ctime)

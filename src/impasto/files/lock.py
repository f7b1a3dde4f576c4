"""One process at a time, whichever way the others end."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


class BusyError(Exception):
    """Another process has been at it for too long."""


@contextmanager
def alone(target: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Of all processes, only one at a time is inside for the same `target`; `waiting` is called while another is.

    It holds `<target>.lock`; the system lets go of it when a process dies, however it dies.
    """
    path = target.with_name(target.name + ".lock")
    while True:
        handle = path.open("ab")
        try:
            while not _lock(handle):
                waiting()
                time.sleep(0.2)
            # Whoever held it before has removed the file: what is locked may have no name any more.
            if path.exists() and os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                break
        except BaseException:
            handle.close()
            raise
        handle.close()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps a file that another process waits for
            path.unlink()
        handle.close()


def patient(seconds: float) -> Callable[[], None]:
    """For `alone` to call while it waits: raises BusyError when so many seconds are over, from now on."""
    end = time.monotonic() + seconds

    def waiting() -> None:
        if time.monotonic() > end:
            raise BusyError

    return waiting


def hold(path: Path) -> BinaryIO | None:
    """The file `path`, locked until it is closed or this process ends; None while another process has it.

    Raises:
        OSError: it cannot be opened.
    """
    handle = path.open("ab")
    if _lock(handle):
        return handle
    handle.close()
    return None


def _lock(handle: BinaryIO) -> bool:
    """Whether the lock is ours now; a disk that knows no locks gives it to everyone."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True

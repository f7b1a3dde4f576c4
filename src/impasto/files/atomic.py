"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from impasto.errors import ImpastoError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`; on leaving it is renamed to `path`, on an error removed.

    The folder is made if need be.

    Raises:
        ImpastoError: the folder cannot be made or written to.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays last, since image writers choose the format by it.
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part" + target.suffix, dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise ImpastoError(f"cannot write {target}: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        yield temporary
        _give_usual_mode(temporary)
        temporary.replace(target)
    except OSError as error:
        raise ImpastoError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises ImpastoError when no file can be written to `path`; leaves nothing but its folder."""
    with suppress(_CheckedError), replacing(path):
        raise _CheckedError


class _CheckedError(Exception):
    """Leaves `replacing` before it renames."""


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all, on the disk when this returns."""
    with replacing(path) as temporary:
        write_through(temporary, data)


def write_through(path: Path, data: bytes) -> None:
    """Writes `data`, which is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _give_usual_mode(path: Path) -> None:
    """mkstemp makes files that only their owner can read; what a user keeps gets the usual mode."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)

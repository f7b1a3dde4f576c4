"""Headers without an end."""

from __future__ import annotations

import os
from typing import IO, cast

_MOST_READS = 1_000_000
_LARGEST_READ = 512 << 20


def patient(file: IO[bytes]) -> IO[bytes]:
    """`file` from its beginning, as :class:`_Patient`."""
    return cast(IO[bytes], _Patient(file))


class _Patient:
    """A file of which Pillow reads a million pieces at most, none above 512 MB.

    Its plugins look for the first pixels piece by piece, a byte long where the data make no sense, and WebP's reads the
    file as a whole; either would go on through gigabytes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = _MOST_READS
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ValueError("its header has no end")
        if (self._size if size < 0 else size) > _LARGEST_READ:
            raise ValueError("a part of it is longer than any picture's")
        return self._file.read(size)

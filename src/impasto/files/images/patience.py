"""Headers without an end."""

from __future__ import annotations

import os
from typing import IO, cast

_MOST_READS = 5_000_000
_MOST_BYTES = 1 << 30


def patient(file: IO[bytes], most_bytes: int = _MOST_BYTES) -> IO[bytes]:
    """`file` from its beginning, as :class:`_Patient`."""
    return cast(IO[bytes], _Patient(file, most_bytes))


class _Patient:
    """A file of which Pillow reads a few million pieces at most, together no more than `most_bytes`.

    Its plugins look for the first pixels piece by piece, a byte long where the data make no sense, and WebP's reads the
    file as a whole; either would go on through gigabytes.
    """

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file = file
        self._reads_left, self._bytes_left = _MOST_READS, most_bytes
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        self._reads_left -= 1
        self._bytes_left -= self._size if size < 0 else size
        if self._reads_left < 0 or self._bytes_left < 0:
            raise ValueError("its header or its data have no end")
        return self._file.read(size)

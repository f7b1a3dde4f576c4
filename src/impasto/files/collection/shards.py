"""Photos in tar shards, as WebDataset has them: read in place by an index that is built once."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files.collection import index
from impasto.files.collection.blocks import with_block
from impasto.files.collection.index import Index
from impasto.files.collection.places import is_photo, opened, stamp_of
from impasto.files.remote import is_uri

BLOCK_BYTES = 8 << 20
"""So much of a shard far away is fetched at once."""


def _index_of(shard: str, stamp: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offset and size in bytes of each photo in the tar file at a path or URI.

    Raises:
        ImpastoError: it can't be read, or is no plain tar file.
    """
    kept = index.load(shard)
    if kept is None or kept.facts.get("stamp") != stamp or {"offsets", "sizes"} - kept.arrays.keys():
        with opened(shard) as file:
            members = np.array(list(_photos(file, shard)), np.int64).reshape(-1, 2)
        kept = Index({"stamp": stamp}, {"offsets": members[:, 0].copy(), "sizes": members[:, 1].copy()})
        index.save(shard, kept)
    return kept.arrays["offsets"], kept.arrays["sizes"]


def _photos(file: IO[bytes], shard: str) -> Iterator[tuple[int, int]]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would remember all of them
                if member.isreg() and is_photo(member.name):
                    yield member.offset_data, member.size
            # It stops without a word at a header that makes no sense.
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise tarfile.ReadError(f"a damaged header at byte {tar.offset}")
    except tarfile.TarError as error:
        raise ImpastoError(
            f"{shard} is no whole tar file ({error}); copy it again, or unpack a .tar.gz: only .tar is read in place"
        ) from error


class TarPart:
    """The photos of several tar files; those far away are fetched in blocks."""

    def __init__(self, shards: Sequence[str]) -> None:
        """Raises ImpastoError for one that can't be read."""
        self.shards = list(shards)
        self.stamps = [stamp_of(shard) for shard in self.shards]
        found = [_index_of(*named) for named in zip(self.shards, self.stamps, strict=True)]
        self.of = np.repeat(np.arange(len(found), dtype=np.uint32), [len(offsets) for offsets, _ in found])
        self.offsets = np.concatenate([offsets for offsets, _ in found])
        self.sizes = np.concatenate([sizes for _, sizes in found])
        self.far = any(map(is_uri, self.shards))

    def __len__(self) -> int:
        return len(self.of)

    def name(self, number: int) -> str:
        return f"{self.shards[self.of[number]]}, photo at byte {self.offsets[number]}"

    def data(self, number: int) -> bytes:
        """The photo's file content. Raises ImpastoError."""
        shard, stamp = self.shards[self.of[number]], self.stamps[self.of[number]]
        offset, size = int(self.offsets[number]), int(self.sizes[number])
        if not is_uri(shard):
            with opened(shard) as file:
                file.seek(offset)
                return file.read(size)
        block = offset // BLOCK_BYTES
        first, last = self._bounds(number)

        def use(path: Path) -> bytes:
            with path.open("rb") as file:
                file.seek(offset - first)
                return file.read(size)

        return with_block(f"{shard} {stamp} {block}", lambda path: _fetch(shard, first, last, path), use)

    def blocks(self) -> NDArray[np.int64] | None:
        """Number of each photo's block; None where all is at hand."""
        if not self.far:
            return None
        keys = self.of.astype(np.int64) << 32 | self.offsets // BLOCK_BYTES
        return np.unique(keys, return_inverse=True)[1].astype(np.int64)

    @property
    def photo_bytes(self) -> float:
        return float(self.sizes.mean())

    def _bounds(self, number: int) -> tuple[int, int]:
        """First and last byte (exclusive) of the photos of the block that photo `number` is in."""
        shard, block = self.of[number], self.offsets[number] // BLOCK_BYTES
        low, high = np.searchsorted(self.of, [shard, shard + 1])
        inside = self.offsets[low:high]
        first, behind = np.searchsorted(inside, [block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES]) + low
        return int(self.offsets[first]), int(self.offsets[behind - 1] + self.sizes[behind - 1])

    def identity(self) -> Iterator[bytes]:
        for shard in self.shards:
            yield shard.encode(errors="surrogateescape")
        yield self.offsets.tobytes()
        yield self.sizes.tobytes()


def _fetch(shard: str, first: int, last: int, path: Path) -> None:
    with opened(shard) as file:
        file.seek(first)
        data = file.read(last - first)
    if len(data) != last - first:
        raise ImpastoError(f"cannot read {shard}: it ends early; it may have changed since its index was made")
    path.write_bytes(data)

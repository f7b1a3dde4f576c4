"""Photos in Parquet files: a column of image bytes, as data sets on the Hugging Face hub have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files.collection.blocks import with_block
from impasto.files.collection.places import opened, stamp_of

USUAL_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "picture", "photo", "bytes", "content")
ROWS_AT_ONCE = 64


class ParquetPart:
    """The photos of several Parquet files; a group of rows, which can only be decoded as a whole, is a block."""

    far = True

    def __init__(self, files: Sequence[str]) -> None:
        """Raises ImpastoError for one that can't be read or has no column of image bytes."""
        self.files = list(files)
        self.stamps = [stamp_of(file) for file in self.files]
        found = [_described(file) for file in self.files]
        self.columns = [column for column, _, _ in found]
        self.group_of = [(number, group) for number, (_, rows, _) in enumerate(found) for group in range(len(rows))]
        rows = np.array([count for _, rows, _ in found for count in rows], np.int64)
        self.starts = np.concatenate([[0], np.cumsum(rows)])
        self.photo_bytes = sum(size for _, _, size in found) / max(1, int(self.starts[-1]))

    def __len__(self) -> int:
        return int(self.starts[-1])

    def name(self, number: int) -> str:
        group = self._group(number)
        first = self.starts[next(i for i, (file, _) in enumerate(self.group_of) if file == self.group_of[group][0])]
        return f"{self.files[self.group_of[group][0]]}, row {number - first}"

    def data(self, number: int) -> bytes:
        """The photo's file content; empty where the table has none. Raises ImpastoError."""
        group = self._group(number)
        row, rows = number - int(self.starts[group]), int(self.starts[group + 1] - self.starts[group])
        file, place = self.group_of[group]
        key = f"{self.files[file]} {self.stamps[file]} {place}"
        return with_block(
            key,
            lambda path: _extract(self.files[file], self.columns[file], place, rows, path),
            lambda path: _row(path, row),
        )

    def blocks(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.group_of), dtype=np.int64), np.diff(self.starts))

    def _group(self, number: int) -> int:
        return int(np.searchsorted(self.starts, number, side="right")) - 1

    def identity(self) -> Iterator[bytes]:
        for file in self.files:
            yield file.encode(errors="surrogateescape")
        yield self.starts.tobytes()


def _described(file: str) -> tuple[str, list[int], int]:
    """The column of image bytes, the number of rows in each group, and the bytes of that column."""
    parquet = _pyarrow().parquet
    with _explained(file), opened(file) as handle:
        table = parquet.ParquetFile(handle, pre_buffer=False)
        column = _image_column(table.schema_arrow, file)
        groups = [table.metadata.row_group(number) for number in range(table.num_row_groups)]
        leaves = [group.column(i) for group in groups for i in range(group.num_columns)]
        size = sum(leaf.total_uncompressed_size for leaf in leaves if leaf.path_in_schema == column)
        return column, [group.num_rows for group in groups], size


def _image_column(schema: Any, file: str) -> str:
    """Path of the column: binary itself, or a struct with the binary field `bytes`."""
    types = _pyarrow().types

    def is_binary(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    found: dict[str, str] = {}
    for item in schema:
        if is_binary(item.type):
            found[item.name] = item.name
        elif types.is_struct(item.type) and any(one.name == "bytes" and is_binary(one.type) for one in item.type):
            found[item.name] = f"{item.name}.bytes"
    for name in (*USUAL_COLUMNS, *found):
        if name in found:
            return found[name]
    raise ImpastoError(f"{file} has no column of image bytes; its columns: {', '.join(schema.names)}")


def _extract(file: str, column: str, group: int, rows: int, path: Path) -> None:
    """Writes the image bytes of a group of rows: their number, where each ends, then all of them."""
    ends = np.zeros(1 + rows, np.int64)
    ends[0] = rows
    with path.open("wb") as out:
        out.write(ends.tobytes())
        end = 0
        for row, data in enumerate(_image_bytes(file, column, group)):
            out.write(data)
            end += len(data)
            ends[1 + row] = end
        out.seek(0)
        out.write(ends.tobytes())


def _image_bytes(file: str, column: str, group: int) -> Iterator[bytes]:
    """What the rows of a group hold, nothing for a missing picture."""
    with _explained(file), opened(file) as handle:
        table = _pyarrow().parquet.ParquetFile(handle, pre_buffer=False)
        for batch in table.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=[column], use_threads=False):
            for value in batch.column(0).to_pylist():
                yield (value["bytes"] if isinstance(value, dict) else value) or b""


def _row(path: Path, row: int) -> bytes:
    with path.open("rb") as file:
        count = int(np.fromfile(file, np.int64, 1)[0])
        file.seek(8 * row)
        begin, end = np.fromfile(file, np.int64, 2).tolist()
        begin = begin if row else 0
        file.seek(8 * (count + 1) + begin)
        return file.read(end - begin)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImpastoError("Parquet files need a package: pip install 'impasto[shards]'") from error
    return pyarrow


@contextmanager
def _explained(file: str) -> Iterator[None]:
    """What pyarrow says of a damaged file as an ImpastoError."""
    try:
        yield
    except (_pyarrow().ArrowException, ValueError) as error:
        raise ImpastoError(f"{file} is no whole Parquet file: {' '.join(str(error).split())[:200]}") from error

"""Files here and far away, under one way of opening them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from impasto.errors import ImpastoError, in_one_line
from impasto.files.images.formats import FORMATS
from impasto.files.remote import is_uri

TAR = (".tar",)
PARQUET = (".parquet", ".pq")
READ_AHEAD = 8 << 20
"""Bytes that are fetched at once from far away while a shard is looked through."""


def is_photo(name: str) -> bool:
    plain = _last(name)
    return not plain.startswith(".") and Path(plain).suffix.lower() in FORMATS


def is_shard(name: str) -> bool:
    plain = _last(name)
    return plain.lower().endswith((*TAR, *PARQUET)) and not plain.startswith(".")


def is_tar(name: str) -> bool:
    return _last(name).lower().endswith(TAR)


def _last(name: str) -> str:
    """The last part of a path or address, without the signature behind ? that an address may have."""
    return (name.partition("?")[0] if is_uri(name) else name).rsplit("/", 1)[-1]


def expanded(pattern: str) -> list[str]:
    """What ranges and lists in braces stand for, as in shell: ``train-{0000..0099}.tar``, ``{a,b}.tar``."""
    found = re.search(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}", pattern)
    if found is None:
        return [pattern]
    first, last, listed = found.groups()
    if listed is not None:
        middles = listed.split(",")
    else:
        width = len(first) if first.startswith("0") else 0
        middles = [f"{number:0{width}}" for number in range(int(first), int(last) + 1)]
    before, behind = pattern[: found.start()], pattern[found.end() :]
    return list(itertools.chain.from_iterable(expanded(before + middle + behind) for middle in middles))


@contextmanager
def opened(place: str) -> Iterator[IO[bytes]]:
    """The file at a path or URI, open to read and seek in. Raises ImpastoError, from its use inside too."""
    with _reached(place):
        if is_uri(place):
            filesystem, path = filesystem_of(place)
            with filesystem.open(path, "rb", block_size=READ_AHEAD, cache_type="readahead") as file:
                yield file
        else:
            with Path(place).open("rb") as file:
                yield file


@contextmanager
def _reached(place: str) -> Iterator[None]:
    """Turns what goes wrong in reaching `place` into one line: far away every protocol has errors of its own."""
    try:
        yield
    except ImpastoError:
        raise
    except Exception as error:
        if not is_uri(place) and not isinstance(error, OSError):
            raise
        text = in_one_line((error.strerror if isinstance(error, OSError) else None) or str(error))
        if text in ("", place):  # fsspec says the address and nothing else
            text = in_one_line(str(error.__cause__ or "")) or type(error).__name__
        raise ImpastoError(f"cannot read {place}: {text}; check the address and its access rights") from error


def stamp_of(place: str) -> str:
    """What changes when the file does: its size and date, or what a server says of it. Raises ImpastoError."""
    with _reached(place):
        if not is_uri(place):
            stat = Path(place).stat()
            return f"{stat.st_size} {stat.st_mtime_ns}"
        filesystem, path = filesystem_of(place)
        info = filesystem.info(path)
    told = ("size", "ETag", "etag", "mtime", "LastModified", "updated", "created")
    return " ".join(str(info[key]) for key in told if key in info)


def find_far(uri: str) -> list[str]:
    """The photos and shards below a folder far away, as URIs, sorted; or the file itself. Raises ImpastoError."""
    filesystem, path = filesystem_of(uri)
    if is_shard(uri) or is_photo(uri):
        return [uri]
    with _reached(uri):
        found = filesystem.find(path)
    names = sorted(str(filesystem.unstrip_protocol(name)) for name in found if is_photo(name) or is_shard(name))
    if not names:
        raise ImpastoError(f"there are no photos and no shards at {uri}; check the address and its access rights")
    return names


def filesystem_of(uri: str) -> tuple[Any, str]:
    """The fsspec file system that `uri` is on, and its path there. Raises ImpastoError where there is none."""
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
    except Exception as error:
        raise ImpastoError(f"cannot reach {uri}: {in_one_line(str(error))}") from error
    return filesystem, path

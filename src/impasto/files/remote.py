"""Files by URI: s3://, gs://, file:// and whatever else pyarrow or fsspec knows."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from impasto.errors import ImpastoError
from impasto.files.images.formats import FORMATS

PLAIN = "/:@?=&+,;$!*'()[]~"
"""Characters of an address that stay; ? leads in options such as ?region=."""


def is_uri(path: str) -> bool:
    """Whether `path` names a place by a scheme."""
    return re.match(r"[a-z][a-z0-9+.-]+://", path) is not None


def find(uri: str) -> list[str]:
    """The photos below the folder `uri`, or the one that it names, as URIs, sorted.

    Raises:
        ImpastoError: there is nothing, or it cannot be reached.
    """
    from pyarrow.fs import FileSelector, FileType

    filesystem, path = opened(uri)
    try:
        (info,) = filesystem.get_file_info([path])
        if info.type == FileType.File:
            return [uri]
        if info.type == FileType.NotFound:
            raise ImpastoError(f"there is nothing at {uri}; check the address and its access rights")
        found = filesystem.get_file_info(FileSelector(path, recursive=True))
    except OSError as error:
        raise ImpastoError(f"cannot read {uri}: {error}") from error
    root = uri.removesuffix("/")
    photos = (one.path for one in found if one.type == FileType.File and _is_photo(one.path))
    return sorted(f"{root}/{photo.removeprefix(path).lstrip('/')}" for photo in photos)


def exists(uri: str) -> bool:
    """Whether there is a file. Raises ImpastoError where that cannot be told."""
    from pyarrow.fs import FileType

    filesystem, path = opened(uri)
    try:
        (info,) = filesystem.get_file_info([path])
    except OSError as error:
        raise ImpastoError(f"cannot read {uri}: {error}") from error
    return bool(info.type == FileType.File)


def read(uri: str) -> bytes:
    """The file's content. Raises ImpastoError."""
    filesystem, path = opened(uri)
    try:
        with filesystem.open_input_stream(path) as stream:
            return bytes(stream.read())
    except OSError as error:
        raise ImpastoError(f"cannot read {uri}: {error}") from error


def write(uri: str, data: bytes) -> None:
    """Writes the file; object stores show it when it is whole. Raises ImpastoError."""
    filesystem, path = opened(uri)
    try:
        filesystem.create_dir(str(PurePosixPath(path).parent), recursive=True)
        with filesystem.open_output_stream(path) as stream:
            stream.write(data)
    except OSError as error:
        raise ImpastoError(f"cannot write {uri}: {error}") from error


def opened(uri: str) -> tuple[Any, str]:
    """The file system that `uri` is on, and its path there. Raises ImpastoError for a scheme that nobody knows."""
    from pyarrow import ArrowInvalid
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        # Names are taken as they are, so what means something in an address is written out.
        filesystem, path = FileSystem.from_uri(quote(uri, safe=PLAIN))
    except ArrowInvalid:
        import fsspec

        try:
            filesystem, path = fsspec.core.url_to_fs(uri)
        except (ValueError, ImportError) as error:
            raise ImpastoError(f"cannot reach {uri}: {error}") from error
        return PyFileSystem(FSSpecHandler(filesystem)), path
    except OSError as error:
        raise ImpastoError(f"cannot reach {uri}: {error}") from error
    return filesystem, path


def _is_photo(path: str) -> bool:
    name = PurePosixPath(path)
    return name.suffix.lower() in FORMATS and not name.name.startswith(".")

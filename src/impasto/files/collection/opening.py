"""From what a user names to a collection."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.files.collection.collection import Collection, Part
from impasto.files.collection.far import FarFiles
from impasto.files.collection.folders import FolderPart, list_files, list_folder
from impasto.files.collection.places import expanded, find_far, is_shard, is_tar
from impasto.files.collection.shards import TarPart
from impasto.files.collection.tables import ParquetPart
from impasto.files.images.problems import explained
from impasto.files.remote import is_uri


def open_collection(sources: Sequence[str | os.PathLike[str]]) -> Collection:
    """The photos in folders (with all below), files, tar and Parquet shards; paths, patterns, or URIs.

    Braces stand for ranges and lists, ``photos-{000..099}.tar``. A list of a large folder and the index of a shard are
    kept in the cache, and used as long as the folder or shard stays as it is.

    Raises:
        ImpastoError: something does not exist or can't be read.
    """
    folders: list[Path] = []
    files: list[Path] = []
    shards: list[str] = []
    far: list[str] = []
    for source in sources:
        given = os.fspath(source)
        for name in [given] if Path(given).exists() else expanded(given):
            if is_uri(name):
                for found in find_far(name):
                    (shards if is_shard(found) else far).append(found)
                continue
            for path in _matching(name):
                with explained("read", path, "check the name and its access rights"):
                    if path.is_dir():
                        folders.append(path)
                    elif is_shard(path.name):
                        shards.append(str(path.resolve(strict=True)))
                    else:
                        files.append(path.resolve(strict=True))
    parts: list[Part] = []
    seen: set[str] = set()
    for folder in _apart(folders):
        listing = list_folder(folder).without(seen)
        seen.update(map(os.path.realpath, listing.folders))
        parts.append(FolderPart(listing))
        shards += listing.shards
    inside = [os.path.realpath(folder) + os.sep for folder in folders]
    loose = [path for path in dict.fromkeys(files) if not str(path).startswith(tuple(inside) or ("\0",))]
    parts.append(FolderPart(list_files(loose)))
    shards = list(dict.fromkeys(shard if is_uri(shard) else os.path.realpath(shard) for shard in shards))
    tars = [shard for shard in shards if is_tar(shard)]
    tables = [shard for shard in shards if not is_tar(shard)]
    if tars:
        parts.append(TarPart(tars))
    if tables:
        parts.append(ParquetPart(tables))
    if far:
        parts.append(FarFiles(far))
    return Collection(parts)


def _matching(name: str) -> list[Path]:
    if Path(name).exists() or not glob.has_magic(name):
        return [Path(name)]
    matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
    paths = [Path(match) for match in matches]
    paths = [path for path in paths if path.is_dir() or is_shard(path.name) or path.suffix.lower() in images.FORMATS]
    if not paths:
        raise ImpastoError(f"no photos match {name}; check the pattern (** stands for folders below)")
    return paths


def _apart(folders: list[Path]) -> list[Path]:
    """Without those that are below others, or named twice."""
    real = {os.path.realpath(folder): folder for folder in folders}
    return [folder for path, folder in real.items() if not any(path.startswith(one + os.sep) for one in real)]

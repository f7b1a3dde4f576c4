"""The networks of many styles that come with the package, and style files that hold nothing but rows for one of them.

A style's row is a scale and an offset for each channel of the network's norms, and the share of the photo that it lets
through. A file of rows names its base, the network that they belong to, by a hash over all that is not rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files import assets, style_file
from impasto.files.style_file import IDENTITY, BaseName, Style

ENDINGS = {"classic": "", "turbo": "-turbo"}
"""What follows the painting's name in the name of a bundled style, by base: the best looking, and the fastest."""


class Bundled(NamedTuple):
    """Where a bundled style is."""

    path: Path
    row: str


def path_of(base: str) -> Path:
    """The file of the base of that name."""
    return assets.folder("gallery") / f"{base}.safetensors"


def bundled() -> dict[str, Bundled]:
    """The bundled styles by name."""
    found: dict[str, Bundled] = {}
    for base, ending in ENDINGS.items():
        path = path_of(base)
        if path.exists():
            found |= {row + ending: Bundled(path, row) for row in style_file.names_in(path) if row != IDENTITY}
    return dict(sorted(found.items()))


def load(path: Path) -> Style:
    """The style file `path`; one of rows alone comes with its base, whose own styles stand behind them.

    Raises:
        ImpastoError: as `style_file.load`; or the base is not in this impasto.
    """
    style = style_file.load(path)
    return style if style.base is None else completed({path: style})


def mixed(parts: Mapping[str, tuple[Path, str | int]]) -> tuple[Style, dict[str, str | int]]:
    """One network that holds every style of `parts` (file and row of each), and the row there of each.

    Raises:
        ImpastoError: as `load`; or the styles do not belong to one network.
    """
    paths = {path for path, _ in parts.values()}
    if len(paths) == 1:
        return load(paths.pop()), {name: row for name, (_, row) in parts.items()}
    bases, fitted, rows = {}, {}, {}
    for name, (path, row) in parts.items():
        rows[name] = row
        bases[name] = next((base for base in ENDINGS if path == path_of(base)), str(path))
        if bases[name] == str(path) and (style := style_file.load(path)).base is not None:
            bases[name] = style.base.name
            fitted[path] = replace(style, names=(name, *style.names[1:]))
            rows[name] = name
    if len(set(bases.values())) > 1:
        listed = ", ".join(f"{name} is of {base}" for name, base in bases.items())
        raise ImpastoError(f"only styles of one network can be mixed, and {listed}")
    return completed(fitted), rows


def completed(fitted: Mapping[Path, Style]) -> Style:
    """The network of the one base with the rows of the files in `fitted`, which come first, and its own.

    Raises:
        ImpastoError: this impasto has no such base, or the rows do not fit.
    """
    for path, rows in fitted.items():
        base = base_of(rows, path)
        for name in filter(is_row, base.tensors):
            own = rows.tensors.get(name)
            if own is None or own.shape != (len(rows.names), base.tensors[name].shape[1]):
                raise ImpastoError(f"{path} is not a whole style file: its {name} does not fit; copy or train it again")
    first = next(iter(fitted.values()))
    tensors = {
        name: np.concatenate([*(rows.tensors[name] for rows in fitted.values()), value]) if is_row(name) else value
        for name, value in base.tensors.items()
    }
    own_names = [name for rows in fitted.values() for name in rows.names]
    names = (*own_names, *(name if name not in own_names else f"{name} of the gallery" for name in base.names))
    return replace(first, network=replace(base.network, styles=len(names)), names=names, tensors=tensors)


def base_of(rows: Style, path: Path) -> Style:
    """The base that the file `path` was fitted on. Raises ImpastoError when this impasto does not have it."""
    assert rows.base is not None
    base = _base(rows.base.name)
    if base is None or body_sha256(base.tensors) != rows.base.sha256:
        raise ImpastoError(
            f"{path} was fitted on another version of the base network {rows.base.name!r} than this impasto has; "
            f"fit the painting again, or use the impasto that made it ({rows.provenance.get('impasto', 'unknown')})"
        )
    return base


def rows_of(style: Style, base: str) -> Style:
    """`style`, trained on the base of that name with all but its rows left as they were, without what the base has."""
    tensors = {name: value for name, value in style.tensors.items() if is_row(name)}
    return replace(style, tensors=tensors, base=BaseName(base, body_sha256(style.tensors)))


def body_sha256(tensors: Mapping[str, NDArray[np.float32]]) -> str:
    """The hash of all of a network but its rows."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        if not is_row(name):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(tensors[name], "<f4").tobytes())
    return digest.hexdigest()


def is_row(parameter: str) -> bool:
    """Whether a parameter of that name has a row for each style."""
    return parameter.endswith((".norm.scale", ".norm.offset", "skip.gain"))


@cache
def _base(name: str) -> Style | None:
    path = path_of(name)
    return style_file.load(path) if name in ENDINGS and path.exists() else None

"""Style files: one .safetensors that carries its architecture, its weights and where it came from.

Nothing is unpickled. The header's metadata holds one JSON text under `impasto`; the tensors are the
transformer network's, by name, and a small probe: a photo and its stylized image in float32, so that any
runtime can check itself. A file of nothing but rows names the network that they belong to (gallery.py).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from impasto.config import NetworkConfig, make_network
from impasto.errors import ImpastoError, in_one_line
from impasto.files import atomic

FORMAT_VERSION = 1
METADATA_KEY = "impasto"
PROBE_PHOTO = "probe.photo"
PROBE_STYLIZED = "probe.stylized"
IDENTITY = "identity"
"""Name of the row that gives the photo back, in a network that has one."""
LARGEST_FILE = 400 << 20
"""Bytes: a network sixty times as large as the usual one; loading takes twice as many."""
LARGEST_HEADER = 8 << 20
"""Bytes of names, provenance and the table of tensors; as Python's objects they are up to thirty times as many."""
LARGEST_PROBE = 256 * 256
"""Pixels."""


class BaseName(NamedTuple):
    """The network that rows belong to."""

    name: str
    sha256: str
    """Hash of all of that network but its rows."""


@dataclass(frozen=True)
class Style:
    """A trained look: everything that is needed to repaint with it, and its provenance."""

    network: NetworkConfig
    """The transformer network's architecture."""
    names: tuple[str, ...]
    """Name of each style, in the order of the network's rows."""
    tensors: Mapping[str, NDArray[np.float32]]
    """The network's parameters by name, float32."""
    provenance: Mapping[str, Any]
    """Painting (name, SHA-256), recipe, loss network, iterations, photos, version: JSON values."""
    probe_photo: NDArray[np.uint8]
    """A small photo (1, h, w, 3) ..."""
    probe_stylized: NDArray[np.float32]
    """... and the float32 answer of style 0 to it, (1, 3, h, w) in [0, 1]."""
    base: BaseName | None = None
    """For a style that was fitted on a base: which; its tensors may then be the rows alone."""

    def __post_init__(self) -> None:
        if len(self.names) != self.network.styles:
            raise ImpastoError(f"{len(self.names)} style names for a network of {self.network.styles} styles")


def save(path: str | os.PathLike[str], style: Style) -> None:
    """Writes `style` to `path`, whole or not at all.

    Raises:
        ImpastoError: it cannot be written, or its names could not be read again.
    """
    _check_names(path, style.names)
    header = {
        "version": FORMAT_VERSION,
        "network": dataclasses.asdict(style.network),
        "names": list(style.names),
        "provenance": dict(style.provenance),
    }
    if style.base is not None:
        header["base"] = style.base._asdict()
    tensors: dict[str, NDArray[Any]] = dict(style.tensors)
    tensors |= {PROBE_PHOTO: style.probe_photo, PROBE_STYLIZED: style.probe_stylized}
    # safetensors writes the memory as it lies, views garbled.
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    data = safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(header, sort_keys=True)})
    atomic.write_bytes(path, data)


def load(path: str | os.PathLike[str]) -> Style:
    """The style in the file `path`.

    Raises:
        ImpastoError: no such file, truncated, not a style file, of another version, with a header that makes no
            sense, or with weights that are not finite. Whether they fit the network, its backend finds out.
    """
    file = Path(path)
    header, tensors = _read(file)
    try:
        _check_version(file, header["version"])
        network = _network(file, header["network"])
        names, provenance = header["names"], header["provenance"]
        base = BaseName(**header["base"]) if "base" in header else None
        probe_photo, probe_stylized = tensors.pop(PROBE_PHOTO), tensors.pop(PROBE_STYLIZED)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _broken(file, f"its header is incomplete ({error})") from error
    if not isinstance(names, list):
        raise _broken(file, f"its style names are {names!r}")
    _check_names(file, names)
    if len(names) != network.styles:
        raise _broken(file, f"it has {len(names)} style names for a network of {network.styles} styles")
    if not isinstance(provenance, dict) or not isinstance(provenance.get("options", {}), dict):
        raise _broken(file, "its provenance is no table")
    if not _is_probe(probe_photo, probe_stylized):
        raise _broken(file, "its probe is no photo with its answer")
    if base is not None and not all(isinstance(text, str) and in_one_line(text) == text for text in base):
        raise _broken(file, f"its base is {base!r}")
    style = Style(network, tuple(names), tensors, provenance, probe_photo, probe_stylized, base)
    for name, value in tensors.items():
        if in_one_line(name) != name:
            raise _broken(file, f"it has a tensor called {name}")
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise _broken(file, f"its tensor {name} holds values that are not finite float32 numbers")
    return style


def _check_names(file: str | os.PathLike[str], names: Sequence[object]) -> None:
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise _broken(file, f"its style names are {list(names)!r}")


def _check_version(file: Path, version: object) -> None:
    if version != FORMAT_VERSION:
        raise ImpastoError(
            f"{file} is a style file of version {in_one_line(str(version))}, and this impasto reads version "
            f"{FORMAT_VERSION}; use the impasto that it was made with, or a newer one"
        )


def _network(file: Path, values: Mapping[str, Any]) -> NetworkConfig:
    try:
        return make_network(values, "its header")
    except ImpastoError as error:
        raise _broken(file, str(error)) from error


def names_in(path: Path) -> list[str]:
    """Names of the styles in a file that comes with the package, read without its weights."""
    with safetensors.safe_open(path, framework="numpy") as opened:
        names: list[str] = json.loads(opened.metadata()[METADATA_KEY])["names"]
        return names


def _is_probe(photo: NDArray[Any], answer: NDArray[Any]) -> bool:
    if photo.ndim != 4 or photo.shape[0] != 1 or photo.shape[3] != 3 or not 0 < photo[0, ..., 0].size <= LARGEST_PROBE:
        return False
    return photo.dtype == np.uint8 and answer.dtype == np.float32 and bool(np.isfinite(answer).all())


def _read(file: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        _check_length(file)
        with safetensors.safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            if METADATA_KEY not in metadata:
                raise ImpastoError(
                    f"{file} is a safetensors file, but not a style file of impasto; "
                    "make one with: impasto train PAINTING --out FILE"
                )
            header = json.loads(metadata[METADATA_KEY])
            return header, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ImpastoError(f"there is no style file {file}; `impasto styles` lists the bundled ones") from error
    except OSError as error:
        raise ImpastoError(f"cannot read the style file {file}: {error.strerror or error}") from error
    except (safetensors.SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise _broken(file, str(error)) from error


def _check_length(file: Path) -> None:
    """What it claims is checked before anything is read whole."""
    if file.exists() and not (file.is_file() or file.is_dir()):  # opening a pipe would wait for ever
        raise _broken(file, "it is no regular file")
    with file.open("rb") as opened:
        header = int.from_bytes(opened.read(8), "little")
    if file.stat().st_size > LARGEST_FILE or LARGEST_HEADER < header < LARGEST_FILE:
        raise _broken(file, "it is larger than any style file")


def _broken(file: str | os.PathLike[str], why: str) -> ImpastoError:
    return ImpastoError(f"{file} is not a whole style file: {in_one_line(why)}; copy or train it again")

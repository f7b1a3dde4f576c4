"""Styles and paintings by name, and a Stylizer of any style."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.config import BackendName, Device, Precision
from impasto.errors import ImpastoError
from impasto.files import assets, gallery
from impasto.files.style_file import Style
from impasto.stylizing.backends import make_backend
from impasto.stylizing.manner import WhichStyle
from impasto.stylizing.stylizer import Stylizer
from impasto.workflows.common import STYLE_SUFFIX, AnyPath


def styles() -> list[str]:
    """Names of the styles that come with the package; those that end with -turbo are the fastest."""
    return list(gallery.bundled())


def paintings() -> list[str]:
    """Names of the paintings that come with the package, to train with."""
    return sorted(path.stem for path in assets.folder("paintings").glob("*.jpg"))


def painting_path(painting: AnyPath) -> Path:
    """The file of a bundled painting's name, or the path itself, which wins where a file has that name."""
    path = Path(painting)
    return path if path.exists() or str(painting) not in paintings() else assets.folder("paintings") / f"{painting}.jpg"


def style_path(style: AnyPath) -> Path:
    """The file that a bundled style is in, or the path of a style file. Raises ImpastoError when there is neither."""
    return find_style(style)[0]


def find_style(style: AnyPath) -> tuple[Path, str | int]:
    """The file that a style is in and which of its rows it is: a bundled style's name, or a style file's first.

    Raises:
        ImpastoError: there is neither.
    """
    bundled = gallery.bundled()
    if str(style) in bundled:
        return bundled[str(style)]
    path = Path(style)
    if not path.is_file():
        what = f"{path} is a folder" if path.is_dir() else f"there is no style {str(style)!r}"
        near = difflib.get_close_matches(str(style), bundled, n=3) or [name for name in bundled if "-" not in name]
        raise ImpastoError(f"{what}; name a style file (*{STYLE_SUFFIX}) or a bundled style, such as {', '.join(near)}")
    return path, 0


DEFAULT_STYLE = "great_wave"


@dataclass(frozen=True)
class Engine:
    """What runs a network, and how much memory it may take."""

    backend: BackendName = "auto"
    """openvino, onnxruntime or torch; auto is the fastest that is right."""
    device: Device = "auto"
    """cpu, cuda or mps; torch alone runs on the last two."""
    precision: Precision = "auto"
    """float32, or bf16 where the CPU has it: two to three times faster, 45 to 55 dB from float32."""
    max_memory: int | None = None
    """Bytes beyond which a photo is painted strip by strip; None is most of what is free."""


def load(style: AnyPath | Mapping[str, float], engine: Engine | None = None, **options: Any) -> Stylizer:
    """A Stylizer of a bundled style, of a style file, or of a mix of several.

    Args:
        style: a bundled style's name, a style file, or weights by such names that mix styles of one network.
        options: the fields of :class:`Engine`.
    Raises:
        ImpastoError: no such style; a file that is damaged, foreign or of a newer version; a mix of styles that do
            not belong to one network; or a backend that is not here.
    """
    engine = engine or Engine(**options)
    if isinstance(style, Mapping):
        if not style:
            raise ImpastoError("a mix of styles needs at least one")
        stylizer, rows = load_several(list(style), engine)
        stylizer.own = {rows[name]: weight for name, weight in style.items()}
        stylizer.weights()  # says what is wrong with them
        return stylizer
    path, row = find_style(style)
    loaded = gallery.load(path)
    return _stylizer(loaded, engine, row)


def load_several(names: Sequence[str], engine: Engine | None = None) -> tuple[Stylizer, dict[str, str]]:
    """One Stylizer of several styles of one network, and the name there of each. Raises ImpastoError as `load`."""
    loaded, rows = gallery.mixed({name: find_style(name) for name in names})
    stylizer = _stylizer(loaded, engine or Engine())
    return stylizer, {name: loaded.names[row] if isinstance(row, int) else row for name, row in rows.items()}


def _stylizer(style: Style, engine: Engine, own: WhichStyle = 0) -> Stylizer:
    backend = make_backend(style, engine.device, engine.backend, engine.precision)
    return Stylizer(style, backend, own, max_memory=engine.max_memory)

"""Styles and paintings by name, and a Stylizer of any style."""

from __future__ import annotations

from pathlib import Path

from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.files import assets, style_file
from impasto.stylizing.backends import make_backend
from impasto.stylizing.stylizer import Stylizer
from impasto.workflows.common import STYLE_SUFFIX, AnyPath


def styles() -> list[str]:
    """Names of the styles that come with the package."""
    return sorted(path.stem for path in assets.folder("styles").glob("*" + STYLE_SUFFIX))


def paintings() -> list[str]:
    """Names of the paintings that come with the package, to train with."""
    return sorted(path.stem for path in assets.folder("paintings").glob("*.jpg"))


def painting_path(painting: AnyPath) -> Path:
    """The file of a bundled painting's name, or the path itself, which wins where a file has that name."""
    path = Path(painting)
    return path if path.exists() or str(painting) not in paintings() else assets.folder("paintings") / f"{painting}.jpg"


def style_path(style: AnyPath) -> Path:
    """The file of a bundled style's name, or of a path. Raises ImpastoError when there is neither."""
    if str(style) in styles():
        return assets.folder("styles") / f"{style}{STYLE_SUFFIX}"
    path = Path(style)
    if not path.is_file():
        what = f"{path} is a folder" if path.is_dir() else f"there is no style {str(style)!r}"
        bundled = f" or a bundled style: {', '.join(styles())}" if styles() else ""
        raise ImpastoError(f"{what}; name a style file (*{STYLE_SUFFIX}){bundled}")
    return path


def load(style: AnyPath, *, device: Device = "auto") -> Stylizer:
    """A Stylizer of a bundled style's name or of a style file.

    Args:
        device: auto, cpu, cuda or mps.
    Raises:
        ImpastoError: no such style, or a file that is damaged, foreign or of a newer version.
    """
    loaded = style_file.load(style_path(style))
    return Stylizer(loaded, make_backend(loaded, device))

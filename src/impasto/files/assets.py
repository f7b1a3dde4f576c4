"""What comes with the package, by kind: networks of many styles, paintings, loss networks, what quick starts from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def folder(kind: str) -> Path:
    """The folder of `kind`: gallery, paintings, loss or start."""
    return Path(str(resources.files("impasto"))) / "assets" / kind

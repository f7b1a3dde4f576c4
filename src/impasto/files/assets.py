"""What comes with the package, by kind: styles, paintings, loss networks and the network that trainings start from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def folder(kind: str) -> Path:
    """The folder of `kind`: styles, paintings, loss or start."""
    return Path(str(resources.files("impasto"))) / "assets" / kind

"""Impasto: fast neural style transfer. Train a painting into a network, repaint any photo in one pass.

>>> import impasto
>>> impasto.load("great_wave")(photo).save("painted.jpg")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from impasto.version import __version__

if TYPE_CHECKING:
    from impasto.errors import ImpastoError as ImpastoError
    from impasto.files.video import VideoWriter as VideoWriter
    from impasto.stylizing.stylizer import Stylizer as Stylizer
    from impasto.training.run import TrainingStopped as TrainingStopped
    from impasto.workflows import load as load
    from impasto.workflows import styles as styles
    from impasto.workflows import train as train

# Loaded at first use, so that `import impasto` takes milliseconds.
_HOMES = {
    "ImpastoError": "impasto.errors",
    "Stylizer": "impasto.stylizing.stylizer",
    "TrainingStopped": "impasto.training.run",
    "VideoWriter": "impasto.files.video",
    "load": "impasto.workflows",
    "styles": "impasto.workflows",
    "train": "impasto.workflows",
}
__all__ = ["ImpastoError", "Stylizer", "TrainingStopped", "VideoWriter", "__version__", "load", "styles", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

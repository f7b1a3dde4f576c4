"""What several workflows need."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from typing import Any

from impasto.errors import ImpastoError
from impasto.files.style_file import Style

AnyPath = str | os.PathLike[str]

STYLE_SUFFIX = ".safetensors"
TRAINING_PACKAGES = ("torch", "lightning_fabric", "matplotlib", "skimage", "tomli_w", "h5py")


def several(given: AnyPath | Sequence[AnyPath]) -> list[AnyPath]:
    return [given] if isinstance(given, str | os.PathLike) else list(given)


def require_training_packages(what: str = "training") -> None:
    """Raises ImpastoError when the extra `train` is not installed."""
    missing = [name for name in TRAINING_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImpastoError(
            f"{what} needs packages that are not here ({', '.join(missing)}): pip install 'impasto[train]'"
        )


def ignore(_: Any) -> None:
    pass


def weights_sha256(style: Style) -> str:
    """Of all that a style's network has learned, its rows included."""
    digest = hashlib.sha256()
    for name in sorted(style.tensors):
        digest.update(style.tensors[name].tobytes())
    return digest.hexdigest()

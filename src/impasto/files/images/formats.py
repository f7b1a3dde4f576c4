"""What the suffixes of files mean."""

from __future__ import annotations

import os
from pathlib import Path

from impasto.errors import ImpastoError

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
}
"""Format by lower-case suffix: what `find` looks for and `write` can write."""

AnyPath = str | os.PathLike[str]


def check_writable_suffix(path: AnyPath) -> None:
    """Raises ImpastoError, with the known suffixes, where `write` would not know the format."""
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        problem = f"the suffix {suffix} is not known" if suffix else "the name has no suffix"
        raise ImpastoError(f"cannot write {path}: {problem}; use one of {' '.join(FORMATS)}")

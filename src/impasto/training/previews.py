"""The photos that are looked at while a network learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.training.photos import Photos
from impasto.training.pixels import square, to_tensor

MOST = 4
"""So many photos are looked at."""
SIDE = 320
"""Side in pixels of the centre squares of photos of one's own: more to see than in the squares that are trained on."""


def require_few(photos: Sequence[Path]) -> None:
    """Raises ImpastoError where there are too many photos to look at, or one that cannot be read."""
    if len(photos) > MOST:
        raise ImpastoError(f"--preview-photos names {len(photos)} photos; it takes up to {MOST}")
    for photo in photos:
        _read(photo)


def looked_at(own: Sequence[str], photos: Photos, announce: Callable[[str], None]) -> Tensor:
    """The user's own photos (files), and where none of them can be read any more some of those trained on.

    Returns:
        uint8 (n, 3, S, S); none at all only where those trained on cannot be read either.
    """
    found: list[Tensor] = []
    lost: list[str] = []
    for path in own:
        try:
            found.append(_read(Path(path)))
        except ImpastoError as error:
            lost.append(str(error))
    if lost:
        instead = "" if found else "; the previews show photos of the training instead"
        announce(f"left out of the previews: {'; '.join(lost)}{instead}")
    return torch.stack(found) if found else photos.samples(MOST)


def _read(path: Path) -> Tensor:
    """uint8 (3, SIDE, SIDE). Raises ImpastoError for a photo that cannot be read."""
    return to_tensor(square(images.read_small(path, at_least=SIDE), SIDE, "crop"))

"""What styles are evaluated on: a painting and some photos, told apart from others by their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.files.images.resizing import Pixels, centre_square, with_short_side


@dataclass(frozen=True)
class Source:
    """A picture's file, by what is in it."""

    name: str
    sha256: str
    path: Path

    @classmethod
    def of(cls, path: Path) -> Source:
        """Raises ImpastoError where the file is no picture that can be read."""
        images.read_small(path, at_least=64)
        return cls(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), path)

    def pixels(self) -> Pixels:
        """uint8 (H, W, 3), decoded in full: a thumbnail's pixels would be softer. Raises ImpastoError."""
        return images.read(self.path, max_pixels=images.MAX_TRAINING_PIXELS).to_8_bits().over_white()

    def square(self, size: int) -> Tensor:
        """The centre square (1, 3, size, size) in [0, 1]: how a photo is judged."""
        return to_tensor(centre_square(self.pixels(), size))

    def short_side(self, size: int) -> Tensor:
        """(1, 3, H, W) in [0, 1] with the short side at `size`, the shape kept: how a painting is judged."""
        return to_tensor(with_short_side(self.pixels(), size))


@dataclass(frozen=True)
class Photos:
    """The photos of an evaluation, and those that could not be read."""

    chosen: tuple[Source, ...]
    broken: Mapping[str, str] = field(default_factory=dict)
    """Path → problem."""

    def smaller_than(self, size: int) -> int:
        """How many of the photos have to be enlarged to `size`."""
        return sum(min(images.size_of(photo.path)) < size for photo in self.chosen)


def choose_photos(folders: Sequence[Path], count: int, announce: Callable[[str], None]) -> Photos:
    """`count` photos, evenly spaced among those found in the folders, sorted; for a broken one the next is taken.

    Raises:
        ImpastoError: a folder that does not exist, or fewer readable photos than one.
    """
    found = images.find(folders)
    chosen: dict[Path, Source] = {}
    broken: dict[str, str] = {}
    where = ", ".join(map(str, folders))
    if not found:
        raise ImpastoError(f"found no photos in {where}; name a folder with some")
    for place in evenly_spaced(len(found), count):
        for path in found[place:]:
            if path in chosen or str(path) in broken:
                continue
            try:
                chosen[path] = Source.of(path)
                break
            except ImpastoError as error:
                broken[str(path)] = str(error)
                announce(f"left out: {error}")
    if not chosen:
        raise ImpastoError(f"none of the photos in {where} can be read: {next(iter(broken.values()))}")
    return Photos(tuple(chosen.values()), broken)


def evenly_spaced(found: int, count: int) -> list[int]:
    """`count` places of 0 … found − 1, the first and the last among them; all of them where there are no more."""
    if count >= found:
        return list(range(found))
    return [round(i * (found - 1) / max(1, count - 1)) for i in range(count)]


def to_tensor(pixels: Pixels) -> Tensor:
    """uint8 (H, W, 3) → float32 (1, 3, H, W) in [0, 1]."""
    return torch.tensor(pixels).permute(2, 0, 1)[None].contiguous().float() / 255


def to_pixels(image: Tensor) -> Pixels:
    """(1, 3, H, W) in [0, 1] → uint8 (H, W, 3), rounded."""
    return np.ascontiguousarray((image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())

"""Many photos: reading, the network and writing overlapped."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from impasto.errors import ImpastoError
from impasto.files import images

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = min(5, (os.cpu_count() or 1) + 1)
"""One more than the network keeps busy, so that it never waits for a file."""


@dataclass(frozen=True)
class Repainted:
    """One photo of many."""

    path: Path
    """The photo's."""
    picture: images.Picture | None
    """The stylized image with the photo's profile, alpha and EXIF; None for a photo that could not be repainted."""
    error: ImpastoError | None = None
    """Why."""

    @property
    def image(self) -> Image.Image:
        """The stylized image for PIL, 8 bits. Raises the error of a photo that could not be repainted."""
        if self.picture is None:
            raise self.error or ImpastoError(f"{self.path} was not repainted")
        return Image.fromarray(self.picture.to_8_bits().pixels)

    def save(self, path: images.AnyPath, *, quality: int = 95) -> None:
        """Writes the stylized image, whole or not at all, in the format of the suffix."""
        if self.picture is None:
            raise self.error or ImpastoError(f"{self.path} was not repainted")
        images.write(path, self.picture, quality=quality)


def repainted(
    paths: Iterable[images.AnyPath], repaint: Callable[[images.Picture], images.Picture]
) -> Iterator[Repainted]:
    """Each photo with its stylized image, in order; those that cannot be read or painted with the reason."""

    def one(path: images.AnyPath) -> Repainted:
        try:
            return Repainted(Path(path), repaint(images.read(path)))
        except ImpastoError as error:
            return Repainted(Path(path), None, error)

    return in_order(paths, one)


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], workers: int = WORKERS, ahead: int | None = None
) -> Iterator[Result]:
    """`work` of each item, several at a time in threads, in the order of the items.

    No more than `ahead` (default: two a worker) is begun before it is asked for, so millions of items take no memory;
    who stops asking stops the work.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="impasto")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > (2 * workers if ahead is None else ahead):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

"""Photos repainted from file to file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.stylizing.arrange import resized, resized_size, side_by_side
from impasto.stylizing.manner import Manner
from impasto.stylizing.mapping import in_order
from impasto.stylizing.stylizer import Stylizer
from impasto.workflows import huge
from impasto.workflows.common import AnyPath


@dataclass(frozen=True)
class StylizeOptions:
    """How photos are repainted and written."""

    size: int | None = None
    """Longer side of the result in pixels; None keeps the photo's size."""
    compare: bool = False
    """Write the photo and its stylized image side by side."""
    quality: int = 95
    """Of JPEG and WebP, 1 to 100."""
    overwrite: bool = False
    """Whether files that exist may be replaced."""
    manner: Manner = field(default_factory=Manner)
    """Which style, how much of it, whose colours, how large its strokes, and where."""


def stylize_image(stylizer: Stylizer, photo: AnyPath, out: AnyPath, options: StylizeOptions | None = None) -> Path:
    """Repaints the file `photo` into the file `out`; rotation, profile, alpha and 16 bits are kept.

    Raises:
        ImpastoError: a photo that cannot be read, or a result that cannot or must not be written.
    """
    options, target = options or StylizeOptions(), Path(out)
    check_target(target, Path(photo), options.overwrite)
    if huge.is_needed(stylizer, Path(photo), options):
        huge.stylize(stylizer, Path(photo), target, options)
        return target
    picture = images.read(photo)
    if options.size is not None:
        width, height = resized_size(picture.width, picture.height, options.size)
        stylizer.require_memory(height, width, stroke=options.manner.stroke)
        picture = resized(picture, options.size)
    result = picture.with_pixels(stylizer.repaint(picture.pixels, options.manner))
    if options.compare:
        result = side_by_side(picture, result)
    images.write(target, result, quality=options.quality)
    return target


@dataclass(frozen=True)
class Progress:
    """How far a folder is."""

    finished: int
    total: int
    photo: Path | str
    """The one that was finished last, a path or a URI."""
    target: Path | str
    error: ImpastoError | None
    """Why that one was left out."""
    elapsed: float
    """Seconds since the beginning."""

    @property
    def done(self) -> float:
        return self.finished / self.total

    @property
    def what(self) -> str:
        return f"{self.finished:,} of {self.total:,} photos, {self.finished / max(self.elapsed, 1e-9):.1f} a second"

    @property
    def remaining(self) -> float | None:
        return self.elapsed * (self.total - self.finished) / self.finished


def stylize_photos(
    stylizer: Stylizer,
    photos: Sequence[tuple[Path, Path]],
    options: StylizeOptions | None = None,
) -> Iterator[Progress]:
    """Repaints many files, each photo into its target; yields after each, in order.

    Reading, the network and writing overlap. A photo that cannot be read or written is reported, and the others go on.
    """
    options, begun = options or StylizeOptions(), time.monotonic()
    stylizer = stylizer.for_many()

    def one(job: tuple[Path, Path]) -> ImpastoError | None:
        try:
            stylize_image(stylizer, *job, options)
        except ImpastoError as error:
            return error
        return None

    for number, error in enumerate(in_order(photos, one), 1):
        photo, target = photos[number - 1]
        yield Progress(number, len(photos), photo, target, error, time.monotonic() - begun)


def read_mask(path: AnyPath) -> NDArray[Any]:
    """The mask (H, W) in a picture: its lightness, white being inside, or its alpha where it has one.

    Raises:
        ImpastoError: a picture that cannot be read.
    """
    picture = images.read(path)
    if picture.alpha is not None:
        return picture.alpha
    mask: NDArray[Any] = np.rint(picture.pixels.mean(axis=2)).astype(picture.pixels.dtype)
    return mask


def targets_in(folder: Path, photos: Sequence[Path], given: Sequence[Path]) -> list[Path]:
    """A file in `folder` for each photo, below the same sub-folders as below the folder or pattern `given` for it.

    Names are kept, suffixes too where they can be written.

    Raises:
        ImpastoError: two photos would be written to one file, or `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ImpastoError(f"--out {folder} is a file; name a folder, or a file with an image suffix for one photo")
    roots = [root for root in map(images.root_of, given) if root.is_dir()]
    targets: dict[Path, Path] = {}
    for photo in photos:
        root = next((root for root in roots if photo.is_relative_to(root)), photo.parent)
        target = folder / photo.relative_to(root)
        target = target if target.suffix.lower() in images.FORMATS else target.with_name(target.name + ".png")
        if target in targets:
            raise ImpastoError(f"{photo} and {targets[target]} would both become {target}; repaint them one by one")
        targets[target] = photo
    return list(targets)


def check_target(target: Path, photo: Path, overwrite: bool) -> None:
    """Raises ImpastoError when `target` has no known image suffix, or exists and must not be replaced."""
    images.check_writable_suffix(target)
    if target.exists() and not overwrite:
        same = photo.exists() and target.samefile(photo)
        what = "that is the photo itself" if same else "it exists already"
        raise ImpastoError(f"will not overwrite {target}: {what}; name another --out, or add --overwrite")

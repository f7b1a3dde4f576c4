"""All that the page works with, in one value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto import workflows
from impasto.files import images
from impasto.studio.easel import Easel
from impasto.studio.jobs import Jobs
from impasto.studio.limits import Limits
from impasto.studio.places import Places
from impasto.studio.served import Served
from impasto.studio.shelf import Shelf


@dataclass(frozen=True)
class Studio:
    """What the pages of one server share."""

    shelf: Shelf
    easel: Easel
    jobs: Jobs
    served: Served
    limits: Limits
    samples: dict[str, Path]
    """Sample photos by name, for visitors who have none at hand."""


@contextmanager
def open_studio(places: Places) -> Iterator[Studio]:
    """The studio of these places; in the end what it is at saves and stops.

    Raises:
        ImpastoError: another studio is open in that library.
    """
    shelf, files, limits = Shelf(places.styles), places.uploads, places.limits
    easel = Easel(shelf, files / "painted", limits)
    samples = {
        name: _written(files / "samples" / f"{name}.jpg", pixels)
        for name, pixels in zip(workflows.SAMPLE_PHOTOS, workflows.sample_photos(), strict=True)
    }
    with Jobs(places.jobs, places.styles) as jobs:
        yield Studio(shelf, easel, jobs, Served(files / "served"), limits, samples)


def _written(path: Path, pixels: NDArray[np.uint8]) -> Path:
    images.write(path, images.Picture(pixels))
    return path

"""All that the page works with, in one value."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.studio import records
from impasto.studio.easel import Easel
from impasto.studio.job import Job
from impasto.studio.jobs import Jobs
from impasto.studio.limits import Limits
from impasto.studio.places import Places
from impasto.studio.served import Served
from impasto.studio.shelf import Shelf
from impasto.studio.submitting import Files


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

    def submit(self, kind: str, title: str, request: Mapping[str, Any], files: Files) -> Job:
        """A new job, as :meth:`Jobs.submit`, where there is room for one. What is too old goes first.

        Raises:
            ImpastoError: also where too many wait already, or the disk is nearly full.
        """
        self.forget_old()
        if sum(job.state == "waiting" for job in self.jobs.all()) >= self.limits.jobs_waiting:
            raise ImpastoError(f"{self.limits.jobs_waiting} jobs are waiting already; try again when some are done")
        if shutil.disk_usage(self.jobs.folder).free < self.limits.spare_bytes:
            raise ImpastoError("the disk of this computer is nearly full; make room, and try again")
        return self.jobs.submit(kind, title, request, files)

    def discard(self, job: Job) -> None:
        """Removes a training and the style that it has learned. Raises ImpastoError as :meth:`Jobs.remove`."""
        self.jobs.remove(job.id)
        self.shelf.remove(job.style)

    def forget_old(self) -> None:
        """Removes the folders and clips that ended too long ago."""
        for job in self.jobs.all("photos", "video"):
            if job.state not in ("waiting", "running"):
                self._forget_if_old(job)

    def _forget_if_old(self, job: Job) -> None:
        with suppress(ImpastoError, OSError):  # somebody else was quicker
            settled = (job.folder / records.STATE).stat().st_mtime
            if time.time() - settled > self.limits.jobs_kept_hours * 3600:
                self.jobs.remove(job.id)


@contextmanager
def open_studio(places: Places) -> Iterator[Studio]:
    """The studio of these places; in the end what it is at saves and stops.

    Raises:
        ImpastoError: another studio is open in that library.
    """
    shelf, files = Shelf(places.styles), places.uploads
    easel = Easel(shelf, places)
    samples = {
        name: _written(files / "samples" / f"{name}.jpg", pixels)
        for name, pixels in zip(workflows.SAMPLE_PHOTOS, workflows.sample_photos(), strict=True)
    }
    with Jobs(places.jobs, places.styles) as jobs:
        studio = Studio(shelf, easel, jobs, Served(files / "served"), places.limits, samples)
        studio.forget_old()
        places.chores.append(studio.forget_old)
        yield studio


def _written(path: Path, pixels: NDArray[np.uint8]) -> Path:
    images.write(path, images.Picture(pixels))
    return path

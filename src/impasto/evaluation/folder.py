"""A report's folder: report.json, report.html and the pictures; before they are there, the pieces of the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.evaluation.kept import SUFFIX, KeptPieces
from impasto.evaluation.names import is_picture, picture_name, steps_picture
from impasto.evaluation.page import html
from impasto.evaluation.report import Report
from impasto.files import atomic, images, lock
from impasto.files.images.resizing import Pixels

JSON, HTML = "report.json", "report.html"
PIECES = "pieces"


@dataclass(frozen=True)
class ReportFolder:
    """Where a report is written."""

    path: Path

    @classmethod
    def new(cls, path: Path, overwrite: bool, resume: bool = False) -> ReportFolder:
        """A folder that can be written to.

        Raises:
            ImpastoError: it cannot, or what it holds must be kept: a report, or pieces of one.
        """
        if path.exists() and not path.is_dir():
            raise ImpastoError(f"--out {path} is a file; name a folder")
        if (path / PIECES).exists() and not (path / PIECES).is_dir():  # known now, not after the first hour
            raise ImpastoError(f"{path / PIECES} is a file, where what is done has to be kept; name another --out")
        folder = cls(path)
        if not (overwrite or resume):
            folder._check_empty()
        atomic.check_writable(path / JSON)
        return folder

    def _check_empty(self) -> None:
        if self.unfinished:
            pieces = self.path / PIECES
            raise ImpastoError(f"{pieces} holds what a stopped run has done; add --resume to go on, or --overwrite")
        if self.finished:
            raise ImpastoError(f"will not overwrite the report in {self.path}; name another --out, or add --overwrite")

    @property
    def unfinished(self) -> bool:
        """Whether a stopped run has left something to go on with."""
        return any((self.path / PIECES).glob(f"*{SUFFIX}"))

    @property
    def finished(self) -> bool:
        """Whether there is a report, and nobody was about to replace it."""
        return (self.path / JSON).exists() and not self.unfinished

    @property
    def pieces(self) -> KeptPieces:
        """What is finished of the report that is being made."""
        return KeptPieces(self.path / PIECES)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other evaluations out of the folder. Raises ImpastoError when one is in it already."""

        def refuse() -> None:
            raise ImpastoError(f"another evaluation is running in {self.path}; wait for it, or name another --out")

        with lock.alone(self.path / JSON, refuse):
            yield

    def write(self, report: Report, pictures: Mapping[str, Pixels], earlier: Path | None = None) -> None:
        """Writes all files, report.json last; pictures of the optimization come from the folder `earlier`, if any."""
        kept = {} if earlier is None else _pictures_of_steps(report, earlier)
        for name, data in kept.items():
            atomic.write_bytes(self.path / name, data)
        for name, pixels in pictures.items():
            images.write(self.path / name, images.Picture(pixels), quality=92)
        for path in self.path.iterdir():
            if is_picture(path.name) and path.name not in {*pictures, *kept}:  # of the report that this one replaces
                path.unlink()
        atomic.write_bytes(self.path / HTML, html(report, {*pictures, *kept}).encode())
        atomic.write_bytes(self.path / JSON, report.to_json().encode())


def _pictures_of_steps(report: Report, folder: Path) -> dict[str, bytes]:
    """The pictures of the optimization that an earlier report left in `folder`, read before anything is replaced."""
    names = [
        picture_name(result.baseline.size, photo, steps_picture(step))
        for result in report.results
        for photo in range(len(report.photos))
        for step in result.baseline.optimized
    ]
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}

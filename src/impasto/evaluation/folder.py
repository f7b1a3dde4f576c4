"""A report's folder: report.json, report.html and the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.evaluation.names import is_picture, picture_name, steps_picture
from impasto.evaluation.page import html
from impasto.evaluation.report import Report
from impasto.files import atomic, images
from impasto.files.images.resizing import Pixels

JSON, HTML = "report.json", "report.html"


@dataclass(frozen=True)
class ReportFolder:
    """Where a report is written."""

    path: Path

    @classmethod
    def new(cls, path: Path, overwrite: bool) -> ReportFolder:
        """A folder that can be written to. Raises ImpastoError where it cannot, or holds a report to be kept."""
        if path.exists() and not path.is_dir():
            raise ImpastoError(f"--out {path} is a file; name a folder")
        if (path / JSON).exists() and not overwrite:
            raise ImpastoError(f"will not overwrite the report in {path}; name another --out, or add --overwrite")
        atomic.check_writable(path / JSON)
        return cls(path)

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

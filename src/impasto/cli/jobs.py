"""Which photos a command repaints, and into which files."""

from __future__ import annotations

from pathlib import Path

from impasto import workflows
from impasto.cli.progress import console
from impasto.errors import ImpastoError
from impasto.files import images, remote

USUAL_FOLDER = "painted"
Jobs = list[tuple[str, str]]
"""Each photo with its target."""


def local_jobs(photos: tuple[str, ...], out: str | None, label: str) -> Jobs:
    """Of files and folders on this machine."""
    if not all(photos):
        raise ImpastoError("one of the photos has an empty name; was a variable of the shell not set?")
    for given in (*photos, out or ""):
        if remote.is_uri(given):
            raise ImpastoError(
                f"{given} is no file of this machine; add --cluster, which reads and writes such addresses"
            )
    roots = [Path(photo) for photo in photos]
    found = images.find(roots)
    if not found:
        raise ImpastoError(f"no photos in {', '.join(photos)}")
    alone = len(found) == 1 and found[0] in roots
    usual = _beside(found[0], label) if alone else Path(USUAL_FOLDER)
    target = usual if out is None else Path(out)
    if alone and target.suffix and not target.is_dir():
        images.check_writable_suffix(target)
    to_file = target.suffix.lower() in images.FORMATS and not target.is_dir()
    if to_file and (len(found) > 1 or roots[0].is_dir()):
        raise ImpastoError(f"--out {target} is one file, and there are {len(found)} photos; name a folder")
    targets = [target] if to_file else workflows.targets_in(target, found, roots)
    jobs = [(str(photo), str(path)) for photo, path in zip(found, targets, strict=True)]
    return jobs if to_file else _without_results(jobs, photos, target)


def cluster_jobs(photos: tuple[str, ...], out: str | None) -> Jobs:
    """Of files, folders and addresses, for a cluster."""
    folder = USUAL_FOLDER if out is None else out
    jobs = workflows.jobs_of(photos, folder)
    if not jobs:
        raise ImpastoError(f"no photos in {', '.join(photos)}")
    return jobs if remote.is_uri(folder) else _without_results(jobs, photos, Path(folder))


def _without_results(jobs: Jobs, photos: tuple[str, ...], folder: Path) -> Jobs:
    """The jobs but for results of before, which are in `folder` and no photos; unless it is what was asked for."""
    own = folder.absolute()
    if any(not remote.is_uri(photo) and images.root_of(photo).absolute().is_relative_to(own) for photo in photos):
        return jobs
    return [job for job in jobs if remote.is_uri(job[0]) or not Path(job[0]).absolute().is_relative_to(own)]


def left_of(jobs: Jobs, *, resume: bool, overwrite: bool) -> Jobs:
    """Those that are to be done. Raises ImpastoError where a target exists and must not be replaced."""
    left = [job for job in jobs if not _exists(job[1])] if resume else jobs
    if len(left) < len(jobs):
        console.print(f"{len(jobs) - len(left)} of {len(jobs)} photos are done already")
    for photo, target in left:
        if remote.is_uri(target):
            if not overwrite and remote.exists(target):
                raise ImpastoError(
                    f"will not overwrite {target}: it exists already; name another --out, or add --overwrite"
                )
        else:
            workflows.check_target(Path(target), Path(photo), overwrite)
    return left


def _exists(target: str) -> bool:
    return remote.exists(target) if remote.is_uri(target) else Path(target).exists()


def _beside(photo: Path, label: str) -> Path:
    suffix = photo.suffix if photo.suffix.lower() in images.FORMATS else ".png"
    return photo.with_name(f"{photo.stem}-{label}{suffix}")

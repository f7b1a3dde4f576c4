"""`impasto stylize`."""

from __future__ import annotations

from pathlib import Path

from impasto import workflows
from impasto.cli.progress import console, error_console
from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.files import images


def stylize(
    *photos: Path,
    style: str,
    out: Path,
    compare: bool = False,
    size: int | None = None,
    quality: int = 95,
    which: str | None = None,
    device: Device = "auto",
    overwrite: bool = False,
) -> None:
    """Repaint photos with a style.

    Parameters
    ----------
    photos
        Photos, or folders of photos.
    style
        A bundled style's name (`impasto styles` lists them) or a style file.
    out
        File for one photo, folder for several; an image suffix makes it a file.
    compare
        Write photo and stylized image side by side.
    size
        Longer side of the result in pixels (default: that of the photo).
    quality
        Quality of JPEG and WebP, 1 to 100.
    which
        Which style of a file with several, by name or number (default: 0, the first).
    device
        auto, cpu, cuda or mps.
    overwrite
        Replace files that exist.
    """
    if not photos:
        raise ImpastoError("which photo? Use: impasto stylize PHOTO --style NAME --out painted.jpg")
    found = images.find(photos)
    if not found:
        raise ImpastoError(f"no photos in {', '.join(map(str, photos))}")
    if out.suffix and not out.is_dir() and not any(photo.is_dir() for photo in photos):
        images.check_writable_suffix(out)
    to_file = out.suffix.lower() in images.FORMATS and not out.is_dir()
    if to_file and (len(found) > 1 or photos[0].is_dir()):
        raise ImpastoError(f"--out {out} is one file, and there are {len(found)} photos; name a folder")
    number = int(which) if which is not None and which.isdecimal() else which
    options = workflows.StylizeOptions(size, compare, quality, overwrite, number)
    targets = [out] if to_file else workflows.targets_in(out, found, photos)
    for photo, target in zip(found, targets, strict=True):
        workflows.check_target(target, photo, overwrite)
    stylizer = workflows.load(style, device=device)
    failed = []
    for photo, target in zip(found, targets, strict=True):
        try:
            console.print(str(workflows.stylize_image(stylizer, photo, target, options)))
        except ImpastoError as error:
            if len(found) == 1:
                raise
            error_console.print(f"impasto: {error}")
            failed.append(photo)
    if failed:
        raise ImpastoError(f"{len(failed)} of {len(found)} photos were left out, named above")

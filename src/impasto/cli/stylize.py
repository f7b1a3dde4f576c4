"""`impasto stylize`."""

from __future__ import annotations

import re
from pathlib import Path

from impasto import workflows
from impasto.cli.progress import console, error_console
from impasto.cli.styling import chosen_style
from impasto.cli.work_bar import ShareBar, WorkBar
from impasto.config import BackendName, Device, Precision
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.stylizing.manner import Manner
from impasto.stylizing.stylizer import Stylizer


def stylize(
    *photos: Path,
    style: str | None = None,
    out: Path | None = None,
    strength: float = 1.0,
    mix: str | None = None,
    mask: Path | None = None,
    style_outside: str | None = None,
    keep_colors: bool = False,
    match_colors: bool = False,
    stroke: float = 1.0,
    compare: bool = False,
    size: int | None = None,
    quality: int = 95,
    which: str | None = None,
    backend: BackendName = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
    max_memory: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Repaint photos with a style.

    Parameters
    ----------
    photos
        Photos, folders of photos, or patterns such as "holiday/**/*.jpg".
    style
        A bundled style's name (`impasto styles` lists them) or a style file (default: great_wave).
    out
        File for one photo, folder for several; an image suffix makes it a file (default: beside the photo, the style
        in its name, and the folder `painted` for several).
    strength
        How much of the style: from 0, the photo, to 1.
    mix
        Several styles instead of one, each with its weight: great_wave=0.6,starry_night=0.4.
    mask
        A picture in the photo's shape: only where it is white (or opaque, if it has transparency) is repainted.
    style_outside
        The style for where the mask is black (default: the photo stays there).
    keep_colors
        Keep the photo's colours: its hue and chroma under the stylized lightness.
    match_colors
        The style's own colours, moved as a whole to where the photo's lie.
    stroke
        Size of the strokes, 0.25 to 4. On photos beyond 1024 pixels they grow along, so that they don't come out tiny.
    compare
        Write photo and stylized image side by side.
    size
        Longer side of the result in pixels (default: that of the photo).
    quality
        Quality of JPEG and WebP, 1 to 100.
    which
        Which style of a file with several, by name or number (default: 0, the first).
    backend
        What computes: openvino, onnxruntime or torch (default: the fastest that is right; see `impasto doctor`).
    precision
        float32, or bf16 where the CPU has it (default: bf16 there, which is two to three times faster).
    device
        auto, cpu, cuda or mps.
    max_memory
        Memory to use at most, such as 2GB; larger photos are painted strip by strip (default: most of what is free).
    resume
        Leave out photos whose result is there already: goes on after a stop.
    overwrite
        Replace files that exist.
    """
    if not photos:
        raise ImpastoError("which photo? Use: impasto stylize PHOTO --style NAME")
    found = images.find(photos)
    if not found:
        raise ImpastoError(f"no photos in {', '.join(map(str, photos))}")
    if style is None and mix is None:
        style = workflows.DEFAULT_STYLE
    if out is None:
        alone = len(found) == 1 and found[0] in photos
        out = _beside(found[0], "mix" if style is None else Path(style).stem) if alone else Path("painted")
    if out.suffix and not out.is_dir() and not any(photo.is_dir() for photo in photos):
        images.check_writable_suffix(out)
    to_file = out.suffix.lower() in images.FORMATS and not out.is_dir()
    if to_file and (len(found) > 1 or photos[0].is_dir()):
        raise ImpastoError(f"--out {out} is one file, and there are {len(found)} photos; name a folder")
    targets = [out] if to_file else workflows.targets_in(out, found, photos)
    jobs = list(zip(found, targets, strict=True))
    if resume:
        if overwrite:
            raise ImpastoError("--resume keeps the results that are there, and --overwrite replaces them; name one")
        jobs = [job for job in jobs if not job[1].exists()]
        if len(jobs) < len(found):
            console.print(f"{len(found) - len(jobs)} of {len(found)} photos are done already")
        if not jobs:
            return
    for photo, target in jobs:
        workflows.check_target(target, photo, overwrite)
    engine = workflows.Engine(backend, device, precision, None if max_memory is None else parsed_size(max_memory))
    stylizer, styles = chosen_style(style, which, mix, style_outside, engine)
    if keep_colors and match_colors:
        raise ImpastoError("--keep-colors and --match-colors are two ways to the same end; name one")
    manner = Manner(
        style=styles.inside,
        strength=strength,
        colors="photo" if keep_colors else "match" if match_colors else "style",
        stroke=stroke,
        mask=None if mask is None else workflows.read_mask(mask),
        outside=styles.outside,
    )
    options = workflows.StylizeOptions(size, compare, quality, overwrite, manner)
    if len(jobs) == 1:
        _one(stylizer, *jobs[0], options)
        return
    _many(stylizer, jobs, options)


def _beside(photo: Path, label: str) -> Path:
    suffix = photo.suffix if photo.suffix.lower() in images.FORMATS else ".png"
    return photo.with_name(f"{photo.stem}-{label}{suffix}")


def _one(stylizer: Stylizer, photo: Path, target: Path, options: workflows.StylizeOptions) -> None:
    with ShareBar(f"painting {photo.name} strip by strip") as bar:
        stylizer.on_progress = bar
        path = workflows.stylize_image(stylizer, photo, target, options)
    console.print(str(path))


def _many(stylizer: Stylizer, jobs: list[tuple[Path, Path]], options: workflows.StylizeOptions) -> None:
    failed: list[ImpastoError] = []
    with WorkBar() as bar:
        for progress in workflows.stylize_photos(stylizer, jobs, options):
            bar(progress)
            if progress.error is not None:
                failed.append(progress.error)
            elif not console.is_terminal:
                console.print(str(progress.target))
    console.print(progress.what)
    if failed:
        for error in failed:
            error_console.print(f"impasto: {error}")
        raise ImpastoError(f"{len(failed)} of {len(jobs)} photos were left out, named above")


UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parsed_size(text: str) -> int:
    """Bytes in a text such as 2GB, 1.5 GiB or 800M. Raises ImpastoError for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*?)b?\s*", text.lower())
    if found is None or found[2] not in UNITS or (size := int(float(found[1]) * UNITS[found[2]])) < 1:
        raise ImpastoError(f"--max-memory is {text!r}; write a size such as 2GB or 800MB")
    return size

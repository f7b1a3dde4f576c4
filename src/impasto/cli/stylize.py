"""`impasto stylize`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from impasto import workflows
from impasto.cli.jobs import cluster_jobs, left_of, local_jobs
from impasto.cli.progress import console, error_console
from impasto.cli.styling import chosen_style
from impasto.cli.work_bar import ShareBar, WorkBar
from impasto.config import BackendName, Device, Precision
from impasto.errors import ImpastoError
from impasto.stylizing.manner import Manner
from impasto.stylizing.stylizer import Stylizer


def stylize(
    *photos: str,
    style: str | None = None,
    out: str | None = None,
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
    cluster: bool = False,
    address: str | None = None,
    workers: int = 0,
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
    cluster
        Repaint on a Ray cluster: photos and --out may be s3:// or gs:// addresses, too.
    address
        Of the cluster (default: Ray is started on this machine).
    workers
        How many the cluster is to have (default: one for every two cores, or for every GPU).
    """
    if not photos:
        raise ImpastoError("which photo? Use: impasto stylize PHOTO --style NAME")
    if resume and overwrite:
        raise ImpastoError("--resume keeps the results that are there, and --overwrite replaces them; name one")
    if keep_colors and match_colors:
        raise ImpastoError("--keep-colors and --match-colors are two ways to the same end; name one")
    if style is None and mix is None:
        style = workflows.DEFAULT_STYLE
    jobs = (
        cluster_jobs(photos, out) if cluster else local_jobs(photos, out, "mix" if style is None else Path(style).stem)
    )
    jobs = left_of(jobs, resume=resume, overwrite=overwrite)
    if not jobs:
        return
    engine = workflows.Engine(backend, device, precision, None if max_memory is None else parsed_size(max_memory))
    stylizer, styles = chosen_style(style, which, mix, style_outside, engine)
    manner = Manner(
        style=styles.inside,
        strength=strength,
        colors="photo" if keep_colors else "match" if match_colors else "style",
        stroke=stroke,
        mask=None if mask is None else workflows.read_mask(mask),
        outside=styles.outside,
    )
    options = workflows.StylizeOptions(size, compare, quality, overwrite, manner)
    if cluster:
        where = workflows.Cluster(address, workers)
        _many(workflows.stylize_on_cluster(stylizer, jobs, options, engine, where), len(jobs))
    elif len(jobs) == 1:
        _one(stylizer, Path(jobs[0][0]), Path(jobs[0][1]), options)
    else:
        paths = [(Path(photo), Path(target)) for photo, target in jobs]
        _many(workflows.stylize_photos(stylizer, paths, options), len(jobs))


def _one(stylizer: Stylizer, photo: Path, target: Path, options: workflows.StylizeOptions) -> None:
    with ShareBar(f"painting {photo.name} strip by strip") as bar:
        stylizer.on_progress = bar
        path = workflows.stylize_image(stylizer, photo, target, options)
    console.print(str(path))


def _many(repainted: Iterator[workflows.Progress], total: int) -> None:
    failed: list[ImpastoError] = []
    with WorkBar() as bar:
        for progress in repainted:
            bar(progress)
            if progress.error is not None:
                failed.append(progress.error)
            elif not console.is_terminal:
                console.print(str(progress.target))
    console.print(progress.what)
    if failed:
        for error in failed:
            error_console.print(f"impasto: {error}")
        raise ImpastoError(f"{len(failed)} of {total} photos were left out, named above")


UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parsed_size(text: str) -> int:
    """Bytes in a text such as 2GB, 1.5 GiB or 800M. Raises ImpastoError for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*?)b?\s*", text.lower())
    size = 0.0 if found is None else float(found[1]) * UNITS.get(found[2], 0)
    if not 1 <= size < float("inf"):
        raise ImpastoError(f"--max-memory is {text!r}; write a size such as 2GB or 800MB")
    return int(size)

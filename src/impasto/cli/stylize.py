"""`impasto stylize`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from impasto import workflows
from impasto.cli.progress import console, error_console
from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.stylizing.manner import Manner, WhichStyle
from impasto.stylizing.stylizer import Stylizer


def stylize(
    *photos: Path,
    style: str | None = None,
    out: Path,
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
    targets = [out] if to_file else workflows.targets_in(out, found, photos)
    for photo, target in zip(found, targets, strict=True):
        workflows.check_target(target, photo, overwrite)
    stylizer, styles = _load(style, which, mix, style_outside, device)
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


class Styles(NamedTuple):
    """What a stylizer is to paint."""

    inside: WhichStyle
    outside: WhichStyle


def _load(
    style: str | None, which: str | None, mix: str | None, outside: str | None, device: Device
) -> tuple[Stylizer, Styles]:
    """One stylizer of all the styles that are asked for, which have to share a network, and what it is to paint."""
    if (style is None) == (mix is None):
        raise ImpastoError("which style? Name one with --style, or several with --mix great_wave=0.6,starry_night=0.4")
    if style is not None and outside is None:
        number = int(which) if which is not None and which.isdecimal() else which
        return workflows.load(style, device=device), Styles(number, None)
    if which is not None:
        raise ImpastoError("--which goes with --style alone")
    weights = {style: 1.0} if style is not None else parsed_mix(mix or "")
    names = list(dict.fromkeys([*weights, *([outside] if outside is not None else [])]))
    stylizer, rows = workflows.load_several(names, device=device)
    inside = {rows[name]: weight for name, weight in weights.items()}
    return stylizer, Styles(inside, None if outside is None else rows[outside])


def parsed_mix(text: str) -> dict[str, float]:
    """Weights by style of `a=0.6,b=0.4`. Raises ImpastoError for anything else."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.rpartition("=")
        try:
            number = float(weight)
        except ValueError:
            number = -1.0
        if not name.strip() or name.strip() in weights or not 0 <= number < float("inf"):
            raise ImpastoError(f"--mix is {text!r}; write each style once with its weight: great_wave=0.6,udnie=0.4")
        weights[name.strip()] = number
    return weights

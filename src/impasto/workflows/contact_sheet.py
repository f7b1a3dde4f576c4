"""Sample photos, and the contact sheet: styles by photos."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.stylizing.samples import resized_samples
from impasto.workflows.bundled import load
from impasto.workflows.common import AnyPath, ignore
from impasto.workflows.repainting import check_target

SAMPLE_PHOTOS = ("chelsea", "coffee", "astronaut", "rocket")
CELL_HEIGHT = 170
GAP = 6
LABEL_WIDTH = 120
LABEL_SIZE = 15
INK = (40, 40, 40)


def contact_sheet(
    target: AnyPath,
    styles: Sequence[AnyPath],
    photos: Sequence[AnyPath] = (),
    *,
    overwrite: bool = False,
    quality: int = 85,
    on_style: Callable[[str], None] | None = None,
) -> Path:
    """Writes a picture of every photo in every style: a row a style with its name before it, the photos on top.

    Args:
        photos: files; none takes scikit-image's sample photos.
        on_style: gets the name of each style before its row is painted.
    Raises:
        ImpastoError: bad input of any kind, or `target` exists and must not be replaced.
    """
    path, note = Path(target), on_style or ignore
    check_target(path, path, overwrite)
    files = images.find([Path(photo) for photo in photos])
    pictures = [images.read(file).to_8_bits().over_white() for file in files] if photos else sample_photos()
    if not pictures:
        raise ImpastoError(f"no photos in {', '.join(map(str, photos))}")
    rows = [_row("", pictures)]
    for style in styles:
        name = Path(style).stem
        note(name)
        stylizer = load(style)
        rows.append(_row(name, [stylizer(picture) for picture in pictures]))
    gap = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    sheet = np.concatenate([part for row in rows for part in (row, gap)][:-1])
    images.write(path, images.Picture(sheet), quality=quality)
    return path


def sample_photos(names: Sequence[str] = SAMPLE_PHOTOS) -> list[NDArray[np.uint8]]:
    """scikit-image's free sample photos, uint8 (H, W, 3). Raises ImpastoError when it is not installed."""
    if importlib.util.find_spec("skimage") is None:
        raise ImpastoError("the sample photos come with scikit-image: pip install 'impasto[train]'")
    import skimage.data

    return [getattr(skimage.data, name)() for name in names]


def _row(name: str, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    label = Image.new("RGB", (LABEL_WIDTH, CELL_HEIGHT), "white")
    text = name.replace("_", " ").replace("-", "\n")
    font = ImageFont.load_default(LABEL_SIZE)
    ImageDraw.Draw(label).multiline_text((GAP, CELL_HEIGHT // 2), text, INK, font, anchor="lm")
    gap = np.full((CELL_HEIGHT, GAP, 3), 255, np.uint8)
    cells = [part for picture in pictures for part in (gap, _cell(picture))]
    return np.concatenate([np.asarray(label), *cells], axis=1)


def _cell(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    return resized_samples(picture, CELL_HEIGHT, max(1, round(width * CELL_HEIGHT / height)))

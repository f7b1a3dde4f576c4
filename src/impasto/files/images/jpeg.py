"""JPEG through Pillow, after a look at what it would take."""

from __future__ import annotations

from dataclasses import replace
from typing import IO

from PIL.JpegImagePlugin import JpegImageFile

from impasto.files.images.patience import patient
from impasto.files.images.photo import Photo
from impasto.files.images.picture import Samples
from impasto.files.images.pillow import open_with_pillow

_USUAL_SCANS = 20
_MOST_SCANNED = 2_000_000_000
"""Pixels that all scans of a progressive JPEG may go over together: some ten seconds."""


def open_jpeg(file: IO[bytes]) -> Photo:
    """A progressive one holds all coefficients, two bytes each, and may go over them any number of times."""
    image = JpegImageFile(patient(file))
    photo = open_with_pillow(image)
    if "progressive" not in image.info:
        return photo

    def decode(at_least: int | None) -> Samples:
        place = file.tell()
        scans = _scans(file)
        file.seek(place)
        if scans > max(_USUAL_SCANS, _MOST_SCANNED // (photo.width * photo.height)):
            raise ValueError("it is stored in far more scans than any camera or program makes")
        return photo.decode(at_least)

    return replace(photo, decode=decode, bytes_per_pixel=photo.bytes_per_pixel + 2 * len(image.getbands()))


def _scans(file: IO[bytes]) -> int:
    """How many there are; inside their data a byte of 255 is never followed by that of a marker."""
    file.seek(0)
    count, last = 0, b""
    while block := file.read(1 << 20):
        count += (last + block).count(b"\xff\xda")
        last = block[-1:]
    return count

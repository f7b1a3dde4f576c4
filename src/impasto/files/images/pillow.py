"""What Pillow reads and writes: at most 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from impasto.files.images.photo import Photo, orientation_of, upright
from impasto.files.images.picture import Picture, Samples, in_bands, with_alpha
from impasto.files.images.problems import lenient

_LARGEST_JPEG_SEGMENT = 65533


def open_with_pillow(image: Image.Image) -> Photo:
    """`image` is opened and not yet decoded."""
    exif = lenient(image.getexif, Image.Exif())
    icc = image.info.get("icc_profile")

    def decode(at_least: int | None) -> Samples:
        if at_least is not None:
            image.draft("RGB", (at_least, at_least))
        return upright(pillow_samples(image, icc), orientation_of(exif))

    return Photo(image.width, image.height, icc, exif, decode, bytes_per_pixel(image))


def bytes_per_pixel(image: Image.Image) -> int:
    """Pillow's own pixel, the sample made of it, and that once more, turned or split into colour and alpha."""
    stored = 1 if image.mode in ("1", "L", "P") else 4
    return stored + 2 * (4 if image.has_transparency_data else 3)


def pillow_samples(image: Image.Image, icc: bytes | None) -> Samples:
    """Decodes; what is not grey or RGB, with or without alpha, becomes it."""
    image.load()
    convert = _conversion(image, icc)

    def samples(rows: slice) -> Samples:
        band = np.array(convert(image.crop((0, rows.start, image.width, rows.stop))))
        return band if band.ndim == 3 else band[..., None]

    return in_bands(image.height, image.width, samples)


def _conversion(image: Image.Image, icc: bytes | None) -> Callable[[Image.Image], Image.Image]:
    """What makes `image`, or a part of it, grey or RGB, with or without alpha."""
    if image.mode == "CMYK":
        to_srgb = lenient(lambda: _cmyk_to_srgb(icc), None)
        return to_srgb or (lambda part: part.convert("RGB"))
    wanted = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    return lambda part: part if part.mode == wanted else part.convert(wanted)


def _cmyk_to_srgb(icc: bytes | None) -> Callable[[Image.Image], Image.Image] | None:
    if icc is None or icc[16:20] != b"CMYK":
        return None
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
    return transform.apply


def write_with_pillow(path: Path, picture: Picture, image_format: str, quality: int) -> None:
    """JPEG, WebP, BMP or GIF of a picture of 8 bits."""
    image = Image.fromarray(picture.over_white() if image_format in ("JPEG", "BMP") else with_alpha(picture))
    options: dict[str, Any] = {}
    if image_format in ("JPEG", "WEBP"):
        options = {"quality": quality, "icc_profile": picture.icc, "exif": picture.exif or b""}
    if image_format == "JPEG":
        options["subsampling"] = "4:4:4"
        if len(options["exif"]) > _LARGEST_JPEG_SEGMENT:
            del options["exif"]
    if image_format == "WEBP":
        options |= {"lossless": quality == 100, "exact": True}
    image.save(path, image_format, **options)

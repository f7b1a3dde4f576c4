"""What Pillow reads and writes: at most 8 bits."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from impasto.files.images.photo import Photo, orientation_of, upright
from impasto.files.images.picture import Picture, Samples, with_alpha
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

    return Photo(image.width, image.height, icc, exif, decode)


def pillow_samples(image: Image.Image, icc: bytes | None) -> Samples:
    """Decodes; what is not grey or RGB, with or without alpha, becomes it."""
    image.load()
    if image.mode == "CMYK":
        image = lenient(lambda: _cmyk_to_srgb(image, icc), None) or image.convert("RGB")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    else:
        wanted = "L" if image.mode in ("1", "L") else "RGB"
        image = image if image.mode == wanted else image.convert(wanted)
    samples = np.array(image)
    return samples if samples.ndim == 3 else samples[..., None]


def _cmyk_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image | None:
    if icc is None or icc[16:20] != b"CMYK":
        return None
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")


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

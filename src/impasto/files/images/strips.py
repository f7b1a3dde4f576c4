"""Pictures too large to be held in memory: decoded and encoded strip by strip by libvips, in between in a plain file.

The plain file holds samples and nothing else, so any rows of it can be read as often as need be. It is temporary, in
the folder that the environment variable TMPDIR names.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files.atomic import replacing
from impasto.files.images.formats import FORMATS, AnyPath, check_writable_suffix
from impasto.files.images.photo import orientation_of, portable_exif
from impasto.files.images.problems import explained, lenient
from impasto.files.images.reading import opened
from impasto.files.images.writing import check_quality

READ_ADVICE = "open it in an image editor and save it anew, or leave it out"


def available() -> bool:
    """Whether libvips is here."""
    return importlib.util.find_spec("pyvips") is not None


class RawPicture:
    """Samples (H, W, C) in a temporary file, read and written by rows."""

    def __init__(self, shape: tuple[int, int, int], kind: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = np.dtype(kind)
        self._row_bytes = shape[1] * shape[2] * self.dtype.itemsize
        handle, name = tempfile.mkstemp(prefix="impasto-", suffix=".raw")
        self.path = Path(name)
        self._file = os.fdopen(handle, "r+b")
        try:
            self._file.truncate(shape[0] * self._row_bytes)
        except BaseException:
            self.close()
            raise

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, _ = rows.indices(self.shape[0])
        self._file.seek(start * self._row_bytes)
        data = self._file.read((stop - start) * self._row_bytes)
        return np.frombuffer(data, self.dtype).reshape(-1, *self.shape[1:])

    def __setitem__(self, rows: slice, value: NDArray[Any]) -> None:
        self._file.seek(rows.indices(self.shape[0])[0] * self._row_bytes)
        self._file.write(np.ascontiguousarray(value, self.dtype).data)

    def flush(self) -> None:
        """Makes what was written visible to other readers of the file."""
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> RawPicture:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class StripPhoto:
    """A photo of which nothing but its header has been read."""

    path: Path
    width: int
    height: int
    """Upright."""
    kind: np.dtype[Any]
    """uint8 or uint16."""
    alpha: bool
    icc: bytes | None
    exif: bytes | None
    turned: bool
    """Whether it is stored in another rotation."""

    def decoded(self, *, alpha: bool = False) -> RawPicture:
        """Its RGB, or its alpha (H, W, 1), decoded strip by strip into a file, which the caller closes."""
        with explained("read", self.path, READ_ADVICE):
            image = _loaded(self.path, sequential=not self.turned)
            image = image.autorot() if self.turned else image
            image = image[3] if alpha else image[:3]
            raw = RawPicture((image.height, image.width, image.bands), self.kind)
            try:
                image.rawsave(str(raw.path))
            except BaseException:
                raw.close()
                raise
            return raw


def open_strips(path: AnyPath) -> StripPhoto:
    """The photo `path`. Raises ImpastoError when there is none or it is damaged."""
    path = Path(path)
    with opened(path) as photo:
        width, height = photo.upright_size
        icc = photo.icc if photo.icc and photo.icc[16:20] == b"RGB " else None
        exif = lenient(lambda: portable_exif(photo.exif, width, height), None)
        turned = orientation_of(photo.exif) != 1
    with explained("read", path, READ_ADVICE):
        image = _loaded(path, sequential=True)
        kind = np.dtype(np.uint16 if image.format == "ushort" else np.uint8)
        return StripPhoto(path, width, height, kind, image.bands == 4, icc, exif, turned)


def write_strips(
    path: AnyPath, picture: RawPicture, alpha: RawPicture | None, photo: StripPhoto, *, quality: int
) -> None:
    """Writes `picture`, with `alpha` (H, W, 1) and the photo's profile, whole or not at all.

    EXIF goes along, but not into TIFF.

    Raises:
        ImpastoError: the suffix is unknown or its format holds no picture so large, or the file cannot be written.
    """
    import pyvips

    check_writable_suffix(path)
    path = Path(path)
    check_quality(path, quality)
    image_format = FORMATS[path.suffix.lower()]
    with replacing(path) as temporary, explained("write", path, "try TIFF or PNG, or another folder"):
        image, wide = _from_file(picture), picture.dtype == np.uint16
        if alpha is not None:
            band = _from_file(alpha)
            image = _over_white(image, band) if image_format in ("JPEG", "BMP") else image.bandjoin(band)
        if wide and image_format not in ("PNG", "TIFF"):
            image = (image / 257).rint().cast("uchar").copy(interpretation="srgb")
        image = image.copy()  # of its own, to carry the metadata
        for name, data in (("icc-profile-data", photo.icc), ("exif-data", photo.exif)):
            if data:
                image.set_type(pyvips.GValue.blob_type, name, data)
        image.write_to_file(str(temporary), **_options(image_format, path, quality))


def _options(image_format: str, path: Path, quality: int) -> dict[str, Any]:
    if image_format == "JPEG":
        return {"Q": quality, "subsample_mode": "off"}
    if image_format == "PNG":
        return {"compression": 6}
    if image_format == "TIFF":
        return {"compression": "deflate", "predictor": "horizontal", "bigtiff": True}
    if image_format == "WEBP":
        return {"Q": quality, "lossless": quality == 100}
    raise ImpastoError(f"cannot write {path}: a picture this large goes into TIFF, PNG, JPEG or WebP")


def _over_white(image: Any, alpha: Any) -> Any:
    white = 65535 if image.format == "ushort" else 255
    return (
        ((image * alpha + white * (white - alpha)) / white)
        .rint()
        .cast(image.format)
        .copy(interpretation=image.interpretation)
    )


def _loaded(path: Path, *, sequential: bool) -> Any:
    """The image as RGB or RGBA of 8 or 16 bits, colours as they are stored."""
    import pyvips

    image = pyvips.Image.new_from_file(str(path), access="sequential" if sequential else "random", fail_on="error")
    if image.interpretation == "cmyk":
        image = image.icc_transform("srgb") if image.get_typeof("icc-profile-data") else image.colourspace("srgb")
    if image.interpretation in ("b-w", "grey16") or image.bands < 3:
        alpha = image[1] if image.bands == 2 else None
        grey = image[0]
        image = grey.bandjoin([grey, grey] if alpha is None else [grey, grey, alpha])
    if image.format not in ("uchar", "ushort"):
        image = image.colourspace("srgb").cast("uchar")
    return image[:4] if image.bands > 4 else image


def _from_file(picture: RawPicture) -> Any:
    import pyvips

    picture.flush()
    height, width, bands = picture.shape
    if picture.dtype == np.uint8:
        return pyvips.Image.rawload(str(picture.path), width, height, bands).copy(interpretation="srgb")
    image = pyvips.Image.rawload(str(picture.path), width, height, 2 * bands)
    return image.copy(format="ushort", bands=bands, interpretation="rgb16")

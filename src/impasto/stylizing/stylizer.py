"""Stylizer: photos in, stylized images of the same kind and size out. No torch here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from impasto.errors import ImpastoError
from impasto.files.style_file import IDENTITY, Style
from impasto.stylizing.backends import Backend, Floats
from impasto.stylizing.color import with_colors
from impasto.stylizing.manner import Manner, WhichStyle, resized_planes, soft_mask, working_size

Photo = TypeVar("Photo")

BYTES_RESIZED = 60
"""Per pixel of a photo that the network works on at another size: five float32 copies of its three planes."""


class Stylizer:
    """Repaints photos with one of a network's styles or a mix of them.

    >>> stylizer = impasto.load("great_wave")  # doctest: +SKIP
    >>> stylizer(Image.open("photo.jpg"), strength=0.7).save("painted.jpg")  # doctest: +SKIP
    """

    def __init__(self, style: Style, backend: Backend, own: WhichStyle = 0) -> None:
        """`own` is what it paints when a call names no style."""
        self.style = style
        self.backend = backend
        self.own = own

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the styles that its network holds."""
        return tuple(name for name in self.style.names if name != IDENTITY)

    def __call__(self, photo: Photo, style: WhichStyle = None, **manner: Any) -> Photo:
        """The stylized image, of the kind and size that `photo` has.

        Args:
            photo: a PIL image (any mode; turned upright, an RGB image comes back, with its profile and alpha), a uint8
                or uint16 array (H, W, 3), or a float tensor or float array (B, 3, H, W) or (3, H, W) in [0, 1].
            style: a name or a number of :attr:`names`, or weights by name that mix several (only their ratios
                count); default the one that was loaded.
            manner: how much of it, whose colours, how large its strokes and where: the fields of :class:`Manner`.

        Raises:
            ImpastoError: an unknown style, an option out of range, a mask of another shape than the photo, or a photo
                too large for this machine's memory.
            TypeError, ValueError: something else than a photo.
        """
        return self.repaint(photo, Manner(style, **manner))

    def repaint(self, photo: Photo, manner: Manner) -> Photo:
        """As a call, with the options as one value."""
        if isinstance(photo, Image.Image):
            return cast(Photo, self._pil(photo, manner))
        if isinstance(photo, np.ndarray):
            if photo.dtype in (np.uint8, np.uint16):
                return cast(Photo, self._array(photo, manner))
            if photo.dtype.kind == "f":
                return cast(Photo, self._planes(photo, manner).astype(photo.dtype))
        elif hasattr(photo, "detach") and hasattr(photo, "new_tensor"):
            return cast(Photo, self._tensor(photo, manner))
        kind = getattr(photo, "dtype", type(photo).__name__)
        raise TypeError(f"a photo is a PIL image, a uint8 array (H, W, 3) or a float tensor (B, 3, H, W), not {kind}")

    def _array(self, pixels: NDArray[Any], manner: Manner) -> NDArray[Any]:
        if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise ValueError(f"a photo as an array has shape (H, W, 3), not {pixels.shape}")
        self.require_memory(*pixels.shape[:2], stroke=manner.stroke)
        largest = np.iinfo(pixels.dtype).max
        planes = pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(largest)
        stylized = self._planes(planes, manner)
        return np.ascontiguousarray(np.rint(stylized[0] * largest).astype(pixels.dtype).transpose(1, 2, 0))

    def _pil(self, photo: Image.Image, manner: Manner) -> Image.Image:
        upright = ImageOps.exif_transpose(photo)
        result = Image.fromarray(self._array(_rgb(upright), manner))
        if upright.has_transparency_data:
            result.putalpha(upright.convert("RGBA").getchannel("A"))
        if "icc_profile" in photo.info and photo.mode in ("RGB", "RGBA", "P"):
            result.info["icc_profile"] = photo.info["icc_profile"]
        return result

    def _tensor(self, photo: Any, manner: Manner) -> Any:
        if not photo.is_floating_point():
            raise TypeError(f"a photo as a tensor holds floats in [0, 1], not {photo.dtype}")
        stylized = self._planes(photo.detach().float().cpu().numpy(), manner)
        return photo.new_tensor(stylized)

    def _planes(self, photos: NDArray[Any], manner: Manner) -> Floats:
        batch = photos[None] if photos.ndim == 3 else photos
        if batch.ndim != 4 or batch.shape[1] != 3 or 0 in batch.shape:
            raise ValueError(f"photos have shape (B, 3, H, W) or (3, H, W), not {photos.shape}")
        self.require_memory(*batch.shape[2:], stroke=manner.stroke)
        # One by one: instance norm sees each by itself anyway, and the memory stays that of one.
        stylized = np.stack([self._masked(one.astype(np.float32), manner) for one in batch])
        return stylized[0] if photos.ndim == 3 else stylized

    def _masked(self, photo: Floats, manner: Manner) -> Floats:
        inside = self._painted(photo, manner.style, manner)
        if manner.mask is None:
            return inside
        weights = soft_mask(manner.mask, *photo.shape[1:])
        outside = photo if manner.outside is None else self._painted(photo, manner.outside, manner)
        result: Floats = outside + weights * (inside - outside)
        return result

    def _painted(self, photo: Floats, style: WhichStyle, manner: Manner) -> Floats:
        """The stylized image (3, H, W) of `photo` likewise, everywhere."""
        mix = self._mix(style)
        has_identity = IDENTITY in self.style.names
        if has_identity:
            mix *= manner.strength
            mix[0, self.style.names.index(IDENTITY)] += 1 - manner.strength
        height, width = working_size(*photo.shape[1:], stroke=manner.stroke)
        stylized = self.backend(resized_planes(photo, height, width)[None], mix)[0]
        stylized = resized_planes(stylized, *photo.shape[1:]).clip(0, 1)
        if not has_identity and manner.strength < 1:
            stylized = photo + np.float32(manner.strength) * (stylized - photo)
        return with_colors(stylized, photo, manner.colors)

    def require_memory(self, height: int, width: int, *, stroke: float = 1.0) -> None:
        """Raises ImpastoError when a photo of this size needs more memory than is free."""
        working = working_size(height, width, stroke=stroke)
        needed = self.backend.working_memory(*working) + (working != (height, width)) * BYTES_RESIZED * height * width
        free = free_memory()
        if free is not None and needed > free:
            side = int(max(height, width) * (free / needed) ** 0.5)
            raise ImpastoError(
                f"a photo of {width}×{height} pixels needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are "
                f"free; make it smaller, with --size {side // 100 * 100} or less"
            )

    def _mix(self, style: WhichStyle) -> Floats:
        weights = np.zeros((1, len(self.style.names)), dtype=np.float32)
        style = self.own if style is None else style
        wanted = style if isinstance(style, Mapping) else {style: 1.0}
        for name, weight in wanted.items():
            if not isinstance(weight, int | float | np.number) or not 0 <= float(weight) < float("inf"):
                raise ImpastoError(f"the weight of style {name!r} is {weight!r}; it must be a number from 0 on")
            weights[0, self._index(name)] += weight
        if not weights.any():
            raise ImpastoError("a mix of styles needs at least one with a weight above 0")
        weights /= weights.sum()
        return weights

    def _index(self, style: str | int | None) -> int:
        if style in self.names:
            return self.style.names.index(style)
        if isinstance(style, int | np.integer) and 0 <= style < len(self.names):
            return self.style.names.index(self.names[style])
        raise ImpastoError(f"this style file has no style {style!r}; it has {', '.join(self.names)}")


def _rgb(photo: Image.Image) -> NDArray[np.uint8]:
    if photo.mode.startswith("I;16"):
        # Pillow would clip such grey to white instead of scaling it.
        photo = Image.fromarray(np.rint(np.asarray(photo) / 257).astype(np.uint8))
    return np.asarray(photo.convert("RGB"))


def free_memory() -> int | None:
    """Bytes that can be taken without swapping, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return None

"""Stylizer: photos in, stylized images of the same kind and size out. No torch here."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from impasto.errors import ImpastoError
from impasto.files.images import AnyPath, Picture
from impasto.files.style_file import IDENTITY, Style
from impasto.stylizing.arrange import resized
from impasto.stylizing.backends import Backend
from impasto.stylizing.finish import Finish
from impasto.stylizing.manner import Manner, WhichStyle, working_size
from impasto.stylizing.mapping import WORKERS, Repainted, repainted
from impasto.stylizing.samples import Floats, RowSource, RowTarget, Samples, planes_of, resized_samples, samples_of
from impasto.stylizing.strip_plan import least_memory, make_plan

if TYPE_CHECKING:
    from impasto.files.video import Frame

Photo = TypeVar("Photo")

COPIES = 4
"""Of a photo, and of what the network works on, that are in memory around the network's own planes."""
CONTROL_GROUP = "/sys/fs/cgroup"
MEMORY_FILES = ("memory.max", "memory.current", "memory.stat")
UNLIMITED = 1 << 60
SHARE_OF_FREE = 0.8
"""Of the free memory that a repainting may take where nothing else is said."""


class Stylizer:
    """Repaints photos with one of a network's styles or a mix of them.

    >>> stylizer = impasto.load("great_wave")  # doctest: +SKIP
    >>> stylizer(Image.open("photo.jpg"), strength=0.7).save("painted.jpg")  # doctest: +SKIP
    """

    def __init__(self, style: Style, backend: Backend, own: WhichStyle = 0, *, max_memory: int | None = None) -> None:
        """`own` is what it paints when a call names no style.

        A photo that would take more than `max_memory` bytes (default: most of what is free) is painted strip by strip.
        """
        self.style = style
        self.backend = backend
        self.own = own
        self.max_memory = max_memory
        if max_memory is not None and hasattr(backend, "kept_bytes"):
            backend.kept_bytes = min(backend.kept_bytes, max_memory // 4)
        self.on_progress: Callable[[float], None] | None = None
        """Gets the share that is done, 0 to 1, of a photo that is painted strip by strip."""

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

    def for_many(self, *, changing: bool = False) -> Stylizer:
        """The same, ready for several threads at a time, which share its memory, or for mixes that keep changing."""
        prepare = getattr(self.backend, "for_many", lambda changing: self.backend)
        allowed = self.allowed_memory() / WORKERS
        share = None if allowed == float("inf") else int(allowed)
        return Stylizer(self.style, prepare(changing=changing), self.own, max_memory=share)

    def for_changing(self) -> Stylizer:
        """The same, ready for a mix that changes from photo to photo."""
        prepare = getattr(self.backend, "for_changing", lambda: self.backend)
        return Stylizer(self.style, prepare(), self.own, max_memory=self.max_memory)

    def for_steady(self) -> Stylizer:
        """The same for the frames of one video, whose statistics are averaged.

        Raises:
            ImpastoError: another backend than OpenVINO.
        """
        if self.backend.name != "openvino":
            raise ImpastoError(f"the {self.backend.name} backend cannot keep a video steady; take --backend openvino")
        from impasto.stylizing.steady import SteadyBackend

        backend = SteadyBackend(self.style, self.backend.precision)
        return Stylizer(self.style, backend, self.own, max_memory=self.max_memory)

    def weights(self, style: WhichStyle = None, strength: float = 1.0) -> Floats:
        """How the network's styles are mixed for `style` at that strength, (styles,), the identity's row included.

        Raises:
            ImpastoError: an unknown style.
        """
        mix = self._mix(style)
        if IDENTITY in self.style.names:
            mix *= strength
            mix[self.style.names.index(IDENTITY)] += 1 - strength
        return mix

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

    def map(
        self, paths: Iterable[AnyPath], style: WhichStyle = None, *, size: int | None = None, **manner: Any
    ) -> Iterator[Repainted]:
        """The stylized image of each photo file, in order; reading overlaps with the network.

        >>> for painted in stylizer.map(Path("photos").glob("*.jpg")):  # doctest: +SKIP
        ...     painted.save(Path("painted") / painted.path.name)

        A photo that cannot be read comes with its `error` instead of a picture, and the others go on.

        Args:
            size: longer side of the results in pixels (default: each photo's own).
            style, manner: as for a call.
        Raises:
            ImpastoError: an unknown style, or an option out of range.
        """
        asked, many = Manner(style, **manner), self.for_many()
        for wanted in (asked.style, asked.outside):
            self._mix(wanted)
        paths = [paths] if isinstance(paths, str | os.PathLike) else paths

        def repaint(picture: Picture) -> Picture:
            picture = picture if size is None else resized(picture, size)
            return picture.with_pixels(many.repaint(picture.pixels, asked))

        return repainted(paths, repaint)

    def video(
        self,
        path: AnyPath,
        style: WhichStyle = None,
        *,
        start: float = 0.0,
        end: float | None = None,
        size: int | None = None,
        steady: float = 0.0,
        style_to: WhichStyle = None,
        strength_to: float | None = None,
        **manner: Any,
    ) -> Iterator[Frame]:
        """The stylized frames of a video, in order; decoding overlaps with the network, and few are in memory.

        >>> with impasto.VideoWriter("out.mp4", sound="in.mp4") as writer:  # doctest: +SKIP
        ...     for frame in stylizer.video("in.mp4", strength=0.3, strength_to=1.0):
        ...         writer.write(frame)  # or frame.pixels, (H, W, 3) of uint8; frame.image, for PIL; frame.time

        Args:
            start, end: the part of it, in seconds from its beginning.
            size: longer side of the frames in pixels, both sides made even (default: as they are).
            steady: seconds over which the network's statistics are averaged, so that what enters the picture does not
                change the rest at once; takes twice as long. 0 averages nothing.
            style_to, strength_to: what style and strength come to at the end, evenly from what they are at first.
            style, manner: as for a call.
        Raises:
            ImpastoError: no such video, an unknown style, or an option out of range.
        """
        from impasto.files.video import open_video
        from impasto.stylizing.moving import FramePainter, change_over, check_span, painted

        check_span(start, end, steady)
        video = open_video(path)
        change = change_over(video, style_to, strength_to, start, end)
        many = self.for_many(changing=change is not None)
        painter = FramePainter(many, Manner(style, **manner), change, size=size, steady=steady)

        def frames() -> Iterator[Frame]:
            with video:
                yield from painted(video.frames(start, end), painter, painter.workers)

        return frames()

    def _array(self, pixels: Samples, manner: Manner) -> Samples:
        if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise ValueError(f"a photo as an array has shape (H, W, 3), not {pixels.shape}")
        self.require_memory(*pixels.shape[:2], stroke=manner.stroke, item=pixels.itemsize)
        return self._repainted(pixels, manner)

    def _pil(self, photo: Image.Image, manner: Manner) -> Image.Image:
        upright = ImageOps.exif_transpose(photo)
        if upright.mode == "La":  # Pillow converts it to LA alone
            upright = upright.convert("LA")
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
        self.require_memory(*batch.shape[2:], stroke=manner.stroke, item=4)
        # One by one: instance norm sees each by itself anyway, and the memory stays that of one.
        each = (self._repainted(one.astype(np.float32).transpose(1, 2, 0), manner) for one in batch)
        stylized = np.stack([one.transpose(2, 0, 1) for one in each])
        return stylized[0] if photos.ndim == 3 else stylized

    def _repainted(self, photo: Samples, manner: Manner) -> Samples:
        """The stylized image of `photo`, (H, W, 3) of uint8, uint16 or float32 in [0, 1], as those."""
        painted = self._painted(photo, manner.style, manner)
        if self.needs_no_finish(manner):
            return painted
        outside = None if manner.outside is None else self._painted(photo, manner.outside, manner)
        target = np.empty_like(painted)
        self.finish(photo, painted, outside, manner).into(target)
        return target

    def needs_no_finish(self, manner: Manner) -> bool:
        """Whether what the network paints is the result."""
        return manner.colors == "style" and manner.mask is None and self._laid_over(manner) == 1

    def finish(self, photo: RowSource, painted: RowSource, outside: RowSource | None, manner: Manner) -> Finish:
        """The last steps of a repainting."""
        return Finish(photo, painted, outside, manner, self._laid_over(manner))

    def _laid_over(self, manner: Manner) -> float:
        """How much of the painted picture is to be laid over the photo: all where the network knows the photo."""
        return 1.0 if IDENTITY in self.style.names else manner.strength

    def _painted(self, photo: Samples, style: WhichStyle, manner: Manner) -> Samples:
        """What the network makes of `photo`, in the same size."""
        mix = self.weights(style, manner.strength)
        height, width = working_size(*photo.shape[:2], stroke=manner.stroke)
        stylized = self.paint(resized_samples(photo, height, width), mix)
        return resized_samples(stylized, *photo.shape[:2])

    def paint(self, photo: Samples, mix: Floats) -> Samples:
        """The network's answer to `photo`, as large as it is: at once where the memory suffices, else strip by strip.

        `mix` is what :meth:`weights` gives.
        """
        left = self.allowed_memory() - COPIES * photo.nbytes
        if self.backend.working_memory(*photo.shape[:2]) > left:
            return self._streamed(photo, mix, left)
        try:
            if photo.dtype == np.uint8:
                stylized: Samples = self.backend(photo[None], mix)[0]
                return stylized
            return samples_of(self.backend(planes_of(photo[None]), mix)[0], photo.dtype)
        except MemoryError:  # an accelerator has its own, and may share it with others
            return self._streamed(photo, mix, left)

    def _streamed(self, photo: Samples, mix: Floats, memory: float) -> Samples:
        target = np.empty(photo.shape, photo.dtype)
        self.paint_rows(photo, target, mix, memory)
        return target

    def paint_rows(self, photo: RowSource, target: RowTarget, mix: Floats, memory: float | None = None) -> None:
        """The network's answer to `photo` (H, W, 3) strip by strip, in `memory` bytes (default: what is allowed).

        `mix` is what :meth:`weights` gives.

        Raises:
            ImpastoError: not even the smallest strips fit.
        """
        from impasto.stylizing import streaming

        allowed = self.allowed_memory() if memory is None else memory
        plan = make_plan(self.style.network, photo.shape[0], photo.shape[1], allowed)
        precision = self.backend.precision
        streaming.stream(self.style, mix, photo, target, plan, precision=precision, on_progress=self.on_progress)

    def allowed_memory(self) -> float:
        """Bytes that a repainting may take."""
        if self.max_memory is not None:
            return self.max_memory
        free = free_memory()
        return float("inf") if free is None else SHARE_OF_FREE * free

    def needed_memory(self, height: int, width: int, *, stroke: float = 1.0, item: int = 1) -> int:
        """Bytes that a photo of this size, of `item` bytes a sample, takes at least while it is repainted in memory."""
        working = working_size(height, width, stroke=stroke)
        around = COPIES * 3 * item * max(height * width, working[0] * working[1])
        at_once = self.backend.working_memory(*working)
        if importlib.util.find_spec("openvino") is None:
            return around + at_once
        return around + min(at_once, least_memory(self.style.network, *working))

    def require_memory(self, height: int, width: int, *, stroke: float = 1.0, item: int = 1) -> None:
        """Raises ImpastoError when a photo of this size does not fit even if the network works in strips."""
        needed, memory = self.needed_memory(height, width, stroke=stroke, item=item), self.allowed_memory()
        if needed > memory:
            side = max(100, int(max(height, width) * (memory / needed) ** 0.5))
            raise ImpastoError(
                f"a photo of {width}×{height} pixels needs about {needed / 1e9:.1f} GB, and {memory / 1e9:.1f} GB "
                f"may be used; make it smaller, with --size {side // 100 * 100} or less, or raise --max-memory"
            )

    def _mix(self, style: WhichStyle) -> Floats:
        weights = np.zeros(len(self.style.names), dtype=np.float32)
        style = self.own if style is None else style
        wanted = style if isinstance(style, Mapping) else {style: 1.0}
        for name, weight in wanted.items():
            if not isinstance(weight, int | float | np.number) or not 0 <= float(weight) < float("inf"):
                raise ImpastoError(f"the weight of style {name!r} is {weight!r}; it must be a number from 0 on")
            weights[self._index(name)] += weight
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
                    return min(int(line.split()[1]) * 1024, _left_in_container())
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _left_in_container() -> int:
    """Bytes that a container may still take, a huge number where nothing limits it (control groups, version 2).

    What the system keeps of files that were read counts as used there, but gives way.
    """
    try:
        limit, used, told = (Path(CONTROL_GROUP, name).read_text(encoding="ascii") for name in MEMORY_FILES)
        if limit.strip() == "max":
            return UNLIMITED
        parts = dict(line.split() for line in told.splitlines())
        kept = sum(int(parts.get(name, 0)) for name in ("active_file", "inactive_file"))
        return max(0, int(limit) - int(used) + kept)
    except (OSError, ValueError):
        return UNLIMITED

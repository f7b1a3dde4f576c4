"""Paints for the page: at screen size at once, in full size on demand; bounded in memory and in parallel."""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.studio.look import Look
from impasto.studio.naming import file_name
from impasto.studio.places import Places
from impasto.studio.shelf import Entry, Shelf
from impasto.stylizing.arrange import resized
from impasto.stylizing.manner import working_size
from impasto.stylizing.stylizer import Stylizer

SCREEN_SIDE = 1280
"""Longer side in pixels of what the page shows."""
WORKING_SIDE = 2048
"""The same of what is painted for it: as large as the network works on a photo of 4000 pixels, so that the strokes on
the screen are those of the full size."""
SWATCH_SIDE = 208
SWATCH_WORKING_SIDE = 416
"""Longer side of a style's picture, and of what is painted for it."""
FRAME_SIDE = 640
SCREEN_QUALITY = 88
FULL_QUALITY = 95
FULL_FORMATS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""Kept in full size; what comes as something else, such as GIF with its 256 colours, becomes PNG."""
KEPT_PHOTOS = 400
"""So many photos the page's visitors can come back to."""
KEPT_PAINTINGS = 2000
"""So many of the last paintings at screen size, of all visitors; the sliders make several a second."""
KEPT_DECODED = 24
GONE = "that photo is not here any more; drop it again"
FULL = "the studio's disk is full; older pictures go after some hours, please try again later"
ROOM_SEEN = 5.0
"""Seconds between two looks at the disk."""
SMALLEST_SIDE = 16
"""A thinner photo has nothing to paint on."""


@dataclass(frozen=True)
class Canvas:
    """A photo that is ready to be painted."""

    id: str
    """Random, and all that the page knows of the photo."""
    path: Path
    name: str
    """As its owner calls it."""
    width: int
    height: int
    before: Path
    """The photo at screen size, a JPEG."""


class Easel:
    """Holds the photos of the page's visitors by id and paints them. All of it may be called from several threads."""

    def __init__(self, shelf: Shelf, places: Places) -> None:
        """Pictures for the page are written to `places`, as long as there is room."""
        self.shelf = shelf
        self.out = places.uploads / "painted"
        self.limits = places.limits
        self._places = places
        self._canvases: OrderedDict[str, Canvas] = OrderedDict()
        self._decoded: OrderedDict[str, images.Picture] = OrderedDict()
        self._paintings: deque[Path] = deque()
        self._lock = threading.Lock()
        self._turn = threading.BoundedSemaphore(self.limits.stylizing)
        self._turn_in_full = threading.BoundedSemaphore(1)
        self._frames = threading.BoundedSemaphore(self.limits.frames)
        self._looked = float("-inf")
        self._has_room = True

    def put(self, path: Path, name: str) -> Canvas:
        """A new canvas of the photo in the file `path`.

        Raises:
            ImpastoError: it is no photo, or too small or too large a one.
        """
        with self._turn:
            width, height = images.size_of(path)
            if min(width, height) < SMALLEST_SIDE:
                small = f"{name} is {width}×{height} pixels, which is too small to paint on"
                raise ImpastoError(f"{small}; take a larger one")
            picture = self._decode(path)
            before = self._write(_within(picture, SCREEN_SIDE))
        canvas = Canvas(secrets.token_hex(12), path, name, width, height, before)
        with self._lock:
            self._canvases[canvas.id] = canvas
            while len(self._canvases) > KEPT_PHOTOS:
                self._canvases.popitem(last=False)
            self._keep(canvas.id, picture)
        return canvas

    def require_photo(self, path: Path) -> None:
        """Raises ImpastoError for a file that is no photo, or too large a one."""
        with self._turn:
            images.read_small(path, at_least=SMALLEST_SIDE, max_pixels=self.limits.photo_pixels)

    def canvas(self, wanted: object) -> Canvas:
        """The canvas of that id. Raises ImpastoError when it is not here (any more)."""
        with self._lock:
            found = self._canvases.get(wanted) if isinstance(wanted, str) else None
            if found is None:
                raise ImpastoError(GONE)
            self._canvases.move_to_end(found.id)
            return found

    def paint(self, canvas: Canvas, look: Look) -> Path:
        """The stylized image at screen size, a JPEG."""
        stylizer, rows = self._stylizer(look)  # loading one may take long, and others are to have their turn meanwhile
        with self._turn:
            picture = self._picture(canvas)
            manner = look.manner(rows, _stroke(canvas, picture, look.stroke))
            painted = picture.with_pixels(stylizer.repaint(picture.pixels, manner))
            path = self._write(_within(painted, SCREEN_SIDE))
        with self._lock:
            self._paintings.append(path)
            gone = [self._paintings.popleft() for _ in range(len(self._paintings) - KEPT_PAINTINGS)]
        for old in gone:
            old.unlink(missing_ok=True)
        return path

    def paint_in_full(self, canvas: Canvas, look: Look, name: str) -> Path:
        """The stylized image as large as the photo, called `name`, in the photo's format where that can be written."""
        if not canvas.path.exists():
            raise ImpastoError(GONE)
        suffix = canvas.path.suffix.lower()
        suffix = suffix if suffix in FULL_FORMATS else ".png" if suffix in images.FORMATS else ".jpg"
        # Browsers call a file as its address ends, so the random part is a folder.
        target = self.out / secrets.token_hex(12) / file_name(f"{name}{suffix}", "photo.jpg")
        stylizer, rows = self._stylizer(look)
        with self._turn_in_full:
            self._require_room()
            options = workflows.StylizeOptions(quality=FULL_QUALITY, manner=look.manner(rows))
            return workflows.stylize_image(stylizer, canvas.path, target, options)

    def swatches(self, canvas: Canvas, entries: Sequence[Entry]) -> dict[str, Path]:
        """How the photo looks in each of the styles, by id: small JPEGs. A style that cannot be loaded has none.

        Raises:
            ImpastoError: the photo is not here any more.
        """
        with self._turn:
            picture = _within(self._picture(canvas), SWATCH_WORKING_SIDE)
        found = {}
        for entry in entries:
            with suppress(ImpastoError):
                look = Look(entry.id)
                stylizer, rows = self._stylizer(look)
                with self._turn:  # one by one: who waits for a photo comes in between
                    painted = picture.with_pixels(stylizer.repaint(picture.pixels, look.manner(rows)))
                    found[entry.id] = self._write(_within(painted, SWATCH_SIDE), quality=80)
        return found

    def paint_frame(self, data: bytes, look: Look) -> bytes:
        """A camera's frame, JPEG to JPEG, by the fastest network.

        Raises:
            ImpastoError: it is none, or so many wait already that it would be too late for a live picture.
        """
        if not self._frames.acquire(blocking=False):
            raise ImpastoError("too many cameras at once; a moment, please")
        try:
            stylizer, rows = self._stylizer(look, fast=True)
            with self._turn:
                frame = images.read_small(
                    "the camera's frame", at_least=FRAME_SIDE, data=data, max_pixels=self.limits.frame_pixels
                )
                picture = _within(images.Picture(frame), FRAME_SIDE)
                pixels = stylizer.repaint(picture.pixels, look.manner(rows))
        finally:
            self._frames.release()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "jpeg", quality=80)
        return buffer.getvalue()

    def _stylizer(self, look: Look, *, fast: bool = False) -> tuple[Stylizer, dict[str, str]]:
        ids = list(look.mix)
        stylizer, names = self.shelf.stylizer(ids, fast=fast)
        return stylizer, dict(zip(ids, names, strict=True))

    def _picture(self, canvas: Canvas) -> images.Picture:
        with self._lock:
            picture = self._decoded.get(canvas.id)
        if picture is None:
            if not canvas.path.exists():
                raise ImpastoError(GONE)
            picture = self._decode(canvas.path)
        with self._lock:
            self._keep(canvas.id, picture)
        return picture

    def _keep(self, canvas_id: str, picture: images.Picture) -> None:
        self._decoded[canvas_id] = picture
        self._decoded.move_to_end(canvas_id)
        while len(self._decoded) > KEPT_DECODED:
            self._decoded.popitem(last=False)

    def _decode(self, path: Path) -> images.Picture:
        pixels: NDArray[np.uint8] = images.read_small(path, at_least=WORKING_SIDE, max_pixels=self.limits.photo_pixels)
        return _within(images.Picture(pixels, icc=images.profile_of(path)), WORKING_SIDE)

    def _require_room(self) -> None:
        """Raises ImpastoError where what the page shows has taken all that it may; looks now and then."""
        if time.monotonic() - self._looked > ROOM_SEEN:
            self._looked = time.monotonic()
            self._has_room = self._places.room() > 0
        if not self._has_room:
            raise ImpastoError(FULL)

    def _write(self, picture: images.Picture, quality: int = SCREEN_QUALITY) -> Path:
        self._require_room()
        path = self.out / f"{secrets.token_hex(12)}.jpg"
        images.write(path, picture, quality=quality)
        return path


def _within(picture: images.Picture, side: int) -> images.Picture:
    """`picture` with no side longer than `side`; a smaller one stays as it is."""
    return picture if max(picture.width, picture.height) <= side else resized(picture, side)


def _stroke(canvas: Canvas, picture: images.Picture, stroke: float) -> float:
    """The stroke that looks on `picture` as `stroke` does on the photo in full size."""
    wanted = max(working_size(canvas.height, canvas.width, stroke=stroke))
    usual = max(working_size(picture.height, picture.width, stroke=1))
    return float(np.clip(usual / wanted, 0.25, 4))

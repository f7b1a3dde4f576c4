"""What a camera sees, repainted live in a window."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.stylizing.manner import Manner, WhichStyle, working_size
from impasto.stylizing.pace import Pace
from impasto.stylizing.stylizer import Stylizer

if TYPE_CHECKING:
    from impasto.files.video import VideoWriter

Pixels = NDArray[np.uint8]
"""(H, W, 3) RGB."""

KEYS = "n p style · + - strength · r record · s screenshot · q quit"
STEP = 0.1
"""Of the strength."""
LATEST = 20
"""Pictures that the rate on the screen is reckoned from."""
MILLISECONDS = Fraction(1, 1000)
WINDOW = "impasto"
PROBE = "import cv2; cv2.namedWindow('impasto'); cv2.waitKey(1)"
ESCAPE = 27


@dataclass(frozen=True)
class WebcamOptions:
    """What is shown, and how."""

    camera: str = "0"
    """The camera's number, or a video file in its place."""
    style: WhichStyle = None
    """What to begin with; None is the stylizer's own."""
    strength: float = 1.0
    """From 0 to 1."""
    rate: float = 20.0
    """Pictures a second that the resolution is lowered for."""
    folder: Path = field(default_factory=Path)
    """Where recordings and screenshots go."""
    virtual: bool = False
    """Whether other programs can see the stylized images, as a camera."""

    def __post_init__(self) -> None:
        Manner(strength=self.strength)
        if not 1 <= self.rate <= 240:
            raise ImpastoError(f"--rate is {self.rate:g}; it must lie between 1 and 240 pictures a second")


class Live:
    """Repaints picture after picture, and does what keys ask for."""

    def __init__(self, stylizer: Stylizer, options: WebcamOptions, announce: Callable[[str], None]) -> None:
        """`announce` gets the name of each file that is written."""
        self.stylizer = stylizer.for_changing()
        style = options.style
        self.style = self.stylizer.names[style] if isinstance(style, int) else style
        self.strength = options.strength
        self.pace = Pace(options.rate)
        self._options = options
        self._announce = announce
        self._number = -1
        self._latest: deque[float] = deque(maxlen=LATEST)
        self._last: Pixels | None = None
        self._writer: VideoWriter | None = None
        self._begun = 0.0

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end_recording()

    def paint(self, photo: Pixels) -> Pixels:
        """The stylized image of `photo`, uint8 (H, W, 3), of its size; recorded if that is on."""
        import cv2

        begun = time.monotonic()
        height, width = working_size(*photo.shape[:2], stroke=1.0)
        size = max(16, round(width * self.pace.scale)), max(16, round(height * self.pace.scale))
        small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        painted = self.stylizer.paint(small, self.stylizer.weights(self.style, self.strength))
        result: Pixels = cv2.resize(painted, (photo.shape[1], photo.shape[0]), interpolation=cv2.INTER_LINEAR)
        self.pace.took(time.monotonic() - begun)
        self._latest.append(time.monotonic())
        self._last = result
        self._record(result)
        return result

    def press(self, key: int) -> bool:
        """Does what the key of this code asks for; False if that is to end."""
        pressed = chr(key) if key > 0 else ""
        if pressed in ("n", "p"):
            names = self.stylizer.names
            at = names.index(self.style) if isinstance(self.style, str) and self.style in names else self._number
            self._number = (at + (1 if pressed == "n" else -1)) % len(names)
            self.style = names[self._number]
        elif pressed in ("+", "=", "-"):
            self.strength = round(min(1.0, max(0.0, self.strength + (-STEP if pressed == "-" else STEP))), 3)
        elif pressed == "r":
            self._toggle_recording()
        elif pressed == "s" and self._last is not None:
            path = self._free_name(".png")
            images.write(path, images.Picture(self._last))
            self._announce(str(path))
        return key not in (ESCAPE, ord("q"))

    @property
    def status(self) -> str:
        """What is going on, in a line."""
        named = self.style if isinstance(self.style, str) else "mix" if self.style else self.stylizer.names[0]
        recording = "   recording" if self._writer is not None else ""
        rate = f"{self.rate:.1f} frames/s at {100 * self.pace.scale:.0f} %"
        return f"{named}   strength {self.strength:.1f}   {rate}{recording}"

    @property
    def rate(self) -> float:
        """Pictures a second, of late."""
        passed = self._latest[-1] - self._latest[0] if len(self._latest) > 1 else 0.0
        return (len(self._latest) - 1) / passed if passed > 0 else 0.0

    def _toggle_recording(self) -> None:
        from impasto.files.video import VideoWriter

        if self._writer is None:
            self._writer, self._begun = VideoWriter(self._free_name(".mp4")), time.monotonic()
        else:
            self._end_recording()

    def _record(self, pixels: Pixels) -> None:
        if self._writer is None:
            return
        from impasto.files.video import Format, Frame

        rate = Fraction(self._options.rate).limit_denominator(1000)
        format = Format.of_rgb(*pixels.shape[:2], rate=rate, time_base=MILLISECONDS)
        pts = round(1000 * (time.monotonic() - self._begun))
        self._writer.write(Frame.of(pixels, format, pts))

    def _end_recording(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None and writer.last is not None:
            self._announce(str(writer.finish()))
        elif writer is not None:
            writer.abandon()

    def _free_name(self, suffix: str) -> Path:
        stem, number = time.strftime("webcam-%Y%m%d-%H%M%S"), 1
        path = self._options.folder / f"{stem}{suffix}"
        while path.exists():
            number += 1
            path = self._options.folder / f"{stem}-{number}{suffix}"
        return path


def show(stylizer: Stylizer, options: WebcamOptions, announce: Callable[[str], None]) -> None:
    """Repaints what the camera sees in a window, until its key `q`, its closing or the end of the file.

    Raises:
        ImpastoError: no camera, no display, or no virtual camera.
    """
    if options.folder.exists() and not options.folder.is_dir():
        raise ImpastoError(f"--folder {options.folder} is a file; name a folder")
    with ExitStack() as opened:
        pictures = _camera(options.camera)
        first = next(pictures)
        require_display()
        live = opened.enter_context(Live(stylizer, options, announce))
        send = _virtual_camera(first, options.rate, opened, announce) if options.virtual else None
        window = opened.enter_context(Window(first))
        announce(KEYS)
        photo: Pixels | None = first
        while photo is not None:
            painted = live.paint(photo)
            if send is not None:
                send(painted)
            if not live.press(window.show(painted, live.status)) or window.closed:
                return
            photo = next(pictures, None)


class Window:
    """A picture on the screen with a line of text over it."""

    def __init__(self, first: Pixels) -> None:
        import cv2

        cv2.namedWindow(WINDOW, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.resizeWindow(WINDOW, max(480, first.shape[1]), max(360, first.shape[0]))

    def __enter__(self) -> Window:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        import cv2

        cv2.destroyAllWindows()

    def show(self, pixels: Pixels, text: str) -> int:
        """Shows both; returns the code of a key that was pressed, or -1."""
        import cv2

        shown = np.ascontiguousarray(pixels[..., ::-1])
        size, font = min(1.0, pixels.shape[1] / 1200), cv2.FONT_HERSHEY_SIMPLEX
        place = 8, round(30 * size) + 4
        for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(shown, text, place, font, size, color, thickness, cv2.LINE_AA)
        cv2.imshow(WINDOW, shown)
        return int(cv2.waitKey(1))

    @property
    def closed(self) -> bool:
        import cv2

        return bool(cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) < 1)


def require_display() -> None:
    """Raises ImpastoError where no window can be opened: asked of another process, since Qt ends the one that asks."""
    if not sys.platform.startswith("linux"):
        return
    if subprocess.run([sys.executable, "-c", PROBE], capture_output=True, check=False).returncode != 0:
        raise ImpastoError(
            "there is no display for a window; run it on a desktop, or repaint a file with impasto video"
        )


def quiet() -> None:
    """Keeps OpenCV and its Qt from printing what no user can act on; before OpenCV is imported."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")


def _camera(which: str) -> Iterator[Pixels]:
    """Pictures of the camera of that number, or of a file. Raises ImpastoError where there is none."""
    quiet()
    import cv2

    if not which.isdecimal() and not Path(which).is_file():
        raise ImpastoError(f"there is no file {which}; --camera is a camera's number, or a video in its place")
    source: Any = cv2.VideoCapture(int(which) if which.isdecimal() else which)
    try:
        if which.isdecimal():
            source.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        there, picture = source.read()
        if not there and which.isdecimal():
            raise ImpastoError(f"there is no camera {which}; name another with --camera, or a video file in its place")
        if not there:
            raise ImpastoError(f"cannot read {which}: it is no video")
        while there:
            yield np.ascontiguousarray(picture[..., ::-1])
            there, picture = source.read()
    finally:
        source.release()


def _virtual_camera(
    first: Pixels, rate: float, opened: ExitStack, announce: Callable[[str], None]
) -> Callable[[Pixels], None]:
    """What sends a picture to programs that look at the virtual camera."""
    try:
        import pyvirtualcam
    except ImportError as error:
        raise ImpastoError("--virtual-camera needs a package: pip install pyvirtualcam") from error
    height, width = first.shape[:2]
    try:
        camera = opened.enter_context(pyvirtualcam.Camera(width=width, height=height, fps=rate))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].split(". ")[0]
        raise ImpastoError(
            f"there is no virtual camera ({reason}); on Linux: sudo modprobe v4l2loopback, elsewhere install OBS"
        ) from error
    announce(f"other programs see it as {camera.device}")
    send: Callable[[Pixels], None] = camera.send
    return send

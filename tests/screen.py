"""A display in memory (Xvfb) with a keyboard (XTest)."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

AVAILABLE = shutil.which("Xvfb") is not None


@contextmanager
def screen() -> Iterator[str]:
    """The name of a new display."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    running = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        yield f":{os.read(reading, 16).decode().strip()}"
    finally:
        os.close(reading)
        running.terminate()
        running.wait(10)


class Attributes(ctypes.Structure):
    """What XGetWindowAttributes tells of a window, up to what is needed, and room for the rest."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("x", "y", "width", "height", "border_width", "depth")),
        ("visual", ctypes.c_void_p),
        ("root", ctypes.c_ulong),
        *((name, ctypes.c_int) for name in ("kind", "bit_gravity", "win_gravity", "backing_store")),
        ("backing_planes", ctypes.c_ulong),
        ("backing_pixel", ctypes.c_ulong),
        ("save_under", ctypes.c_int),
        ("colormap", ctypes.c_ulong),
        ("map_installed", ctypes.c_int),
        ("map_state", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


VIEWABLE = 2


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def ignore_error(display: object, event: object) -> int:
    """In the place of Xlib's own handler, which ends the process, and the tests with it."""
    return 0


class Keyboard:
    """Presses keys on a display for the window of a name, which is given the focus."""

    def __init__(self, display: str) -> None:
        self._x, self._test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        self._x.XSetErrorHandler(ignore_error)
        for name in ("XOpenDisplay", "XDefaultRootWindow", "XStringToKeysym"):
            getattr(self._x, name).restype = ctypes.c_void_p
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(display.encode()))
        assert self._display.value, display

    def window(self, name: str) -> int | None:
        """The window of that name, None as long as none is to be seen: only that can get the focus."""
        root, parent, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
        children = ctypes.POINTER(ctypes.c_ulong)()
        top = ctypes.c_ulong(self._x.XDefaultRootWindow(self._display))
        found = [ctypes.byref(place) for place in (root, parent, children, count)]
        self._x.XQueryTree(self._display, top, *found)
        for child in children[: count.value]:
            title = ctypes.c_char_p()
            self._x.XFetchName(self._display, ctypes.c_ulong(child), ctypes.byref(title))
            attributes = Attributes()
            self._x.XGetWindowAttributes(self._display, ctypes.c_ulong(child), ctypes.byref(attributes))
            if title.value == name.encode() and attributes.map_state == VIEWABLE:
                return int(child)
        return None

    def press(self, window: int, key: str) -> None:
        """`key` by its name in X, such as n or plus."""
        self._x.XSetInputFocus(self._display, ctypes.c_ulong(window), 1, ctypes.c_ulong(0))
        symbol = ctypes.c_ulong(self._x.XStringToKeysym(key.encode()))
        code = self._x.XKeysymToKeycode(self._display, symbol) & 0xFF
        for down in (1, 0):
            self._test.XTestFakeKeyEvent(self._display, code, down, ctypes.c_ulong(0))
        self._x.XSync(self._display, 0)

"""Ctrl-C as a request."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

HANG_UP = getattr(signal, "SIGHUP", None)
"""The terminal was closed; Windows has no such signal."""


class StopRequest:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into a request that the loop obeys after its step.

    The second one breaks in.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGINT, signal.SIGTERM]
            if HANG_UP is not None and signal.getsignal(HANG_UP) is not signal.SIG_IGN:  # as it is under nohup
                numbers.append(HANG_UP)
            self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

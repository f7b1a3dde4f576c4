"""Ctrl-C as a request."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

STOPPING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class StopRequest:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into a request that the loop obeys after its step.

    The second one breaks in.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            # Under nohup the end of the terminal is to be ignored.
            hung_up = [number for number in STOPPING[2:] if signal.getsignal(number) is signal.SIG_IGN]
            self._before = {n: signal.signal(n, self._note) for n in STOPPING if n not in hung_up}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

"""A job's process, as the server sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.files import lock
from impasto.studio import records

CRASHES = tuple(
    getattr(signal, name) for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE") if hasattr(signal, name)
)
"""What ends a process that a file has made to stumble; other signals come from outside."""

PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""A process shares the cores with the server and others: its threads are not to spin while they wait for each other."""


class Process:
    """The process of the job in `folder`; it saves and stops when its standard input ends."""

    def __init__(self, folder: Path, styles: Path, lane: str) -> None:
        """Raises ImpastoError when no process can be started."""
        self.lane = lane
        self._kill_at: float | None = None
        command = [sys.executable, "-P", "-m", "impasto.studio.worker", str(folder), str(styles)]
        # A group of its own: Ctrl-C in the server's terminal is the server's, which then asks for a stop.
        own_group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        try:
            (folder / records.OUTCOME).unlink(missing_ok=True)
            with (folder / records.LOG).open("ab") as log:
                self._popen = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**PATIENT, **os.environ}, **own_group
                )
        except OSError as error:
            raise ImpastoError(f"cannot start a process for this: {error.strerror or error}") from error

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ask_to_stop(self, kill_after: float | None = None) -> None:
        """Has it save and end; after so many seconds it is killed."""
        if self._popen.stdin is not None:
            with suppress(OSError):
                self._popen.stdin.close()
        if kill_after is not None and self._kill_at is None:
            self._kill_at = time.monotonic() + kill_after

    def code(self) -> int | None:
        """Its exit code, a signal's number negative; None while it lives."""
        code = self._popen.poll()
        if code is None and self._kill_at is not None and time.monotonic() >= self._kill_at:
            self.kill()
        elif code is not None:
            self.ask_to_stop()  # closes our end
        return code

    def kill(self) -> None:
        """Ends it at once, and the processes that read photos for it."""
        if sys.platform == "win32":
            self._popen.kill()
        elif self._popen.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> int:
        """Waits for its end, killing it when the time is over; the exit code."""
        try:
            return self._popen.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.wait()


def lives(folder: Path) -> bool:
    """Whether a process, of this server or of an earlier one, is at the job in `folder`."""

    def refuse() -> None:
        raise _TakenError

    target = folder / records.LOCK
    if not target.with_name(f"{target.name}.lock").exists():
        return False
    try:
        with lock.alone(target, refuse):
            return False
    except _TakenError:
        return True


class _TakenError(Exception):
    """Another process holds the lock."""


def settled(folder: Path, kind: str, code: int | None, why: str) -> tuple[str, str]:
    """State and error of a job whose process has ended with `code`, None where nobody knows; `why` it was stopped."""
    outcome = records.read(folder / records.OUTCOME)
    ended = records.text(outcome, "state")
    if ended in ("done", "failed"):
        return ended, records.text(outcome, "error")
    saved = records.text(records.read(folder / records.PROGRESS), "saved")
    kept = f"all up to {saved} is saved" if saved else "what is done is saved"
    if ended == "stopped" or code is None:
        return "interrupted", f"{why}; {kept}; resume it"
    if code >= 0:
        return "failed", f"its process ended unexpectedly (exit code {code}); log.txt tells more"
    how = f"its process ended unexpectedly (signal {-code})"
    if -code in CRASHES and kind in ("photos", "video"):
        return "failed", f"{how}: one of the files may be damaged in a way that nothing foresaw"
    return "interrupted", f"{how}; {kept}; resume it"

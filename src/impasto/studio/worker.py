"""The process of one job: ``python -m impasto.studio.worker FOLDER STYLES``.

Its standard input is a pipe whose other end the server holds. When that closes, whether the server wants it or is dead,
the work is saved and ends; how it ended is written into the folder.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError, in_one_line
from impasto.files import lock
from impasto.files.stop_request import StopRequest
from impasto.studio import records
from impasto.studio.desk import Desk

NICENESS = 5
"""Who repaints a photo on the page should not wait for who trains."""
GRACE = 180
"""Seconds for saving, after which the process is ended: the videos of hours are put together in less."""
PATIENCE = 10.0
"""Seconds to wait for a process that is still at the same job."""


def main(folder: Path, styles: Path) -> int:
    """Does the job in `folder`; the exit code. How the work ended is in the folder then."""
    _give_way()
    with StopRequest() as stop:
        threading.Thread(target=_stop_with_the_server, daemon=True).start()
        try:
            with lock.alone(folder / records.LOCK, lock.patient(PATIENCE)):
                records.write(folder / records.OUTCOME, _outcome(Desk(folder, styles, stop)))
        except lock.BusyError:
            return records.BUSY
    return 0


def _outcome(desk: Desk) -> dict[str, Any]:
    """Does the work; how it ended, in words."""
    print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}", flush=True)
    try:
        _work_of(desk.kind)(desk)
        desk.tell(now=True, done=1.0, remaining=None)
    except KeyboardInterrupt as stopped:
        print(f"stopped: {stopped}", flush=True)
        desk.tell(now=True, remaining=None)
        return {"state": "stopped"}
    except ImpastoError as error:
        print(error, flush=True)
        return _failed(desk, desk.said(str(error)))
    except Exception as error:
        traceback.print_exc()
        told = in_one_line(f"{type(error).__name__}: {error}", 200)
        return _failed(desk, desk.said(f"something went wrong in the program ({told}); the details are in log.txt"))
    return {"state": "done"}


def _failed(desk: Desk, error: str) -> dict[str, Any]:
    with suppress(ImpastoError):  # the disk is full, say, which may be what failed
        desk.tell(now=True, remaining=None)
    return {"state": "failed", "error": error}


def _work_of(kind: str) -> Callable[[Desk], None]:
    # Each brings what it needs: photos are repainted without torch.
    if kind == "train":
        from impasto.studio.work.train import run
    elif kind == "judge":
        from impasto.studio.work.judge import run
    elif kind == "photos":
        from impasto.studio.work.photos import run
    else:
        from impasto.studio.work.video import run
    return run


def _stop_with_the_server() -> None:
    """Waits for the end of the pipe, then asks for a stop as a terminal would."""
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 1):  # not by sys.stdin, whose lock a forked worker would wait for
            pass
    if sys.platform != "win32":
        signal.alarm(GRACE)  # ends the process even where it hangs outside of Python
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)


def _give_way() -> None:
    """Lower priority than the server; and where memory runs out, this process goes rather than the server.

    There is no limit on the address space: OpenVINO, torch and above all CUDA reserve many times of what they use (1.7
    GB where 0.3 are in use), and what a photo or a frame may take is checked before it is decoded.
    """
    if sys.platform != "win32":
        import resource

        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # people's photos are not for dumps
        with suppress(OSError):
            os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

"""The thread that starts the processes of jobs, and writes down what has become of them."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from impasto.errors import ImpastoError
from impasto.files import lock
from impasto.studio import records
from impasto.studio.job import ID, Job
from impasto.studio.kinds import LANES
from impasto.studio.processes import Process, lives, settled

TICK = 0.2
"""Seconds between two looks at the processes."""
CLOSE_GRACE = 30.0
"""Seconds that processes get to end by themselves when the server does."""
CLOSED = "the studio was closed while this ran"
DIED = "the studio ended unexpectedly while this ran"
STOPPED = "its process was told to end"


class Supervisor:
    """Of each lane one process runs at a time. Who changes a job's state does it within `guard`."""

    def __init__(self, folder: Path, styles: Path) -> None:
        """Raises ImpastoError where another server works in `folder`, or it cannot be made."""
        self.guard = threading.RLock()
        self.closing = False
        self._folder, self._styles = folder, styles
        self._wake = threading.Event()
        self._news = True
        """Whether something may have to be started."""
        self._running: dict[str, Process] = {}
        """By the job's id."""
        self._left: dict[str, str] = {}
        """Jobs that nothing of ours is at, and whose state is to be settled: an earlier server's process still is, or
        the disk did not take that they failed. The lane of each."""
        with ExitStack() as own:
            own.enter_context(_only_server(folder, styles))
            self._tidy_up()
            self._own = own.pop_all()
        self._thread = threading.Thread(target=self._supervise, name="impasto-jobs", daemon=True)
        self._thread.start()

    def folders(self) -> list[Path]:
        """The folders of all jobs, in no order."""
        return [folder for folder in self._folder.iterdir() if ID.fullmatch(folder.name)]

    def stir(self) -> None:
        """Has the thread look at once."""
        self._news = True
        self._wake.set()

    def ask_to_stop(self, id: str, kill_after: float | None = None) -> None:
        """Has the process of a job, if there is one, save and end; after so many seconds it is killed."""
        if id in self._running:
            self._running[id].ask_to_stop(kill_after)

    def let_go(self, id: str) -> bool:
        """Ends what is still at a job that is over; whether nothing is any more."""
        process = self._running.pop(id, None)
        if process is None:
            return not lives(self._folder / id)
        process.kill()
        process.wait(CLOSE_GRACE)
        return True

    def close(self) -> None:
        """Has all processes save and stop, and waits for them; what ran is interrupted then."""
        with self.guard:
            if self.closing:
                return
            self.closing = True
            for process in self._running.values():
                process.ask_to_stop()
        self._wake.set()
        self._thread.join()
        until = time.monotonic() + CLOSE_GRACE
        for id, process in self._running.items():
            self._settle(id, process.wait(until - time.monotonic()))
        self._running.clear()
        self._own.close()

    def _tidy_up(self) -> None:
        """What an earlier server has left: half-made folders, and jobs that ran when it ended."""
        for left in itertools.chain(self._folder.glob(".*.part"), self._folder.glob(".*.gone")):
            shutil.rmtree(left, ignore_errors=True)
        for folder in self.folders():
            with suppress(ImpastoError):  # damaged: it stays where it is, and nobody is shown it
                job = Job.read(folder)
                if lives(folder):
                    self._left[job.id] = LANES[job.kind]
                if job.state == "running":
                    self._settle(job.id, None)
                elif records.state_of(folder) not in records.STATES:
                    records.set_state(folder, job.state, error=job.error)

    def _supervise(self) -> None:
        while not self.closing:
            try:
                with self.guard:
                    self._look_after_processes()
                    self._start_next()
            except Exception:  # a disk that fails, say: the jobs after this one shall not wait for ever
                traceback.print_exc()
                self._news = True
                time.sleep(1)
            self._wake.wait(TICK if self._running or self._left or self._news else None)
            self._wake.clear()

    def _look_after_processes(self) -> None:
        for id, process in list(self._running.items()):
            code = process.code()
            if code is not None and self._settle(id, code):
                del self._running[id]
                self._news = True
        for id in [id for id in self._left if not lives(self._folder / id)]:
            if self._settle(id, None):
                del self._left[id]
                self._news = True

    def _settle(self, id: str, code: int | None) -> bool:
        """Writes down what has become of a job whose process has ended, or whose server has; whether that worked."""
        try:
            job = Job.read(self._folder / id)
        except ImpastoError:
            return True  # it was removed
        with suppress(ImpastoError):  # the disk is full
            if code == records.BUSY and job.state == "running":
                self._left[id] = LANES[job.kind]
                records.set_state(job.folder, "waiting", wish=records.wish_of(job.folder))
            else:
                self._write_end(job, *settled(job.folder, job.kind, code, self._why(code)))
            return True
        return False

    def _write_end(self, job: Job, state: str, error: str) -> None:
        wish = records.wish_of(job.folder)
        if job.state != "running":
            # It was asked for something else meanwhile, but what an earlier server's process has done is done.
            if state == "done" and job.state in ("interrupted", "waiting"):
                records.set_state(job.folder, "done")
        elif state == "interrupted" and wish == "pause":
            records.set_state(job.folder, "paused")
        else:
            kept = wish if state == "interrupted" else ""
            records.set_state(job.folder, state, wish=kept, error=error)

    def _why(self, code: int | None) -> str:
        """Why a process that nobody was asked about has stopped."""
        if self.closing:
            return CLOSED
        return DIED if code is None else STOPPED

    def _start_next(self) -> None:
        """Starts the oldest job that waits in each lane where no process is."""
        if self.closing or not self._news:
            return
        self._news = False
        taken = {process.lane for process in self._running.values()} | set(self._left.values())
        for job in self._waiting():
            if LANES[job.kind] not in taken:
                taken.add(LANES[job.kind])
                self._start(job)

    def _waiting(self) -> list[Job]:
        """The jobs that wait, the oldest first, without a look at what the others hold."""
        found: list[Job] = []
        for folder in self.folders():
            if records.state_of(folder) == "waiting":
                with suppress(ImpastoError):
                    found.append(Job.read(folder))
        return sorted(found, key=lambda job: job.order)

    def _start(self, job: Job) -> None:
        try:
            records.set_state(job.folder, "running", wish=records.wish_of(job.folder))
            self._running[job.id] = Process(job.folder, self._styles, LANES[job.kind])
        except ImpastoError as error:
            try:
                records.set_state(job.folder, "failed", error=str(error))
            except ImpastoError:  # the disk is full
                self._left[job.id] = LANES[job.kind]


@contextmanager
def _only_server(folder: Path, styles: Path) -> Iterator[None]:
    """Keeps other servers out. Raises ImpastoError where one is in already, or the folders cannot be made."""

    def refuse() -> None:
        raise ImpastoError(f"another studio works in {folder}; close that one, or name another folder")

    try:
        for place in (folder, styles):
            place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImpastoError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    with lock.alone(folder / "studio", refuse):
        yield

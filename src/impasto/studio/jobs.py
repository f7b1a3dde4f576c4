"""The long work of the studio: what waits, what runs, and what becomes of it, whichever way processes end."""

from __future__ import annotations

import itertools
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.files import lock
from impasto.studio import records
from impasto.studio.job import Job
from impasto.studio.kinds import LANES, require_sound
from impasto.studio.processes import Process, lives, settled
from impasto.studio.submitting import Files, free_name, lay_out

TICK = 0.2
"""Seconds between two looks at the processes."""
CANCEL_GRACE = 2.0
CLOSE_GRACE = 30.0
"""Seconds that processes get to end by themselves."""
CLOSED = "the studio was closed while this ran"
STOPPED = "its process was told to end"
DIED = "the studio ended unexpectedly while this ran"


class Jobs:
    """All jobs in a folder, and the thread that starts the next one.

    Of each lane one process runs at a time; the others wait in the order in which they were submitted. All that is
    known of a job lies in its folder, so it survives the end of the server at any moment. All threads may call it.
    """

    def __init__(self, folder: Path, styles: Path) -> None:
        """Opens the jobs in `folder`; a style that is learned goes to `styles`.

        Raises:
            ImpastoError: another server works in `folder`, or it cannot be written to.
        """
        self.folder, self.styles = folder.absolute(), styles.absolute()
        self._guard = threading.RLock()
        self._wake = threading.Event()
        self._running: dict[str, Process] = {}
        """By the job's id."""
        self._left: set[str] = set()
        """Jobs at which an earlier server's process still is."""
        self._closing = False
        self._own = ExitStack()
        self._own.enter_context(_only_server(self.folder, self.styles))
        self._tidy_up()
        self._thread = threading.Thread(target=self._supervise, name="impasto-jobs", daemon=True)
        self._thread.start()

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, kind: str, title: str, request: Mapping[str, Any], files: Files | None = None) -> Job:
        """A new job that waits for its turn.

        Args:
            kind: train, judge, photos or video.
            title: what people see.
            request: numbers and names, kept as JSON.
            files: by what they are for, `painting`, `clip`, or several `photos` or `preview`. The job gets its own.
        Raises:
            ImpastoError: a request that cannot be fulfilled, a file that is not there, a full disk.
        """
        files = {key: given for key, given in (files or {}).items() if given}
        require_sound(kind, request, files)
        with self._guard:
            self._require_open()
            others = list(self._all())
            order = max((job.order for job in others), default=0) + 1
            style = free_name(
                str(request.get("name") or title), self.styles, {job.style for job in others if job.style}
            )
            style = style if kind == "train" else ""
            folder = lay_out(self.folder, kind, title, request, files, order=order, style=style)
        self._wake.set()
        return Job.read(folder)

    def get(self, id: str) -> Job:
        """The job as it is now. Raises ImpastoError where there is none of that id."""
        if not isinstance(id, str) or not re.fullmatch("[0-9a-f]{16}", id):
            raise ImpastoError("there is no such job")
        return Job.read(self.folder / id)

    def all(self, *kinds: str) -> list[Job]:
        """All jobs, or those of some kinds, the oldest first."""
        found = [job for job in self._all() if not kinds or job.kind in kinds]
        return sorted(found, key=lambda job: (job.order, job.created))

    def pause(self, id: str) -> None:
        """Has a job save and wait for `resume`. Raises ImpastoError for one that is over or stands still already."""
        with self._guard:
            job = self._in(id, "paused", "waiting", "running")
            if job.state == "waiting":
                self._set(job, "paused")
            else:
                self._set(job, "running", wish="pause")
                self._ask_to_stop(job)

    def resume(self, id: str) -> None:
        """Lets a job go on where it stopped, when its turn comes; one that failed is tried again.

        Raises:
            ImpastoError: it runs or waits already, is done, or was cancelled.
        """
        with self._guard:
            job = self._in(id, "resumed", "paused", "interrupted", "failed")
            finishing = job.state == "interrupted" and self._wish(job) == "finish"
            self._set(job, "waiting", wish="finish" if finishing else "")
        self._wake.set()

    def finish(self, id: str) -> None:
        """Ends a training early and keeps what it has learned. Raises ImpastoError where there is nothing yet."""
        with self._guard:
            job = self._in(id, "finished early", "waiting", "running", "paused", "interrupted")
            if job.kind != "train":
                raise ImpastoError("only a training can be finished early; cancel this instead")
            if job.state != "running" and not (job.folder / records.RUN / "checkpoint.pt").exists():
                raise ImpastoError("this training has not learned anything yet; let it run for a while, or cancel it")
            self._set(job, "running" if job.state == "running" else "waiting", wish="finish")
            self._ask_to_stop(job)
        self._wake.set()

    def cancel(self, id: str) -> None:
        """Ends a job for good. Raises ImpastoError for one that is done or cancelled already."""
        with self._guard:
            job = self._in(id, "cancelled", "waiting", "running", "paused", "interrupted", "failed")
            self._set(job, "cancelled")
            self._ask_to_stop(job, kill_after=CANCEL_GRACE)
        self._wake.set()

    def remove(self, id: str) -> None:
        """Removes a job's folder with all that is in it; a style that it has learned stays in the library.

        Raises:
            ImpastoError: it runs; cancel it first.
        """
        with self._guard:
            job = self.get(id)
            if job.state == "running":
                raise ImpastoError(f"{job.title} is running; cancel it first")
            process = self._running.pop(id, None)
            if process is not None:
                process.kill()
                process.wait(CANCEL_GRACE)
            elif lives(job.folder):
                raise ImpastoError(f"{job.title} is just being saved; try again in a moment")
            gone = self.folder / f".{id}.gone"
            try:
                job.folder.rename(gone)
            except OSError as error:
                raise ImpastoError(f"cannot remove {job.title}: {error.strerror or error}") from error
        shutil.rmtree(gone, ignore_errors=True)
        self._wake.set()

    def close(self) -> None:
        """Has all processes save and stop, and waits for them; what ran is interrupted then."""
        with self._guard:
            if self._closing:
                return
            self._closing = True
            for process in self._running.values():
                process.ask_to_stop()
        self._wake.set()
        self._thread.join()
        until = time.monotonic() + CLOSE_GRACE
        for id, process in self._running.items():
            self._settle(id, process.wait(until - time.monotonic()))
        self._running.clear()
        self._own.close()

    # What the page asks for ends here; the rest is done by the thread.

    def _all(self) -> Iterator[Job]:
        for folder in self.folder.iterdir():
            if re.fullmatch("[0-9a-f]{16}", folder.name):
                with suppress(ImpastoError):  # damaged, or removed at this moment
                    yield Job.read(folder)

    def _in(self, id: str, asked: str, *states: str) -> Job:
        """The job, where it is in one of these states. Raises ImpastoError elsewhere."""
        self._require_open()
        job = self.get(id)
        if job.state not in states:
            raise ImpastoError(f"{job.title} is {job.state}; it cannot be {asked}")
        return job

    def _require_open(self) -> None:
        if self._closing:
            raise ImpastoError("the studio is being closed")

    def _set(self, job: Job, state: str, *, wish: str = "", error: str = "") -> None:
        records.write(job.folder / records.STATE, {"state": state, "wish": wish, "error": error})

    def _wish(self, job: Job) -> str:
        return records.text(records.read(job.folder / records.STATE), "wish")

    def _ask_to_stop(self, job: Job, kill_after: float | None = None) -> None:
        if job.id in self._running:
            self._running[job.id].ask_to_stop(kill_after)

    def _tidy_up(self) -> None:
        """What an earlier server has left: half-made folders, and jobs that ran when it ended."""
        for left in itertools.chain(self.folder.glob(".*.part"), self.folder.glob(".*.gone")):
            shutil.rmtree(left, ignore_errors=True)
        for job in self._all():
            if lives(job.folder):
                self._left.add(job.id)
            if job.state == "running":
                self._settle(job.id, None)
            elif job.error and records.text(records.read(job.folder / records.STATE), "state") not in records.STATES:
                self._set(job, job.state, error=job.error)

    def _supervise(self) -> None:
        while not self._closing:
            with self._guard:
                self._look_after_processes()
                self._start_next()
            busy = self._running or self._left
            self._wake.wait(TICK if busy else None)
            self._wake.clear()

    def _look_after_processes(self) -> None:
        for id, process in list(self._running.items()):
            code = process.code()
            if code is not None:
                del self._running[id]
                self._settle(id, code)
        for id in [id for id in self._left if not lives(self.folder / id)]:
            self._left.discard(id)
            self._settle(id, None)

    def _settle(self, id: str, code: int | None) -> None:
        """Writes down what has become of a job whose process has ended, or whose server has."""
        with suppress(ImpastoError):  # removed, or the disk is full: the next server settles it
            job = self.get(id)
            wish = self._wish(job)
            if code == records.BUSY and job.state == "running":
                self._left.add(id)
                self._set(job, "waiting", wish=wish)
                return
            state, error = settled(job.folder, job.kind, code, self._why(code))
            if job.state == "running" and state == "interrupted" and wish == "pause":
                self._set(job, "paused")
            elif job.state == "running" or (state == "done" and job.state in ("interrupted", "waiting")):
                self._set(job, state, wish="finish" if wish == "finish" and state == "interrupted" else "", error=error)

    def _why(self, code: int | None) -> str:
        """Why a process that nobody was asked about has stopped."""
        if self._closing:
            return CLOSED
        return DIED if code is None else STOPPED

    def _start_next(self) -> None:
        """Starts the oldest job that waits in each lane where no process is."""
        if self._closing:
            return
        taken = {LANES[job.kind] for job in self._at_work()}
        if len(taken) == len(set(LANES.values())):
            return
        for job in self.all():
            if job.state == "waiting" and LANES[job.kind] not in taken:
                taken.add(LANES[job.kind])
                self._start(job)

    def _at_work(self) -> Iterator[Job]:
        for id in (*self._running, *self._left):
            with suppress(ImpastoError):
                yield self.get(id)

    def _start(self, job: Job) -> None:
        try:
            self._set(job, "running", wish=self._wish(job))
            self._running[job.id] = Process(job.folder, self.styles)
        except ImpastoError as error:
            with suppress(ImpastoError):  # the disk is full
                self._set(job, "failed", error=str(error))


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

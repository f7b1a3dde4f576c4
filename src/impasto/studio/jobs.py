"""The long work of the studio: what waits, what runs, and what becomes of it, whichever way processes end."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.studio import records
from impasto.studio.job import ID, Job
from impasto.studio.kinds import require_sound
from impasto.studio.submitting import Files, drafted, free_name
from impasto.studio.supervisor import Supervisor

CANCEL_GRACE = 0.5
"""Seconds that the process of a cancelled job gets to end by itself."""


class Jobs:
    """All jobs in a folder, each with a process of its own when its turn comes.

    Of each lane one process runs at a time; the others wait in the order in which they were submitted. All that is
    known of a job lies in its folder, so it survives the end of the server at any moment. All threads may call it.
    """

    def __init__(self, folder: Path, styles: Path) -> None:
        """Opens the jobs in `folder`; a style that is learned goes to `styles`.

        Raises:
            ImpastoError: another server works in `folder`, or it cannot be written to.
        """
        self.folder, self.styles = folder.absolute(), styles.absolute()
        self._work = Supervisor(self.folder, self.styles)

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
        # Copying may take its time; nobody is to wait for it.
        with drafted(self.folder, files) as draft, self._work.guard:
            self._require_open()
            others = [records.read(folder / records.REQUEST) for folder in self._work.folders()]
            order = 1 + int(max((records.number(told, "order") or 0 for told in others), default=0))
            promised = {records.text(told, "style") for told in others}
            style = free_name(str(request.get("name") or title), self.styles, promised) if kind == "train" else ""
            job = Job.read(draft.submit(kind, title, request, order=order, style=style))
        self._work.stir()
        return job

    def get(self, id: str) -> Job:
        """The job as it is now. Raises ImpastoError where there is none of that id."""
        if not isinstance(id, str) or not ID.fullmatch(id):
            raise ImpastoError("there is no such job")
        return Job.read(self.folder / id)

    def all(self, *kinds: str) -> list[Job]:
        """All jobs, or those of some kinds, the oldest first."""
        found: list[Job] = []
        for folder in self._work.folders():
            with suppress(ImpastoError):  # damaged, or removed at this moment
                found.append(Job.read(folder))
        return sorted((job for job in found if not kinds or job.kind in kinds), key=lambda job: job.order)

    def pause(self, id: str) -> None:
        """Has a job save and wait for `resume`. Raises ImpastoError for one that neither waits nor runs."""
        with self._work.guard:
            job = self._in(id, "paused", "waiting", "running")
            if job.state == "waiting":
                records.set_state(job.folder, "paused")
            else:
                records.set_state(job.folder, "running", wish="pause")
                self._work.ask_to_stop(id)

    def resume(self, id: str) -> None:
        """Lets a job go on where it stopped, when its turn comes; one that failed is tried again.

        Raises:
            ImpastoError: it runs or waits already, is done, or was cancelled.
        """
        with self._work.guard:
            job = self._in(id, "resumed", "paused", "interrupted", "failed")
            # Who wanted to finish it early still does.
            wish = records.wish_of(job.folder)
            records.set_state(job.folder, "waiting", wish="finish" if wish == "finish" else "")
        self._work.stir()

    def finish(self, id: str) -> None:
        """Ends a training early and keeps what it has learned. Raises ImpastoError where there is nothing yet."""
        with self._work.guard:
            job = self._in(id, "finished early", "waiting", "running", "paused", "interrupted")
            if job.kind != "train":
                raise ImpastoError("only a training can be finished early; cancel this instead")
            if job.state != "running" and not (job.folder / records.RUN / "checkpoint.pt").exists():
                raise ImpastoError("this training has not learned anything yet; let it run for a while, or cancel it")
            records.set_state(job.folder, "running" if job.state == "running" else "waiting", wish="finish")
            self._work.ask_to_stop(id)
        self._work.stir()

    def cancel(self, id: str) -> None:
        """Ends a job for good. Raises ImpastoError for one that is done or cancelled already."""
        with self._work.guard:
            job = self._in(id, "cancelled", "waiting", "running", "paused", "interrupted", "failed")
            records.set_state(job.folder, "cancelled")
            self._work.ask_to_stop(id, kill_after=CANCEL_GRACE)
        self._work.stir()

    def remove(self, id: str) -> None:
        """Removes a job's folder with all that is in it; a style that it has learned stays in the library.

        Raises:
            ImpastoError: it runs; cancel it first.
        """
        with self._work.guard:
            job = self.get(id)
            if job.state == "running":
                raise ImpastoError(f"{job.title} is running; cancel it first")
            if not self._work.let_go(id):
                raise ImpastoError(f"{job.title} is just being saved; try again in a moment")
            gone = self.folder / f".{id}.gone"
            try:
                job.folder.rename(gone)
            except OSError as error:
                raise ImpastoError(f"cannot remove {job.title}: {error.strerror or error}") from error
        shutil.rmtree(gone, ignore_errors=True)
        self._work.stir()

    def close(self) -> None:
        """Has all processes save and stop, and waits for them; what ran is interrupted then."""
        self._work.close()

    def _in(self, id: str, asked: str, *states: str) -> Job:
        """The job, where it is in one of these states. Raises ImpastoError elsewhere."""
        self._require_open()
        job = self.get(id)
        if job.state not in states:
            raise ImpastoError(f"{job.title} is {job.state}; it cannot be {asked}")
        return job

    def _require_open(self) -> None:
        if self._work.closing:
            raise ImpastoError("the studio is being closed")

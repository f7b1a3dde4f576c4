"""Waiting for what jobs come to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from impasto.studio.job import Job
from impasto.studio.jobs import Jobs

PATIENCE = 90.0


def wait_for(look: Callable[[], Any], what: str = "") -> Any:
    """What `look` gives as soon as that is true."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < until, f"waited in vain {what}"
        time.sleep(0.05)
    return found


def settled(jobs: Jobs, id: str, *states: str) -> Job:
    """The job as soon as it is in one of these states; a failure tells its log."""

    def look() -> Job | None:
        job = jobs.get(id)
        over = job.state in ("failed", "interrupted") and job.state not in states
        log = job.folder / "log.txt"
        assert not over, f"{job.error}\n{log.read_text() if log.exists() else ''}"
        return job if job.state in states else None

    found: Job = wait_for(look, f"for {' or '.join(states)}")
    return found


def under_way(jobs: Jobs, id: str) -> Job:
    """The job as soon as some of it is done."""
    found: Job = wait_for(lambda: (job := jobs.get(id)).state == "running" and job.done > 0 and job, "for progress")
    return found


def process_of(job: Job) -> int:
    """The process that was the last at the job."""
    lines = [line for line in (job.folder / "log.txt").read_text().splitlines() if line.startswith("--- ")]
    return int(lines[-1].rpartition(" ")[2])

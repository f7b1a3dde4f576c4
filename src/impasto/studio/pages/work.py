"""The board of what is being done: the state of jobs for the page, and what visitors may do with them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.job import Job
from impasto.studio.kinds import LANES
from impasto.studio.naming import file_name
from impasto.studio.parts import in_words, part, record
from impasto.studio.records import OVER
from impasto.studio.studio import Studio

SCOPES = {"repaint": ("photos", "video"), "train": ("train",), "judge": ("judge",)}
ACTIONS = {
    "waiting": ("cancel",),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
    "interrupted": ("resume", "cancel"),
    "done": ("remove",),
    "failed": ("resume", "remove"),
    "cancelled": ("remove",),
}
"""What can be done with a job in each state; a training can also be finished early."""
LABELS = {".zip": "ZIP", ".mp4": "MP4", ".safetensors": "style file"}
"""The results that are there to be downloaded."""
SAID = ("step ", "learned", "saving", "making", "waiting", "beginning")
"""What tells how far a training is begins with one of these."""
OF_JUDGE = re.compile(r"\d+-(\d+)-(?:steps(\d+)|(.+))")
"""What the pictures of a report are called: size, number of the photo, and steps or a name."""
MOST_IDS = 50
MOST_OVER = 50
"""So many of the newest are shown that are over; those before them when some of these are removed."""
CURVES = ("iteration", "style_loss", "content_loss")
CURVE_POINTS = 120
MOST_PICTURES = 12
MOST_NOTES = 3


def build(studio: Studio, scope: str, none: str) -> gr.HTML:
    """The board of the jobs of a scope; `none` is what it says while there are none."""

    def status(asked: Any) -> list[dict[str, Any]]:
        jobs = _asked(studio, scope, asked)
        line = _line(studio, scope) if any(job.state == "waiting" for job in jobs) else []
        return [_card(studio, job, line) for job in jobs]

    def act(asked: Any) -> dict[str, str]:
        try:
            job = studio.jobs.get(str(record(asked).get("id")))
            action = str(record(asked).get("action"))
            if job.kind not in SCOPES[scope] or action not in _actions(job):
                return {"error": f"{job.title} is {job.state}; that cannot be done with it now"}
            if action == "discard":
                studio.discard(job)
            else:
                getattr(studio.jobs, action)(job.id)
        except ImpastoError as error:
            return {"error": in_words(error)}
        return {}

    return part("work", {"scope": scope, "none": none}, calls=[status, act], elem_id=f"work-{scope}")


def _asked(studio: Studio, scope: str, asked: Any) -> list[Job]:
    """The newest first. What photos and clips became only those see who know the job's id: everybody their own."""
    if scope != "repaint":
        jobs = studio.jobs.all(*SCOPES[scope])[::-1]
        return [job for place, job in enumerate(jobs) if place < MOST_OVER or job.state not in OVER]
    ids = record(asked).get("ids")
    found = []
    for one in reversed(ids[-MOST_IDS:] if isinstance(ids, list) else []):
        with suppress(ImpastoError):
            found.append(studio.jobs.get(str(one)))
    return [job for job in found if job.kind in SCOPES[scope]]


def _actions(job: Job) -> tuple[str, ...]:
    if job.kind == "train" and job.state == "done":
        return ("discard",)
    actions = ACTIONS.get(job.state, ())
    early = job.kind == "train" and job.state in ("running", "paused", "interrupted") and job.done > 0
    return (actions[0], "finish", *actions[1:]) if early else actions


def _card(studio: Studio, job: Job, line: list[Job]) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "done": job.done,
        "remaining": job.remaining,
        "what": _what(job),
        "error": job.error,
        "notes": _notes(job),
        "ahead": _ahead(job, line),
        "actions": list(_actions(job)),
        "results": _results(studio, job),
        "pictures": _pictures(studio, job),
        "curve": _curve(job) if job.kind == "train" else None,
        "report": _report(job) if job.kind == "judge" and job.state == "done" else None,
    }


def _what(job: Job) -> str:
    """How far it is; what a training says of itself before its first step is not for people."""
    if job.kind != "train" or job.what.startswith(SAID):
        return job.what
    return "getting ready" if job.state == "running" else ""


def _notes(job: Job) -> list[str]:
    """What is to be known of the photos; what a training says besides is for its log."""
    return list(job.notes[:MOST_NOTES]) if job.kind in SCOPES["repaint"] else []


def _line(studio: Studio, scope: str) -> list[Job]:
    """What runs and waits in the lane of a board."""
    lane = {LANES[kind] for kind in SCOPES[scope]}
    jobs = studio.jobs.all(*(kind for kind, name in LANES.items() if name in lane))
    return [job for job in jobs if job.state in ("running", "waiting")]


def _ahead(job: Job, line: list[Job]) -> int:
    """So many jobs come before a waiting one."""
    if job.state != "waiting":
        return 0
    return sum(one.order < job.order or one.state == "running" for one in line if one.id != job.id)


def _curve(job: Job) -> list[dict[str, float]]:
    """What the page draws of the losses."""
    return [{name: entry[name] for name in CURVES if name in entry} for entry in job.curve(CURVE_POINTS)]


def _results(studio: Studio, job: Job) -> list[dict[str, str]]:
    if job.state != "done":
        return []
    found = []
    for name in job.results:
        path = job.folder / "results" / name
        named = file_name(f"{job.title}{path.suffix}", path.name)
        if path.suffix in LABELS and (url := studio.served.url(path, named)):
            found.append({"url": url, "name": named, "label": LABELS[path.suffix]})
    return found


def _pictures(studio: Studio, job: Job) -> list[dict[str, Any]]:
    """What can be looked at: the newest preview of a training, the clip, some of the photos, the report's pictures."""
    shown: list[tuple[Path, str]] = []
    if job.kind == "train":
        painting = next((job.folder / "given").glob("painting.*"), None)
        shown = [
            (path, label)
            for path, label in ((painting, "painting"), (job.newest_preview(), "as it paints now"))
            if path
        ]
    elif job.state == "done":
        suffixes = {"video": (".mp4",), "photos": (".jpg", ".jpeg", ".png", ".webp"), "judge": (".jpg", ".png")}
        paths = sorted(
            path for path in (job.folder / "results").rglob("*") if path.suffix.lower() in suffixes[job.kind]
        )
        shown = [(path, _label(path.stem)) for path in paths[:MOST_PICTURES]]
    urls = [(studio.served.url(path), label, path.suffix == ".mp4") for path, label in shown]
    return [{"url": url, "label": label, "video": video} for url, label, video in urls if url]


def _label(name: str) -> str:
    found = OF_JUDGE.fullmatch(name)
    if found is None:
        return name
    number, steps, what = found.groups()
    return f"photo {int(number)}: {f'{steps} steps' if steps else what.replace('_', ' ')}"


def _report(job: Job) -> dict[str, Any] | None:
    """The judge's report as a table."""
    with suppress(OSError, ValueError):
        table: dict[str, Any] = json.loads((job.folder / "results" / "table.json").read_text("utf-8"))
        return table
    return None

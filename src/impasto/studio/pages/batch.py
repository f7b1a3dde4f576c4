"""Many photos, or a clip."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.files import images
from impasto.studio.look import Look
from impasto.studio.pages import work
from impasto.studio.pages.looks import QUIET, LookPanel, look_of, title_of
from impasto.studio.parts import CLIPS, IMAGES, drop, dropped, record, refusal
from impasto.studio.studio import Studio
from impasto.studio.submitting import Files

ACCEPTED = ",".join((IMAGES, "video/*", *CLIPS))
HINT = "or click to choose them; photos come back as a ZIP, a clip as an MP4 with its sound"
NONE_YET = "What you start here appears below, and stays while the page is closed."
_Wanted = tuple[str, str, Mapping[str, Any], Files]
"""A job as :meth:`Studio.submit` takes it."""


def build(studio: Studio, panel: LookPanel) -> None:
    most = studio.limits.drop_files
    files = drop("Drop photos, a folder or a clip here", HINT, "batch-drop", accept=ACCEPTED, most=most)
    start = gr.Button("Repaint them", variant="primary", interactive=False, elem_id="batch-start")
    board = work.build(studio, "repaint", NONE_YET)

    def begin(given: Any, *controls: Any) -> tuple[Any, Any]:
        try:
            look = look_of(studio, *controls)
            jobs = _begin(studio, dropped(given, most), look)
        except ImpastoError as error:
            raise refusal(error) from error
        return {**record(given), "clear": True}, {"begun": jobs}

    files.files(lambda given: gr.Button(interactive=bool(record(given).get("files"))), files, start, **QUIET)
    start.click(begin, [files, *panel.inputs], [files, board], **{**QUIET, "queue": True})


def _begin(studio: Studio, files: list[tuple[Path, str]], look: Look) -> list[str]:
    """Submits the photos as one job and each clip as one of its own; their ids."""
    clips = [(path, name) for path, name in files if Path(name).suffix.lower() in CLIPS]
    photos = [(path, name) for path, name in files if (path, name) not in clips]
    if not files:
        raise ImpastoError("nothing was dropped yet; drop photos or a clip first")
    for _, name in photos:
        if Path(name).suffix.lower() not in images.FORMATS:
            raise ImpastoError(f"{name} is neither a photo nor a clip that the studio knows; leave it out")
    style = title_of(studio, look)
    steady = _request(studio, look, fast=True)  # the network that has learned not to flicker
    wanted: list[_Wanted] = [("video", f"{name} as {style}", steady, {"clip": path}) for path, name in clips]
    if photos:
        title = photos[0][1] if len(photos) == 1 else f"{len(photos)} photos"
        given = {"photos": [path for path, _ in photos]}
        wanted.append(("photos", f"{title} as {style}", _request(studio, look), given))
    return _submitted(studio, wanted)


def _submitted(studio: Studio, wanted: list[_Wanted]) -> list[str]:
    """Submits all or, where one is refused, none: the page would not know of the others. Their ids."""
    begun: list[str] = []
    try:
        for one in wanted:
            begun.append(studio.submit(*one).id)
    except ImpastoError:
        for id in begun:
            with suppress(ImpastoError):  # it is over already
                studio.jobs.cancel(id)
                studio.jobs.remove(id)
        raise
    return begun


def _request(studio: Studio, look: Look, *, fast: bool = False) -> dict[str, Any]:
    """`look` as jobs take it: styles by the names that :func:`impasto.load` knows."""
    names = studio.shelf.names(list(look.mix), fast=fast)
    return {
        "mix": dict(zip(names, look.mix.values(), strict=True)),
        "strength": look.strength,
        "colors": "photo" if look.keep_colors else "style",
        "stroke": look.stroke,
    }

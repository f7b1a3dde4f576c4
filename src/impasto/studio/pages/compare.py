"""The judge's report for a style."""

from __future__ import annotations

from typing import Any

import gradio as gr

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.studio.pages import work
from impasto.studio.pages.looks import QUIET
from impasto.studio.parts import choices, drop, dropped, refusal
from impasto.studio.shelf import FIRST
from impasto.studio.studio import Studio

CARE = {"A quick look, about a minute": (2, 25), "With care, some ten minutes": (8, 100)}
"""Photos and steps of optimization."""
MOST_PHOTOS = 32
EXPLAINED = """How good is a style? The judge paints some photos the slow way, by optimizing every pixel, and says how
many steps of that one pass of the style is worth."""
NONE_YET = "No report yet."


def build(studio: Studio) -> gr.Dropdown:
    """The form and the reports; the list of styles is returned to be kept up to date."""
    gr.Markdown(EXPLAINED, elem_classes="lead")
    with gr.Row(elem_classes="form"):
        with gr.Column(min_width=280):
            style = choices(styles_of(studio), value=FIRST, label="Style")
            care = gr.Radio(list(CARE), value=next(iter(CARE)), label="How thoroughly")
        with gr.Column(min_width=280):
            hint = "not needed for a style that was trained here"
            painting = drop("Drop its painting here", hint, "judge-painting")
        with gr.Column(min_width=280):
            hint = "not needed: there are sample photos; everybody here sees the report"
            photos = drop("Photos to judge by", hint, "judge-photos", most=MOST_PHOTOS)
    start = gr.Button("Ask the judge", variant="primary", elem_id="judge-start")
    board = work.build(studio, "judge", NONE_YET)

    def begin(wanted: str, how: str, given: Any, by: Any) -> tuple[Any, ...]:
        try:
            job = _begin(studio, wanted, how, given, by)
        except ImpastoError as error:
            raise refusal(error) from error
        return {"clear": True}, {"clear": True}, {"begun": job}

    start.click(begin, [style, care, painting, photos], [painting, photos, board], **{**QUIET, "queue": True})
    return style


def styles_of(studio: Studio) -> list[tuple[str, str]]:
    return [(entry.title, entry.id) for entry in studio.shelf.entries()]


def _begin(studio: Studio, wanted: str, how: str, given: Any, by: Any) -> str:
    entry = studio.shelf.find(wanted)
    painting = [path for path, _ in dropped(given, 1)] or ([entry.painting] if entry.painting else [])
    if not painting and entry.id not in workflows.paintings():
        raise ImpastoError(f"the judge has to see the painting of {entry.title}; drop it first")
    count, steps = CARE.get(how, CARE[next(iter(CARE))])
    photos = [path for path, _ in dropped(by, MOST_PHOTOS)] or list(studio.samples.values())
    request = {
        "style": studio.shelf.names([wanted])[0],
        "count": count,
        "steps": steps,
        "size": 256,
        "painting": entry.id,
        "title": entry.title,
    }
    files: dict[str, Any] = {"photos": photos, **({"painting": painting[0]} if painting else {})}
    return studio.submit("judge", f"The judge on {entry.title}", request, files).id

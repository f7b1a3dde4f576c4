"""One photo, painted while its owner looks on."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.easel import Canvas
from impasto.studio.look import Look
from impasto.studio.naming import LONGEST
from impasto.studio.pages.looks import TELL_SCRIPTS, Gallery, LookPanel, chosen_in, controls_of, look_of, title_of
from impasto.studio.parts import CLIPS, in_words, part, record, uploaded, url_of
from impasto.studio.studio import Studio

PAINTING: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_id": "painting"}


def build(studio: Studio) -> gr.HTML:
    """The easel; `connect` ties it to the look."""
    samples = [{"name": name, "url": url_of(path)} for name, path in studio.samples.items()]
    return part("easel", {"samples": samples})


def connect(studio: Studio, easel: gr.HTML, panel: LookPanel, gallery: Gallery, courier: gr.HTML) -> None:
    """What happens when something is dropped, chosen or moved."""

    def open_photo(value: Any) -> dict[str, Any]:
        value = record(value)
        try:
            return {**_kept(value), "photo": _shown(_opened(studio, value))}
        except ImpastoError as error:
            return _with(error, value)

    def paint(value: Any, *controls: Any) -> Any:
        value = record(value)
        if not value.get("photo"):
            return gr.skip()
        try:
            return _painted(studio, value, look_of(studio, *controls))
        except ImpastoError as error:
            return _with(error, value)

    def paint_opened(value: Any, *controls: Any) -> Any:
        # What could not be opened leaves the photo before it as it is, and its error is to be read.
        return gr.skip() if record(value).get("error") else paint(value, *controls)

    def swatches(value: Any, picked: Any) -> Any:
        canvas = None if record(value).get("error") else canvas_of(studio, value)
        return gr.skip() if canvas is None else gallery.value(chosen_in(picked), canvas)

    def paint_in_full(value: Any, *controls: Any) -> dict[str, Any]:
        try:
            path = _painted_in_full(studio, record(value), look_of(studio, *controls))
        except ImpastoError as error:
            gr.Warning(in_words(error))
            return {}
        return {"url": url_of(path), "name": path.name}

    def recall(value: Any, picked: Any) -> list[Any]:
        try:
            return controls_of(studio, picked, Look(**record(value)["look"]))
        except (ImpastoError, TypeError, KeyError):
            return [gr.skip()] * len(panel.inputs)

    opened = easel.drop(open_photo, easel, easel, concurrency_limit=studio.limits.stylizing, **PAINTING)
    opened.then(paint_opened, [easel, *panel.inputs], easel, **PAINTING).then(
        swatches, [easel, panel.picker], panel.picker, **PAINTING
    )
    gr.on(panel.changes, paint, [easel, *panel.inputs], easel, trigger_mode="always_last", **PAINTING)
    recalled = easel.recall(recall, [easel, panel.picker], panel.inputs, **PAINTING)
    recalled.then(None, panel.inputs, js=TELL_SCRIPTS, api_visibility="private")
    full: dict[str, Any] = {**PAINTING, "concurrency_id": "full", "concurrency_limit": 1}
    easel.full(paint_in_full, [easel, *panel.inputs], courier, **full)


def canvas_of(studio: Studio, value: Any) -> Canvas | None:
    """The photo that is open on a page; None where there is none."""
    with suppress(ImpastoError):
        return _canvas(studio, record(value))
    return None


def _called(photo: str, style: str) -> str:
    """What the painted photo is called, without a suffix: both names in it, and no folder."""
    style = re.sub(r"\s*[/\\]\s*", ", ", style)
    stem = photo.rpartition(".")[0] or photo
    return f"{stem[: max(LONGEST - len(style) - 3, LONGEST // 3)].strip()} - {style}"


def _opened(studio: Studio, value: dict[str, Any]) -> Canvas:
    sample = studio.samples.get(str(value.get("sample")))
    path, name = (sample, sample.name) if sample is not None else uploaded(value.get("file"))
    if Path(name).suffix.lower() in CLIPS:
        raise ImpastoError(f"{name} is a clip; drop it under Folder & video")
    try:
        return studio.easel.put(path, name)
    except ImpastoError as error:
        raise ImpastoError(in_words(error, path, name)) from error


def _painted(studio: Studio, value: dict[str, Any], look: Look) -> dict[str, Any]:
    canvas = _canvas(studio, value)
    after = studio.easel.paint(canvas, look)
    return {
        **_kept(value),
        "photo": _shown(canvas),
        "after": url_of(after),
        "look": asdict(look),
        "title": title_of(studio, look),
    }


def _painted_in_full(studio: Studio, value: dict[str, Any], look: Look) -> Path:
    canvas = _canvas(studio, value)
    called = _called(canvas.name, title_of(studio, look))
    try:
        return studio.easel.paint_in_full(canvas, look, called)
    except ImpastoError as error:
        raise ImpastoError(in_words(error, canvas.path, canvas.name)) from error


def _canvas(studio: Studio, value: dict[str, Any]) -> Canvas:
    return studio.easel.canvas(record(value.get("photo")).get("id"))


def _shown(canvas: Canvas) -> dict[str, Any]:
    return {
        "id": canvas.id,
        "name": canvas.name,
        "width": canvas.width,
        "height": canvas.height,
        "before": url_of(canvas.before),
    }


def _kept(value: dict[str, Any]) -> dict[str, Any]:
    return {"samples": value.get("samples", [])}


def _with(error: ImpastoError, value: dict[str, Any]) -> dict[str, Any]:
    """`value` with what went wrong; what is painted already stays, so that the visitor can go on from there."""
    painted = {key: value.get(key) for key in ("photo", "after", "look", "title")}
    return {**_kept(value), **painted, "error": in_words(error)}

"""One photo, painted while its owner looks on."""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.easel import Canvas
from impasto.studio.look import Look
from impasto.studio.naming import LONGEST
from impasto.studio.pages.looks import TELL_SCRIPTS, Gallery, LookPanel, chosen_in, controls_of, look_of, title_of, told
from impasto.studio.parts import in_words, part, uploaded, url_of
from impasto.studio.studio import Studio

PAINTING: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_id": "painting"}


def build(studio: Studio) -> gr.HTML:
    """The easel; `connect` ties it to the look."""
    samples = [{"name": name, "url": url_of(path)} for name, path in studio.samples.items()]
    return part("easel", {"samples": samples})


def connect(studio: Studio, easel: gr.HTML, panel: LookPanel, gallery: Gallery, courier: gr.HTML) -> None:
    """What happens when something is dropped, chosen or moved."""

    def open_photo(value: dict[str, Any]) -> dict[str, Any]:
        try:
            return {**_kept(value), "photo": _shown(_opened(studio, value))}
        except ImpastoError as error:
            # The photo before it, if there is one, stays as it was.
            before = {name: value[name] for name in ("photo", "after", "look", "title") if value.get(name)}
            return {**_kept(value), **before, "error": str(error)}

    def paint_opened(value: dict[str, Any], *controls: Any) -> Any:
        return gr.skip() if (value or {}).get("error") else paint(value, *controls)

    def paint(value: dict[str, Any], *controls: Any) -> Any:
        if not (value or {}).get("photo"):
            return gr.skip()
        try:
            return _painted(studio, value, look_of(*controls))
        except ImpastoError as error:
            return {**_kept(value), "photo": value["photo"], "after": value.get("after"), "error": in_words(error)}

    def swatches(value: dict[str, Any], picked: dict[str, Any]) -> Any:
        if not (value or {}).get("photo"):
            return gr.skip()
        try:
            canvas = studio.easel.canvas(value["photo"].get("id"))
            return gallery.value(chosen_in(picked), canvas)
        except ImpastoError:
            return gr.skip()

    def paint_in_full(value: dict[str, Any], *controls: Any) -> dict[str, Any]:
        try:
            look = look_of(*controls)
            canvas = studio.easel.canvas(value["photo"]["id"])
            path = studio.easel.paint_in_full(canvas, look, _called(canvas.name, title_of(studio, look)))
        except (ImpastoError, TypeError, KeyError) as error:
            gr.Warning(in_words(error))
            return {}
        return {"url": url_of(path), "name": path.name}

    def recall(value: dict[str, Any], picked: dict[str, Any]) -> list[Any]:
        try:
            return controls_of(studio, picked, Look(**value["look"]))
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


def _called(photo: str, style: str) -> str:
    """What the painted photo is called, without a suffix: both names in it, and no folder."""
    style = re.sub(r"\s*[/\\]\s*", ", ", style)
    stem = photo.rpartition(".")[0] or photo
    return f"{stem[: max(LONGEST - len(style) - 3, LONGEST // 3)].strip()} - {style}"


def _opened(studio: Studio, value: dict[str, Any]) -> Canvas:
    sample = studio.samples.get(str(value.get("sample")))
    path, name = (sample, sample.name) if sample is not None else uploaded(value.get("file"))
    try:
        return studio.easel.put(path, name)
    except ImpastoError as error:
        raise ImpastoError(in_words(error, path, name)) from error


def _painted(studio: Studio, value: dict[str, Any], look: Look) -> dict[str, Any]:
    photo = value["photo"]
    canvas = studio.easel.canvas(photo.get("id") if isinstance(photo, dict) else None)
    after = studio.easel.paint(canvas, look)
    return {
        **_kept(value),
        "photo": _shown(canvas),
        "after": url_of(after),
        "look": told(look),
        "title": title_of(studio, look),
    }


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

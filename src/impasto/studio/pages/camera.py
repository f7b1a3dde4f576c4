"""The browser's camera, painted live."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.look import Look
from impasto.studio.pages.looks import fitting
from impasto.studio.parts import in_words, part, record
from impasto.studio.shelf import FIRST
from impasto.studio.studio import Studio

HEAD = "data:image/jpeg;base64,"


def build(studio: Studio) -> gr.HTML:
    def frame(asked: Any) -> dict[str, str]:
        told = record(asked)
        try:
            look = fitting(studio, _look(told.get("look")))
            painted = studio.easel.paint_frame(_jpeg(told.get("picture")), look)
        except ImpastoError as error:
            return {"error": in_words(error)}
        return {"picture": HEAD + base64.b64encode(painted).decode("ascii")}

    return part("camera", calls=[frame])


def _jpeg(picture: object) -> bytes:
    text = picture if isinstance(picture, str) and picture.startswith(HEAD) else None
    try:
        return base64.b64decode((text or "!").removeprefix(HEAD), validate=True)
    except ValueError as error:
        raise ImpastoError("the camera's picture did not come as a JPEG") from error


def _look(told: Any) -> Look:
    """What the page's script keeps of the controls."""
    known = {field.name: record(told)[field.name] for field in fields(Look) if field.name in record(told)}
    return Look(**{**known, "style": known.get("style") or FIRST, "partner": known.get("partner") or None})

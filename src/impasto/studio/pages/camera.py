"""The browser's camera, painted live."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.look import Look
from impasto.studio.parts import in_words, part
from impasto.studio.shelf import FIRST
from impasto.studio.studio import Studio

HEAD = "data:image/jpeg;base64,"


def build(studio: Studio) -> gr.HTML:
    def frame(asked: Any) -> dict[str, str]:
        try:
            painted = studio.easel.paint_frame(_jpeg(asked.get("picture")), _look(asked.get("look")))
        except (ImpastoError, TypeError, AttributeError) as error:
            return {"error": in_words(error)}
        return {"picture": HEAD + base64.b64encode(painted).decode("ascii")}

    return part("camera", calls=[frame])


def _jpeg(picture: object) -> bytes:
    text = picture if isinstance(picture, str) and picture.startswith(HEAD) else None
    try:
        return base64.b64decode((text or "!").removeprefix(HEAD), validate=True)
    except binascii.Error as error:
        raise ImpastoError("the camera's picture did not come as a JPEG") from error


def _look(told: Any) -> Look:
    """What the page's script keeps of the controls."""
    if not isinstance(told, dict):
        return Look(FIRST)
    return Look(**{**told, "style": told.get("style") or FIRST, "partner": told.get("partner") or None})

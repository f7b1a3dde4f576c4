"""The HTTP API for programs: Gradio's own, with names and types of ours. docs/studio.md documents it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.look import Look
from impasto.studio.parts import in_words, uploaded
from impasto.studio.shelf import FIRST
from impasto.studio.studio import Studio


def build(studio: Studio) -> None:
    """Adds the endpoints to the page that is being built."""

    def styles() -> list[dict[str, str]]:
        """The styles: their id, title, where they come from."""
        return [{"id": entry.id, "title": entry.title, "by": entry.by} for entry in studio.shelf.entries()]

    def repaint(
        photo: gr.FileData,
        style: str = FIRST,
        strength: float = 1.0,
        mix_with: str = "",
        share: float = 0.5,
        keep_colors: bool = False,
        stroke: float = 1.0,
    ) -> gr.FileData:
        """A photo repainted in full size."""
        path, name = None, ""
        try:
            path, name = uploaded(photo)
            look = Look(style, strength, mix_with or None, share, keep_colors, stroke)
            canvas = studio.easel.put(path, name)
            return gr.FileData(path=str(studio.easel.paint_in_full(canvas, look, Path(name).stem)))
        except ImpastoError as error:
            raise gr.Error(in_words(error, path, name), print_exception=False) from error

    limits: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "full"}
    gr.api(styles, api_name="styles")
    gr.api(repaint, api_name="repaint", **limits)

"""The studio's page. The only place, with what it is made of, that knows Gradio's components."""

from __future__ import annotations

import gradio as gr

from impasto.studio.limits import Limits
from impasto.studio.places import Places


def build(places: Places, limits: Limits) -> gr.Blocks:
    """The page, for now a photo that comes back as it is."""
    with gr.Blocks(title="Impasto", analytics_enabled=False) as blocks:
        photo = gr.Image(label="Photo", type="filepath")
        result = gr.Image(label="Stylized image")
        photo.change(lambda path: path, photo, result, api_name="repaint")
    blocks.queue(default_concurrency_limit=limits.stylizing, max_size=limits.waiting)
    return blocks

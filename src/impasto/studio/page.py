"""The page: what is above, behind its tabs and beside them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr

from impasto.errors import in_one_line
from impasto.studio import api
from impasto.studio.pages import batch, camera, compare, looks, repaint, train
from impasto.studio.parts import part
from impasto.studio.studio import Studio

_log = logging.getLogger("impasto.studio")

TITLE = "Impasto"
MASTHEAD = """<div class="masthead"><h1>Impasto<i>.</i></h1><p>Repaint photos with the hand of a painting</p>
<button type="button" id="shade" aria-label="Switch between light and dark">Light / dark</button></div>"""
SHADE_SCRIPT = """const shade = element.querySelector("#shade"), KEPT = "impasto-shade";
const keep = (use) => { try { return use(localStorage); } catch { return null; } };  // a private window has none
const kept = keep((store) => store.getItem(KEPT));
if (kept) document.body.classList.toggle("dark", kept === "dark");
shade.addEventListener("click", () => {
  const dark = document.body.classList.toggle("dark");
  keep((store) => store.setItem(KEPT, dark ? "dark" : "light"));
});"""


def build(studio: Studio) -> gr.Blocks:
    """The page of `studio`, not served yet."""
    gallery = looks.Gallery(studio)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(MASTHEAD, elem_id="masthead", js_on_load=SHADE_SCRIPT, apply_default_css=False)
        with gr.Row(elem_id="studio"):
            with gr.Column(), gr.Tabs():
                with gr.Tab("Repaint", id="repaint", elem_id="tab-repaint"):
                    easel = repaint.build(studio)
                with gr.Tab("Folder & video", id="batch", elem_id="tab-batch"):
                    batch_slot = gr.Column()
                with gr.Tab("Train", id="train", elem_id="tab-train"):
                    trainings = train.build(studio)
                with gr.Tab("Compare", id="compare", elem_id="tab-compare"):
                    judged = compare.build(studio)
                with gr.Tab("Camera", id="camera", elem_id="tab-camera"):
                    camera.build(studio)
            with gr.Column(elem_id="look"):
                panel = looks.build(studio, gallery)
        courier = part("courier", visible="hidden")
        with batch_slot:
            batch.build(studio, panel)
        repaint.connect(studio, easel, panel, gallery, courier)

        def renewed(picked: Any, shown: Any) -> tuple[Any, Any]:
            """The styles as they are now, for a page that was opened or whose training has ended."""
            styles = gallery.value(looks.chosen_in(picked), repaint.canvas_of(studio, shown))
            return styles, gr.Dropdown(choices=compare.styles_of(studio))

        page.load(renewed, [panel.picker, easel], [panel.picker, judged], **looks.QUIET)
        trainings.finished(renewed, [panel.picker, easel], [panel.picker, judged], **repaint.PAINTING)
        api.build(studio)
    page.preprocess_data = _without_traceback(page.preprocess_data)
    return page


def _without_traceback(preprocess: Callable[..., Awaitable[list[Any]]]) -> Callable[..., Awaitable[list[Any]]]:
    """`Blocks.preprocess_data`, with one line in the log for what no control of the page sends: no fault of ours."""

    async def preprocessed(fn: Any, *given: Any) -> list[Any]:
        try:
            return await preprocess(fn, *given)
        except Exception as error:
            text = in_one_line(error.message if isinstance(error, gr.Error) else str(error))
            debugging = _log.isEnabledFor(logging.DEBUG)
            _log.warning("refused what was sent to %s: %s", fn.name, text, exc_info=debugging)
            raise gr.Error(text, title="That did not work", print_exception=False) from error

    return preprocessed

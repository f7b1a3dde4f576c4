"""A new style from a painting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.pages import work
from impasto.studio.pages.looks import QUIET
from impasto.studio.parts import in_words, part, uploaded
from impasto.studio.studio import Studio

RECIPES = {
    "fit": "Two minutes: the painting joins the gallery's network, and mixes with its styles",
    "quick": "Ten minutes: a network of its own, closer to the painting",
}
MINUTES = {"fit": 2, "quick": 10}
IMAGES = "image/*,.tif,.tiff"
NONE_YET = "No training yet. Drop a painting, press Start, and watch it learn; you may close the page meanwhile."


def build(studio: Studio) -> gr.HTML:
    """The form and the board below it, whose `finished` event tells that there is a new style."""
    with gr.Row(elem_classes="form"):
        with gr.Column(min_width=280):
            painting = part(
                "drop",
                {"title": "Drop a painting here", "hint": "whose style is to be learned", "accept": IMAGES},
                elem_id="train-painting",
            )
            title = gr.Textbox(label="Name of the style", max_length=60, placeholder="as the file is called")
        with gr.Column(min_width=280):
            recipe = gr.Radio(
                [(text, name) for name, text in RECIPES.items()], value="fit", label="How thoroughly", elem_id="recipe"
            )
            minutes = gr.Slider(0.5, 60, MINUTES["fit"], step=0.5, label="Minutes", info="Longer is better, up to a point")
        with gr.Column(min_width=280):
            watched = part(
                "drop",
                {"title": "Photos to watch", "hint": "up to four of your own, painted anew as it learns", "accept": IMAGES,
                 "multiple": True, "most": 4},
                elem_id="train-watched",
            )  # fmt: skip
            photos = part(
                "drop",
                {"title": "Photos to learn from", "hint": "not needed: without any, it draws its own", "accept": IMAGES,
                 "multiple": True, "most": studio.limits.drop_files},
                elem_id="train-photos",
            )  # fmt: skip
    start = gr.Button("Start", variant="primary", interactive=False, elem_id="train-start")
    board = work.build(studio, "train", NONE_YET)

    def begin(given: Any, name: str, how: str, long: float, watch: Any, learn: Any) -> tuple[Any, ...]:
        try:
            job = _begin(studio, _files(given), name, how, long, _files(watch), _files(learn))
        except ImpastoError as error:
            raise gr.Error(in_words(error), duration=8, print_exception=False) from error
        return {"clear": True}, "", {"clear": True}, {"clear": True}, {"begun": job}

    painting.files(_ready, [painting, title], [start, title], **QUIET)
    recipe.input(lambda how: MINUTES[how], recipe, minutes, **QUIET)
    start.click(
        begin,
        [painting, title, recipe, minutes, watched, photos],
        [painting, title, watched, photos, board],
        **{**QUIET, "queue": True},
    )
    return board


def _ready(given: Any, title: str) -> tuple[Any, Any]:
    files = given.get("files") if isinstance(given, dict) else None
    if not files:
        return gr.Button(interactive=False), gr.skip()
    name = str(files[0].get("orig_name", "")) if isinstance(files[0], dict) else ""
    words = Path(name).stem.replace("_", " ").replace("-", " ").strip()
    return gr.Button(interactive=True), title or words[:1].upper() + words[1:60]


def _files(given: Any) -> list[tuple[Path, str]]:
    files = given.get("files") if isinstance(given, dict) else None
    return [uploaded(one) for one in files] if isinstance(files, list) else []


def _begin(
    studio: Studio,
    painting: list[tuple[Path, str]],
    title: str,
    recipe: str,
    minutes: float,
    watched: list[tuple[Path, str]],
    photos: list[tuple[Path, str]],
) -> str:
    """Submits the training; its id."""
    if not painting:
        raise ImpastoError("there is no painting yet; drop one first")
    path, name = painting[0]
    studio.easel.check(path, name)
    title = title.strip() or Path(name).stem
    request = {"name": title, "recipe": recipe, "minutes": minutes, "options": {}}
    looked_at = [one for one, _ in watched] or list(studio.samples.values())
    given = {"painting": path, "photos": [one for one, _ in photos], "preview": looked_at}
    return studio.jobs.submit("train", title, request, given).id

"""A new style from a painting."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError, in_one_line
from impasto.files import images
from impasto.studio.pages import work
from impasto.studio.pages.looks import QUIET
from impasto.studio.parts import drop, dropped, in_words, record, refusal
from impasto.studio.studio import Studio

RECIPES = {
    "fit": "The painting joins the gallery's network and mixes with its styles; two minutes are enough",
    "quick": "A network of its own, closer to the painting; takes ten minutes",
}
MINUTES = {"fit": 2, "quick": 10}
MOST_WATCHED = 4
MOST_NAMED = 5
LONGEST_NAME = 60
"""Characters; everybody is shown it."""
Files = list[tuple[Path, str]]
NONE_YET = "No training yet. Drop a painting, press Start, and watch it learn; you may close the page meanwhile."


def build(studio: Studio) -> gr.HTML:
    """The form and the board below it, whose `finished` event tells that there is a new style."""
    with gr.Row(elem_classes="form"):
        with gr.Column(min_width=280):
            painting = drop("Drop a painting here", "whose style is to be learned", "train-painting")
            title = gr.Textbox(label="Name of the style", max_length=LONGEST_NAME, placeholder="as the file is called")
        with gr.Column(min_width=280):
            recipe = gr.Radio(
                [(text, name) for name, text in RECIPES.items()], value="fit", label="How thoroughly", elem_id="recipe"
            )
            minutes = gr.Slider(0.5, 60, MINUTES["fit"], step=0.5, label="Minutes of training")
        with gr.Column(min_width=280):
            hint = "up to four of your own, painted anew as it learns; everybody here sees them"
            watched = drop("Photos to watch", hint, "train-watched", most=MOST_WATCHED)
            hint = "not needed: without any, it draws its own"
            photos = drop("Photos to learn from", hint, "train-photos", most=studio.limits.drop_files)
    start = gr.Button("Start", variant="primary", interactive=False, elem_id="train-start")
    board = work.build(studio, "train", NONE_YET)

    def begin(given: Any, name: str, how: str, long: float, watch: Any, learn: Any) -> tuple[Any, ...]:
        try:
            request = {"name": in_one_line(name.strip(), LONGEST_NAME), "recipe": how, "minutes": long}
            learned = dropped(learn, studio.limits.drop_files)
            job = _begin(studio, dropped(given, 1), request, dropped(watch, MOST_WATCHED), learned)
        except ImpastoError as error:
            raise refusal(error) from error
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
    files = record(given).get("files")
    if not isinstance(files, list) or not files:
        return gr.Button(interactive=False), gr.skip()
    name = str(record(files[0]).get("orig_name", ""))
    words = Path(name).stem.replace("_", " ").replace("-", " ").strip()
    return gr.Button(interactive=True), title or words[:1].upper() + words[1:LONGEST_NAME]


def _begin(studio: Studio, painting: Files, request: dict[str, Any], watched: Files, photos: Files) -> str:
    """Submits the training; its id."""
    if not painting:
        raise ImpastoError("there is no painting yet; drop one first")
    path, name = painting[0]
    try:
        studio.easel.require_photo(path)
    except ImpastoError as error:
        raise ImpastoError(in_words(error, path, name)) from error
    photos = _readable(photos)
    if len(photos) == 1:
        raise ImpastoError("one photo is not enough to learn from; drop some more, or leave it out")
    title = _unlike_others(studio, request["name"] or Path(name).stem)
    given: dict[str, Any] = {
        "painting": path,
        "photos": [one for one, _ in photos],
        "preview": [one for one, _ in watched] or list(studio.samples.values()),
    }
    return studio.submit("train", title, {**request, "name": title}, given).id


def _readable(photos: Files) -> Files:
    """Those that are photos; the page names the others."""
    found, broken = [], []
    for path, name in photos:
        try:
            images.size_of(path)
            found.append((path, name))
        except ImpastoError:
            broken.append(name)
    if broken:
        gr.Warning(f"These cannot be read and are left out: {', '.join(broken[:MOST_NAMED])}")
    return found


def _unlike_others(studio: Studio, title: str) -> str:
    """`title`, with a number where another style or training is called so already."""
    others = {entry.title for entry in studio.shelf.entries()} | {job.title for job in studio.jobs.all("train")}
    numbered = (f"{title} {number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([title], numbered) if one not in others)

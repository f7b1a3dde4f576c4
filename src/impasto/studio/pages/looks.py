"""The choices beside a photo: the gallery and the sliders."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from impasto.errors import ImpastoError
from impasto.studio.easel import Canvas
from impasto.studio.look import Look
from impasto.studio.parts import choices, part, record, url_of
from impasto.studio.shelf import FIRST, Entry
from impasto.studio.studio import Studio

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
"""For events that only change the page."""
NO_PARTNER = ""
TELL_SCRIPTS = """(picked, strength, partner, share, keep, stroke) => {
  window.impasto.look = {style: picked.chosen, strength, partner, share, keep_colors: keep, stroke};
}"""


@dataclass(frozen=True)
class LookPanel:
    """Its controls; their values in this order are what :func:`look_of` takes."""

    picker: gr.HTML
    strength: gr.Slider
    partner: gr.Dropdown
    share: gr.Slider
    keep_colors: gr.Checkbox
    stroke: gr.Slider

    @property
    def inputs(self) -> list[Any]:
        return [self.picker, self.strength, self.partner, self.share, self.keep_colors, self.stroke]

    @property
    def changes(self) -> list[Any]:
        """The events in which a visitor changes something."""
        controls = [self.strength, self.partner, self.share, self.keep_colors, self.stroke]
        return [self.picker.select, *(control.input for control in controls)]


def look_of(
    studio: Studio, picked: Any, strength: float, partner: str, share: float, keep_colors: bool, stroke: float
) -> Look:
    """The look that the controls show. Raises ImpastoError for one that does not exist."""
    return fitting(studio, Look(chosen_in(picked), strength, partner or None, share, bool(keep_colors), stroke))


def fitting(studio: Studio, look: Look) -> Look:
    """`look` without its second style where that cannot be mixed with the first.

    Who has a mix and chooses another style sends both before the page knows that they do not go together.

    Raises:
        ImpastoError: there is no such style.
    """
    goes = look.partner is None or look.partner in [entry.id for entry in studio.shelf.partners(look.style)]
    return look if goes else replace(look, partner=None)


def chosen_in(picked: Any) -> str:
    """The id of the style that the picker's value says was chosen."""
    return str(record(picked).get("chosen") or FIRST)


def controls_of(studio: Studio, picked: Any, look: Look) -> list[Any]:
    """The other way round: what the controls come to for `look`."""
    return [
        {**record(picked), "chosen": look.style, "force": True},
        look.strength,
        gr.Dropdown(choices=_partners(studio, look.style), value=look.partner or NO_PARTNER),
        gr.Slider(value=look.share, visible=look.partner is not None),
        look.keep_colors,
        look.stroke,
    ]


def title_of(studio: Studio, look: Look) -> str:
    return " and ".join(studio.shelf.find(style).title for style in look.mix)


class Gallery:
    """The styles as pictures: of a sample photo until a visitor's own is there."""

    def __init__(self, studio: Studio) -> None:
        sample = next(iter(studio.samples.values()))
        self._studio = studio
        self._canvas = studio.easel.put(sample, sample.name)
        self._pictures: dict[Entry, Path] = {}
        self.value(FIRST)

    def value(self, chosen: str, canvas: Canvas | None = None) -> dict[str, Any]:
        """The picker's value: the styles, painted on that canvas or on the sample."""
        entries = self._studio.shelf.entries()
        pictures = self._pictures_of(canvas, entries)
        known = [entry.id for entry in entries]
        styles = [
            {"id": entry.id, "title": entry.title, "by": entry.by, "picture": _url(pictures.get(entry.id))}
            for entry in entries
        ]
        return {"styles": styles, "chosen": chosen if chosen in known else FIRST}

    def _pictures_of(self, canvas: Canvas | None, entries: Sequence[Entry]) -> dict[str, Path]:
        if canvas is not None:
            with suppress(ImpastoError):  # the photo was removed at this moment
                return self._studio.easel.swatches(canvas, entries)
        return self._samples(entries)

    def _samples(self, entries: Sequence[Entry]) -> dict[str, Path]:
        # Those of styles that came later are removed when they are old, as all that the page shows.
        pictures = {entry: path for entry, path in self._pictures.items() if path.exists()}
        missing = [entry for entry in entries if entry not in pictures]
        painted = self._studio.easel.swatches(self._canvas, missing) if missing else {}
        self._pictures = pictures | {entry: painted[entry.id] for entry in missing if entry.id in painted}
        return {entry.id: path for entry, path in self._pictures.items()}


def _url(path: Path | None) -> str:
    return "" if path is None else url_of(path)


def build(studio: Studio, gallery: Gallery) -> LookPanel:
    picker = part("picker", gallery.value(FIRST))
    strength = gr.Slider(0, 1, 1, step=0.05, label="Strength")
    stroke = gr.Slider(0.5, 2, 1, step=0.1, label="Size of the strokes")
    partner = choices(_partners(studio, FIRST), value=NO_PARTNER, label="Mix with")
    share = gr.Slider(0, 1, 0.5, step=0.05, label="How much of the second", visible=False)
    keep = gr.Checkbox(False, label="Keep the photo's colours")
    panel = LookPanel(picker, strength, partner, share, keep, stroke)
    partner.input(lambda chosen: gr.Slider(visible=bool(chosen)), partner, share, **QUIET)
    picker.select(
        lambda picked, chosen: _partner_for(studio, picked, chosen), [picker, partner], [partner, share], **QUIET
    )
    gr.on(panel.changes, None, panel.inputs, js=TELL_SCRIPTS, api_visibility="private")
    return panel


def _partner_for(studio: Studio, picked: Any, chosen: str) -> tuple[Any, Any]:
    partners = _partners(studio, chosen_in(picked))
    kept = chosen if chosen in [value for _, value in partners] else NO_PARTNER
    return gr.Dropdown(choices=partners, value=kept), gr.Slider(visible=kept != NO_PARTNER)


def _partners(studio: Studio, style: str) -> list[tuple[str, str]]:
    return [("nothing", NO_PARTNER), *((entry.title, entry.id) for entry in studio.shelf.partners(style))]

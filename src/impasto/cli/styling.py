"""Which style a command paints with, from its options."""

from __future__ import annotations

from typing import NamedTuple

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.stylizing.manner import WhichStyle
from impasto.stylizing.stylizer import Stylizer


class Styles(NamedTuple):
    """What a stylizer is to paint."""

    inside: WhichStyle
    outside: WhichStyle


def chosen_style(
    style: str | None, which: str | None, mix: str | None, outside: str | None, engine: workflows.Engine
) -> tuple[Stylizer, Styles]:
    """One stylizer of all the styles that are asked for, which have to share a network, and what it is to paint."""
    if (style is None) == (mix is None):
        raise ImpastoError("one style, or several with --mix great_wave=0.6,starry_night=0.4: name one or the other")
    if style is not None and outside is None:
        number = int(which) if which is not None and which.isdecimal() else which
        return workflows.load(style, engine), Styles(number, None)
    if which is not None:
        raise ImpastoError("--which goes with --style alone")
    weights = {style: 1.0} if style is not None else parsed_mix(mix or "")
    names = list(dict.fromkeys([*weights, *([outside] if outside is not None else [])]))
    stylizer, rows = workflows.load_several(names, engine)
    inside = {rows[name]: weight for name, weight in weights.items()}
    return stylizer, Styles(inside, None if outside is None else rows[outside])


def changing_style(
    style: str | None, which: str | None, mix: str | None, mix_to: str | None, engine: workflows.Engine
) -> tuple[Stylizer, WhichStyle, WhichStyle]:
    """One stylizer, what it is to paint, and what that comes to in the end, None where it stays."""
    if mix_to is None:
        stylizer, styles = chosen_style(style, which, mix, None, engine)
        return stylizer, styles.inside, None
    if (style is None) == (mix is None):
        raise ImpastoError("one style, or several with --mix great_wave=0.6,starry_night=0.4: name one or the other")
    if which is not None:
        raise ImpastoError("--which goes with --style alone")
    first, last = {style: 1.0} if style is not None else parsed_mix(mix or ""), parsed_mix(mix_to, "--mix-to")
    stylizer, rows = workflows.load_several(list(dict.fromkeys([*first, *last])), engine)
    named = [{rows[name]: weight for name, weight in weights.items()} for weights in (first, last)]
    return stylizer, named[0], named[1]


def parsed_mix(text: str, option: str = "--mix") -> dict[str, float]:
    """Weights by style of `a=0.6,b=0.4`. Raises ImpastoError for anything else."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.rpartition("=")
        try:
            number = float(weight)
        except ValueError:
            number = -1.0
        if not name.strip() or name.strip() in weights or not 0 <= number < float("inf"):
            raise ImpastoError(f"{option} is {text!r}; write each style once with its weight: great_wave=0.6,udnie=0.4")
        weights[name.strip()] = number
    return weights

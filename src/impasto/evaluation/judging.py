"""Who judges: a loss network that did not train the style, since a style knows what its own teacher overlooks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from impasto.config import USUAL_LAYERS
from impasto.errors import ImpastoError
from impasto.files.weights import PACKAGED, find

AUTO = "auto"
ORDER = ("squeezenet", "vgg16", "vgg19", "pocket")


class Choice(NamedTuple):
    """A judge, and why it is this one: the end of a sentence."""

    name: str
    reason: str


def choose_judge(asked: str, file: Path | None, teachers: Collection[str]) -> Choice:
    """The judge of that name; for `auto` the first whose weights are here and that did not train the styles.

    Args:
        file: the weights, where the user named a file.
        teachers: the loss networks that the styles were trained with.
    Raises:
        ImpastoError: no such judge, or none here.
    """
    if asked != AUTO:
        return Choice(_known(asked, "--judge"), f"as asked{_bias(asked, teachers)}")
    here = _here(file, "--judge")
    others = [name for name in here if name not in teachers]
    if others:
        return Choice(others[0], "the first on this computer that did not train what it judges")
    return Choice(here[0], f"since no other is on this computer{_bias(here[0], teachers)}")


def choose_network(asked: str, file: Path | None) -> str:
    """The loss network of that name, for `auto` the first that is here. Raises ImpastoError as `choose_judge`."""
    return _known(asked, "--loss-network") if asked != AUTO else _here(file, "--loss-network")[0]


def teachers(provenance: Mapping[str, Any]) -> set[str]:
    """The loss networks that a style was trained with; none where its file does not say."""
    named = provenance.get("loss_networks", [provenance.get("options", {}).get("loss_network")])
    return {str(name) for name in named if name}


def _known(asked: str, option: str) -> str:
    if asked not in USUAL_LAYERS:
        raise ImpastoError(f"{option} is {asked!r}; it must be one of {AUTO}, {', '.join(ORDER)}")
    return asked


def _here(file: Path | None, option: str) -> list[str]:
    """The loss networks whose weights are on this computer."""
    if file is not None:
        raise ImpastoError(f"which network's weights are in {file}? Name it, too: {option} {'|'.join(ORDER)}")
    here = [name for name in ORDER if name in PACKAGED or find(name) is not None]
    if not here:
        raise ImpastoError("no loss network is on this computer; get one with: impasto weights download squeezenet")
    return here


def _bias(name: str, teachers: Collection[str]) -> str:
    return "; it also trained what it judges, which flatters the result" if name in teachers else ""

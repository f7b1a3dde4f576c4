"""With which style a job paints, and how."""

from __future__ import annotations

from typing import Any

from impasto import workflows
from impasto.studio.desk import Desk
from impasto.stylizing.manner import Manner
from impasto.stylizing.stylizer import Stylizer


def stylizer_of(desk: Desk) -> Stylizer:
    """The stylizer of the job's `style`, or of its `mix` of several. Raises ImpastoError as `workflows.load`."""
    mix: dict[str, Any] = desk.request.get("mix") or {}
    if mix:
        return workflows.load({name: float(weight) for name, weight in mix.items()})
    return workflows.load(str(desk.request["style"]))


def manner_of(desk: Desk) -> Manner:
    """Raises ImpastoError for numbers out of their range."""
    request = desk.request
    return Manner(
        strength=float(request.get("strength", 1.0)),
        colors=request.get("colors", "style"),
        stroke=float(request.get("stroke", 1.0)),
    )

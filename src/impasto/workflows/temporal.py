"""How steady styles are when things move."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.files import atomic
from impasto.workflows.bundled import load
from impasto.workflows.common import AnyPath, ignore, require_training_packages, several

if TYPE_CHECKING:
    from impasto.evaluation.steadiness import Steadiness


def steadiness(
    styles: AnyPath | Sequence[AnyPath],
    photos: AnyPath | Sequence[AnyPath],
    count: int = 16,
    *,
    out: AnyPath | None = None,
    overwrite: bool = False,
    device: Device = "auto",
    on_progress: Callable[[float], None] | None = None,
    announce: Callable[[str], None] | None = None,
) -> list[Steadiness]:
    """Measures what changes in stylized photos where the photos only move, or get noise.

    Args:
        styles: one or several bundled styles' names or style files.
        photos: folders of photos, or photo files; `count` of them are used, evenly spaced.
        out: folder for steadiness.json.
        overwrite: whether that may be replaced.
        on_progress: gets the share that is done, 0 to 1.
        announce: gets sentences for the user.
    Raises:
        ImpastoError: bad input of any kind.
    """
    require_training_packages("evaluating")
    from impasto.evaluation import pictures, run
    from impasto.evaluation.steadiness import MOTIONS, STILL, measure

    target = None if out is None else Path(out) / "steadiness.json"
    if target is not None and target.exists() and not overwrite:
        raise ImpastoError(f"will not overwrite {target}; name another --out, or add --overwrite")
    loaded = [load(style, device=device) for style in several(styles)]
    chosen = pictures.choose_photos([Path(photo) for photo in several(photos)], count, announce or ignore).chosen
    steps = itertools.count(1)
    all_steps = len(loaded) * len(chosen) * len((*MOTIONS, STILL))

    def step() -> None:
        (on_progress or ignore)(next(steps) / all_steps)

    names = run.labels([str(style) for style in several(styles)])
    found = [measure(name, stylizer, chosen, step) for name, stylizer in zip(names, loaded, strict=True)]
    if target is not None:
        told = {one.name: {**one.errors, "mean": one.mean} for one in found}
        atomic.write_bytes(target, json.dumps(told, indent=2).encode())
    return found

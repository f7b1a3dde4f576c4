"""The kinds of long work, and what each must be given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from impasto.config import RECIPES, options, require
from impasto.errors import ImpastoError

LANES = {"train": "learn", "judge": "learn", "photos": "repaint", "video": "repaint"}
"""Of each lane one job runs at a time."""
REQUIRED = {"train": "painting", "judge": "", "photos": "photos", "video": "clip"}
"""The file that a kind is about."""


def require_sound(kind: str, request: Mapping[str, Any], given: Collection[str]) -> None:
    """Raises ImpastoError for a kind that does not exist, or a request that its process could only refuse."""
    require(kind in LANES, f"there is no kind of job {kind!r}; there are: {', '.join(LANES)}")
    needed = REQUIRED[kind]
    require(
        not needed or needed in given, f"nothing to work on: add {'photos' if needed == 'photos' else f'a {needed}'}"
    )
    CHECKS[kind](request)


def _check_training(request: Mapping[str, Any]) -> None:
    recipe, minutes = request.get("recipe"), request.get("minutes") or 0
    require(recipe is None or recipe in RECIPES, f"there is no recipe {recipe!r}; there are: {', '.join(RECIPES)}")
    require(
        _is_number(minutes) and 0 <= minutes <= 7 * 24 * 60, f"minutes is {minutes!r}; up to a week can be asked for"
    )
    unknown = sorted(set(request.get("options") or {}) - set(options()))
    if unknown:
        raise ImpastoError(f"a training has no option {unknown[0]!r}")


def _check_judging(request: Mapping[str, Any]) -> None:
    require(bool(request.get("style")), "which style is to be judged? Choose one")


def _check_repainting(request: Mapping[str, Any]) -> None:
    require(bool(request.get("style") or request.get("mix")), "which style is to be painted with? Choose one")


CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "train": _check_training,
    "judge": _check_judging,
    "photos": _check_repainting,
    "video": _check_repainting,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""What the pictures of a report are called."""

from __future__ import annotations

import re

PAINTING = "painting.jpg"
SHOWN = (25, 100, 300)
"""The steps of the optimization whose pictures are shown, besides the last."""


def picture_name(size: int, photo: int, what: str) -> str:
    """The file of a picture in a report's folder; `photo` counts from 0."""
    return f"{size}-{photo + 1:02d}-{what}.jpg"


def is_picture(name: str) -> bool:
    """Whether :func:`picture_name` gives such names."""
    return re.fullmatch(r"\d+-\d\d+-(photo|style\d+|steps\d+)\.jpg", name) is not None


def style_picture(number: int) -> str:
    """What the style `number`, from 0, made of a photo."""
    return f"style{number + 1}"


def steps_picture(step: int) -> str:
    """What `step` steps of optimization made of a photo."""
    return f"steps{step}"

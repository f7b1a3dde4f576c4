"""Lines of text that fit their place in a drawing."""

from __future__ import annotations

from collections.abc import Sequence


def fitting_title(names: Sequence[str], room: float) -> tuple[str, float]:
    """The styles' names, all of them or else the first, and a font size at which they fit into `room` inches."""
    short = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    for title in (", ".join(names), short):
        for size in (24.0, 21.0, 18.0):
            if line_width(title, size, "bold") <= room:
                return printable(title), size
    return shortened(short, 18, room), 18


def line_width(words: str, size: float, weight: str = "normal") -> float:
    """Width of a line of text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="sans-serif", size=size, weight=weight)
    width: float = text_to_path.get_text_width_height_descent(words, font, False)[0]
    return width / 72


def shortened(words: str, size: float, room: float) -> str:
    """`words`, cut off with an ellipsis where they are wider than `room` inches in bold."""
    words = printable(words)
    if line_width(words, size, "bold") <= room:
        return words
    while words and line_width(words + "…", size, "bold") > room:
        words = words[:-1]
    return words + "…"


def printable(words: str) -> str:
    """`words` without control characters, which no SVG may hold."""
    return "".join(letter if letter.isprintable() else " " for letter in words)

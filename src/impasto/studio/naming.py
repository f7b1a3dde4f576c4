"""Names that people gave, made into names of files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePath

LONGEST = 60
"""Characters of a name, without its suffix: four bytes each are fewer than any disk allows."""
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""What Windows keeps for itself, whatever the suffix."""


def plain(name: str, otherwise: str) -> str:
    """`name` in small letters, digits and underscores of ASCII; `otherwise` where nothing is left of it."""
    ascii_only = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    found = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")[:LONGEST].strip("_")
    return otherwise if not found or DEVICES.fullmatch(found) else found


def suffix_of(name: str) -> str:
    """The suffix of a file's name, small, where it is one that is safe to keep; else nothing."""
    found = PurePath(name).suffix.lower()
    return found if re.fullmatch(r"\.[a-z0-9]{1,5}", found) else ""


def file_name(name: str, otherwise: str) -> str:
    """`name` as the name of a file on any system, in its own letters: no folders, no control characters."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')
    suffix = suffix_of(kept)
    stem = (kept[: -len(suffix)] if suffix else kept).strip(". ")[:LONGEST].strip(". ")
    return (otherwise if not stem or DEVICES.fullmatch(stem) else stem) + suffix


def unlike(name: str, taken: Collection[str], join: str = "-") -> str:
    """`name`, with a number behind its stem where it is taken; small and capital letters count as the same."""
    others = {one.casefold() for one in taken}
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    number, found = 1, name
    while found.casefold() in others:
        number += 1
        found = f"{stem}{join}{number}{suffix}"
    return found

"""The styles that the page offers: the bundled ones and those that were trained here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.files import gallery, style_file
from impasto.studio import records
from impasto.stylizing.stylizer import Stylizer

TURBO = gallery.ENDINGS["turbo"]
YOURS = "yours:"
"""What the id of a style begins with that was trained here, so that it can have the name of a bundled one."""
KEPT_STYLIZERS = 4
DRAWN = "drawn by a program"
FIRST = workflows.DEFAULT_STYLE


_Loaded = tuple[tuple[str, ...], tuple[float, ...]]
"""Names of styles, and when the files of those that can change were written."""


@dataclass(frozen=True)
class Entry:
    """A style as the page shows it."""

    id: str
    title: str
    by: str
    """The artist and the year, or where it comes from."""
    group: str
    """gallery or yours."""
    base: str
    """The network it belongs to, classic or turbo, empty for one of its own; only styles of one network mix."""
    path: Path
    painting: Path | None = None
    """A picture of its painting, where there is one."""
    written: float = 0.0
    """When the file was last written, in seconds since 1970; 0 for a bundled one."""


class Shelf:
    """Finds styles by id and keeps the last few loaded. All of it may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where the styles lie that were trained here."""
        self.folder = folder
        self._bundled = {entry.id: entry for entry in _bundled()}
        self._own: dict[tuple[Path, float], Entry] = {}
        self._stylizers: OrderedDict[_Loaded, Future[tuple[Stylizer, dict[str, str]]]] = OrderedDict()
        self._lock = threading.Lock()

    def entries(self) -> list[Entry]:
        """All styles, those trained here first, the newest before the others."""
        return [*self._yours(), *self._bundled.values()]

    def find(self, wanted: str) -> Entry:
        """The style of that id, or of that name. Raises ImpastoError when there is none."""
        entries = {entry.id: entry for entry in self.entries()}
        found = entries.get(wanted) or entries.get(f"{YOURS}{wanted}")
        if found is None:
            raise ImpastoError(f"there is no style {wanted!r:.80}; there are: {', '.join(entries)}")
        return found

    def partners(self, wanted: str) -> list[Entry]:
        """The styles that `wanted` can be mixed with."""
        entry = self.find(wanted)
        return [other for other in self.entries() if other.id != entry.id and _can_mix(entry, other)]

    def names(self, wanted: Sequence[str], *, fast: bool = False) -> list[str]:
        """What :func:`impasto.load` calls the styles of these ids, all in one network; `fast` takes the fastest.

        Raises:
            ImpastoError: no such style, or styles of several networks.
        """
        entries = [self.find(one) for one in wanted]
        for other in entries[1:]:
            if not _can_mix(entries[0], other):
                raise ImpastoError(f"{entries[0].title} and {other.title} are of two networks and cannot be mixed")
        bases = {entry.base for entry in entries if entry.group == "yours"}
        turbo = "turbo" in bases or (fast and "classic" not in bases)
        return [str(entry.path) if entry.group == "yours" else entry.id + (TURBO if turbo else "") for entry in entries]

    def stylizer(self, wanted: Sequence[str], *, fast: bool = False) -> tuple[Stylizer, list[str]]:
        """A Stylizer that holds the styles of these ids, ready for mixes that change, and the name there of each.

        Raises:
            ImpastoError: as :meth:`names`, or as :func:`impasto.load`.
        """
        names = self.names(wanted, fast=fast)
        bundled = workflows.styles()
        if all(name in bundled for name in names):  # one Stylizer for all of them
            together = tuple(name for name in bundled if name.endswith(TURBO) == names[0].endswith(TURBO))
        else:
            together = tuple(dict.fromkeys(names))
        key = (together, tuple(self.find(one).written for one in wanted if one not in self._bundled))
        stylizer, rows = self._loaded(key)
        return stylizer, [rows[name] for name in names]

    def remove(self, name: str) -> None:
        """Removes a style that was trained here, by its file's name without the suffix, and what lies beside it."""
        for suffix in (workflows.STYLE_SUFFIX, ".json", ".jpg"):
            (self.folder / f"{name}{suffix}").unlink(missing_ok=True)

    def _loaded(self, key: _Loaded) -> tuple[Stylizer, dict[str, str]]:
        """Loads outside of the lock: only those wait who want the same."""
        with self._lock:
            is_first = key not in self._stylizers
            loading = self._stylizers.setdefault(key, Future())
            self._stylizers.move_to_end(key)
            while len(self._stylizers) > KEPT_STYLIZERS:
                self._stylizers.popitem(last=False)
        if is_first:
            try:
                stylizer, rows = workflows.load_several(key[0])
                loading.set_result((stylizer.for_changing(), rows))
            except BaseException as error:
                with self._lock:
                    self._stylizers.pop(key, None)  # the next one tries again
                loading.set_exception(error)
        return loading.result()

    def _yours(self) -> list[Entry]:
        found: dict[tuple[Path, float], Entry] = {}
        for path in self.folder.glob(f"*{workflows.STYLE_SUFFIX}"):
            with suppress(OSError, ImpastoError):  # removed in this moment, or damaged by hand
                written = path.stat().st_mtime
                found[path, written] = self._own.get((path, written)) or _own(path, written)
        self._own = found
        return sorted(found.values(), key=lambda entry: (-entry.written, entry.id))


def _bundled() -> list[Entry]:
    credits: dict[Path, dict[str, Any]] = {}
    entries = []
    for name, (path, row) in gallery.bundled().items():
        if name.endswith(TURBO):
            continue
        if path not in credits:
            credits[path] = style_file.load(path).provenance.get("paintings", {})
        credit = credits[path].get(row, {})
        drawn = credit.get("artist") == "Impasto"
        title = name.replace("_", " ").capitalize() if drawn else str(credit.get("title", name))
        by = DRAWN if drawn else f"{credit.get('artist', '')}, {credit.get('year', '')}"
        entries.append(Entry(name, title, by, "gallery", "classic", path))
    return sorted(entries, key=lambda entry: (entry.by == DRAWN, entry.id != FIRST, entry.title))


def _own(path: Path, written: float) -> Entry:
    style = style_file.load(path)
    told = records.read(path.with_suffix(".json"))
    painting = path.with_suffix(".jpg")
    return Entry(
        id=f"{YOURS}{path.stem}",
        title=records.text(told, "title") or path.stem.replace("_", " "),
        by="trained here",
        group="yours",
        base=style.base.name if style.base else "",
        path=path,
        painting=painting if painting.exists() else None,
        written=written,
    )


def _can_mix(one: Entry, other: Entry) -> bool:
    """Bundled styles are there in both networks, so they go with any that belongs to one of those."""
    if "" in (one.base, other.base):
        return one.id == other.id
    return one.group != "yours" or other.group != "yours" or one.base == other.base

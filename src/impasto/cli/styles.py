"""`impasto styles`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from impasto import workflows
from impasto.cli.progress import console
from impasto.errors import ImpastoError
from impasto.files import gallery, style_file

TURBO = gallery.ENDINGS["turbo"]
Several = Parameter(consume_multiple=True)


def styles(
    *,
    sheet: Path | None = None,
    photos: Annotated[list[Path] | None, Several] = None,
    only: Annotated[list[str] | None, Several] = None,
    overwrite: bool = False,
) -> None:
    """List the bundled styles and the paintings to train, or draw a contact sheet of styles by photos.

    Parameters
    ----------
    sheet
        Draw the contact sheet into this file instead.
    photos
        Photos or folders for it (default: sample photos).
    only
        Styles for it, bundled ones or style files (default: all bundled ones but the -turbo ones).
    overwrite
        Replace a sheet that exists.
    """
    if sheet is None:
        if photos or only or overwrite:
            raise ImpastoError("--photos, --only and --overwrite belong to a contact sheet; add --sheet FILE")
        _print_table()
        return
    names = only or [name for name in workflows.styles() if not name.endswith(TURBO)]
    path = workflows.contact_sheet(sheet, names, photos or (), overwrite=overwrite, on_style=console.print)
    console.print(str(path))


def _print_table() -> None:
    """One line a painting: its style in the best-looking network, and whether it is there in the fastest one too."""
    table = Table("style", "artist", "painting", "year", "rights", box=None, pad_edge=False, header_style="bold")
    bundled = gallery.bundled()
    credits = {path: style_file.load(path).provenance.get("paintings", {}) for path, _ in bundled.values()}
    for name, (path, row) in bundled.items():
        if name.endswith(TURBO):
            continue
        credit = credits[path].get(row, {})
        table.add_row(name, *(credit.get(key, "") for key in ("artist", "title", "year", "rights")))
    console.print(table)
    fast = sum(name.endswith(TURBO) for name in bundled)
    console.print(f"\n{fast} of these also as NAME{TURBO}, in the faster network")
    console.print(f"paintings for `impasto train`: {', '.join(workflows.paintings())}")

"""`impasto data`: photos to train with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from impasto.cli.progress import download_bar
from impasto.cli.weights import output_console
from impasto.errors import ImpastoError
from impasto.files.datasets import DATA_SETS, named, obtain


def data(
    name: str | None = None,
    folder: Path | None = None,
    *,
    keep_archive: Annotated[bool, Parameter(negative=())] = False,
    show_list: Annotated[bool, Parameter(name="--list", negative=())] = False,
) -> None:
    """Download photos to train with; a stopped download or unpacking goes on where it was.

    Parameters
    ----------
    name
        The data set, e.g. coco2014; without one they are listed.
    folder
        Where its photos go; coco2014 makes a folder train2014 in it.
    keep_archive
        Leave the zip archive beside the photos.
    show_list
        Show which data sets there are.
    """
    if show_list or name is None:
        _print_list()
        return
    chosen = named(name)
    if folder is None:
        raise ImpastoError(f"say which folder the photos are to go to: impasto data {name} FOLDER")
    with download_bar() as (report, announce):
        photos = obtain(chosen, folder, report, announce, keep_archive=keep_archive)
    print(photos)


def _print_list() -> None:
    table = Table("name", "photos", "size", "address", "terms", box=None, pad_edge=False)
    table.columns[3].overflow = table.columns[4].overflow = "fold"
    for known in DATA_SETS:
        source = known.source
        table.add_row(known.name, f"{known.photos:,}", source.size_text, source.urls[0], known.terms)
    output_console().print(table)

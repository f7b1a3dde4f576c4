"""`impasto weights`: the loss networks' weights on this computer."""

from __future__ import annotations

import sys

from cyclopts import App
from rich.console import Console
from rich.table import Table

from impasto.cli.progress import download_bar
from impasto.errors import ImpastoError
from impasto.files.download import size_text
from impasto.files.weights import PACKAGED, WEIGHT_FILES, WeightFile, copies, entries, find, packaged
from impasto.files.weights import download as download_weights

weights = App(name="weights", help="Loss network weights: what is here, download, verify.")


@weights.default
@weights.command(name="list")
def list_() -> None:
    """List the weight files Impasto knows, and where they are on this computer."""
    table = Table("network", "file", "size", "where", "terms", box=None, pad_edge=False)
    table.columns[3].overflow = "fold"
    for name in PACKAGED:
        if path := packaged(name):
            table.add_row(name, path.name, size_text(path.stat().st_size), str(path), "Apache-2.0 (Impasto)")
    for entry in WEIGHT_FILES:
        table.add_row(entry.network, entry.name, entry.source.size_text, _where(entry), entry.terms)
    output_console().print(table)


@weights.command
def download(name: str) -> None:
    """Download the weights of a loss network; a stopped download goes on where it was.

    Parameters
    ----------
    name
        vgg16, vgg19 or squeezenet.
    """
    with download_bar() as (report, announce):
        found = download_weights(name, report, announce)
    print(found.path)


@weights.command
def verify() -> None:
    """Compare every weight file found with its published size and hash."""
    wrong = []
    console = output_console()
    found_here = [found for entry in WEIGHT_FILES for found in copies(entry)]
    with download_bar() as (report, _):
        for found in found_here:
            difference = found.difference(report)
            console.print(f"{'wrong' if difference else 'ok':6}{found.path}", soft_wrap=True, highlight=False)
            if difference:
                wrong.append(f"{found.path} is wrong: {difference}; delete it and download it again")
    if not found_here:
        console.print("no weight files on this computer")
    if wrong:
        raise ImpastoError(f"{wrong[0]}{f' (and {len(wrong) - 1} more)' if wrong[1:] else ''}")


@weights.command
def path(name: str) -> None:
    """Print where the weights of a loss network are.

    Parameters
    ----------
    name
        pocket, vgg16, vgg19 or squeezenet.
    """
    if (own := packaged(name)) is not None:
        print(own)
        return
    found = find(name)
    if found is None:
        usual = entries(name)[0]
        raise ImpastoError(
            f"the weights of {name} are not on this computer; "
            f"`impasto weights download {name}` gets them ({usual.source.size_text})"
        )
    print(found.path)


def output_console() -> Console:
    """For tables: as wide as the terminal, and wide enough for every path where a program reads it."""
    return Console(width=None if sys.stdout.isatty() else 300)


def _where(entry: WeightFile) -> str:
    for found in copies(entry):
        return str(found.path) if found.has_right_size else f"{found.path} (wrong size)"
    return "not here"

"""`impasto styles`."""

from __future__ import annotations

from rich.table import Table

from impasto import workflows
from impasto.cli.progress import console
from impasto.files import style_file


def styles() -> None:
    """List the bundled styles, and the paintings to train some from."""
    table = Table("style", "painting", "network", "trained with", box=None, pad_edge=False, header_style="bold")
    for name in workflows.styles():
        style = style_file.load(workflows.style_path(name))
        options = style.provenance.get("options", {})
        network = f"{style.network.body}, width {style.network.width}, {style.network.blocks} blocks"
        trained = f"{options.get('loss_network', '?')}, {style.provenance.get('iterations', '?')} iterations"
        table.add_row(name, str(style.provenance.get("painting", "?")), network, trained)
    console.print(table)
    console.print(f"\npaintings for `impasto train`: {', '.join(workflows.paintings())}")

"""The command line: one file a subcommand, each thin over `impasto.workflows`."""

from __future__ import annotations

import sys

from cyclopts import App
from rich.console import Console

import impasto
from impasto.errors import ImpastoError

app = App(name="impasto", help="Train a painting into a network, and repaint any photo with it.", version=impasto.__version__)

# Loaded only when called, so that `impasto stylize` does not wait for what training needs.
COMMANDS = ("data", "demo", "inspect", "styles", "stylize", "train", "weights")
for command in COMMANDS:
    app.command(f"impasto.cli.{command}:{command}", name=command)


def main() -> None:
    """Runs the command line; exit codes: 0 done, 2 bad input, 130 stopped by Ctrl-C."""
    error_console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        app(error_console=error_console, exit_on_error=True)
    except ImpastoError as error:
        error_console.print(f"impasto: {error}", style="bold red" if error_console.is_terminal else None)
        sys.exit(2)
    except KeyboardInterrupt:
        error_console.print("impasto: stopped")
        sys.exit(130)

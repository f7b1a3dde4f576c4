"""`impasto demo`."""

from __future__ import annotations

from pathlib import Path

from impasto import workflows
from impasto.cli.progress import console


def demo(out: Path = Path("impasto-demo"), /) -> None:
    """Repaint sample photos with the bundled styles, before and after side by side.

    Parameters
    ----------
    out
        Folder for the pictures.
    """
    for path in workflows.demo(out):
        console.print(str(path))
    console.print(f"\nOpen the pictures in {out}. Now a photo of yours:")
    console.print(f"  impasto stylize PHOTO --style {workflows.styles()[0]} --out painted.jpg")

"""`impasto demo`."""

from __future__ import annotations

from pathlib import Path

from impasto import workflows
from impasto.cli.progress import TrainingBar, console


def demo(out: Path = Path("impasto-demo"), /, *, minutes: float = 2.0) -> None:
    """Repaint sample photos with some of the bundled styles, then train a painting and repaint them with that.

    Parameters
    ----------
    out
        Folder for the pictures.
    minutes
        How long to train; 0 leaves the training out.
    """
    for path in workflows.demo(out):
        console.print(str(path))
    if minutes:
        console.print(f"\nNow a painting is trained into a style: {workflows.painting_path(workflows.DEMO_PAINTING)}")
        with TrainingBar() as bar:
            style = workflows.train_demo(out, minutes, on_progress=bar, announce=bar.announce)
        for path in workflows.demo(out, [style]):
            console.print(str(path))
    console.print(f"\nOpen the pictures in {out}. Now a photo and a painting of yours:")
    console.print(f"  impasto stylize PHOTO --style {workflows.DEMO_STYLES[0]} --out painted.jpg")
    console.print("  impasto train PAINTING")

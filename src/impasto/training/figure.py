"""progress.png: loss curves, a photo beside its stylized version, and how far the training is."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from impasto.training.clock import clock
from impasto.training.run_folder import to_pixels
from impasto.training.trainer import TrainProgress

CURVES = {"total_loss": "total loss", "content_loss": "content loss", "style_loss": "style loss"}
COLOURS = {"total_loss": "#1b1b1b", "content_loss": "#1f6f8b", "style_loss": "#c8553d"}
LARGEST_SHARE = 0.02
"""Share of the training time that drawing may take; redraws that would exceed it wait."""
SMOOTHING = 0.95


class ProgressFigure:
    """The figure of the source example: three curves, two pictures, one line of text.

    The parts are drawn once and only changed later.
    """

    def __init__(self, history: Sequence[dict[str, float]] = (), window: bool = False) -> None:
        """`history` holds the losses so far; `window` also shows the figure in a window, where one can be opened."""
        self.history = list(history)
        self._figure, self._pyplot = _new_figure(window)
        self._cost = 0.0
        self._drawn_at = -float("inf")
        self._build()

    @property
    def has_window(self) -> bool:
        return self._pyplot is not None

    def _build(self) -> None:
        grid = self._figure.add_gridspec(3, 2, width_ratios=(1.1, 1))
        self._lines, self._smooth, self._axes = {}, {}, {}
        for row, (name, label) in enumerate(CURVES.items()):
            axes = self._figure.add_subplot(grid[row, 0])
            axes.set_yscale("log")
            axes.set_ylabel(label)
            axes.grid(True, which="major", alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            (self._lines[name],) = axes.plot([], [], color=COLOURS[name], alpha=0.3, linewidth=0.8)
            (self._smooth[name],) = axes.plot([], [], color=COLOURS[name], linewidth=1.6)
            self._axes[name] = axes
        self._axes["style_loss"].set_xlabel("iteration")
        inner = grid[:, 1].subgridspec(2, 1)
        self._pictures: list[Any] = []
        self._picture_axes = [self._figure.add_subplot(inner[i, 0]) for i in range(2)]
        for axes, title in zip(self._picture_axes, ("photo", "stylized"), strict=True):
            axes.set_title(title, fontsize=10)
            axes.axis("off")

    def add(self, entry: dict[str, float]) -> None:
        self.history.append(entry)

    def due(self) -> bool:
        """Whether a redraw now keeps drawing below its share of the time."""
        return time.monotonic() - self._drawn_at >= self._cost / LARGEST_SHARE

    def draw(self, progress: TrainProgress) -> bytes:
        """The figure as PNG."""
        started = time.monotonic()
        self._draw_curves()
        pictures = [to_pixels(progress.photo), to_pixels(progress.stylized)]
        if not self._pictures:
            self._pictures = [a.imshow(p) for a, p in zip(self._picture_axes, pictures, strict=True)]
        for image, pixels in zip(self._pictures, pictures, strict=True):
            image.set_data(pixels)
        self._figure.suptitle(describe(progress), fontsize=11)
        buffer = io.BytesIO()
        self._figure.savefig(buffer, format="png")
        # A layout computed once is good for all: labels hardly change their width.
        self._figure.set_layout_engine("none")
        if self._pyplot is not None:
            self._pyplot.show(block=False)
            self._figure.canvas.draw()
            self._figure.canvas.flush_events()
        self._drawn_at = time.monotonic()
        self._cost = self._drawn_at - started
        return buffer.getvalue()

    def _draw_curves(self) -> None:
        iterations = [entry["iteration"] for entry in self.history]
        for name, axes in self._axes.items():
            values = [entry[name] for entry in self.history]
            self._lines[name].set_data(iterations, values)
            self._smooth[name].set_data(iterations, smoothed(values))
            axes.relim()
            axes.autoscale_view()


def smoothed(values: Sequence[float], decay: float = SMOOTHING) -> list[float]:
    """The moving average of `values` with weights that fall by `decay`, without a bias at the start."""
    result, total, weight = [], 0.0, 0.0
    for value in values:
        total, weight = decay * total + value, decay * weight + 1
        result.append(total / weight)
    return result


def describe(progress: TrainProgress) -> str:
    epoch = f"epoch {progress.epoch} of {progress.epochs}   " if progress.epochs else ""
    return (
        f"{epoch}iteration {progress.iteration} of {progress.iterations}   "
        f"elapsed {clock(progress.elapsed)}   {100 * progress.done:.0f} %"
    )


def _new_figure(window: bool) -> tuple[Any, Any]:
    """A figure, and pyplot if the figure has a window: there must be a display and a GUI toolkit."""
    size: dict[str, Any] = {"figsize": (11, 6), "dpi": 90, "layout": "constrained"}
    if window and has_display():
        from matplotlib import pyplot

        figure = pyplot.figure("impasto", **size)
        if figure.canvas.required_interactive_framework is not None:
            return figure, pyplot
        pyplot.close(figure)
    from matplotlib.figure import Figure

    return Figure(**size), None


def has_display() -> bool:
    """Whether a window can be opened here."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

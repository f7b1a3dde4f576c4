"""A drawing of a network: an hourglass of boxes from the photo down to the stylized image."""

from __future__ import annotations

import importlib.util
import os
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.files import atomic
from impasto.inspection.boxes import boxes_of
from impasto.inspection.layers import Inspection
from impasto.inspection.layout import (
    JOIN_RADIUS,
    MIDDLE,
    PAGE_WIDTH,
    TOP,
    Arc,
    Layout,
    Panel,
    Placed,
    lay_out,
)
from impasto.inspection.lettering import fitting_title, line_width, shortened

SUFFIXES = (".svg", ".png")
DOTS_PER_INCH = 160
LARGEST_SIDE = 1 << 15
MARGIN = 0.6
LEGEND_HEIGHT = 1.4
LEGEND_SIGN = 0.3
OUTPUT_COLUMN = 8.85
RIGHT = PAGE_WIDTH - MARGIN

PAPER, GROUND, INK, FAINT, RULE = "#fbf8f2", "#f5eee1", "#26262e", "#77736b", "#d9d2c4"
# Named after paints, all dark enough for white words.
COLOURS = {
    "photo": INK,
    "conv": "#35608f",  # ultramarine
    "down": "#1d766e",  # viridian
    "residual": "#a5601a",  # sienna
    "up": "#9c3848",  # madder
    "step": "#6b675f",
    "output": INK,
}
MEANINGS = {
    "photo": "photo, stylized image",
    "conv": "convolution",
    "down": "downsampling",
    "residual": "residual convolution",
    "up": "upsampling",
    "step": "other step",
    "join": "skip connection",
}
# Spaces that do not break: a viewer of SVG makes one of several usual ones, and none at a line's start.
DOT, ARROW = "\u00a0\u00a0·\u00a0\u00a0", "\u00a0\u00a0→\u00a0\u00a0"
HINT = "Wider: a larger picture. Higher: more channels. Outputs are channels × height × width."


def check_graph_target(target: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Raises ImpastoError when `target` is no .svg or .png, or exists and must not be replaced, or cannot be drawn."""
    path = Path(target)
    if path.suffix.lower() not in SUFFIXES:
        raise ImpastoError(f"cannot draw a graph as {path.name}; its suffix must be one of {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise ImpastoError(f"cannot write the graph {path}: it is a folder; name a file")
    if path.exists() and not overwrite:
        raise ImpastoError(f"will not overwrite {path}: it exists already; name another file, or add --overwrite")
    if importlib.util.find_spec("matplotlib") is None:
        raise ImpastoError("drawing a graph needs matplotlib: pip install 'impasto[train]'")


def draw_graph(inspection: Inspection, target: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Draws the network into `target`, as SVG or PNG by its suffix, and returns its path.

    Raises:
        ImpastoError: as for :func:`check_graph_target`, or the file cannot be written.
    """
    check_graph_target(target, overwrite)
    import matplotlib

    path = Path(target)
    layout = lay_out(boxes_of(inspection.layers))
    # Words stay words, so that they can be searched and copied; a salt and no date make equal files of equal networks.
    settings = {"svg.fonttype": "none", "svg.hashsalt": "impasto", "font.family": "sans-serif"}
    with matplotlib.rc_context(settings), warnings.catch_warnings(), atomic.replacing(path) as temporary:
        # A style's name may hold letters that the font lacks: they become squares in a PNG, and are right in an SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        drawing = _Drawing(layout)
        drawing.title(inspection)
        drawing.flow()
        drawing.legend()
        drawing.save(temporary)
    return path


class _Drawing:
    """A page whose unit is the inch and whose y axis points down."""

    def __init__(self, layout: Layout) -> None:
        from matplotlib.figure import Figure

        self.layout = layout
        self.height = layout.bottom + LEGEND_HEIGHT
        self.figure: Any = Figure(figsize=(PAGE_WIDTH, self.height), facecolor=PAPER)
        self.axes: Any = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, PAGE_WIDTH)
        self.axes.set_ylim(self.height, 0)

    def save(self, path: Path) -> None:
        dpi = min(DOTS_PER_INCH, int(LARGEST_SIDE / self.height))
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        self.figure.savefig(path, dpi=dpi, metadata=metadata, facecolor=PAPER)

    def title(self, inspection: Inspection) -> None:
        self.text(MARGIN, 0.62, "IMAGE TRANSFORMER NETWORK", 8.5, weight="bold", color=COLOURS["up"])
        name, size = fitting_title(inspection.style.names, RIGHT - MARGIN)
        self.text(MARGIN, 0.98, name, size, weight="bold")
        total = f"{inspection.parameters:,} parameters"
        self.text(MARGIN, 1.38, total, 10.5, weight="bold")
        self.text(MARGIN + line_width(total, 10.5, "bold"), 1.38, _cost(inspection), 10.5, color=FAINT)
        heads = {MARGIN: ("layer", "left"), OUTPUT_COLUMN: ("output", "right"), RIGHT: ("parameters", "right")}
        for x, (head, side) in heads.items():
            self.text(x, TOP - 0.27, head, 8, color=FAINT, ha=side)
        self.line([MARGIN, RIGHT], [TOP - 0.14, TOP - 0.14], RULE, 0.8)

    def flow(self) -> None:
        boxes = self.layout.boxes
        for panel in self.layout.panels:
            self.panel(panel)
        for upper, lower in pairwise(boxes):
            self.funnel(upper, lower)
        for arc in self.layout.arcs:
            self.arc(arc)
        for upper, lower in pairwise(boxes):
            if upper in self._feeding(lower):
                self.arrow((MIDDLE, upper.bottom), (MIDDLE, lower.top))
        for placed in boxes:
            self.join(placed) if placed.role == "join" else self.box(placed)
            self.numbers(placed)

    def _feeding(self, placed: Placed) -> list[Placed]:
        return [self.layout.boxes[number] for number in placed.box.inputs]

    def panel(self, panel: Panel) -> None:
        self.rounded(panel.left, panel.top, panel.width, panel.bottom - panel.top, GROUND, radius=0.12)
        words = panel.label.rsplit(" ", 2)
        label = "\n".join([" ".join(words[:-2]), " ".join(words[-2:])]) if len(words) > 2 else panel.label
        self.text(
            panel.left + panel.width - 0.14,
            (panel.top + panel.bottom) / 2,
            label,
            8,
            color=COLOURS["residual"],
            ha="right",
            linespacing=1.35,
        )

    def funnel(self, upper: Placed, lower: Placed) -> None:
        """What makes the boxes one hourglass."""
        from matplotlib.patches import Polygon

        # A plus is smaller than its picture: its sides are those of the picture.
        top = upper.centre if upper.role == "join" else upper.bottom - 0.05
        bottom = lower.centre if lower.role == "join" else lower.top + 0.05
        corners = [(upper.left, top), (upper.left + upper.width, top)]
        corners += [(lower.left + lower.width, bottom), (lower.left, bottom)]
        self.axes.add_patch(Polygon(corners, facecolor="#cfc4ae", alpha=0.35, linewidth=0))

    def arc(self, arc: Arc) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve

        out = arc.left - arc.swing / 0.75  # a cubic reaches three quarters of the way to its control points
        end = MIDDLE - JOIN_RADIUS - 0.02
        points = [(MIDDLE, arc.top), (arc.left, arc.top), (out, arc.top), (out, arc.bottom), (arc.left, arc.bottom)]
        codes = [Curve.MOVETO, Curve.LINETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]
        curve = Curve(points, codes)
        self.axes.add_patch(PathPatch(curve, fill=False, edgecolor=COLOURS["residual"], linewidth=1.5))
        self.arrow((arc.left, arc.bottom), (end, arc.bottom), COLOURS["residual"], 1.5)
        self.axes.plot([MIDDLE], [arc.top], "o", color=COLOURS["residual"], markersize=3.6)

    def box(self, placed: Placed) -> None:
        self.rounded(placed.left, placed.top, placed.width, placed.height, COLOURS[placed.role])
        main, rest = _words(placed)
        size = 9.0
        gap = 0.14 if rest else 0.0
        while line_width(main, size, "bold") + gap + line_width(rest, size - 0.5) > placed.width - 0.2 and size > 5:
            size -= 0.25
        widths = line_width(main, size, "bold") + gap, line_width(rest, size - 0.5)
        x = MIDDLE - sum(widths) / 2
        self.text(x, placed.centre, main, size, weight="bold", color="white")
        self.text(x + widths[0], placed.centre, rest, size - 0.5, color="white")

    def join(self, placed: Placed) -> None:
        what = placed.box.label[0]
        self.plus(MIDDLE, placed.centre, JOIN_RADIUS, crossed=what == "residual add")
        if what != "residual add":
            self.text(MIDDLE + 1.6 * JOIN_RADIUS, placed.centre, what, 8, color=COLOURS["residual"])

    def plus(self, x: float, y: float, radius: float, crossed: bool = True) -> None:
        from matplotlib.patches import Circle

        colour, width = COLOURS["residual"], 12 * radius
        self.axes.add_patch(Circle((x, y), radius, facecolor=PAPER, edgecolor=colour, linewidth=width, zorder=3))
        if crossed:
            self.line([x - radius / 2, x + radius / 2], [y, y], colour, width, zorder=4)
            self.line([x, x], [y - radius / 2, y + radius / 2], colour, width, zorder=4)

    def numbers(self, placed: Placed) -> None:
        """A box's line in the three columns."""
        join = placed.role == "join"
        colour = FAINT if join else INK
        name = shortened(placed.box.name, 8, placed.left - MARGIN - 0.2)
        self.text(MARGIN, placed.centre, name, 8, color=FAINT, family="monospace")
        shape = " × ".join(map(str, placed.box.output))
        self.text(OUTPUT_COLUMN, placed.centre, shape, 8.5, color=colour, ha="right")
        count = f"{placed.box.parameters:,}" if placed.box.parameters else "–"
        self.text(RIGHT, placed.centre, count, 8.5, color=colour if placed.box.parameters else RULE, ha="right")

    def legend(self) -> None:
        """The colours that occur, in one line."""
        roles = {placed.role for placed in self.layout.boxes} - {"output"}
        meanings = {role: meaning for role, meaning in MEANINGS.items() if role in roles}
        widths = {role: LEGEND_SIGN + line_width(meaning, 8) for role, meaning in meanings.items()}
        gap = min(0.32, (RIGHT - MARGIN - sum(widths.values())) / max(1, len(widths) - 1))
        x, y = MARGIN, self.layout.bottom + 0.5
        self.line([MARGIN, RIGHT], [y - 0.2] * 2, RULE, 0.8)
        for role, meaning in meanings.items():
            if role == "join":
                self.plus(x + 0.13, y, 0.08)
            else:
                self.rounded(x, y - 0.06, 0.22, 0.12, COLOURS[role], radius=0.03)
            self.text(x + LEGEND_SIGN, y, meaning, 8)
            x += widths[role] + gap
        self.text(MARGIN, y + 0.28, HINT, 8, color=FAINT)

    def rounded(self, x: float, y: float, width: float, height: float, colour: str, radius: float = 0.06) -> None:
        from matplotlib.patches import FancyBboxPatch

        style = f"round,pad=0,rounding_size={radius}"
        self.axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=colour, linewidth=0))

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], colour: str = INK, width: float = 1.0
    ) -> None:
        from matplotlib.patches import FancyArrowPatch

        style = "-|>,head_length=3.2,head_width=2"
        patch = FancyArrowPatch(
            start, end, arrowstyle=style, color=colour, linewidth=width, shrinkA=0, shrinkB=0, mutation_scale=1
        )
        self.axes.add_patch(patch)

    def line(self, x: list[float], y: list[float], colour: str, width: float, zorder: float = 2) -> None:
        self.axes.plot(x, y, color=colour, linewidth=width, zorder=zorder)

    def text(self, x: float, y: float, words: str, size: float, **look: Any) -> None:
        look = {"color": INK, "ha": "left", "va": "center_baseline", **look}
        # A name may hold a dollar sign, which is no formula.
        self.axes.text(x, y, words, fontsize=size, parse_math=False, **look)


def _cost(inspection: Inspection) -> str:
    styles, size = len(inspection.style.names), inspection.size
    parts = [f"{styles} styles"] if styles > 1 else []
    parts += [
        f"{inspection.macs / 1e9:,.2f} GMAC at {size} × {size}",
        f"{inspection.macs_per_pixel / 1e3:,.1f} k MAC per pixel",
    ]
    return DOT.join(["", *parts])


def _words(placed: Placed) -> tuple[str, str]:
    """A box's words: in bold up to its convolution, then the rest."""
    label = list(placed.box.label)
    if placed.role in ("photo", "output"):
        steps = label[1:] if placed.role == "photo" else label
        return {"photo": "photo", "output": "stylized image"}[placed.role], DOT.join(steps)
    main = next((i for i, step in enumerate(label) if "conv" in step), 0)
    return ARROW.join(label[: main + 1]), DOT.join(label[main + 1 :])

"""What an evaluation found, as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from impasto.evaluation.report import STYLE_WEIGHTS, Report, Row, SizeResult

if TYPE_CHECKING:
    from impasto.evaluation.steadiness import Steadiness

LAMBDAS = tuple(f"λ {weight:g}" for weight in STYLE_WEIGHTS)
COLUMNS = ("worth", "content", "style", *LAMBDAS, "SSIM", "TV", "grain", "s")
LEGEND = (
    "worth: the steps of optimization from scratch that reach the same objective, content + λ·style, of the last "
    "two the larger. Grain: 4 is a checkerboard of pixels; what lies above the painting's own is not the painter's."
)


def tables(report: Report) -> Iterator[Table]:
    """A table for each size."""
    for result in report.results:
        yield _table(report, result)


def steadiness_table(found: Sequence[Steadiness]) -> Table:
    """A row for each style."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", min_width=14)
    for column in (*found[0].errors, "mean"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in found:
        table.add_row(one.name, *(f"{100 * error:.2f} %" for error in (*one.errors.values(), one.mean)))
    return table


def _table(report: Report, result: SizeResult) -> Table:
    size, photos = result.baseline.size, len(report.photos)
    title = f"{photos} photo{'' if photos == 1 else 's'} at {size}×{size}, judged by {report.judge}"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, collapse_padding=True)
    table.add_column("", overflow="ellipsis", min_width=8)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in result.styles:
        table.add_row(row.name, result.worth_text(row), *_numbers(row), style="bold")
    table.add_section()
    table.add_row("photo", "", *_numbers(result.baseline.photo)[:-1], "")
    for row in result.baseline.optimized.values():
        table.add_row(row.name, "", *_numbers(row))
    table.add_row("painting", *[""] * 7, f"{result.painting_checkerboard:.2f}", "")
    return table


def _numbers(row: Row) -> list[str]:
    found = [f"{row.content:.3f}", f"{row.style:.4f}", *(f"{value:.2f}" for value in row.objectives)]
    seconds = f"{row.seconds:.2f}" if row.seconds < 10 else f"{row.seconds:.0f}"
    return [*found, f"{row.ssim:.2f}", f"{row.total_variation:.4f}", f"{row.checkerboard:.2f}", seconds]

"""What the judge found, as the table that the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.evaluation.report import Report, Row

COLUMNS = ("", "worth", "content", "style", "likeness", "grain", "seconds")


def table_of(report: Report, title: str) -> dict[str, Any]:
    """The headline, columns and rows of a report on one style at one size."""
    result = report.results[0]
    style = result.styles[0]
    worth = result.worth_text(style)
    painting = ["the painting itself", "", "", "", "", f"{result.painting_checkerboard:.2f}", ""]
    optimized = [_row(row.name, "", row) for row in result.baseline.optimized.values()]
    photos = "1 photo" if len(report.photos) == 1 else f"{len(report.photos)} photos"
    return {
        "headline": f"{title} is worth {worth.replace('>', 'more than ')} steps of optimization, in one pass.",
        "columns": list(COLUMNS),
        "rows": [_row(title, worth, style), *optimized, painting],
        "judge": (
            f"The judge was {report.judge}, {report.reason}; {photos} of {result.baseline.size}×{result.baseline.size} "
            "pixels. Content: how far the picture is from the photo; style: how far from the painting; both better "
            "when small. Grain above the painting's own is not the painter's."
        ),
    }


def _row(name: str, worth: str, row: Row) -> list[str]:
    numbers = (f"{row.content:.3f}", f"{row.style:.4f}", f"{row.ssim:.2f}", f"{row.checkerboard:.2f}")
    return [name, worth, *numbers, f"{row.seconds:.2f}" if row.seconds < 10 else f"{row.seconds:.0f}"]

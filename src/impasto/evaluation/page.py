"""report.html: a page that needs nothing but the pictures beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from html import escape
from importlib import resources

from impasto.evaluation.curve import COLOURS, Level, svg
from impasto.evaluation.names import PAINTING, SHOWN, picture_name, steps_picture, style_picture
from impasto.evaluation.report import STYLE_WEIGHTS, Report, Row, SizeResult

HEADINGS = {
    "Worth": "steps of optimization that reach the same objective, the larger of both λ",
    "Content": "distance to the photo's content, relative",
    "Style": "distance to the painting's Gram matrices, relative",
    **{f"λ = {weight:g}": f"the objective content + {weight:g} · style" for weight in STYLE_WEIGHTS},
    "SSIM": "structural similarity to the photo",
    "TV": "total variation",
    "Grain": "second differences over first ones: 0 smooth, 3 noise, 4 a checkerboard of pixels",
    "Seconds": "per image",
}


def html(report: Report, pictures: Collection[str]) -> str:
    """The page; `pictures` are the files beside it that it may show."""
    names = ", ".join(row.name for row in report.results[0].styles)
    css = resources.files("impasto.evaluation").joinpath("page.css").read_text("utf-8")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(names)}: evaluation</title>",
        f"<style>{css}</style></head><body><main>",
        *_header(report, pictures),
        *(part for result in report.results for part in _section(report, result, pictures)),
        *_notes(report),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _header(report: Report, pictures: Collection[str]) -> Iterator[str]:
    result = report.results[0]
    several = ' class="several"' if len(result.styles) > 1 else ""
    yield f'<header{several}><div><p class="eyebrow">Evaluation of styles</p>'
    for number, row in enumerate(result.styles):
        yield f"<h1{_colour(number)}>{escape(row.name)} <span>is worth {_worth(result, row)}</span></h1>"
    yield f'<p class="lead">{escape(_lead(report))}</p></div>'
    if PAINTING in pictures:
        yield f'<figure class="painting"><img src="{PAINTING}" alt="The painting">'
        yield f"<figcaption>{escape(report.painting)}</figcaption></figure>"
    yield "</header>"


def _lead(report: Report) -> str:
    result = report.results[0]
    last = result.baseline.optimized[report.subject.steps]
    size = result.baseline.size
    passes = " to ".join(dict.fromkeys(f"{pick(row.seconds for row in result.styles):.2g}" for pick in (min, max)))
    return (
        f"of optimization from scratch, on {_count(len(report.photos), 'photo')} at {size} × {size} pixels. "
        f"A pass of the network took {passes} seconds here, {report.subject.steps} steps {last.seconds:.0f}. "
        f"Judge: {report.judge}, {report.reason}."
    )


def _section(report: Report, result: SizeResult, pictures: Collection[str]) -> Iterator[str]:
    size = result.baseline.size
    yield f"<section><h2>{size} × {size} pixels</h2>"
    yield '<div class="charts">'
    for index, weight in enumerate(STYLE_WEIGHTS):
        yield f"<figure><figcaption>content + {weight:g} · style</figcaption>{_chart(result, index)}</figure>"
    yield "</div>"
    yield from _table(result)
    yield from _gallery(report, result, pictures)
    yield "</section>"


def _chart(result: SizeResult, index: int) -> str:
    levels = [Level(row.name, row.objectives[index], result.worths(row)[index]) for row in result.styles]
    return svg(result.baseline.means[index], levels, f"The objective with λ = {STYLE_WEIGHTS[index]:g}, step by step")


def _table(result: SizeResult) -> Iterator[str]:
    heads = "".join(f'<th scope="col" title="{escape(why)}">{escape(name)}</th>' for name, why in HEADINGS.items())
    yield f'<div class="scroll"><table><thead><tr><td></td>{heads}</tr></thead><tbody class="styles">'
    for number, row in enumerate(result.styles):
        yield _table_row(row, result.worth_text(row), _colour(number))
    yield "</tbody><tbody>"
    yield _table_row(result.baseline.photo, "", seconds=False)
    for row in result.baseline.optimized.values():
        yield _table_row(row)
    empty, grain = "<td></td>" * (len(HEADINGS) - 2), f"{result.painting_checkerboard:.2f}"
    yield f'<tr><th scope="row">painting</th>{empty}<td>{grain}</td><td></td></tr></tbody></table></div>'


def _table_row(row: Row, worth: str = "", attributes: str = "", *, seconds: bool = True) -> str:
    numbers = [
        escape(worth),
        f"{row.content:.3f}",
        f"{row.style:.4f}",
        *(f"{value:.2f}" for value in row.objectives),
        f"{row.ssim:.2f}",
        f"{row.total_variation:.4f}",
        f"{row.checkerboard:.2f}",
        f"{row.seconds:.2f}" if seconds else "",
    ]
    cells = "".join(f"<td>{number}</td>" for number in numbers)
    return f'<tr{attributes}><th scope="row">{escape(row.name)}</th>{cells}</tr>'


def _gallery(report: Report, result: SizeResult, pictures: Collection[str]) -> Iterator[str]:
    columns = {"photo": "photo", **{style_picture(i): row.name for i, row in enumerate(result.styles)}}
    columns |= {steps_picture(step): row.name for step, row in result.baseline.optimized.items() if step in SHOWN}
    columns[steps_picture(report.subject.steps)] = result.baseline.optimized[report.subject.steps].name
    for number, photo in enumerate(report.photos):
        files = {picture_name(result.baseline.size, number, what): label for what, label in columns.items()}
        shown = {name: label for name, label in files.items() if name in pictures}
        if shown:
            yield f'<div class="strip" aria-label="{escape(photo)}">'
            yield from (_picture(name, label, result.baseline.size) for name, label in shown.items())
            yield "</div>"


def _picture(name: str, label: str, size: int) -> str:
    label = escape(label)
    image = f'<img src="{name}" alt="{label}" width="{size}" height="{size}" loading="lazy">'
    return f'<figure><a href="{name}">{image}</a><figcaption>{label}</figcaption></figure>'


def _notes(report: Report) -> Iterator[str]:
    yield "<footer><h2>How this was measured</h2>"
    yield (
        "<p>Photos are cropped to their centre square, the painting keeps its shape; both are resized, the painting by "
        "its short side. The judge sees everything enlarged 1.5 times. Content is ‖φ(Y) − φ(X)‖² / ‖φ(X)‖² at its "
        "content layer, style the mean over its style layers of ‖G(Y) − G(S)‖² / ‖G(S)‖² with Gram matrices G. "
        f"The optimization is L-BFGS on the pixels, from the photo on, one photo at a time; its pictures and all "
        f"columns but the objectives are those of λ = {STYLE_WEIGHTS[0]:g}.</p>"
        "<p>After Johnson, Alahi, Fei-Fei (ECCV 2016, section 4.1), who compare with Gatys, Ecker, Bethge "
        "(CVPR 2016).</p>"
    )
    if report.broken:
        problems = "".join(f"<li>{escape(problem)}</li>" for problem in report.broken.values())
        yield f"<p>Left out:</p><ul>{problems}</ul>"
    yield f"<p>impasto {escape(report.version)}</p></footer>"


def _worth(result: SizeResult, row: Row) -> str:
    steps = result.worth(row)
    made = len(result.baseline.curves[0][0]) - 1
    return f"more than {made} steps" if steps is None else _count(steps, "step")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _colour(number: int) -> str:
    return f' class="s{number % COLOURS + 1}"'

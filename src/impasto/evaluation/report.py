"""What an evaluation found, as values and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impasto.errors import ImpastoError
from impasto.evaluation.optimization import worth
from impasto.version import __version__

FORMAT = 1
STYLE_WEIGHTS = (10.0, 30.0)
"""The λ of the two objectives: which one is right is taste, so a style has to do well at both."""


@dataclass(frozen=True)
class Row:
    """One way to stylize: means over the photos."""

    name: str
    content: float
    style: float
    """The two parts of the objective."""
    objectives: tuple[float, ...]
    """One for each of :data:`STYLE_WEIGHTS`."""
    ssim: float
    """Structural similarity to the photo."""
    total_variation: float
    checkerboard: float
    seconds: float
    """Per image."""


@dataclass(frozen=True)
class Baseline:
    """Optimization from scratch at one size: what styles are measured by."""

    size: int
    curves: tuple[tuple[tuple[float, ...], ...], ...]
    """The best objective by style weight, photo and step, step 0 being the photo itself."""
    photo: Row
    """The photos themselves."""
    optimized: Mapping[int, Row]
    """After so many steps; all but `objectives` with the first of :data:`STYLE_WEIGHTS`."""

    @property
    def means(self) -> list[list[float]]:
        """The curves' means over the photos, one for each style weight."""
        return [np.mean(curves, axis=0).tolist() for curves in self.curves]


@dataclass(frozen=True)
class SizeResult:
    """What was found at one size."""

    baseline: Baseline
    painting_checkerboard: float
    styles: tuple[Row, ...]

    def worths(self, row: Row) -> list[int | None]:
        """The optimization steps that `row` is worth, one for each style weight; None for more than were made."""
        return [worth(curve, value) for curve, value in zip(self.baseline.means, row.objectives, strict=True)]

    def worth(self, row: Row) -> int | None:
        """The larger of :meth:`worths`, which is the one to quote."""
        found = [steps for steps in self.worths(row) if steps is not None]
        return max(found) if len(found) == len(row.objectives) else None

    def worth_text(self, row: Row) -> str:
        """:meth:`worth` in a word: 27, or >300."""
        steps = self.worth(row)
        return f">{len(self.baseline.curves[0][0]) - 1}" if steps is None else str(steps)


@dataclass(frozen=True)
class Subject:
    """What was compared: a report fits another one where these are equal."""

    painting: str
    photos: tuple[str, ...]
    judge: str
    """SHA-256 of each, of the judge's weights."""
    steps: int


@dataclass(frozen=True)
class Report:
    """An evaluation of styles that repaint like one painting."""

    subject: Subject
    painting: str
    photos: tuple[str, ...]
    """File names."""
    judge: str
    """The loss network's name."""
    reason: str
    """Why it judges."""
    results: tuple[SizeResult, ...]
    """One a size."""
    broken: Mapping[str, str]
    """Photos that could not be read, and why."""
    version: str = __version__

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)})

    def baselines(self, wanted: Subject, sizes: Sequence[int], where: str) -> dict[int, Baseline]:
        """The baselines of `sizes`. Raises ImpastoError where this report, read from `where`, is about other things."""
        words = {
            "painting": "another painting",
            "photos": "other photos",
            "judge": "another judge",
            "steps": f"{self.subject.steps} steps",
        }
        for name, other in words.items():
            if getattr(self.subject, name) != getattr(wanted, name):
                raise ImpastoError(f"--reuse {where} was made with {other}; leave --reuse out, or evaluate as it did")
        found = {result.baseline.size: result.baseline for result in self.results}
        missing = [size for size in sizes if size not in found]
        if missing:
            here = ", ".join(map(str, found))
            raise ImpastoError(f"--reuse {where} has the sizes {here} and not {missing[0]}; leave --reuse out")
        return {size: found[size] for size in sizes}


def read_report(path: Path) -> Report:
    """The report in a JSON file. Raises ImpastoError for a file that is missing, or no report of this version."""
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["format"] != FORMAT:
            raise ImpastoError(f"{path} is a report of version {values['format']}, and this impasto reads {FORMAT}")
        del values["format"]
        subject = values.pop("subject")
        return Report(
            Subject(**{**subject, "photos": tuple(subject["photos"])}),
            results=tuple(_result(result) for result in values.pop("results")),
            photos=tuple(values.pop("photos")),
            **values,
        )
    except OSError as error:
        raise ImpastoError(f"cannot read the report {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImpastoError(f"{path} is no report of `impasto evaluate`: {error}") from error


def _result(values: dict[str, Any]) -> SizeResult:
    baseline = values["baseline"]
    curves = tuple(tuple(tuple(map(float, curve)) for curve in curves) for curves in baseline["curves"])
    optimized = {int(steps): _row(row) for steps, row in baseline["optimized"].items()}
    return SizeResult(
        Baseline(int(baseline["size"]), curves, _row(baseline["photo"]), optimized),
        float(values["painting_checkerboard"]),
        tuple(_row(row) for row in values["styles"]),
    )


def _row(values: dict[str, Any]) -> Row:
    return Row(**{**values, "objectives": tuple(values["objectives"])})

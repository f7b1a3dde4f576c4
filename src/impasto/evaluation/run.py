"""One evaluation: each photo optimized once and repainted by every style, all of it judged alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto.evaluation.cases import Case, Sample
from impasto.evaluation.kept import KeptPieces, Piece, key_of
from impasto.evaluation.meter import Meter, OnProgress
from impasto.evaluation.metrics import checkerboard
from impasto.evaluation.names import PAINTING, SHOWN, picture_name, steps_picture, style_picture
from impasto.evaluation.objective import Judge
from impasto.evaluation.optimization import Optimization, Step
from impasto.evaluation.options import EvaluateOptions
from impasto.evaluation.pictures import Photos, Source, to_pixels
from impasto.evaluation.report import STYLE_WEIGHTS, Baseline, Report, Row, SizeResult, Subject
from impasto.files.images.resizing import Pixels
from impasto.version import __version__

ALGORITHM = 1
"""To be raised with every change of the numbers that a photo gets: pieces that were kept before are computed anew."""
SNAPSHOTS = (1, 10, 25, 50, 100, 200, 300)
"""The steps of the optimization that get a row of their own."""
PAINTING_SIDE = 512
"""Short side in pixels of the painting's picture."""
PICTURED = 8
"""The most photos whose pictures are kept."""


@dataclass(frozen=True)
class Candidate:
    """A style to be evaluated."""

    name: str
    paint: Callable[[Tensor], Tensor]
    """From a photo (1, 3, H, W) in [0, 1] to its stylized image, likewise."""
    sha256: str
    """Of all that decides how it paints."""
    painting_sha256: str = ""
    """Of the painting that it was trained on; empty where nobody knows."""


@dataclass
class Evaluation:
    """What is to be evaluated, on what, by whom; run once."""

    candidates: Sequence[Candidate]
    painting: Source
    photos: Photos
    judge: Judge
    options: EvaluateOptions
    kept: KeptPieces = field(default_factory=KeptPieces)
    pictures: dict[str, Pixels] = field(default_factory=dict)
    """Filled by :meth:`run`, by file name."""
    _earlier: dict[int, Baseline] = field(default_factory=dict)
    _warm: set[tuple[str, int]] = field(default_factory=set)
    """The styles that have painted in this process, by SHA-256 and size."""

    @property
    def subject(self) -> Subject:
        photos = tuple(photo.sha256 for photo in self.photos.chosen)
        return Subject(self.painting.sha256, photos, self.judge.sha256, self.options.steps)

    def take(self, report: Report, where: str) -> None:
        """Takes the optimization of an earlier report, read from `where`. Raises ImpastoError where it does not fit."""
        self._earlier.update(report.baselines(self.subject, self.options.sizes, where))

    def made(self, report: Report) -> bool:
        """Whether `report` is about the same things, as far as it tells: of styles it has the names alone."""
        names, sizes = [candidate.name for candidate in self.candidates], [*self.options.sizes]
        return (
            report.subject == self.subject
            and [result.baseline.size for result in report.results] == sizes
            and all([row.name for row in result.styles] == names for result in report.results)
        )

    def remarks(self) -> Iterator[str]:
        """What a user should know before waiting."""
        for candidate in self.candidates:
            if candidate.painting_sha256 not in ("", self.painting.sha256):
                yield f"{candidate.name} was trained on another file than {self.painting.path}"
        for size in self.options.sizes:
            if small := self.photos.smaller_than(size):
                yield f"{small} of {len(self.photos.chosen)} photos are smaller than {size} pixels and are enlarged"

    @property
    def costs(self) -> dict[str, int]:
        """Of the pieces that this is made of, by key: objectives of one pixel, since time grows with the area."""
        found: dict[str, int] = {}
        for size in self.options.sizes:
            weights = () if size in self._earlier else STYLE_WEIGHTS
            for photo in range(len(self.photos.chosen)):
                found |= {self._optimized_key(size, photo, w): size**2 * (self.options.steps + 1) for w in weights}
                found |= {self._painted_key(size, photo, candidate): size**2 for candidate in self.candidates}
        return found

    def run(self, reason: str, on_progress: OnProgress | None = None) -> Report:
        """The report; `reason` says why this judge. `on_progress` hears of each step, and may raise to end it.

        What :attr:`kept` holds is not computed again, and every piece is put there as soon as it is finished.
        """
        self._costs = self.costs
        kept = sum(cost for key, cost in self._costs.items() if key in self.kept)
        self._meter = Meter(sum(self._costs.values()), kept, on_progress)
        self.pictures[PAINTING] = to_pixels(self.painting.short_side(PAINTING_SIDE))
        results = tuple(self._at_size(size) for size in self.options.sizes)
        names = tuple(photo.name for photo in self.photos.chosen)
        broken = dict(self.photos.broken)
        return Report(self.subject, self.painting.name, names, self.judge.name, reason, results, broken)

    def _at_size(self, size: int) -> SizeResult:
        painting = self.painting.short_side(size).to(self.judge.device)
        grams = self.judge.grams(painting)
        optimized: list[list[Piece]] = []
        painted: list[list[Piece]] = []
        # One case at a time: the features of all would not fit into the memory at large sizes.
        for number, source in enumerate(self.photos.chosen):
            case = Case(number, size, source, self.judge, grams)
            self._show(case, "photo", to_pixels(case.photo))
            if size not in self._earlier:
                optimized.append([self._optimized(case, weight) for weight in STYLE_WEIGHTS])
            painted.append([self._painted(case, style) for style in range(len(self.candidates))])
        rows = tuple(
            _mean(candidate.name, [piece.samples[0] for piece in pieces])
            for candidate, pieces in zip(self.candidates, zip(*painted, strict=True), strict=True)
        )
        return SizeResult(self._earlier.get(size) or _baseline(size, optimized), checkerboard(painting), rows)

    def _optimized(self, case: Case, weight: float) -> Piece:
        place = f"{self._place(case)}, λ {weight:g}"
        key = self._optimized_key(case.size, case.number, weight)
        piece = self._piece(key, place, lambda: self._optimize(case, weight, place))
        for what, pixels in piece.pictures.items():
            self._show(case, what, pixels)
        return piece

    def _painted(self, case: Case, style: int) -> Piece:
        candidate = self.candidates[style]
        key = self._painted_key(case.size, case.number, candidate)
        piece = self._piece(key, f"{candidate.name}: {self._place(case)}", lambda: self._paint(case, candidate))
        for pixels in piece.pictures.values():
            self._show(case, style_picture(style), pixels)
        return piece

    def _piece(self, key: str, what: str, make: Callable[[], Piece]) -> Piece:
        """The piece of that key, made unless it is kept."""
        if key not in self.kept:
            end = self._meter.done + self._costs[key]
            self.kept.add(key, make())
            # Only now, since whoever listens may raise; an optimization that found no way on has steps left.
            self._meter.add(end - self._meter.done, what)
        return self.kept[key]

    def _optimize(self, case: Case, weight: float, place: str) -> Piece:
        last = self.options.steps
        kept = (0, *(step for step in SNAPSHOTS if step < last), last)
        optimization = Optimization(case.objective, weight, case.photo, kept)

        def on_step(step: Step) -> None:
            if step.number < last:
                self._meter.add(case.size**2, f"{place}, {step.what}")

        optimization.run(last, on_step)
        curve = tuple(optimization.curve)
        if weight != STYLE_WEIGHTS[0]:
            return Piece({}, curve)
        taken = optimization.snapshots
        shown = [step for step in taken if step in SHOWN or step == last] if case.number < PICTURED else []
        samples = {step: case.sample(snapshot.image, snapshot.seconds) for step, snapshot in taken.items()}
        return Piece(samples, curve, {steps_picture(step): to_pixels(taken[step].image) for step in shown})

    def _paint(self, case: Case, candidate: Candidate) -> Piece:
        # OpenVINO's first pass at a size is slower and differs in its last bits, wherever an evaluation goes on.
        if (candidate.sha256, case.size) not in self._warm:
            candidate.paint(case.photo)
            self._warm.add((candidate.sha256, case.size))
        started = time.perf_counter()
        image = candidate.paint(case.photo)
        sample = case.sample(image, time.perf_counter() - started)
        return Piece({0: sample}, pictures={"style": to_pixels(image)} if case.number < PICTURED else {})

    def _optimized_key(self, size: int, photo: int, weight: float) -> str:
        measured = (SNAPSHOTS, SHOWN) if weight == STYLE_WEIGHTS[0] else ()
        return self._key(size, photo, steps=self.options.steps, style_weight=weight, measured=measured)

    def _painted_key(self, size: int, photo: int, candidate: Candidate) -> str:
        return self._key(size, photo, style=candidate.sha256)

    def _key(self, size: int, photo: int, **depends: object) -> str:
        return key_of(
            algorithm=(ALGORITHM, __version__, torch.__version__, self.judge.device.type),
            painting=self.painting.sha256,
            photo=self.photos.chosen[photo].sha256,
            judge=(self.judge.sha256, self.judge.enlargement),
            size=size,
            pictured=photo < PICTURED,
            **depends,
        )

    def _place(self, case: Case) -> str:
        return f"photo {case.number + 1} of {len(self.photos.chosen)} at {case.size} pixels"

    def _show(self, case: Case, what: str, pixels: Pixels) -> None:
        if case.number < PICTURED:
            self.pictures[picture_name(case.size, case.number, what)] = pixels


def labels(styles: Sequence[str]) -> list[str]:
    """Short names of styles: those of the files, or all that was given where two would be called alike."""
    stems = [Path(style).stem for style in styles]
    return stems if len(set(stems)) == len(stems) else list(styles)


def _baseline(size: int, optimized: Sequence[Sequence[Piece]]) -> Baseline:
    """From the pieces of each photo, one for each style weight."""
    curves = tuple(tuple(piece.curve for piece in pieces) for pieces in zip(*optimized, strict=True))
    rows = {}
    for step in optimized[0][0].samples:
        row = _mean("photo" if step == 0 else _steps(step), [first.samples[step] for first, *_ in optimized])
        objectives = tuple(float(np.mean([curve[step] for curve in found])) for found in curves)
        rows[step] = replace(row, objectives=objectives)
    return Baseline(size, curves, rows.pop(0), rows)


def _steps(step: int) -> str:
    return f"{step} step" if step == 1 else f"{step} steps"


def _mean(name: str, samples: Sequence[Sample]) -> Row:
    mean = Sample(*np.mean(samples, axis=0).tolist())
    objectives = tuple(mean.content + weight * mean.style for weight in STYLE_WEIGHTS)
    # One pause of the machine would spoil a mean of times.
    mean = mean._replace(seconds=float(np.median([sample.seconds for sample in samples])))
    return Row(name, objectives=objectives, **mean._asdict())

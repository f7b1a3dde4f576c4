"""One evaluation: the photos optimized once, then repainted by every style, all of it judged alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from impasto.core.losses import total_variation
from impasto.evaluation.metrics import checkerboard, ssim
from impasto.evaluation.names import PAINTING, SHOWN, picture_name, steps_picture, style_picture
from impasto.evaluation.objective import Judge, Objective
from impasto.evaluation.optimization import Optimization, Step
from impasto.evaluation.options import EvaluateOptions
from impasto.evaluation.pictures import Photos, Source, to_pixels
from impasto.evaluation.report import STYLE_WEIGHTS, Baseline, Report, Row, SizeResult, Subject
from impasto.files.images.resizing import Pixels

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
    painting_sha256: str = ""
    """Of the painting that it was trained on; empty where nobody knows."""


class Progress(NamedTuple):
    """How far an evaluation is."""

    done: float
    """0 to 1, by work and not by count: a large size takes most of it."""
    what: str
    elapsed: float
    remaining: float | None
    """Seconds, by the pace so far; None where nothing tells yet."""


OnProgress = Callable[[Progress], None]


class Sample(NamedTuple):
    """One image, measured."""

    content: float
    style: float
    ssim: float
    total_variation: float
    checkerboard: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Case:
    """A photo at one size, and what images of it are judged by."""

    number: int
    size: int
    photo: Tensor  # (1, 3, size, size) in [0, 1]
    objective: Objective

    @torch.no_grad()
    def sample(self, image: Tensor, seconds: float) -> Sample:
        """The measures of `image`, (1, 3, size, size) in [0, 1]."""
        parts = self.objective(image)
        return Sample(
            float(parts.content),
            float(parts.style),
            ssim(image, self.photo),
            float(total_variation(image)),
            checkerboard(image),
            seconds,
        )


@dataclass
class Evaluation:
    """What is to be evaluated, on what, by whom; run once."""

    candidates: Sequence[Candidate]
    painting: Source
    photos: Photos
    judge: Judge
    options: EvaluateOptions
    pictures: dict[str, Pixels] = field(default_factory=dict)
    """Filled by :meth:`run`, by file name."""
    _earlier: dict[int, Baseline] = field(default_factory=dict)

    @property
    def subject(self) -> Subject:
        photos = tuple(photo.sha256 for photo in self.photos.chosen)
        return Subject(self.painting.sha256, photos, self.judge.sha256, self.options.steps)

    def take(self, report: Report, where: str) -> None:
        """Takes the optimization of an earlier report, read from `where`. Raises ImpastoError where it does not fit."""
        self._earlier.update(report.baselines(self.subject, self.options.sizes, where))

    def remarks(self) -> Iterator[str]:
        """What a user should know before waiting."""
        for candidate in self.candidates:
            if candidate.painting_sha256 not in ("", self.painting.sha256):
                yield f"{candidate.name} was trained on another file than {self.painting.path}"
        for size in self.options.sizes:
            if small := self.photos.smaller_than(size):
                yield f"{small} of {len(self.photos.chosen)} photos are smaller than {size} pixels and are enlarged"

    def run(self, reason: str, on_progress: OnProgress | None = None) -> Report:
        """The report; `reason` says why this judge. `on_progress` hears of each step, and may raise to end it."""
        self._meter = _Meter(self._work(), on_progress)
        self.pictures[PAINTING] = to_pixels(self.painting.short_side(PAINTING_SIDE))
        results = tuple(self._at_size(size) for size in self.options.sizes)
        names = tuple(photo.name for photo in self.photos.chosen)
        broken = dict(self.photos.broken)
        return Report(self.subject, self.painting.name, names, self.judge.name, reason, results, broken)

    def _work(self) -> int:
        """In objectives of one pixel: what is waited for grows with the area."""
        optimizing = len(STYLE_WEIGHTS) * (self.options.steps + 1)
        painting = len(self.candidates)
        each = {size: painting + (0 if size in self._earlier else optimizing) for size in self.options.sizes}
        return sum(size**2 * images for size, images in each.items()) * len(self.photos.chosen)

    def _at_size(self, size: int) -> SizeResult:
        painting = self.painting.short_side(size).to(self.judge.device)
        grams = self.judge.grams(painting)
        baseline = self._earlier.get(size) or self._baseline(size, grams)
        rows = tuple(self._style(number, size, grams) for number in range(len(self.candidates)))
        return SizeResult(baseline, checkerboard(painting), rows)

    def _cases(self, size: int, grams: list[Tensor]) -> Iterator[Case]:
        """One at a time: the features of all would not fit into the memory at large sizes."""
        for number, source in enumerate(self.photos.chosen):
            photo = source.square(size).to(self.judge.device)
            self._picture(size, number, "photo", photo)
            yield Case(number, size, photo, Objective(self.judge, photo, grams))

    def _baseline(self, size: int, grams: list[Tensor]) -> Baseline:
        curves: list[list[tuple[float, ...]]] = [[] for _ in STYLE_WEIGHTS]
        samples: list[dict[int, Sample]] = []
        for case in self._cases(size, grams):
            for weight, found in zip(STYLE_WEIGHTS, curves, strict=True):
                optimization = self._optimized(case, weight)
                found.append(tuple(optimization.curve))
                if weight == STYLE_WEIGHTS[0]:
                    samples.append(self._samples(case, optimization))
        rows = {}
        for step in samples[0]:
            row = _mean("photo" if step == 0 else _steps(step), [found[step] for found in samples])
            objectives = tuple(float(np.mean([curve[step] for curve in found])) for found in curves)
            rows[step] = replace(row, objectives=objectives)
        return Baseline(size, tuple(map(tuple, curves)), rows.pop(0), rows)

    def _optimized(self, case: Case, weight: float) -> Optimization:
        kept = (0, *(step for step in SNAPSHOTS if step < self.options.steps), self.options.steps)
        optimization = Optimization(case.objective, weight, case.photo, kept)

        def on_step(step: Step) -> None:
            self._meter.add(case.size**2, f"{self._place(case)}, λ {weight:g}, {step.what}")

        optimization.run(self.options.steps, on_step)
        return optimization

    def _samples(self, case: Case, optimization: Optimization) -> dict[int, Sample]:
        for step, snapshot in optimization.snapshots.items():
            if step in SHOWN or step == self.options.steps:
                self._picture(case.size, case.number, steps_picture(step), snapshot.image)
        return {step: case.sample(taken.image, taken.seconds) for step, taken in optimization.snapshots.items()}

    def _style(self, number: int, size: int, grams: list[Tensor]) -> Row:
        candidate = self.candidates[number]
        samples = []
        for case in self._cases(size, grams):
            started = time.perf_counter()
            image = candidate.paint(case.photo)
            samples.append(case.sample(image, time.perf_counter() - started))
            self._picture(size, case.number, style_picture(number), image)
            self._meter.add(size**2, f"{candidate.name}: {self._place(case)}")
        return _mean(candidate.name, samples)

    def _place(self, case: Case) -> str:
        return f"photo {case.number + 1} of {len(self.photos.chosen)} at {case.size} pixels"

    def _picture(self, size: int, number: int, what: str, image: Tensor) -> None:
        if number < PICTURED:
            self.pictures[picture_name(size, number, what)] = to_pixels(image)


def labels(styles: Sequence[str]) -> list[str]:
    """Short names of styles: those of the files, or all that was given where two would be called alike."""
    stems = [Path(style).stem for style in styles]
    return stems if len(set(stems)) == len(stems) else list(styles)


def _steps(step: int) -> str:
    return f"{step} step" if step == 1 else f"{step} steps"


def _mean(name: str, samples: Sequence[Sample]) -> Row:
    mean = Sample(*np.mean(samples, axis=0).tolist())
    objectives = tuple(mean.content + weight * mean.style for weight in STYLE_WEIGHTS)
    # One pause of the machine would spoil a mean of times.
    mean = mean._replace(seconds=float(np.median([sample.seconds for sample in samples])))
    return Row(name, objectives=objectives, **mean._asdict())


class _Meter:
    """Adds up what is done and tells whoever listens."""

    def __init__(self, total: int, listener: OnProgress | None) -> None:
        self._total = total
        self._listener = listener
        self._done = 0
        self._started = time.monotonic()
        self._first: tuple[float, int] | None = None

    def add(self, work: int, what: str) -> None:
        self._done += work
        now = time.monotonic()
        # The first piece is no measure: everything is loaded and warms up in it.
        if self._first is None:
            self._first = now, self._done
        since, before = self._first
        paced = self._done - before
        remaining = (now - since) / paced * (self._total - self._done) if paced else None
        if self._listener is not None:
            self._listener(Progress(self._done / self._total, what, now - self._started, remaining))

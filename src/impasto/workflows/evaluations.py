"""Styles measured against optimization, and that optimization by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.config import Device
from impasto.errors import ImpastoError
from impasto.evaluation.options import EvaluateOptions, OptimizeOptions
from impasto.files import atomic, images
from impasto.files.stop_request import StopRequest
from impasto.stylizing.arrange import resized, resized_size
from impasto.stylizing.stylizer import Stylizer, free_memory
from impasto.workflows.bundled import load
from impasto.workflows.common import AnyPath, ignore, require_training_packages, several, weights_sha256
from impasto.workflows.repainting import check_target

if TYPE_CHECKING:
    from impasto.evaluation.folder import ReportFolder
    from impasto.evaluation.meter import Progress as EvaluationProgress
    from impasto.evaluation.objective import Judge
    from impasto.evaluation.optimization import Step as OptimizationStep
    from impasto.evaluation.report import Report as EvaluationReport
    from impasto.evaluation.run import Evaluation
    from impasto.files.download import Report


class EvaluationStopped(KeyboardInterrupt):
    """The user stopped an evaluation. The text says what is kept of it."""

    kept = False
    """Whether there is anything to go on with."""


def evaluate(
    styles: AnyPath | Sequence[AnyPath],
    painting: AnyPath,
    photos: AnyPath | Sequence[AnyPath],
    options: EvaluateOptions | None = None,
    *,
    out: AnyPath | None = None,
    reuse: AnyPath | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: Device = "auto",
    on_progress: Callable[[EvaluationProgress], None] | None = None,
    on_download: Report | None = None,
    announce: Callable[[str], None] | None = None,
) -> EvaluationReport:
    """Measures styles of one painting against optimization from scratch of the same photos.

    Args:
        styles: one or several bundled styles' names or style files.
        photos: folders of photos, or photo files.
        out: folder for report.html, report.json and pictures, and until then for what is finished; None writes nothing.
        reuse: a report.json whose optimization is taken instead of computing it again.
        resume: whether to go on with what a stopped run has left in `out`, as far as nothing has changed; a finished
            report of the same comes back as it is, unless it may be replaced.
        overwrite: whether a report in `out` may be replaced.
        on_progress: gets the progress after every step.
        on_download: gets the state of the download of the judge's weights, where one is needed.
        announce: gets sentences for the user.
    Raises:
        ImpastoError: bad input of any kind.
        EvaluationStopped: Ctrl-C or SIGTERM, a KeyboardInterrupt.
    """
    require_training_packages("evaluating")
    from impasto.evaluation.folder import ReportFolder
    from impasto.evaluation.kept import KeptPieces
    from impasto.evaluation.report import read_report

    options, announce = options or EvaluateOptions(), announce or ignore
    folder = None if out is None else ReportFolder.new(Path(out), overwrite, resume)
    earlier = None if reuse is None else read_report(Path(reuse))
    with nullcontext() if folder is None else folder.alone():
        evaluation, reason = _evaluation(styles, painting, photos, options, device, on_download, announce)
        if folder is not None and folder.finished and resume and not overwrite:
            return _finished(folder, evaluation, announce)
        evaluation.kept = KeptPieces() if folder is None else folder.pieces
        if earlier is not None:
            evaluation.take(earlier, str(reuse))
        for text in evaluation.remarks():
            announce(text)
        _begin(evaluation, resume, announce)
        with StopRequest() as stop:
            try:
                report = evaluation.run(reason, _obeying(stop, on_progress))
            except KeyboardInterrupt as error:
                raise _stopped(evaluation) from error
            if folder is not None:
                folder.write(report, evaluation.pictures, None if reuse is None else Path(reuse).parent)
                evaluation.kept.remove()
    return report


def _evaluation(
    styles: AnyPath | Sequence[AnyPath],
    painting: AnyPath,
    photos: AnyPath | Sequence[AnyPath],
    options: EvaluateOptions,
    device: Device,
    on_download: Report | None,
    announce: Callable[[str], None],
) -> tuple[Evaluation, str]:
    """All that is asked for, loaded, and why this judge."""
    from impasto.evaluation import judging, pictures, run

    loaded = [load(style, device=device) for style in several(styles)]
    source = pictures.Source.of(Path(painting))
    chosen = pictures.choose_photos([Path(photo) for photo in several(photos)], options.count, announce)
    teachers = set[str]().union(*(judging.teachers(stylizer.style.provenance) for stylizer in loaded))
    choice = judging.choose_judge(options.judge, options.judge_weights, teachers)
    announce(f"judge: {choice.name}, {choice.reason}")
    judge = _judge(choice.name, options.judge_weights, device, on_download, announce)
    _require_memory(judge, max(options.sizes), max(options.sizes), "--sizes")
    names = run.labels([str(style) for style in several(styles)])
    candidates = [
        run.Candidate(name, stylizer, _look_sha256(stylizer), _painting_sha256(stylizer))
        for name, stylizer in zip(names, loaded, strict=True)
    ]
    return run.Evaluation(candidates, source, chosen, judge, options), choice.reason


def _begin(evaluation: Evaluation, resume: bool, announce: Callable[[str], None]) -> None:
    """Reads what a stopped run has kept, or deletes it."""
    kept = evaluation.kept
    if not resume:
        kept.remove()
        return
    kept.read(evaluation.costs, announce)
    if kept:
        announce(f"going on: {len(kept)} of {len(evaluation.costs)} pieces are done already")
    elif kept.folder is not None and kept.folder.exists():
        announce(f"nothing in {kept.folder} is of this evaluation: all of it is computed")


def _finished(folder: ReportFolder, evaluation: Evaluation, announce: Callable[[str], None]) -> EvaluationReport:
    from impasto.evaluation.folder import JSON
    from impasto.evaluation.report import read_report

    report = read_report(folder.path / JSON)
    if not evaluation.made(report):
        raise ImpastoError(
            f"the report in {folder.path} is of another painting, other photos, styles, sizes or steps, or by another "
            "judge: nothing to go on with; name another --out, or take --overwrite in the place of --resume"
        )
    announce(f"the report in {folder.path} is done already")
    return report


def _stopped(evaluation: Evaluation) -> EvaluationStopped:
    kept = evaluation.kept
    if kept.folder is None:
        return EvaluationStopped("stopped; without --out nothing is kept")
    if not kept:
        return EvaluationStopped("stopped before the first piece was done, so nothing is kept")
    stopped = EvaluationStopped(f"stopped; {len(kept)} of {len(evaluation.costs)} pieces are kept in {kept.folder}")
    stopped.kept = True
    return stopped


def _look_sha256(stylizer: Stylizer) -> str:
    """Of all that decides how a stylizer paints when it is called with a photo alone."""
    backend = f"{stylizer.backend.name} {stylizer.backend.precision}"
    mix = stylizer.weights().tolist()
    return hashlib.sha256(f"{weights_sha256(stylizer.style)} {mix} {backend}".encode()).hexdigest()


def _painting_sha256(stylizer: Stylizer) -> str:
    """Of the painting that a stylizer's own style was trained on; empty where its file does not say."""
    provenance = stylizer.style.provenance
    own = provenance.get("paintings", {}).get(stylizer.own, {}) if isinstance(stylizer.own, str) else {}
    return str(own.get("sha256", provenance.get("painting_sha256", "")))


@dataclass(frozen=True)
class Optimized:
    """What :func:`optimize` made."""

    path: Path
    steps: int
    """How many were made."""
    objective: float
    stopped: bool
    """Whether Ctrl-C ended it early."""


def optimize(
    photo: AnyPath,
    painting: AnyPath,
    out: AnyPath,
    options: OptimizeOptions | None = None,
    *,
    device: Device = "auto",
    overwrite: bool = False,
    on_progress: Callable[[OptimizationStep], None] | None = None,
    on_download: Report | None = None,
    announce: Callable[[str], None] | None = None,
) -> Optimized:
    """Repaints the file `photo` into the file `out` like `painting`, by optimizing its pixels: slow, no training.

    Ctrl-C (KeyboardInterrupt) ends it early; the best so far is written.

    Args:
        on_progress: gets where it is after every step.
        on_download: gets the state of the download of the loss network's weights, where one is needed.
        announce: gets sentences for the user.
    Raises:
        ImpastoError: bad input of any kind.
    """
    require_training_packages("optimizing")
    from impasto.evaluation import judging, pictures, repainting

    options, announce, target = options or OptimizeOptions(), announce or ignore, Path(out)
    check_target(target, Path(photo), overwrite)
    atomic.check_writable(target)
    source = pictures.Source.of(Path(painting))
    picture = images.read(photo)
    width, height = resized_size(picture.width, picture.height, options.size)
    name = judging.choose_network(options.loss_network, options.loss_weights)
    network = _judge(name, options.loss_weights, device, on_download, announce)
    _require_memory(network, height, width, "--size")
    picture = resized(picture, options.size)
    announce(f"{width}×{height} pixels, compared by {name}")
    with StopRequest() as stop:
        optimization = repainting.prepared(picture, source, network, options)
        try:
            optimization.run(options.steps, _obeying(stop, on_progress))
        except KeyboardInterrupt:
            if not optimization.curve:
                raise
    images.write(target, repainting.result(picture, optimization.best.image))
    steps = len(optimization.curve) - 1
    return Optimized(target, steps, optimization.curve[-1], steps < options.steps)


def _judge(
    name: str, file: Path | None, device: Device, on_download: Report | None, announce: Callable[[str], None]
) -> Judge:
    from impasto.config import USUAL_LAYERS
    from impasto.core.device import choose_device
    from impasto.evaluation.objective import Judge
    from impasto.training.loss_weights import load_loss_network

    network = load_loss_network(name, file, progress=on_download, announce=announce)
    return Judge(name, network.to(choose_device(device)), USUAL_LAYERS[name])


def _require_memory(judge: Judge, height: int, width: int, option: str) -> None:
    needed, free = judge.working_memory(height, width), free_memory()
    if judge.device.type == "cpu" and free is not None and needed > free:
        raise ImpastoError(
            f"optimizing {width}×{height} pixels needs about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
            f"take a smaller {option}"
        )


def _obeying(stop: StopRequest, on_progress: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """Listens between two steps: within one, the libraries swallow a Ctrl-C now and then."""

    def listen(progress: Any) -> None:
        if on_progress is not None:
            on_progress(progress)
        if stop.requested:
            raise KeyboardInterrupt

    return listen

"""Styles measured against optimization, and that optimization by itself."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
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
from impasto.workflows.common import AnyPath, ignore, require_training_packages, several
from impasto.workflows.repainting import check_target

if TYPE_CHECKING:
    from impasto.evaluation.objective import Judge
    from impasto.evaluation.optimization import Step as OptimizationStep
    from impasto.evaluation.report import Report as EvaluationReport
    from impasto.evaluation.run import Progress as EvaluationProgress
    from impasto.evaluation.steadiness import Steadiness
    from impasto.files.download import Report


def evaluate(
    styles: AnyPath | Sequence[AnyPath],
    painting: AnyPath,
    photos: AnyPath | Sequence[AnyPath],
    options: EvaluateOptions | None = None,
    *,
    out: AnyPath | None = None,
    reuse: AnyPath | None = None,
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
        out: folder for report.html, report.json and pictures; None writes nothing.
        reuse: a report.json whose optimization is taken instead of computing it again.
        overwrite: whether a report in `out` may be replaced.
        on_progress: gets the progress after every step.
        on_download: gets the state of the download of the judge's weights, where one is needed.
        announce: gets sentences for the user.
    Raises:
        ImpastoError: bad input of any kind.
    """
    require_training_packages("evaluating")
    from impasto.evaluation import judging, pictures, run
    from impasto.evaluation.folder import ReportFolder
    from impasto.evaluation.report import read_report

    options, announce = options or EvaluateOptions(), announce or ignore
    folder = None if out is None else ReportFolder.new(Path(out), overwrite)
    earlier = None if reuse is None else read_report(Path(reuse))
    loaded = [load(style, device=device) for style in several(styles)]
    source = pictures.Source.of(Path(painting))
    chosen = pictures.choose_photos([Path(photo) for photo in several(photos)], options.count, announce)
    teachers = set[str]().union(*(judging.teachers(stylizer.style.provenance) for stylizer in loaded))
    choice = judging.choose_judge(options.judge, options.judge_weights, teachers)
    announce(f"judge: {choice.name}, {choice.reason}")
    judge = _judge(choice.name, options.judge_weights, device, on_download, announce)
    _require_memory(judge, max(options.sizes), max(options.sizes), "--sizes")
    names = run.labels([str(style) for style in several(styles)])
    trained_on = [_painting_sha256(stylizer) for stylizer in loaded]
    candidates = [run.Candidate(*parts) for parts in zip(names, loaded, trained_on, strict=True)]
    evaluation = run.Evaluation(candidates, source, chosen, judge, options)
    if earlier is not None:
        evaluation.take(earlier, str(reuse))
    for text in evaluation.remarks():
        announce(text)
    with StopRequest() as stop:
        report = evaluation.run(choice.reason, _obeying(stop, on_progress))
    if folder is not None:
        folder.write(report, evaluation.pictures, None if reuse is None else Path(reuse).parent)
    return report


def steadiness(
    styles: AnyPath | Sequence[AnyPath],
    photos: AnyPath | Sequence[AnyPath],
    count: int = 16,
    *,
    out: AnyPath | None = None,
    overwrite: bool = False,
    device: Device = "auto",
    on_progress: Callable[[float], None] | None = None,
    announce: Callable[[str], None] | None = None,
) -> list[Steadiness]:
    """Measures what changes in stylized photos where the photos only move, or get noise.

    Args:
        styles: one or several bundled styles' names or style files.
        photos: folders of photos, or photo files; `count` of them are used, evenly spaced.
        out: folder for steadiness.json.
        overwrite: whether that may be replaced.
        on_progress: gets the share that is done, 0 to 1.
        announce: gets sentences for the user.
    Raises:
        ImpastoError: bad input of any kind.
    """
    require_training_packages("evaluating")
    from impasto.evaluation import pictures, run
    from impasto.evaluation.steadiness import MOTIONS, STILL, measure

    target = None if out is None else Path(out) / "steadiness.json"
    if target is not None and target.exists() and not overwrite:
        raise ImpastoError(f"will not overwrite {target}; name another --out, or add --overwrite")
    loaded = [load(style, device=device) for style in several(styles)]
    chosen = pictures.choose_photos([Path(photo) for photo in several(photos)], count, announce or ignore).chosen
    steps = itertools.count(1)
    all_steps = len(loaded) * len(chosen) * len((*MOTIONS, STILL))

    def step() -> None:
        (on_progress or ignore)(next(steps) / all_steps)

    names = run.labels([str(style) for style in several(styles)])
    found = [measure(name, stylizer, chosen, step) for name, stylizer in zip(names, loaded, strict=True)]
    if target is not None:
        told = {one.name: {**one.errors, "mean": one.mean} for one in found}
        atomic.write_bytes(target, json.dumps(told, indent=2).encode())
    return found


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

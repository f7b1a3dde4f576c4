"""What the command line, the studio and scripts call: load, stylize, train."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.config import RECIPES, Device, make_config
from impasto.errors import ImpastoError
from impasto.evaluation.options import EvaluateOptions, OptimizeOptions
from impasto.files import atomic, images, style_file
from impasto.stylizing.arrange import resized, resized_size, side_by_side
from impasto.stylizing.backends import make_backend
from impasto.stylizing.stylizer import Stylizer, WhichStyle, free_memory

if TYPE_CHECKING:
    from impasto.evaluation.objective import Judge
    from impasto.evaluation.optimization import Step as OptimizationStep
    from impasto.evaluation.report import Report as EvaluationReport
    from impasto.evaluation.run import Progress as EvaluationProgress
    from impasto.files.download import Report
    from impasto.training.run import StopRequest
    from impasto.training.trainer import TrainProgress

AnyPath = str | os.PathLike[str]

STYLE_SUFFIX = ".safetensors"
CHANGEABLE_ON_RESUME = frozenset(
    ["epochs", "max_iterations", "max_minutes", "workers", "device", "plot_every", "checkpoint_minutes"]
)
"""Options that may differ when a training goes on: how long and where, not what is learned."""
DEMO_PAINTING = "flow_field"
SAMPLE_PHOTOS = ("chelsea", "coffee", "astronaut", "rocket")
TRAINING_PACKAGES = ("lightning_fabric", "matplotlib", "skimage", "tomli_w")


def styles() -> list[str]:
    """Names of the styles that come with the package."""
    return sorted(path.stem for path in _assets("styles").glob("*" + STYLE_SUFFIX))


def _assets(kind: str) -> Path:
    return Path(str(resources.files("impasto"))) / "assets" / kind


def paintings() -> list[str]:
    """Names of the paintings that come with the package, to train with."""
    return sorted(path.stem for path in _assets("paintings").glob("*.jpg"))


def painting_path(painting: AnyPath) -> Path:
    """The file of a bundled painting's name, or the path itself, which wins where a file has that name."""
    path = Path(painting)
    return path if path.exists() or str(painting) not in paintings() else _assets("paintings") / f"{painting}.jpg"


def style_path(style: AnyPath) -> Path:
    """The file of a bundled style's name, or of a path. Raises ImpastoError when there is neither."""
    if str(style) in styles():
        return _assets("styles") / f"{style}{STYLE_SUFFIX}"
    path = Path(style)
    if not path.is_file():
        what = f"{path} is a folder" if path.is_dir() else f"there is no style {str(style)!r}"
        bundled = f" or a bundled style: {', '.join(styles())}" if styles() else ""
        raise ImpastoError(f"{what}; name a style file (*{STYLE_SUFFIX}){bundled}")
    return path


def load(style: AnyPath, *, device: Device = "auto") -> Stylizer:
    """A Stylizer of a bundled style's name or of a style file.

    Args:
        device: auto, cpu, cuda or mps.
    Raises:
        ImpastoError: no such style, or a file that is damaged, foreign or of a newer version.
    """
    loaded = style_file.load(style_path(style))
    return Stylizer(loaded, make_backend(loaded, device))


@dataclass(frozen=True)
class StylizeOptions:
    """How photos are repainted and written."""

    size: int | None = None
    """Longer side of the result in pixels; None keeps the photo's size."""
    compare: bool = False
    """Write the photo and its stylized image side by side."""
    quality: int = 95
    """Of JPEG and WebP, 1 to 100."""
    overwrite: bool = False
    """Whether files that exist may be replaced."""
    style: WhichStyle = None
    """Which of a file's styles, by name or number, or a mix; None the first."""


def stylize_image(stylizer: Stylizer, photo: AnyPath, out: AnyPath, options: StylizeOptions | None = None) -> Path:
    """Repaints the file `photo` into the file `out`; rotation, profile, alpha and 16 bits are kept.

    Raises:
        ImpastoError: a photo that cannot be read, or a result that cannot or must not be written.
    """
    options, target = options or StylizeOptions(), Path(out)
    check_target(target, Path(photo), options.overwrite)
    picture = images.read(photo)
    if options.size is not None:
        width, height = resized_size(picture, options.size)
        stylizer.require_memory(height, width)
        picture = resized(picture, options.size)
    result = picture.with_pixels(stylizer(picture.pixels, options.style))
    if options.compare:
        result = side_by_side(picture, result)
    images.write(target, result, quality=options.quality)
    return target


def targets_in(folder: Path, photos: Sequence[Path], given: Sequence[Path]) -> list[Path]:
    """A file in `folder` for each photo, below the same sub-folders as below the folder `given` for it.

    Names are kept, suffixes too where they can be written.

    Raises:
        ImpastoError: two photos would be written to one file, or `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ImpastoError(f"--out {folder} is a file; name a folder, or a file with an image suffix for one photo")
    roots = [root for root in given if root.is_dir()]
    targets: dict[Path, Path] = {}
    for photo in photos:
        root = next((root for root in roots if photo.is_relative_to(root)), photo.parent)
        target = folder / photo.relative_to(root)
        target = target if target.suffix.lower() in images.FORMATS else target.with_name(target.name + ".png")
        if target in targets:
            raise ImpastoError(f"{photo} and {targets[target]} would both become {target}; repaint them one by one")
        targets[target] = photo
    return list(targets)


def check_target(target: Path, photo: Path, overwrite: bool) -> None:
    """Raises ImpastoError when `target` has no known image suffix, or exists and must not be replaced."""
    images.check_writable_suffix(target)
    if target.exists() and not overwrite:
        same = photo.exists() and target.samefile(photo)
        what = "that is the photo itself" if same else "it exists already"
        raise ImpastoError(f"will not overwrite {target}: {what}; name another --out, or add --overwrite")


def train(
    painting: AnyPath,
    photos: AnyPath | Sequence[AnyPath] = (),
    out: AnyPath | None = None,
    *,
    recipe: str | None = None,
    name: str | None = None,
    loss_weights: AnyPath | None = None,
    run_dir: AnyPath | None = None,
    overwrite: bool = False,
    live: bool = False,
    tensorboard: bool = False,
    on_progress: Callable[[TrainProgress], None] | None = None,
    on_download: Report | None = None,
    announce: Callable[[str], None] | None = None,
    **options: Any,
) -> Path:
    """Trains `painting` into a style file and returns its path.

    Args:
        painting: the file of the style image, or the name of one of :func:`paintings`.
        photos: one or several folders of photos, or photo files; none trains on drawn images.
        out: the style file to write; default the painting's name with `.safetensors`.
        recipe: the set of options to start from; default `classic` where an accelerator or VGG-16's weights are at
            hand, else `quick`.
        name: the style's name inside the file; default the painting's file name.
        loss_weights: file of the loss network's weights; default the usual file, downloaded at first use.
        run_dir: the run folder; default ``runs/<painting>-<time>``.
        overwrite: whether `out` may be replaced.
        live: show the figure in a window.
        tensorboard: write the losses for TensorBoard into the run folder.
        on_progress: gets a TrainProgress after every step.
        on_download: gets the state of the download of the loss network's weights, where one is needed.
        announce: gets sentences for the user.
        options: any option of the configuration, e.g. ``epochs=1, style_weight=1e-7``.
    Raises:
        ImpastoError: bad input of any kind, or losses that stop being finite.
        TrainingStopped: Ctrl-C or SIGTERM, a KeyboardInterrupt; all is saved, and the text says how to go on.
    """
    # What needs no torch comes first: bad input is answered at once.
    announce = announce or _ignore
    if recipe is not None and recipe not in RECIPES:
        raise ImpastoError(f"there is no recipe {recipe!r}; there are: {', '.join(RECIPES)}")
    source = painting_path(painting)
    target = Path(out) if out is not None else Path(source.stem + STYLE_SUFFIX)
    _check_style_target(target, overwrite)
    if recipe is None:
        recipe, why = usual_recipe(loss_weights)
        announce(f"recipe {recipe}, since {why}")
    config = make_config({**RECIPES[recipe], **options})
    style_image = images.read_small(source, at_least=config.painting_size)
    require_training_packages()
    from impasto.training.photos import square
    from impasto.training.run import Run
    from impasto.training.run_folder import Job, RunFolder, new_run_dir

    if run_dir is not None:
        RunFolder.require_new(Path(run_dir))
    pixels = square(style_image, config.painting_size, config.style_fit)
    folders = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
    job = Job(
        painting=source.name,
        painting_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        photos=tuple(str(Path(folder).absolute()) for folder in folders),
        out=str(target.absolute()),
        name=name or source.stem,
        recipe=recipe,
        loss_weights=None if loss_weights is None else str(Path(loss_weights).absolute()),
    )
    run = Run(job, config, pixels, announce, on_download)
    path = Path(run_dir) if run_dir is not None else new_run_dir(job.painting)
    folder = RunFolder.create(path, run.job, config, pixels)
    announce(f"run folder: {folder.path}")
    return run.go(folder, on_progress or _ignore, live=live, tensorboard=tensorboard)


def usual_recipe(loss_weights: AnyPath | None = None) -> tuple[str, str]:
    """The recipe that suits this computer, and why."""
    from impasto.files.weights import find

    if loss_weights is not None:
        return "classic", "--loss-weights brings a loss network"
    if find("vgg16") is not None:
        return "classic", "VGG-16 is on this computer"
    from impasto.core.device import choose_device

    device = choose_device("auto")
    if device != "cpu":
        return "classic", f"this computer has an accelerator ({device})"
    return "quick", "there is neither an accelerator nor VGG-16 here; --recipe classic is the original, slower one"


def resume(
    run_dir: AnyPath,
    out: AnyPath | None = None,
    *,
    overwrite: bool = False,
    live: bool = False,
    tensorboard: bool = False,
    on_progress: Callable[[TrainProgress], None] | None = None,
    on_download: Report | None = None,
    announce: Callable[[str], None] | None = None,
    **options: Any,
) -> Path:
    """Goes on with the training in a run folder from its newest checkpoint; arguments as for :func:`train`.

    `out` writes the style file to another place than the one named when the training began; that one may exist,
    being the training's own earlier result.

    Raises:
        ImpastoError: not a run folder, or an option that cannot change in the middle of a training.
    """
    require_training_packages()
    from impasto.training.run import Run
    from impasto.training.run_folder import RunFolder

    folder, job, saved, pixels = RunFolder.open(Path(run_dir))
    fixed = sorted(set(options) - CHANGEABLE_ON_RESUME)
    if fixed:
        changeable = ", ".join(sorted(CHANGEABLE_ON_RESUME))
        raise ImpastoError(
            f"{fixed[0]} cannot change in the middle of a training; with --resume these can: {changeable}"
        )
    config = make_config({**saved, **options}, where=str(folder.path))
    if out is not None:
        job = replace(job, out=str(Path(out).absolute()))
    _check_style_target(Path(job.out), overwrite or out is None)
    run = Run(job, config, pixels, announce or _ignore, on_download)
    return run.go(folder, on_progress or _ignore, live=live, tensorboard=tensorboard)


def _check_style_target(target: Path, overwrite: bool) -> None:
    """What would make a training's last step fail is found before its first. Raises ImpastoError."""
    if target.suffix != STYLE_SUFFIX:
        raise ImpastoError(f"--out is {target}; a style file's name ends with {STYLE_SUFFIX}")
    if target.is_dir():
        raise ImpastoError(f"--out {target} is a folder; name a file")
    if target.exists() and not overwrite:
        raise ImpastoError(f"will not overwrite {target}: it exists already; name another --out, or add --overwrite")
    atomic.check_writable(target)


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
    from impasto.training.run import StopRequest

    options, announce = options or EvaluateOptions(), announce or _ignore
    folder = None if out is None else ReportFolder.new(Path(out), overwrite)
    earlier = None if reuse is None else read_report(Path(reuse))
    loaded = [load(style, device=device) for style in _several(styles)]
    source = pictures.Source.of(Path(painting))
    chosen = pictures.choose_photos([Path(photo) for photo in _several(photos)], options.count, announce)
    teachers = {judging.teacher(stylizer.style.provenance) for stylizer in loaded}
    choice = judging.choose_judge(options.judge, options.judge_weights, teachers)
    announce(f"judge: {choice.name}, {choice.reason}")
    judge = _judge(choice.name, options.judge_weights, device, on_download, announce)
    _require_memory(judge, max(options.sizes), max(options.sizes), "--sizes")
    names = run.labels([str(style) for style in _several(styles)])
    trained_on = [str(stylizer.style.provenance.get("painting_sha256", "")) for stylizer in loaded]
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
    from impasto.training.run import StopRequest

    options, announce, target = options or OptimizeOptions(), announce or _ignore, Path(out)
    check_target(target, Path(photo), overwrite)
    atomic.check_writable(target)
    source = pictures.Source.of(Path(painting))
    picture = images.read(photo)
    width, height = resized_size(picture, options.size)
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


def _several(given: AnyPath | Sequence[AnyPath]) -> list[AnyPath]:
    return [given] if isinstance(given, str | os.PathLike) else list(given)


def require_training_packages(what: str = "training") -> None:
    """Raises ImpastoError when the extra `train` is not installed."""
    missing = [name for name in TRAINING_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImpastoError(
            f"{what} needs packages that are not here ({', '.join(missing)}): pip install 'impasto[train]'"
        )


def _ignore(_: Any) -> None:
    pass


def demo(folder: AnyPath, which: Sequence[AnyPath] | None = None) -> Iterator[Path]:
    """Repaints scikit-image's sample photos; yields each picture as it is written.

    A picture shows photo and stylized image side by side. Pictures of an earlier demo are replaced.

    Args:
        which: the styles; default every bundled one.
    Raises:
        ImpastoError: scikit-image is not installed, or the folder cannot be written.
    """
    if importlib.util.find_spec("skimage") is None:
        raise ImpastoError("the demo needs scikit-image's sample photos: pip install 'impasto[train]'")
    import skimage.data

    for style in styles() if which is None else which:
        stylizer = load(style)
        for name in SAMPLE_PHOTOS:
            photo = images.Picture(getattr(skimage.data, name)())
            target = Path(folder) / f"{name}-{Path(style).stem}.jpg"
            images.write(target, side_by_side(photo, photo.with_pixels(stylizer(photo.pixels))), quality=90)
            yield target


def train_demo(
    folder: AnyPath,
    minutes: float,
    *,
    on_progress: Callable[[TrainProgress], None] | None = None,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Trains one of our own paintings with the recipe `quick` into a style file in `folder`, and returns its path.

    Raises:
        ImpastoError, TrainingStopped: as :func:`train`.
    """
    require_training_packages()
    from impasto.training.run_folder import new_run_dir

    return train(
        DEMO_PAINTING,
        out=Path(folder) / f"{DEMO_PAINTING}{STYLE_SUFFIX}",
        recipe="quick",
        run_dir=new_run_dir(DEMO_PAINTING, Path(folder) / "runs"),
        overwrite=True,
        on_progress=on_progress,
        announce=announce,
        max_minutes=minutes,
    )

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
from impasto.files import atomic, images, style_file
from impasto.stylizing.arrange import resized, resized_size, side_by_side
from impasto.stylizing.backends import make_backend
from impasto.stylizing.stylizer import Stylizer, WhichStyle

if TYPE_CHECKING:
    from impasto.files.download import Report
    from impasto.training.trainer import TrainProgress

AnyPath = str | os.PathLike[str]

STYLE_SUFFIX = ".safetensors"
CHANGEABLE_ON_RESUME = frozenset(
    ["epochs", "max_iterations", "max_minutes", "workers", "device", "plot_every", "checkpoint_minutes"]
)
"""Options that may differ when a training goes on: how long and where, not what is learned."""
SAMPLE_PHOTOS = ("chelsea", "coffee", "astronaut", "rocket")
TRAINING_PACKAGES = ("lightning_fabric", "matplotlib", "tomli_w")


def styles() -> list[str]:
    """Names of the styles that come with the package."""
    return sorted(path.stem for path in _bundled().glob("*" + STYLE_SUFFIX))


def _bundled() -> Path:
    return Path(str(resources.files("impasto"))) / "assets" / "styles"


def style_path(style: AnyPath) -> Path:
    """The file of a bundled style's name, or of a path. Raises ImpastoError when there is neither."""
    if str(style) in styles():
        return _bundled() / f"{style}{STYLE_SUFFIX}"
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
    photos: AnyPath | Sequence[AnyPath],
    out: AnyPath | None = None,
    *,
    recipe: str = "classic",
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
        photos: one or several folders of photos, or photo files.
        out: the style file to write; default the painting's name with `.safetensors`.
        recipe: the set of options to start from.
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
    if recipe not in RECIPES:
        raise ImpastoError(f"there is no recipe {recipe!r}; there is: {', '.join(RECIPES)}")
    config = make_config({**RECIPES[recipe], **options})
    source = Path(painting)
    target = Path(out) if out is not None else Path(source.stem + STYLE_SUFFIX)
    _check_style_target(target, overwrite)
    style_image = images.read_small(source, at_least=config.style_size)
    require_training_packages()
    from impasto.training.photos import square
    from impasto.training.run import Run
    from impasto.training.run_folder import Job, RunFolder, new_run_dir

    if run_dir is not None:
        RunFolder.require_new(Path(run_dir))
    pixels = square(style_image, config.style_size, config.style_fit)
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
    announce = announce or _ignore
    run = Run(job, config, pixels, announce, on_download)
    path = Path(run_dir) if run_dir is not None else new_run_dir(job.painting)
    folder = RunFolder.create(path, run.job, config, pixels)
    announce(f"run folder: {folder.path}")
    return run.go(folder, on_progress or _ignore, live=live, tensorboard=tensorboard)


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


def require_training_packages() -> None:
    """Raises ImpastoError when the extra `train` is not installed."""
    missing = [name for name in TRAINING_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImpastoError(
            f"training needs packages that are not here ({', '.join(missing)}): pip install 'impasto[train]'"
        )


def _ignore(_: Any) -> None:
    pass


def demo(folder: AnyPath) -> Iterator[Path]:
    """Repaints scikit-image's sample photos with every bundled style; yields each picture as it is written.

    A picture shows photo and stylized image side by side. Pictures of an earlier demo are replaced.

    Raises:
        ImpastoError: scikit-image is not installed, or the folder cannot be written.
    """
    if importlib.util.find_spec("skimage") is None:
        raise ImpastoError("the demo needs scikit-image's sample photos: pip install 'impasto[train]'")
    if not styles():
        raise ImpastoError("this package came without styles; train one with: impasto train PAINTING --photos FOLDER")
    import skimage.data

    for style in styles():
        stylizer = load(style)
        for name in SAMPLE_PHOTOS:
            photo = images.Picture(getattr(skimage.data, name)())
            target = Path(folder) / f"{name}-{style}.jpg"
            images.write(target, side_by_side(photo, photo.with_pixels(stylizer(photo.pixels))), quality=90)
            yield target

"""Trainings begun and gone on with."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.config import BASES, RECIPES, NetworkConfig, flatten, make_config, option_name
from impasto.errors import ImpastoError, in_one_line
from impasto.files import atomic, images
from impasto.files.remote import is_uri
from impasto.files.style_file import IDENTITY, LARGEST_FILE
from impasto.stylizing.graph import parameter_shapes
from impasto.workflows.bundled import painting_path
from impasto.workflows.common import STYLE_SUFFIX, AnyPath, ignore, require_training_packages, several

if TYPE_CHECKING:
    from impasto.files.download import Report
    from impasto.training.trainer import TrainProgress

OF_ANOTHER_NETWORK = frozenset(
    ["start", *(item.name for item in dataclasses.fields(NetworkConfig) if "help" in item.metadata)]
)
"""Options that ask for something else than rows on the network of the bundled styles."""
CHANGEABLE_ON_RESUME = frozenset(
    [
        *("epochs", "max_iterations", "max_minutes", "workers", "device", "devices", "nodes"),
        *("plot_every", "checkpoint_minutes", "checkpoint_every"),
    ]
)
"""Options that may differ when a training goes on: how long and where, not what is learned."""


def train(
    painting: AnyPath,
    photos: AnyPath | Sequence[AnyPath] = (),
    out: AnyPath | None = None,
    *,
    recipe: str | None = None,
    base: str | None = None,
    standalone: bool = False,
    name: str | None = None,
    loss_weights: AnyPath | None = None,
    run_dir: AnyPath | None = None,
    preview: AnyPath | Sequence[AnyPath] = (),
    overwrite: bool = False,
    live: bool = False,
    track: Sequence[str] = (),
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
        recipe: the set of options to start from; default `fit`, which adds the painting to the network of the bundled
            styles, or for options that this network cannot have what :func:`usual_recipe` says.
        base: the network of the bundled styles that `fit` adds to: `turbo`, the fastest, or `classic`.
        standalone: whether the style file holds the whole network where `fit` would write rows alone.
        name: the style's name inside the file; default the painting's file name.
        loss_weights: file of the loss network's weights; default the usual file, downloaded at first use.
        run_dir: the run folder; default ``runs/<painting>-<time>``.
        preview: up to four photo files that the previews show; default some of the photos that it trains on.
        overwrite: whether `out` may be replaced.
        live: show the figure in a window.
        track: who else gets the curves: `tensorboard`, `wandb`, `trackio`, each an extra of its name.
        on_progress: gets a TrainProgress after every step.
        on_download: gets the state of the download of the loss network's weights, where one is needed.
        announce: gets sentences for the user.
        options: any option of the configuration, e.g. ``epochs=1, style_weight=1e-7``.
    Raises:
        ImpastoError: bad input of any kind, or losses that stop being finite.
        TrainingStopped: Ctrl-C or SIGTERM, a KeyboardInterrupt; all is saved, and the text says how to go on.
    """
    _accompany_a_leader(options)
    # What needs no torch comes first: bad input is answered at once.
    announce = announce or ignore
    if recipe is not None and recipe not in RECIPES:
        raise ImpastoError(f"there is no recipe {recipe!r}; there are: {', '.join(RECIPES)}")
    source = painting_path(painting)
    target = Path(out) if out is not None else Path(source.stem + STYLE_SUFFIX)
    _check_style_target(target, overwrite)
    if recipe is None:
        recipe, why = usual_recipe(loss_weights, options)
        announce(f"recipe {recipe}, since {why}")
    config = make_config(_with_room_to_grow({**RECIPES[recipe], **_network_of(base), **options}, options))
    if standalone and config.learn != "rows":
        raise ImpastoError("--standalone is for the recipe fit; every other style file holds its whole network anyway")
    size = 4 * sum(map(math.prod, parameter_shapes(config.network).values()))
    if size > LARGEST_FILE:
        raise ImpastoError(
            f"--width {config.network.width} and --blocks {config.network.blocks} make a network of {size >> 20} MB; "
            f"a style file has at most {LARGEST_FILE >> 20}"
        )
    called = name or in_one_line(source.stem) or "painting"
    if called == IDENTITY:
        raise ImpastoError(f"a style cannot be called {IDENTITY!r}, which is the photo as it is; add --name")
    if not called.isprintable():
        raise ImpastoError(f"--name {called!r} has characters that cannot be printed; leave them out")
    # Twice as large as it will be: what a JPEG gives at a fraction of its size has lost fine marks.
    at_least = 2 * math.ceil(config.painting_size / (1 - 2 * config.style_margin))
    style_image = images.read_small(source, at_least=at_least)
    require_training_packages()
    from impasto.core.device import choose_device
    from impasto.training.fabric import quick_batch
    from impasto.training.pixels import square, without_margin
    from impasto.training.previews import require_few
    from impasto.training.ranks import joined
    from impasto.training.run_folder import Job, RunFolder, new_run_dir
    from impasto.training.together import Setup, assembled
    from impasto.training.tracking import check_trackers

    check_trackers(track)
    previews = [Path(photo).absolute() for photo in several(preview)]
    require_few(previews)
    if run_dir is not None:
        RunFolder.require_new(Path(run_dir))
    pixels = square(without_margin(style_image, config.style_margin), config.painting_size, config.style_fit)
    folders = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
    if not all(map(os.fspath, folders)):
        raise ImpastoError("--photos is empty; name a folder, or leave it out to train on drawn images")
    if recipe == "quick" and not folders and "batch_size" not in options:  # photos may be fewer than a larger batch
        config = replace(config, batch_size=quick_batch(config.precision, choose_device(config.device)))
    job = Job(
        painting=source.name,
        painting_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        photos=tuple(os.fspath(one) if is_uri(os.fspath(one)) else str(Path(one).absolute()) for one in folders),
        out=str(target.absolute()),
        name=called,
        recipe=recipe,
        loss_weights=None if loss_weights is None else str(Path(loss_weights).absolute()),
        standalone=standalone,
        previews=tuple(map(str, previews)),
    )
    with joined(config, announce) as ranks:
        run = assembled(ranks.send(Setup(job, config, pixels)), ranks, announce, on_download)
        path = Path(run_dir) if run_dir is not None else new_run_dir(job.painting)
        folder = RunFolder.create(path, run.job, config, pixels)
        announce(f"run folder: {folder.path}")
        return run.go(folder, on_progress or ignore, live=live, track=track)


def _with_room_to_grow(values: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without the growing that the recipe means for larger photos than the user's `options` ask for."""
    size = values.get("image_size")
    too_small = "start_size" not in options and isinstance(size, int) and size <= values.get("start_size", 0)
    return {**values, "start_size": 0} if too_small else values


def _accompany_a_leader(options: Mapping[str, Any]) -> None:
    """Where several computers or torchrun train together and this process is not the first: does its part, and ends."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        leads = os.environ["RANK"] == "0"
    else:
        leads = options.get("nodes", 1) in (1, None) or os.environ.get("NODE_RANK", "0") == "0"
    if leads:
        return
    require_training_packages()
    from impasto.training.together import accompany_elsewhere

    where = ("device", "precision", "devices", "nodes")
    raise SystemExit(accompany_elsewhere(make_config({name: options[name] for name in where if name in options})))


def _network_of(base: str | None) -> dict[str, Any]:
    if base is not None and base not in BASES:
        raise ImpastoError(f"there is no base {base!r}; there are: {', '.join(BASES)}")
    return BASES[base] if base else {}


def usual_recipe(loss_weights: AnyPath | None = None, given: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """The recipe that suits this computer and the options `given`, by name, and why."""
    from impasto.files.weights import find

    if loss_weights is not None:
        return "classic", "--loss-weights brings a loss network"
    given = given or {}
    if given.get("start") == "gallery":
        return "fit", "--start gallery is the bundled styles' network"
    own = [name for name in given if name in OF_ANOTHER_NETWORK]
    if not own:
        return "fit", "the bundled styles' network learns a painting in two minutes; --recipe quick takes ten, for more"
    if find("vgg16") is not None:
        return "classic", "VGG-16 is on this computer"
    from impasto.core.device import choose_device

    device = choose_device("auto")
    if device != "cpu":
        return "classic", f"this computer has an accelerator ({device})"
    return "quick", f"{option_name(own[0])} asks for a network of its own; --recipe classic is the original, slower one"


def resume(
    run_dir: AnyPath,
    out: AnyPath | None = None,
    *,
    overwrite: bool = False,
    live: bool = False,
    track: Sequence[str] = (),
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
    _accompany_a_leader(options)
    require_training_packages()
    from impasto.training.ranks import joined
    from impasto.training.run_folder import RunFolder
    from impasto.training.together import Setup, assembled

    folder, job, saved, pixels = RunFolder.open(Path(run_dir))
    fixed = sorted(set(options) - CHANGEABLE_ON_RESUME)
    if fixed:
        changeable = ", ".join(sorted(CHANGEABLE_ON_RESUME))
        raise ImpastoError(
            f"{fixed[0]} cannot change in the middle of a training; with --resume these can: {changeable}"
        )
    config = make_config({**saved, **options}, where=str(folder.path))
    _accompany_a_leader(flatten(config))
    if out is not None:
        job = replace(job, out=str(Path(out).absolute()))
    _check_style_target(Path(job.out), overwrite or out is None)
    with joined(config, announce or ignore) as ranks:
        run = assembled(ranks.send(Setup(job, config, pixels)), ranks, announce or ignore, on_download)
        return run.go(folder, on_progress or ignore, live=live, track=track)


def _check_style_target(target: Path, overwrite: bool) -> None:
    """What would make a training's last step fail is found before its first. Raises ImpastoError."""
    if target.suffix != STYLE_SUFFIX:
        raise ImpastoError(f"--out is {target}; a style file's name ends with {STYLE_SUFFIX}")
    if target.is_dir():
        raise ImpastoError(f"--out {target} is a folder; name a file")
    if target.exists() and not overwrite:
        raise ImpastoError(f"will not overwrite {target}: it exists already; name another --out, or add --overwrite")
    atomic.check_writable(target)

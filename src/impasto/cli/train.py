"""`impasto train`."""

from __future__ import annotations

import dataclasses
import shlex
import tomllib
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from impasto import workflows
from impasto.cli.progress import TrainingBar, console
from impasto.config import (
    BASES,
    FIT_ALL,
    LossConfig,
    NetworkConfig,
    TrainConfig,
    make_config,
    option_name,
    options,
    undetermined,
)
from impasto.errors import ImpastoError

GROUPS = {TrainConfig: Group("Training"), NetworkConfig: Group("Network"), LossConfig: Group("Loss")}


def _option_fields() -> list[tuple[str, Any, Any]]:
    """Every option of the configuration as an optional one: what is not given comes from the file or the recipe."""
    fields = []
    for name, (owner, item) in options().items():
        annotation = typing.get_type_hints(owner)[name]
        default = "" if item.default in (None, ()) else f" (default: {_shown(item.default)})"
        parameter = Parameter(
            help=item.metadata["help"] + default,
            group=GROUPS[owner],
            show_default=False,
            consume_multiple=True,
            # What a configuration file turns on, an option can turn off.
            negative=option_name(f"no_{name}") if annotation is bool else (),
        )
        fields.append((name, Annotated[annotation | None, parameter], dataclasses.field(default=None)))
    return fields


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


if TYPE_CHECKING:

    class Options: ...

else:
    Options = dataclasses.make_dataclass("Options", _option_fields(), kw_only=True, frozen=True)
    Options.__module__ = __name__  # else it passes for a built-in type, which has no fields


def train(
    painting: Path | None = None,
    /,
    *,
    photos: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    out: Path | None = None,
    recipe: str | None = None,
    base: str | None = None,
    all: bool = False,
    standalone: bool = False,
    config: Path | None = None,
    name: str | None = None,
    loss_weights: Path | None = None,
    run_dir: Path | None = None,
    preview_photos: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    resume: Path | None = None,
    overwrite: bool = False,
    live: bool = False,
    track: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    option: Annotated[Options | None, Parameter(name="*")] = None,
) -> None:
    """Train a painting into a style file.

    Parameters
    ----------
    painting
        The style image: a file, or one that comes with the package (`impasto styles` lists those).
    photos
        Folders of photos, searched with all folders below, tar shards (as of WebDataset) or Parquet files; paths,
        patterns, or addresses such as https://host/part-{000..099}.tar or s3://bucket/photos. Without it images are
        drawn to train on.
    out
        The style file to write (default: the painting's name with .safetensors).
    recipe
        The set of options to start from: fit, two minutes, which adds the painting to the network of the bundled
        styles; quick, ten minutes, a network of its own; or classic, the original (default: fit).
    base
        The network that fit adds to: turbo, the fastest (default), or classic, the best looking.
    all
        Let fit change all of that network, not only the style's rows: better, and a file of its own.
    standalone
        Write the whole network where fit would write a style's rows alone, some 12 KB.
    config
        A TOML file of options, e.g. that of a run folder; options given here win over it.
    name
        The style's name inside the file (default: the painting's file name).
    loss_weights
        File of the loss network's weights (default: that in the package, or the usual one, downloaded at first use).
    run_dir
        Folder for curves, previews and checkpoints (default: runs/PAINTING-TIME).
    preview_photos
        Up to four photos of your own that the previews show (default: some of those that it trains on).
    resume
        Go on with the training in this run folder; needs no painting.
    overwrite
        Replace a style file that exists.
    live
        Show the curves in a window.
    track
        Send the curves elsewhere too: tensorboard (into the run folder), wandb, trackio; each needs the extra of its
        name.
    """
    given = {key: value for key, value in vars(option).items() if value is not None} if option else {}
    with TrainingBar() as bar:
        common: dict[str, Any] = {
            "overwrite": overwrite,
            "live": live,
            "track": track or (),
            "on_progress": bar,
            "on_download": bar.download,
            "announce": bar.announce,
        }
        if resume is not None:
            fixed = {
                "--photos": photos,
                "--config": config,
                "--loss-weights": loss_weights,
                "--name": name,
                "--run-dir": run_dir,
                "--preview-photos": preview_photos,
                "--recipe": recipe,
                "--base": base,
                "--all": all or None,
                "--standalone": standalone or None,
                "PAINTING": painting,
            }
            for what, value in fixed.items():
                if value is not None:
                    raise ImpastoError(f"{what} is known to the run in {resume}; leave it out with --resume")
            path = workflows.resume(resume, out, **common, **given)
        else:
            if painting is None:
                raise ImpastoError("which painting? Use: impasto train PAINTING")
            file = undetermined(read_toml(config)) if config else {}
            if base is not None:
                file = {key: value for key, value in file.items() if key not in BASES.get(base, {})}
            values = {**file, **(FIT_ALL if all else {}), **given}
            path = workflows.train(
                painting,
                photos or (),
                out,
                recipe=recipe,
                base=base,
                standalone=standalone,
                name=name,
                loss_weights=loss_weights,
                run_dir=run_dir,
                preview=preview_photos or (),
                **common,
                **values,
            )
    quoted = shlex.quote(str(path))
    console.print(f"{path} is ready; try it: impasto stylize PHOTO --style {quoted} --out painted.jpg")


def read_toml(path: Path) -> dict[str, Any]:
    """The options in a TOML file. Raises ImpastoError for a file that cannot be read, an unknown key or a bad value."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ImpastoError(f"cannot read --config {path}: {error.strerror}") from error
    except ValueError as error:
        raise ImpastoError(f"--config {path} is not valid TOML: {error}") from error
    make_config(values, f"--config {path}")
    return values

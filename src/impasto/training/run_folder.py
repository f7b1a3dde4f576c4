"""The run folder: configuration, losses, curves, previews and checkpoints of one training."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import shlex
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from impasto import config as config_module
from impasto.config import TrainConfig
from impasto.errors import ImpastoError
from impasto.files import atomic, lock
from impasto.files.collection.folders import JOB
from impasto.training.photos import Photos
from impasto.training.state import TrainState
from impasto.training.trainer import TrainProgress

CONFIG = "config.toml"
PAINTING = "painting.png"
LOSSES = "losses.jsonl"
FIGURE = "progress.png"
PREVIEWS = "previews"
CHECKPOINTS = ("checkpoint.pt", "checkpoint-before.pt")
DIGESTS = "sha256"
"""Key of the hashes of what does not change during a run."""
TOLD = ("iteration", "epoch", "total_loss", "content_loss", "style_loss", "tv_loss", "learning_rate", "elapsed")
FIRST_PREVIEW = 20.0
PREVIEW_GROWTH = 1.3


@dataclass(frozen=True)
class Job:
    """What a training is about, beside its numbers: kept in the run folder so that it can go on from there."""

    painting: str
    """File name of the painting."""
    painting_sha256: str
    photos: tuple[str, ...]
    """Folders of photos, absolute."""
    out: str
    """The style file to write, absolute."""
    name: str
    """The style's name."""
    recipe: str
    loss_weights: str | None
    """File of the loss network's weights, absolute; None before the usual one was found."""
    loss_weights_sha256: str = ""
    standalone: bool = False
    """Whether the style file of a training that learns rows alone holds the whole network."""
    previews: tuple[str, ...] = ()
    """Photos to look at while it trains, absolute; none takes some of those that it trains on."""


class RunFolder:
    """Writes a run's files; every file is whole at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def require_new(path: Path) -> None:
        """Raises ImpastoError when `path` is anything but a new or an empty folder."""
        if (path / JOB).exists():
            raise ImpastoError(
                f"{path} already holds a training; go on with: {resume_command(path)}, or name another --run-dir"
            )
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise ImpastoError(f"--run-dir {path} is not empty; name a new folder, since files in it would be replaced")

    @classmethod
    def create(cls, path: Path, job: Job, config: TrainConfig, painting: NDArray[np.uint8]) -> RunFolder:
        """A new run folder with what does not change during the run. Raises ImpastoError as `require_new`."""
        cls.require_new(path)
        if path.name in ("", ".."):
            path = path.resolve()  # to have a name
        values = {name: value for name, value in config_module.flatten(config).items() if value is not None}
        fixed = {CONFIG: tomli_w.dumps(values).encode(), PAINTING: encode_png(painting)}
        told = vars(job)
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in fixed.items()}
        fixed[JOB] = json.dumps({**told, DIGESTS: {**digests, JOB: _digest_of(told)}}, indent=2).encode()
        # All at once, so that a kill leaves a run folder or none.
        path.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        for name, data in fixed.items():
            atomic.write_bytes(part / name, data)
        try:
            path.rmdir()
            part.rename(path)
        except OSError:  # the root of a disk, say
            for name in fixed:
                shutil.move(part / name, path / name)
            part.rmdir()
        return cls(path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other trainings out of the folder. Raises ImpastoError when one is in it already."""

        def refuse() -> None:
            raise ImpastoError(f"another training is running in {self.path}; wait for it, or stop it first")

        with lock.alone(self.path / "run", refuse):
            # What a killed training was writing.
            for left in (*self.path.glob(".*.part*"), *(self.path / PREVIEWS).glob(".*.part*")):
                left.unlink(missing_ok=True)
            yield

    @classmethod
    def open(cls, path: Path) -> tuple[RunFolder, Job, dict[str, Any], NDArray[np.uint8]]:
        """An existing run folder, its job, its options and its style image (H, W, 3).

        Raises:
            ImpastoError: not a run folder, or a damaged one.
        """
        try:
            told = json.loads((path / JOB).read_text("utf-8"))
            digests = told.pop(DIGESTS)
            fixed = {name: (path / name).read_bytes() for name in (CONFIG, PAINTING)}
            found = {JOB: _digest_of(told), **{name: hashlib.sha256(data).hexdigest() for name, data in fixed.items()}}
            for name, digest in found.items():
                if digests[name] != digest:
                    raise ImpastoError(
                        f"{path / name} is not what this training wrote; put it back as it was, or begin anew with "
                        f"--config {path / CONFIG}"
                    )
            job = Job(**_tuples(told))
            options = tomllib.loads(fixed[CONFIG].decode())
            with Image.open(io.BytesIO(fixed[PAINTING])) as image:
                painting = np.asarray(image.convert("RGB"))
        except FileNotFoundError as error:
            raise ImpastoError(f"{path} is not the folder of a run: {Path(error.filename).name} is missing") from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ImpastoError(f"{path} is a damaged run folder ({type(error).__name__}: {error})") from error
        return cls(path), job, options, painting

    def write(self, name: str, data: bytes) -> None:
        atomic.write_bytes(self.path / name, data)

    def save_checkpoint(self, state: TrainState, photos: Photos) -> None:
        """Saves `state` and which photos it is of; the checkpoint before is kept beside it."""
        buffer = io.BytesIO()
        torch.save({"state": state.state_dict(), "photos": photos.digest}, buffer)
        data = buffer.getvalue()
        newest, before = (self.path / name for name in CHECKPOINTS)
        with atomic.replacing(newest) as temporary:
            atomic.write_through(temporary, hashlib.sha256(data).digest() + data)
            if newest.exists():
                newest.replace(before)

    def load_checkpoint(self, state: TrainState, photos: Photos, announce: Callable[[str], None]) -> bool:
        """Puts the newest whole checkpoint into `state`; whether `photos` are those of then.

        A run that was stopped before its first checkpoint begins anew.

        Raises:
            ImpastoError: there are checkpoints, and none is whole or fits the configuration.
        """
        files = [self.path / name for name in CHECKPOINTS if (self.path / name).exists()]
        for file in files:
            data = _read_if_possible(file)
            if hashlib.sha256(data[32:]).digest() != data[:32]:
                announce(f"{file} is damaged and is left aside")
                continue
            saved = torch.load(io.BytesIO(data[32:]), map_location="cpu", weights_only=True)
            try:
                state.load_state_dict(saved["state"])
            except (RuntimeError, ValueError, KeyError) as error:
                raise ImpastoError(f"{file} does not fit the configuration in {self.path / CONFIG}") from error
            if file != files[0]:
                files[0].unlink()  # the next save would put the damaged one in the place of the whole one
            return bool(saved["photos"] == photos.digest)
        if files:
            raise ImpastoError(f"the checkpoints in {self.path} are damaged; start the training anew")
        return True

    def cut_losses(self, iteration: int, announce: Callable[[str], None]) -> list[dict[str, float]]:
        """The losses up to `iteration`; later lines, written after the checkpoint, are dropped from the file."""
        file = self.path / LOSSES
        kept: list[dict[str, float]] = []
        for line in file.read_text("utf-8", errors="replace").splitlines() if file.exists() else []:
            entry = _loss_entry_in(line)
            if entry is not None and entry["iteration"] > iteration:
                break
            if entry is not None and (not kept or entry["iteration"] > kept[-1]["iteration"]):
                kept.append(entry)
        if len(kept) < iteration:  # there is a line for each
            announce(f"{iteration - len(kept)} steps are missing from the curve: lines of {file} are damaged")
        atomic.write_bytes(file, "".join(json.dumps(entry) + "\n" for entry in kept).encode())
        return kept

    def add_losses(self, progress: TrainProgress) -> dict[str, float]:
        entry = loss_entry(progress)
        with (self.path / LOSSES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        return entry

    def save_preview(self, iteration: int, rows: list[list[NDArray[np.uint8]]]) -> Path:
        """A picture of rows of pictures of one size, (h, w, 3) each."""
        path = self.path / PREVIEWS / f"{iteration:06d}.png"
        atomic.write_bytes(path, encode_png(np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)))
        return path


def new_run_dir(painting: str, runs: Path = Path("runs")) -> Path:
    """Makes runs/<painting>-<date>-<time>, with a number behind where that exists already."""
    base = runs / f"{Path(painting).stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    others = (base.with_name(f"{base.name}-{number}") for number in itertools.count(2))
    for path in itertools.chain([base], others):
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ImpastoError(
                f"cannot make the run folder {path}: {error.strerror}; name one with --run-dir"
            ) from error
        return path
    raise AssertionError


def resume_command(path: Path) -> str:
    return f"impasto train --resume {shlex.quote(str(path))}"


def next_preview(elapsed: float) -> float:
    """Seconds of training at the first preview after `elapsed`: dense while the picture changes fast, sparse later."""
    preview = FIRST_PREVIEW
    while preview <= elapsed:
        preview *= PREVIEW_GROWTH
    return preview


def loss_entry(progress: TrainProgress) -> dict[str, float]:
    return {name: getattr(progress, name) for name in TOLD}


def _loss_entry_in(line: str) -> dict[str, float] | None:
    """The numbers in a line of the losses; None for a damaged one, as the last one of a killed run may be."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(entry, dict) and tuple(entry) == TOLD and all(isinstance(x, int | float) for x in entry.values())
    return entry if whole else None


def _read_if_possible(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # which is no whole checkpoint


def _digest_of(told: Mapping[str, Any]) -> str:
    """Hash of JSON values, however they are laid out."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def to_pixels(image: Tensor) -> NDArray[np.uint8]:
    """Float (3, H, W) in [0, 1] → uint8 (H, W, 3), rounded."""
    scaled = (image.detach().float().clamp(0, 1) * 255).round().byte()
    return scaled.permute(1, 2, 0).cpu().numpy()


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}

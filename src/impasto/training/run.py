"""One training from its assembled parts to the style file: assemble, loop with its listeners, finish."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.config import BASES, TrainConfig, flatten
from impasto.core.device import choose_device
from impasto.core.losses import PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files import gallery, style_file
from impasto.files.download import Report
from impasto.files.stop_request import StopRequest
from impasto.files.style_file import IDENTITY, Style
from impasto.files.weights import locate
from impasto.training import trainer
from impasto.training.allocator import kept_memory
from impasto.training.fabric import choose_precision, lay_out
from impasto.training.figure import ProgressFigure
from impasto.training.loss_weights import load_loss_network
from impasto.training.photos import FEW_PHOTOS, Photos
from impasto.training.pixels import to_float, to_tensor
from impasto.training.previews import looked_at
from impasto.training.ranks import Ranks
from impasto.training.result import SMALL_PROBE, make_style
from impasto.training.run_folder import (
    FIGURE,
    FIRST_PREVIEW,
    Job,
    RunFolder,
    next_preview,
    resume_command,
    to_pixels,
)
from impasto.training.start import fits, trained_start
from impasto.training.state import NotFiniteError, TrainState
from impasto.training.tracking import tracking
from impasto.training.trainer import TrainProgress
from impasto.version import __version__

TRIED_PHOTOS = 2
TRIED_SIDE = 160
"""Photos on which the trained network's ways to paint are tried, and the side in pixels of what is taken of them."""

Listener = Callable[[TrainProgress], None]
Announce = Callable[[str], None]


class TrainingStopped(KeyboardInterrupt):
    """The user stopped a training; it was saved first. The text says how to go on."""


def settled(config: TrainConfig) -> TrainConfig:
    """The configuration with the device and precision that `auto` stands for on this machine."""
    device = choose_device(config.device)
    return replace(config, device=device, precision=choose_precision(config.precision, device))


def with_weights(job: Job, network: str, on_download: Report | None, announce: Announce) -> Job:
    """`job` with the file of the loss network's weights: the one it names, or the usual one, downloaded if need be.

    Raises:
        ImpastoError: no such file, or a training that is to go on began with other weights.
    """
    path = Path(job.loss_weights) if job.loss_weights else locate(network, on_download, announce)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImpastoError(f"cannot read the weights {path}: {error.strerror or error}") from error
    if job.loss_weights_sha256 not in ("", digest):
        raise ImpastoError(f"{path} holds other weights than those that this training began with; put those back")
    return replace(job, loss_weights=str(path.absolute()), loss_weights_sha256=digest)


def options_of(config: TrainConfig) -> dict[str, Any]:
    return {name: value for name, value in flatten(config).items() if value is not None}


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


class Run:
    """A training that is assembled but has not begun.

    Everything that bad input can spoil is read here, before a run folder exists.
    """

    def __init__(
        self,
        job: Job,
        config: TrainConfig,
        painting: NDArray[np.uint8],
        ranks: Ranks,
        announce: Announce,
        on_download: Report | None = None,
    ) -> None:
        """`painting` is the style image, uint8 (H, W, 3). Raises ImpastoError for bad photos, weights or layers."""
        self.config = config = settled(config)
        self.ranks = ranks
        self.announce = announce
        if config.learn == "rows" and not fits(config):
            raise ImpastoError(
                "there is no trained network of that shape whose rows could learn; take a --base "
                f"({' or '.join(BASES)}) without options of the network, or --recipe quick"
            )
        self.photos = Photos.find(job.photos, config, ranks.share)
        if not job.photos:
            announce("no --photos: the program draws images to train on")
        elif self.photos.usable < FEW_PHOTOS:
            announce(f"only {self.photos.usable} photos: with fewer than {FEW_PHOTOS} a style generalizes less well")
        self.job = with_weights(job, config.loss.loss_network, on_download, announce)
        network = load_loss_network(
            config.loss.loss_network,
            Path(self.job.loss_weights or ""),
            config.loss.loss_normalization,
            announce=announce,
        )
        torch.manual_seed(config.seed)
        transformer = TransformerNet(config.network)
        try:
            loss = PerceptualLoss(network, [to_float(to_tensor(painting))[None]], config.loss)
        except ValueError as error:
            raise ImpastoError(str(error)) from error
        self.loss = lay_out(loss, ranks.fabric)
        self.state = TrainState(lay_out(transformer, ranks.fabric), config)
        self._looked_at: Tensor | None = None
        together = f", {ranks.size} processes together" if ranks.size > 1 else ""
        announce(f"training on {config.device} in {config.precision} with {self.photos.usable:,} photos{together}")

    def go(self, folder: RunFolder, listener: Listener, *, live: bool = False, track: Sequence[str] = ()) -> Path:
        """Trains from the newest checkpoint in `folder`, or from the start, and writes the style file.

        Raises:
            TrainingStopped: Ctrl-C or SIGTERM; a checkpoint was saved.
            ImpastoError: the losses stopped being finite, the photos, the disk or the memory failed, or another
                training is running in the folder.
        """
        with folder.alone(), StopRequest() as stop, kept_memory():
            same_photos = folder.load_checkpoint(self.state, self.photos, self.announce)
            if self.state.iteration:
                self.announce(f"going on from iteration {self.state.iteration}")
            elif self.config.start != "random":
                self._begin_as_trained()
            if not same_photos:
                self.announce("the photos are not the same as before: from here on their order is another one")
            if self.ranks.size > 1:
                self.ranks.send(self.state.state_dict())
            figure = ProgressFigure(folder.cut_losses(self.state.iteration, self.announce), window=live)
            if live and not figure.has_window:
                self.announce("--live: no window can be opened here; the figure is drawn into the run folder")
            try:
                with tracking(track, folder.path, options_of(self.config), self.announce) as trackers:
                    self._loop(folder, figure, [*trackers, listener], stop)
                over = trainer.is_over(self.state, self.photos, self.config)
                path = self._finish() if over else None
                folder.save_checkpoint(self.state, self.photos)
            except NotFiniteError as error:
                # The checkpoint on disk may be older; these are the last weights that gave finite losses.
                self.state.restore_last_good()
                raise ImpastoError(
                    f"{error}; the training ended there, its last good state is in {self._finish()}. "
                    "Try a smaller --learning-rate, or --clip-gradients 1"
                ) from error
            except (ImpastoError, OSError, RuntimeError, MemoryError) as error:
                why = self.ranks.loss_of(error) or one_line(error)
                raise ImpastoError(f"{why}. {self._try_to_save(folder)}") from error
            except Exception:  # a fault of ours, or a listener's: nothing is lost by it
                self.announce(self._try_to_save(folder))
                raise
            finally:
                self._name_broken_photos()
            if path is None:
                raise TrainingStopped(
                    f"stopped at iteration {self.state.iteration}, all is saved; "
                    f"go on with: {resume_command(folder.path)}"
                )
            return path

    def accompany(self) -> bool:
        """Trains along with the leader, whose state comes first; whether to the end."""
        with StopRequest() as stop, kept_memory():
            self.state.load_state_dict(self.ranks.send(None))
            for _ in trainer.train(self.ranks, self.state, self.loss, self.photos, self.config, lambda: stop.requested):
                pass
        return trainer.is_over(self.state, self.photos, self.config)

    def _begin_as_trained(self) -> None:
        if not fits(self.config):
            self.announce("the trained network in the package has another shape: beginning at random")
            return
        photos = to_float(self.photos.samples(TRIED_PHOTOS)[..., :TRIED_SIDE, :TRIED_SIDE])
        start = trained_start(self.config, self.loss, photos)
        self.state.begin_with(start.weights)
        self.announce(f"beginning with the trained network in the package, as it paints {start.row}")

    def _try_to_save(self, folder: RunFolder) -> str:
        """Saves a checkpoint after something failed, and says whether that worked and how to go on."""
        try:
            folder.save_checkpoint(self.state, self.photos)
            saved = "All is saved"
        except (ImpastoError, OSError, RuntimeError):
            saved = "Not even a checkpoint could be saved; the one before it is kept where it was written"
        return f"{saved}; when that is mended, go on with: {resume_command(folder.path)}"

    def _name_broken_photos(self) -> None:
        if self.photos.broken:
            named = "\n  ".join(self.photos.broken.values())
            self.announce(f"{len(self.photos.broken)} photos could not be read and were left out:\n  {named}")

    def _loop(self, folder: RunFolder, figure: ProgressFigure, listeners: list[Listener], stop: StopRequest) -> None:
        """Trains to the end or to a request to stop."""
        saved = time.monotonic()
        preview = next_preview(self.state.elapsed)
        progress = None
        steps = trainer.train(self.ranks, self.state, self.loss, self.photos, self.config, lambda: stop.requested)
        for progress in steps:
            figure.add(folder.add_losses(progress))
            if progress.iteration % self.config.plot_every == 0 and figure.due():
                folder.write(FIGURE, figure.draw(progress))
            if progress.elapsed >= preview:
                path = self._preview(folder)
                if path is not None and preview == FIRST_PREVIEW:
                    self.announce(f"a first preview: {path}")
                preview = next_preview(progress.elapsed)
            for listener in listeners:
                listener(progress)
            every = self.config.checkpoint_every
            if time.monotonic() - saved > 60 * self.config.checkpoint_minutes or (
                every and progress.iteration % every == 0
            ):
                folder.save_checkpoint(self.state, self.photos)
                saved = time.monotonic()
        if progress is not None:
            folder.write(FIGURE, figure.draw(progress))
            self._preview(folder)

    def _preview(self, folder: RunFolder) -> Path | None:
        """A few fixed photos above their stylized versions, by the weights that the style file would get."""
        if self._looked_at is None or not len(self._looked_at):
            self._looked_at = looked_at(self.job.previews, self.photos, self.announce)
        photos = to_float(self._looked_at)
        if not len(photos):
            return None  # they all vanished since; the loop will name them
        network = TransformerNet(self.config.network).eval()
        network.load_state_dict(self.state.result())
        network = lay_out(network, self.ranks.fabric)
        with torch.inference_mode(), self.ranks.fabric.autocast():
            stylized = network(photos.to(self.ranks.fabric.device)).cpu()
        return folder.save_preview(self.state.iteration, [[to_pixels(p) for p in row] for row in (photos, stylized)])

    def _finish(self) -> Path:
        job, config = self.job, self.config
        provenance = {
            "painting": job.painting,
            "painting_sha256": job.painting_sha256,
            "recipe": job.recipe,
            "loss_weights_sha256": job.loss_weights_sha256,
            "options": options_of(config),
            "iterations": self.state.iteration,
            "photos": self.photos.usable,
            "minutes": round(self.state.elapsed / 60, 1),
            "impasto": __version__,
            "torch": torch.__version__,
        }
        out = Path(job.out)
        style_file.save(out, self._style(provenance))
        return out

    def _style(self, provenance: dict[str, Any]) -> Style:
        """What the style file holds: rows alone where nothing else has learned, unless it is to stand alone."""
        config, weights = self.config, self.state.result()
        if config.learn == "rows" and not self.job.standalone:
            weights = {name: value[:1] if gallery.is_row(name) else value for name, value in weights.items()}
            network = replace(config.network, styles=1)
            style = make_style(network, weights, [self.job.name], provenance, SMALL_PROBE)
            return gallery.rows_of(style, config.network.body)
        names = [self.job.name, IDENTITY][: config.network.styles]
        return make_style(config.network, weights, names, provenance)

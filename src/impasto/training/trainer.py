"""The training loop: photos and a loss in, a stream of TrainProgress out. No files, no prints."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from torch import Tensor, nn

from impasto.config import Device, Precision, TrainConfig
from impasto.core.losses import Look, Losses, PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files.gallery import is_row
from impasto.training.photos import Photos, to_float

EMA_WARM_UP = 10
GROWTH_STEPS = 3
GROWTH_MULTIPLE = 16
"""Sides of growing pieces in pixels are multiples of this, which suits every network's strides."""
IDENTITY_SIDE = 128
"""Side in pixels of the piece of a photo that the identity row learns from in a step."""

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class NotFiniteError(ImpastoError):
    """A loss or gradient became infinite or NaN; the network has been put back to its last good weights."""


@dataclass(frozen=True)
class TrainProgress:
    """One step's outcome; the bar, the plot and the run folder all read this value."""

    iteration: int
    """Steps done, from 1."""
    iterations: int
    """Steps that the whole training is expected to take, by the pace so far where minutes limit it."""
    epoch: int
    """From 1."""
    epochs: int
    """0 where something else ends the training."""
    total_loss: float
    content_loss: float
    style_loss: float
    tv_loss: float
    learning_rate: float
    photos_per_second: float
    elapsed: float
    """Seconds of training, those before a resume included."""
    done: float
    """Share of the training that is done, 0 to 1, by steps or by time, whichever ends it first."""
    photo: Tensor = field(repr=False)
    """The batch's first photo, float (3, H, W) in [0, 1]."""
    stylized: Tensor = field(repr=False)
    """The same photo stylized in this step, (3, H, W)."""

    @property
    def remaining(self) -> float:
        """Seconds left, by the pace so far."""
        return self.elapsed * (1 - self.done) / max(self.done, 1e-9)


class TrainState:
    """All that changes during a training: what a checkpoint must hold to go on from there."""

    def __init__(self, network: TransformerNet, config: TrainConfig) -> None:
        self.network = network
        self.config = config
        if config.learn == "rows":
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(is_row(name))
        learning = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(learning, lr=config.learning_rate, betas=(config.beta1, config.beta2))
        self.average = [p.detach().clone() for p in network.parameters()] if config.ema else []
        self.last_good = [value.clone() for value in self._values()]
        self.iteration = 0
        self.epoch = 0
        self.position = 0
        self.elapsed = 0.0

    def begin_with(self, weights: dict[str, Tensor]) -> None:
        """Takes `weights`, by parameter name, as those that the training begins with."""
        self.network.load_state_dict(weights)
        if self.average:
            torch._foreach_copy_(self.average, self.parameters())
        self.keep_as_good()

    def parameters(self) -> list[Tensor]:
        return [p.detach() for p in self.network.parameters()]

    def result(self) -> dict[str, Tensor]:
        """The weights that the style file gets: the moving average where there is one. Copies."""
        names = [name for name, _ in self.network.named_parameters()]
        values = self.average or self.parameters()
        return {name: value.detach().clone() for name, value in zip(names, values, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "random": torch.get_rng_state(),
            "iteration": self.iteration,
            "epoch": self.epoch,
            "position": self.position,
            "elapsed": self.elapsed,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            torch._foreach_copy_(self.average, state["average"])
        self.keep_as_good()
        torch.set_rng_state(state["random"].cpu())
        for name in ("iteration", "epoch", "position", "elapsed"):
            setattr(self, name, state[name])

    def average_weights(self) -> None:
        if self.average:
            # A young average forgets its random start faster.
            decay = min(self.config.ema, (1 + self.iteration) / (EMA_WARM_UP + self.iteration))
            torch._foreach_lerp_(self.average, self.parameters(), 1 - decay)

    def keep_as_good(self) -> None:
        torch._foreach_copy_(self.last_good, self._values())

    def restore_last_good(self) -> None:
        torch._foreach_copy_(self._values(), self.last_good)

    def _values(self) -> list[Tensor]:
        # The average has taken in the weights before their loss is known, so it must go back with them.
        return [*self.parameters(), *self.average]


def train(
    fabric: Fabric, state: TrainState, loss: PerceptualLoss, photos: Photos, config: TrainConfig
) -> Iterator[TrainProgress]:
    """Trains until the epochs, the iterations or the minutes are over, yielding after every step.

    The caller may stop at any yield; `state` is whole then.

    Raises:
        NotFiniteError: a loss or gradient that is not finite; the network has its last good weights.
        ImpastoError: more than a tenth of the photos turned out broken.
    """
    network, optimizer = fabric.setup(state.network, state.optimizer)
    network.train()
    started = time.perf_counter()
    while state.epoch < (config.epochs or math.inf):
        for batch in photos.epoch(state.epoch, state.position):
            done = share_done(state, photos, config)
            if done >= 1:
                return
            set_learning_rate(state, done)
            random = step_generator(config.seed, state.iteration)
            look = Look.draw(config.loss, random)
            pixels = to_float(fabric.to_device(random_piece(batch.photos, piece_side(config, done), random)))
            style = torch.randint(config.painted_styles, (len(pixels),), generator=random).to(pixels.device)
            losses, stylized = train_step(fabric, network, optimizer, loss, pixels, look, state, style)
            state.iteration += 1
            state.position = batch.position
            state.average_weights()
            # From step to step: waiting for photos and what the caller does with the progress count too.
            seconds, started = time.perf_counter() - started, time.perf_counter()
            state.elapsed += seconds
            yield progress_of(state, photos, config, losses, pixels[0], stylized[0], seconds)
        state.epoch, state.position = state.epoch + 1, 0
        if not photos.batches_per_epoch:
            return


def train_step(
    fabric: Fabric,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: PerceptualLoss,
    photos: Tensor,
    look: Look,
    state: TrainState,
    style: int | Tensor = 0,
) -> tuple[Losses, Tensor]:
    """One step on `photos` (B, 3, H, W) in [0, 1]; the losses before the step, and the stylized photos.

    `style` is the index of every photo's style, or the indices (B,).
    """
    stylized = network(photos, style)
    which = torch.as_tensor(style, device=photos.device).reshape(-1)
    with fabric.autocast():
        losses: Losses = loss(stylized, photos, style=which, look=look)
    if state.config.identity_weight and state.config.learn == "all":
        back = identity_loss(network, photos, state.config.painted_styles)
        losses = losses._replace(total=losses.total + state.config.identity_weight * back)
    if not bool(torch.isfinite(losses.total)):
        state.restore_last_good()
        raise NotFiniteError(f"the loss became {losses.total.item()} at iteration {state.iteration + 1}")
    # These weights gave finite losses: they are what to fall back to.
    state.keep_as_good()
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(losses.total)
    limit = state.config.clip_gradients or math.inf
    norm = nn.utils.clip_grad_norm_(network.parameters(), limit) if limit < math.inf else gradient_norm(network)
    if not bool(torch.isfinite(norm)):
        raise NotFiniteError(f"the gradient became {float(norm)} at iteration {state.iteration + 1}")
    optimizer.step()
    return Losses(*(part.detach() for part in losses)), stylized.detach()


def identity_loss(network: nn.Module, photos: Tensor, row: int) -> Tensor:
    """Mean squared error of what the style `row` makes of a piece of the first photo, against that piece."""
    piece = photos[:1, :, :IDENTITY_SIDE, :IDENTITY_SIDE]
    return F.mse_loss(network(piece, row), piece)


def gradient_norm(network: nn.Module) -> Tensor:
    return nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


def share_done(state: TrainState, photos: Photos, config: TrainConfig) -> float:
    by_steps = state.iteration / max(1, total_iterations(photos, config))
    by_time = state.elapsed / (60 * config.max_minutes) if config.max_minutes else 0.0
    return max(by_steps, by_time)


def total_iterations(photos: Photos, config: TrainConfig) -> float:
    """Steps of the whole training by epochs and --max-iterations, the fewer; infinite where neither ends it."""
    by_epochs = config.epochs * photos.batches_per_epoch if config.epochs else math.inf
    return min(by_epochs, config.max_iterations or math.inf)


def piece_side(config: TrainConfig, done: float) -> int:
    """Side of the pieces of photos at this share of the training: it grows from the start size in equal steps."""
    step = min(int(done * GROWTH_STEPS), GROWTH_STEPS - 1)
    if not config.start_size or step == GROWTH_STEPS - 1:
        return config.image_size
    side = config.start_size + (config.image_size - config.start_size) * step / (GROWTH_STEPS - 1)
    return min(config.image_size, round(side / GROWTH_MULTIPLE) * GROWTH_MULTIPLE) if step else config.start_size


def random_piece(photos: Tensor, side: int, random: torch.Generator) -> Tensor:
    """A square of `side` pixels of each of `photos` (B, 3, S, S), all at the same place."""
    room = photos.shape[-1] - side
    if not room:
        return photos
    top, left = torch.randint(room + 1, (2,), generator=random).tolist()
    return photos[..., top : top + side, left : left + side]


def set_learning_rate(state: TrainState, done: float) -> None:
    config = state.config
    factor = 0.5 * (1 + math.cos(math.pi * min(done, 1.0))) if config.schedule == "cosine" else 1.0
    climb = min(1.0, (state.iteration + 1) / config.warm_up) if config.warm_up else 1.0
    for group in state.optimizer.param_groups:
        group["lr"] = config.learning_rate * factor * climb


def step_generator(seed: int, iteration: int) -> torch.Generator:
    """Random numbers of one step, the same however often the training was stopped before it."""
    mixed = np.random.SeedSequence([seed, iteration, 7]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed) % 2**63)


def progress_of(
    state: TrainState,
    photos: Photos,
    config: TrainConfig,
    losses: Losses,
    photo: Tensor,
    stylized: Tensor,
    seconds: float,
) -> TrainProgress:
    done = min(1.0, share_done(state, photos, config))
    return TrainProgress(
        iteration=state.iteration,
        iterations=max(state.iteration, round(state.iteration / done)),
        epoch=state.epoch + 1,
        epochs=config.epochs,
        total_loss=float(losses.total),
        content_loss=float(losses.content),
        style_loss=float(losses.style),
        tv_loss=float(losses.tv),
        learning_rate=state.optimizer.param_groups[0]["lr"],
        photos_per_second=config.batch_size / seconds,
        elapsed=state.elapsed,
        done=done,
        photo=photo,
        stylized=stylized,
    )


def choose_precision(precision: Precision, device: Device) -> Precision:
    """bf16 or float32 where `precision` is auto: bf16 where the device computes it natively."""
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device == "cpu":
        # A CPU without such instructions emulates them, slower than float32. torch < 2.10 can't tell.
        able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"
    return "float32"


def lay_out(module: ModuleT, fabric: Fabric) -> ModuleT:
    """`module` on the fabric's device, in the memory layout that its convolutions are fastest in."""
    # In bf16 oneDNN and cuDNN are 1.3 to 2 times faster so; in float32 the copies cost more than they win.
    if isinstance(fabric.strategy.precision, MixedPrecision):
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.to(fabric.device)


def make_fabric(device: Device, precision: Precision) -> Fabric:
    # Fabric reports on the terminal what the configuration says anyway.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    return Fabric(accelerator=device, devices=1, precision="bf16-mixed" if precision == "bf16" else "32-true")

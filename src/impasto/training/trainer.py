"""The training loop: photos and a loss in, a stream of TrainProgress out. No files, no prints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config import TrainConfig
from impasto.core.losses import Look, Losses, PerceptualLoss
from impasto.core.motion import random_motion
from impasto.errors import ImpastoError
from impasto.training.photos import ALL, PhotoBatch, Photos, Share
from impasto.training.pixels import to_float
from impasto.training.ranks import Ranks
from impasto.training.state import NotFiniteError, TrainState

GROWS_AT = (0.6, 0.85)
"""Shares of a training after which pieces of photos are larger: many small steps teach more than few large ones."""
GROWTH_MULTIPLE = 16
"""Sides of growing pieces in pixels are multiples of this, which suits every network's strides."""
IDENTITY_SIDE = 128
"""Side in pixels of the piece of a photo that the identity row learns from in a step."""
SENSOR_NOISE = 0.03
"""Largest standard deviation of the noise, of a range of 1, that must not change what is painted."""

LOOKS, TEMPORAL = 7, 8
"""What a step's random numbers are for."""


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
    waited: float
    """Seconds of this step in which the network waited for photos."""
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


def train(
    ranks: Ranks,
    state: TrainState,
    loss: PerceptualLoss,
    photos: Photos,
    config: TrainConfig,
    stop: Callable[[], bool] = lambda: False,
    shares: Sequence[float] = (),
) -> Iterator[TrainProgress]:
    """Trains until the epochs, the iterations or the minutes are over, or `stop()`, yielding after every step.

    A photo's style is drawn for each step: all alike, or each as often as its part of the `shares`.

    The caller may stop at any yield where it trains alone; `state` is whole then. Of several processes each runs this
    on its own share of the photos, and any of them can stop all.

    Raises:
        NotFiniteError: a loss or gradient that is not finite; the network has its last good weights.
        ImpastoError: more than a tenth of the photos turned out broken.
    """
    network, optimizer = ranks.fabric.setup(state.network, state.optimizer)
    network.train()
    started = time.perf_counter()
    while state.epoch < (config.epochs or math.inf):
        batches = photos.epoch(state.epoch, state.position)
        while True:
            asked = time.perf_counter()
            batch, problem = _next(batches)
            waited = time.perf_counter() - asked
            stopping, state.elapsed = ranks.agree(problem, stop(), state.elapsed)
            if stopping:
                return
            if batch is None:
                break
            done = share_done(state, photos, config)
            if done >= 1:
                return
            set_learning_rate(state, done)
            random = step_generator(config.seed, state.iteration)
            look = Look.draw(config.loss, random)
            pixels = random_piece(batch.photos, piece_side(config, done), random)
            pixels = to_float(ranks.fabric.to_device(pixels))
            style = own(random_styles(config, shares, random), ranks.share)
            style, calm = style.to(pixels.device), calm_share(config, done)
            losses, stylized = train_step(ranks, network, optimizer, loss, pixels, look, state, style, calm)
            state.iteration += 1
            state.position = batch.position
            state.average_weights()
            # From step to step: waiting for photos and what the caller does with the progress count too.
            seconds, started = time.perf_counter() - started, time.perf_counter()
            state.elapsed += seconds
            yield progress_of(state, photos, config, losses, pixels[0], stylized[0], seconds, waited)
        state.epoch, state.position = state.epoch + 1, 0
        if not photos.batches_per_epoch:
            return


def _next(batches: Iterator[PhotoBatch]) -> tuple[PhotoBatch | None, ImpastoError | None]:
    """The next batch, None at the end; and what is wrong with the photos."""
    try:
        return next(batches, None), None
    except ImpastoError as error:
        return None, error


def random_styles(config: TrainConfig, shares: Sequence[float], random: torch.Generator) -> Tensor:
    """The index of each photo's style in a step, (batch_size,)."""
    if not shares:
        return torch.randint(config.painted_styles, (config.batch_size,), generator=random)
    return torch.multinomial(torch.tensor(shares), config.batch_size, replacement=True, generator=random)


def calm_share(config: TrainConfig, done: float) -> float:
    """How much of the calm loss counts when so much of the training is done.

    It grows: marks are learned first, and then where they belong; both at once takes far longer. A constant schedule,
    which knows of no end, has all of it from the beginning.
    """
    return 1.0 if config.schedule == "constant" else done


def own(values: Tensor, share: Share) -> Tensor:
    """This process's share of values for a whole batch."""
    return values.chunk(share.of)[share.rank]


def train_step(
    ranks: Ranks,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: PerceptualLoss,
    photos: Tensor,
    look: Look,
    state: TrainState,
    style: int | Tensor = 0,
    calm: float = 1.0,
) -> tuple[Losses, Tensor]:
    """One step on `photos` (B, 3, H, W) in [0, 1]; the losses before the step, and the stylized photos.

    `style` is the index of every photo's style, or the indices (B,); `calm` how much of the calm loss counts.
    """
    stylized = network(photos, style)
    which = torch.as_tensor(style, device=photos.device).reshape(-1)
    with ranks.fabric.autocast():
        losses: Losses = loss(stylized, photos, style=which, look=look, calm_share=calm)
    if state.config.identity_weight and state.config.learn == "all":
        back = identity_loss(network, photos, state.config.painted_styles)
        losses = losses._replace(total=losses.total + state.config.identity_weight * back)
    if state.config.temporal_weight:
        random = step_generator(state.config.seed, state.iteration, TEMPORAL)
        unsteady = temporal_loss(network, photos, stylized, style, random, ranks.share)
        losses = losses._replace(total=losses.total + state.config.temporal_weight * unsteady)
    told = Losses(*ranks.mean(torch.stack([part.detach().float() for part in losses])))
    if not bool(torch.isfinite(told.total)):
        state.restore_last_good()
        raise NotFiniteError(f"the loss became {told.total.item()} at iteration {state.iteration + 1}")
    # These weights gave finite losses: they are what to fall back to.
    state.keep_as_good()
    optimizer.zero_grad(set_to_none=True)
    ranks.fabric.backward(losses.total)
    limit = state.config.clip_gradients or math.inf
    norm = nn.utils.clip_grad_norm_(state.weights, limit) if limit < math.inf else gradient_norm(state.weights)
    if not bool(torch.isfinite(norm)):
        raise NotFiniteError(f"the gradient became {float(norm)} at iteration {state.iteration + 1}")
    optimizer.step()
    return told, stylized.detach()


def identity_loss(network: nn.Module, photos: Tensor, row: int) -> Tensor:
    """Mean squared error of what the style `row` makes of a piece of the first photo, against that piece."""
    piece = photos[:1, :, :IDENTITY_SIDE, :IDENTITY_SIDE]
    return F.mse_loss(network(piece, row), piece)


def temporal_loss(
    network: nn.Module,
    photos: Tensor,
    stylized: Tensor,
    style: int | Tensor,
    random: torch.Generator,
    share: Share = ALL,
) -> Tensor:
    """Mean squared difference of the stylized next frame and the next frame of the stylized, where it was seen before.

    The next frame is the photo moved, with a sensor's noise (compound regularization: Wang, Xu, Zhang, Wang, Liu:
    Consistent Video Style Transfer via Compound Regularization, AAAI 2020).
    """
    batch, channels, height, width = photos.shape
    motion = random_motion(height, width, random)
    motion = motion._replace(flow=motion.flow.to(photos.device))
    deviation = SENSOR_NOISE * float(torch.rand((), generator=random))
    # Drawn where the photos are: a GPU would wait for so many numbers.
    there = torch.Generator(photos.device).manual_seed(int(torch.randint(2**62, (), generator=random)))
    noise = torch.randn(share.of * batch, channels, height, width, generator=there, device=photos.device)
    noise = own(noise, share)
    following = motion.warp(photos) + deviation * noise
    difference = (network(following.clamp(0, 1), style) - motion.warp(stylized)).square()
    seen = motion.seen()
    return torch.sum(difference * seen) / (seen.sum() * batch * channels).clamp_min(1)


def gradient_norm(weights: list[nn.Parameter]) -> Tensor:
    return nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])


def share_done(state: TrainState, photos: Photos, config: TrainConfig) -> float:
    by_steps = state.iteration / max(1, total_iterations(photos, config))
    by_time = state.elapsed / (60 * config.max_minutes) if config.max_minutes else 0.0
    return max(by_steps, by_time)


def is_over(state: TrainState, photos: Photos, config: TrainConfig) -> bool:
    return share_done(state, photos, config) >= 1 or bool(config.epochs and state.epoch >= config.epochs)


def total_iterations(photos: Photos, config: TrainConfig) -> float:
    """Steps of the whole training by epochs and --max-iterations, the fewer; infinite where neither ends it."""
    by_epochs = config.epochs * photos.batches_per_epoch if config.epochs else math.inf
    return min(by_epochs, config.max_iterations or math.inf)


def piece_side(config: TrainConfig, done: float) -> int:
    """Side of the pieces of photos at this share of the training: it grows from the start size in two equal steps."""
    grown = sum(done >= share for share in GROWS_AT) / len(GROWS_AT)
    if not config.start_size or grown == 1:
        return config.image_size
    side = config.start_size + (config.image_size - config.start_size) * grown
    return min(config.image_size, round(side / GROWTH_MULTIPLE) * GROWTH_MULTIPLE) if grown else config.start_size


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


def step_generator(seed: int, iteration: int, purpose: int = LOOKS) -> torch.Generator:
    """Random numbers of one step for one purpose, the same however often the training was stopped before it."""
    mixed = np.random.SeedSequence([seed, iteration, purpose]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed) % 2**63)


def progress_of(
    state: TrainState,
    photos: Photos,
    config: TrainConfig,
    losses: Losses,
    photo: Tensor,
    stylized: Tensor,
    seconds: float,
    waited: float,
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
        waited=waited,
        elapsed=state.elapsed,
        done=done,
        photo=photo,
        stylized=stylized,
    )

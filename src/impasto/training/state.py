"""All that changes during a training, and its way back when a loss stops being finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from impasto.config import TrainConfig
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files.gallery import is_row
from impasto.training.soap import Soap

EMA_WARM_UP = 10


class NotFiniteError(ImpastoError):
    """A loss or gradient became infinite or NaN; the network has been put back to its last good weights."""


class TrainState:
    """All that changes during a training: what a checkpoint must hold to go on from there."""

    def __init__(self, network: TransformerNet, config: TrainConfig) -> None:
        self.network = network
        self.config = config
        if config.learn == "rows":
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(is_row(name))
        self.weights = list(network.parameters())
        """Once for all: going through the network for them takes a noticeable part of a short step."""
        learning = [weight for weight in self.weights if weight.requires_grad]
        kind = Soap if config.optimizer == "soap" else torch.optim.Adam
        self.optimizer = kind(learning, lr=config.learning_rate, betas=(config.beta1, config.beta2))
        self.average = [weight.detach().clone() for weight in self.weights] if config.ema else []
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
        return [weight.detach() for weight in self.weights]

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

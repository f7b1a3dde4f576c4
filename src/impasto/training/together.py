"""One training in several processes: all assemble it, and the others train along with the leader."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impasto.config import Device, Precision, TrainConfig
from impasto.errors import ImpastoError
from impasto.files.download import Report
from impasto.training.ranks import Place, Ranks, is_lost, joined, joined_at
from impasto.training.run import Announce, Run, one_line
from impasto.training.run_folder import Job


@dataclass(frozen=True)
class Setup:
    """What the leader tells the others of a training."""

    job: Job
    config: TrainConfig
    painting: NDArray[np.uint8]


def assembled(setup: Setup, ranks: Ranks, announce: Announce, on_download: Report | None = None) -> Run:
    """The training, in the leader as in the others, once all of them have assembled it from the same photos.

    Raises:
        ImpastoError: bad input, in any of them.
    """
    run, problem = None, None
    try:
        run = Run(setup.job, setup.config, setup.painting, ranks, announce, on_download)
    except ImpastoError as error:
        problem = error
    ranks.require(problem)
    assert run is not None
    if len(set(ranks.gather(run.photos.digest))) > 1:
        raise ImpastoError("the processes do not find the same photos by the same names; give all computers the same")
    return run


def accompany(place: Place, device: Device, precision: Precision) -> int:
    """Trains along with the leader that has started this process; the exit code."""
    try:
        return _accompanied(lambda: nullcontext(joined_at(place, device, precision)))
    except ImpastoError:
        return 1  # the leader says it


def accompany_elsewhere(config: TrainConfig) -> int:
    """Trains along with a leader on another computer or under torchrun; the exit code.

    Raises:
        ImpastoError: where that leader is has not been told, or this computer lacks the devices.
    """
    return _accompanied(lambda: joined(config))


def _accompanied(join: Callable[[], AbstractContextManager[Ranks]]) -> int:
    try:
        with join() as ranks:
            try:
                over = assembled(ranks.send(None), ranks, lambda _: None).accompany()
            except ImpastoError:
                return 1  # the leader says it
    except RuntimeError as error:
        if not is_lost(error):
            print(f"impasto: on {socket.gethostname()}: {one_line(error)}", file=sys.stderr)
        return 1
    return 0 if over else 130

"""The processes that train one network together, one for each device: data parallel, through Fabric.

Every process does the same steps on its own share of each batch, and gradients are averaged; rank 0, the leader, alone
writes files and speaks. The others are started by the leader of their computer, or all of them by torchrun.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import ClusterEnvironment
from torch import Tensor

from impasto.config import Device, Precision, TrainConfig
from impasto.core.device import choose_device
from impasto.errors import ImpastoError, in_one_line
from impasto.training.fabric import choose_precision, make_fabric
from impasto.training.photos import Share

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that the other processes get to end by themselves."""
READY = "ready"


@dataclass
class Place(ClusterEnvironment):  # type: ignore[misc]
    """Where a process stands among the others."""

    node: int
    local: int
    devices: int
    nodes: int
    address: str
    port: int

    creates_processes_externally = True
    main_address = property(lambda self: self.address)
    main_port = property(lambda self: self.port)

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.devices * self.nodes

    def set_world_size(self, size: int) -> None: ...

    def global_rank(self) -> int:
        return self.node * self.devices + self.local

    def set_global_rank(self, rank: int) -> None: ...

    def local_rank(self) -> int:
        return self.local

    def node_rank(self) -> int:
        return self.node


class Ranks:
    """This process among those that train together; alone it is rank 0 of 1, and nothing is sent."""

    def __init__(self, fabric: Fabric, others: Sequence[subprocess.Popen[str]] = ()) -> None:
        """`others`: the processes that this one has started."""
        self.fabric = fabric
        self.rank = fabric.global_rank
        self.size = fabric.world_size
        self.others = others

    @property
    def share(self) -> Share:
        return Share(self.rank, self.size)

    def send(self, value: T | None) -> T:
        """The leader's `value`, in every process."""
        sent: T = self.fabric.broadcast(value)
        return sent

    def gather(self, value: T) -> list[T]:
        """The value of every process, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        if self.size == 1:
            return values
        mean: Tensor = self.fabric.all_reduce(values, reduce_op="mean")
        return mean

    def require(self, problem: ImpastoError | None) -> None:
        """Raises in every process what is a problem in one."""
        if self.size == 1:
            if problem is not None:
                raise problem
            return
        for rank, text in enumerate(self.gather(None if problem is None else str(problem))):
            if text is not None:
                raise ImpastoError(text if rank == 0 else f"rank {rank}: {text}") from problem

    def agree(self, problem: ImpastoError | None, stop: bool, elapsed: float) -> tuple[bool, float]:
        """Whether one of the processes wants to stop, and the leader's time, so that all do the same.

        Raises:
            ImpastoError: one of them has a problem.
        """
        if self.size == 1:
            self.require(problem)
            return stop, elapsed
        told = torch.tensor([float(problem is not None), float(stop), elapsed], dtype=torch.float64)
        told = told.to(self.fabric.device)
        everybodys = [torch.empty_like(told) for _ in range(self.size)]
        dist.all_gather(everybodys, told)
        problems, stops, times = torch.stack(everybodys).cpu().unbind(1)
        if problems.any():
            self.require(problem)
        return bool(stops.any()), float(times[0])

    def loss_of(self, error: BaseException) -> str | None:
        """Who is gone, where `error` says that the connection to another process is lost."""
        if self.size == 1 or not is_lost(error):
            return None
        time.sleep(0.5)  # the other one may be dying still
        for number, other in enumerate(self.others):
            if other.poll():
                how = f"by signal {-other.returncode}" if other.returncode < 0 else f"with exit code {other.returncode}"
                return f"rank {self.rank + 1 + number} of {self.size} ended {how}"
        return f"another of the {self.size} processes ended, or cannot be reached any more"


def is_lost(error: BaseException) -> bool:
    """Whether an error of torch says that another process cannot be reached."""
    text = str(error).lower()
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in text for word in ("gloo", "nccl", "connection", "peer"))
    )


@contextmanager
def joined(config: TrainConfig, announce: Callable[[str], None] = lambda _: None) -> Iterator[Ranks]:
    """This process as one of those that `config` asks for, or that torchrun has started; the others are started.

    Raises:
        ImpastoError: so many devices are not here, a batch cannot be shared among them, or another computer's address
            is missing.
    """
    device = choose_device(config.device)
    place = place_here(config.devices, config.nodes)
    if place is None:
        yield Ranks(make_fabric(device, choose_precision(config.precision, device)))
        return
    size = place.world_size()
    if place.global_rank() == 0 and config.batch_size % size:
        raise ImpastoError(
            f"a batch of {config.batch_size} cannot be shared by {size} processes; take --devices that divide it, or "
            f"begin a training with --batch-size {size * max(1, round(config.batch_size / size))}"
        )
    if device == "cuda" and place.devices > torch.cuda.device_count():
        raise ImpastoError(f"--devices is {place.devices}; this computer has {torch.cuda.device_count()}")
    if place.nodes > 1:
        announce(f"waiting for all {size} processes at {place.address}:{place.port}")
    with _others(place, device, config.precision) as others:
        yield joined_at(place, device, config.precision, others)


def joined_at(
    place: Place, device: Device, precision: Precision, others: Sequence[subprocess.Popen[str]] = ()
) -> Ranks:
    """Waits until all are there. Raises ImpastoError when they do not meet."""
    with _stoppable_at_once():
        try:
            return Ranks(_make_fabric(place, device, choose_precision(precision, device)), others)
        except RuntimeError as error:
            where = f"{place.address}:{place.port}"
            raise ImpastoError(
                f"the {place.world_size()} processes cannot meet at {where}: {in_one_line(str(error))}"
            ) from error


@contextmanager
def _stoppable_at_once() -> Iterator[None]:
    """Lets signals end the process: the wait for others is not in Python, whose handlers would never run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _make_fabric(place: Place, device: Device, precision: Precision) -> Fabric:
    if device == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // place.devices))
    return make_fabric(device, precision, place, place.devices, place.nodes)


def is_torchrun() -> bool:
    return bool(dist.is_torchelastic_launched())


def place_here(devices: int, nodes: int) -> Place | None:
    """Where this process stands; None where it is the only one. Raises ImpastoError."""
    told = os.environ
    if is_torchrun():
        local, all_ = int(told["LOCAL_WORLD_SIZE"]), int(told["WORLD_SIZE"])
        node = int(told["RANK"]) // local
        port = int(told["MASTER_PORT"])
        return Place(node, int(told["LOCAL_RANK"]), local, all_ // local, told["MASTER_ADDR"], port)
    if devices * nodes == 1:
        return None
    if nodes == 1:
        return Place(0, 0, devices, 1, "127.0.0.1", _free_port())
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if not told.get(name)]
    if missing:
        raise ImpastoError(
            f"--nodes {nodes} needs {', '.join(missing)} in the environment: address and a free port of the first "
            "computer, and this one's number from 0"
        )
    try:
        node, port = int(told["NODE_RANK"]), int(told["MASTER_PORT"])
    except ValueError as error:
        raise ImpastoError(f"MASTER_PORT and NODE_RANK must be whole numbers ({error})") from error
    if not 0 <= node < nodes:
        raise ImpastoError(f"NODE_RANK is {node}; with --nodes {nodes} it must lie between 0 and {nodes - 1}")
    return Place(node, 0, devices, nodes, told["MASTER_ADDR"], port)


@contextmanager
def _others(place: Place, device: Device, precision: Precision) -> Iterator[list[subprocess.Popen[str]]]:
    """One process for each further device of this computer, ready to join; they are ended with the leader's part.

    Raises:
        ImpastoError: one does not start.
    """
    others: list[subprocess.Popen[str]] = []
    patience = 0.0
    try:
        for local in range(1, 1 if is_torchrun() else place.devices):
            words = (place.node, local, place.devices, place.nodes, place.address, place.port, device, precision)
            # -P: nothing is imported from the current folder. Its input ends when this process does, however it does.
            command = [sys.executable, "-P", "-m", "impasto.training.follower", *map(str, words)]
            others.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for other in others:
            assert other.stdout is not None
            if other.stdout.readline().strip() != READY:  # so that nobody waits for one that never comes
                raise ImpastoError("a process for --devices could not be started; what it says is above")
        yield others
        patience = PATIENCE
    finally:
        if dist.is_initialized():
            with suppress(RuntimeError):
                dist.destroy_process_group()
        _end(others, patience)


def _end(processes: Sequence[subprocess.Popen[str]], patience: float) -> None:
    """Waits for `processes` so many seconds, then ends those that go on."""
    until = time.monotonic() + patience
    for process in processes:
        ends: tuple[Callable[[], object], ...] = (process.poll, process.terminate, process.kill)
        for end in ends:
            end()
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.5, until - time.monotonic()))
                break


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

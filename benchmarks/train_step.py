"""Times one training step of each recipe against the plain eager float32 step of pytorch/examples.

    python benchmarks/train_step.py [--repeats 3] [--size 256] [--batch 4] [--device cuda]

Plain and classic train the network of 1,679,235 parameters with a VGG-16 of random weights (the time does not
depend on them), quick its turbo network with the loss network in the package, with each of the enlargements that it
looks at, all on whole photos of the same size. A quick training begins with smaller pieces of them, though: "grows" is
its pace over a whole training. Quick takes as many photos a step as on this machine a training would, but on a GPU as
many as the others. Our recipes keep freed memory, as in a training; plain does not. They take turns, each time in a
new process, as whoever trains has one (what others hold of the memory slows down plain, which asks for its own anew at
every step). Medians and peak memory are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.config import RECIPES, Device, make_config
from impasto.core import loss_network
from impasto.core.losses import Look, PerceptualLoss, look_scales
from impasto.core.transformer import TransformerNet
from impasto.evaluation.plain import plain_network
from impasto.training import soap, trainer
from impasto.training.allocator import kept_memory
from impasto.training.fabric import choose_precision, lay_out, make_fabric, quick_batch
from impasto.training.loss_weights import load_loss_network
from impasto.training.ranks import Ranks
from impasto.training.state import TrainState

IN_A_ROW = 3
"""Steps, or rounds through the looks, that a process makes after its first."""
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


class Steps(NamedTuple):
    """What is timed: one step, or one with each look of the recipe."""

    run: Callable[[], None]
    count: int
    batch: int
    """Photos a step."""


def plain_gram(features: Tensor) -> Tensor:
    b, c, h, w = features.shape
    flat = features.view(b, c, h * w)
    return flat.bmm(flat.transpose(1, 2)) / (c * h * w)


def plain_step(photos: Tensor, side: int | None = None) -> Steps:
    """Both passes through the full loss network with gradients on, everything float32."""
    photos = photos[..., :side, :side]
    network, loss_net = (net.to(photos.device) for net in (plain_network(), loss_network.vgg("vgg16", "torchvision")))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    with torch.no_grad():
        grams = [plain_gram(f) for f in loss_net(photos[:1], STYLE_LAYERS).values()]
    pixels = photos * 255

    def step() -> None:
        optimizer.zero_grad()
        y = network(pixels)
        features_y = loss_net(y / 255, STYLE_LAYERS)
        features_x = loss_net(pixels / 255, STYLE_LAYERS)
        content = 1e5 * F.mse_loss(features_y["relu2_2"], features_x["relu2_2"])
        style = sum(
            F.mse_loss(plain_gram(f), g.expand(len(photos), -1, -1))
            for f, g in zip(features_y.values(), grams, strict=True)
        )
        (content + 1e10 * style).backward()
        optimizer.step()

    return Steps(step, 1, len(photos))


def recipe_step(recipe: str, photos: Tensor, side: int | None = None) -> Steps:
    """Steps on `photos` (B, 3, S, S), or on pieces of them that are `side` pixels wide."""
    config = make_config({**RECIPES[recipe], "image_size": photos.shape[-1], "start_size": 0})
    device: Device = "cuda" if photos.is_cuda else "cpu"
    if photos.is_cuda:
        config = replace(config, batch_size=len(photos))
    elif recipe == "quick":
        config = replace(config, batch_size=quick_batch("auto", device))
    photos = photos[: config.batch_size, :, :side, :side]
    own = config.loss.loss_network == "pocket"
    judge = load_loss_network("pocket") if own else loss_network.vgg(config.loss.loss_network)
    ranks = Ranks(make_fabric(device, choose_precision("auto", device)))
    network = lay_out(TransformerNet(config.network), ranks.fabric)
    loss = lay_out(PerceptualLoss(judge.to(device), [photos[:1]], config.loss), ranks.fabric)
    state = TrainState(network, config)
    wrapped, optimizer = ranks.fabric.setup(network, state.optimizer)
    looks = [Look(step) for step in range(len(look_scales(config.loss)))]
    if config.optimizer == "soap":  # its first steps are cheaper
        for _ in range(soap.FIRST_TURN):
            trainer.train_step(ranks, wrapped, optimizer, loss, photos[..., :64, :64], looks[0], state)

    def steps() -> None:
        for look in looks:
            trainer.train_step(ranks, wrapped, optimizer, loss, photos, look, state)

    return Steps(steps, len(looks), len(photos))


STEPS = {
    "plain": plain_step,
    "classic": functools.partial(recipe_step, "classic"),
    "quick": functools.partial(recipe_step, "quick"),
}


def growing(size: int) -> list[tuple[int, float]]:
    """The sides of the pieces that quick grows through up to `size`, and the share of its time that each gets."""
    config = make_config(
        {**RECIPES["quick"], "image_size": size, "start_size": min(RECIPES["quick"]["start_size"], size)}
    )
    bounds = [0.0, *trainer.GROWS_AT, 1.0]
    return [(trainer.piece_side(config, begin), end - begin) for begin, end in itertools.pairwise(bounds)]


def own_peak(device: str) -> int:
    """Peak memory of this process, on the device, in KB; getrusage on Linux includes the parent's before exec."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() // 1024
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def answer(arguments: argparse.Namespace) -> None:
    """Makes steps and prints their photos, this process's peak memory in MB, and the seconds of each."""
    torch.manual_seed(0)
    photos = torch.rand(arguments.batch, 3, arguments.size, arguments.size).to(arguments.device)
    seconds = []
    with contextlib.nullcontext() if arguments.only == "plain" else kept_memory():
        steps = STEPS[arguments.only](photos, arguments.side)
        for _ in range(1 + IN_A_ROW):
            started = time.perf_counter()
            steps.run()
            if photos.is_cuda:
                torch.cuda.synchronize()
            seconds.append((time.perf_counter() - started) / steps.count)
    print(steps.batch, own_peak(arguments.device) / 1024, *seconds[1:])  # the first is warm-up


class Timed:
    """Steps in a process of their own, as those who train have one, and what they took."""

    def __init__(self, name: str, arguments: argparse.Namespace, side: int | None = None) -> None:
        values = {"only": name, "size": arguments.size, "batch": arguments.batch, "device": arguments.device}
        values |= {"side": side} if side else {}
        given = (text for key, value in values.items() for text in (f"--{key}", str(value)))
        self.command = [sys.executable, __file__, *given]
        self.seconds: list[float] = []
        self.batch = 0
        self.peak = 0.0

    def run(self) -> None:
        told = subprocess.run(self.command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        batch, peak, *seconds = (float(text) for text in told.split())
        self.batch = int(batch)
        self.peak = max(self.peak, peak)
        self.seconds += seconds

    def median(self) -> float:
        return statistics.median(self.seconds)

    def pace(self) -> float:
        """Photos a second."""
        return self.batch / self.median()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        answer(arguments)
        return
    timed = {name: Timed(name, arguments) for name in STEPS}
    stages = [(share, Timed("quick", arguments, side)) for side, share in growing(arguments.size)]
    everything = [*timed.values(), *(steps for _, steps in stages)]
    for _ in range(arguments.repeats):
        for steps in everything:
            steps.run()
    where = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"one step, {arguments.size}×{arguments.size}, {where}")
    print(f"{'':10}{'batch':>6}{'median s':>10}{'photos/s':>10}{'peak MB':>10}")
    for name, steps in timed.items():
        print(f"{name:10}{steps.batch:6}{steps.median():10.2f}{steps.pace():10.2f}{steps.peak:10.0f}")
    grows = sum(share * steps.pace() for share, steps in stages)
    print(f"{'grows':10}{timed['quick'].batch:6}{'':10}{grows:10.2f}")
    plain = timed["plain"]
    for name in list(STEPS)[1:]:
        ratio, space = timed[name].pace() / plain.pace(), timed[name].peak / plain.peak
        print(f"{name} trains {ratio:.2f} times the photos of plain at {space:.2f} of the memory")
    print(f"over a whole training quick sees pieces of {grows / plain.pace():.2f} times the photos of plain")


if __name__ == "__main__":
    main()

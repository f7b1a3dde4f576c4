"""Trains `pocket`, the loss network that comes with the package, to see what SqueezeNet sees.

    python scripts/distill_pocket.py --photos FOLDER --paintings FOLDER --teacher SQUEEZENET.safetensors

SqueezeNet sees everything one and a half times as large, of which `pocket` saves itself the work. Its features are
looked at in the directions in which they vary most over photos and paintings; the heads of `pocket` learn to give just
these numbers, cell by cell where cells coincide, and their Gram matrices. `pocket` begins with SqueezeNet's fire
modules and with a front of its own, unstrided convolutions and average pooling in the place of the strided convolution
and maximum pooling. Pictures are photos, paintings, mixtures of them and, over some, patterns of single pixels; in
every second step also what a few transformer networks paint that are trained against `pocket` as it stands (they begin
with the network of scripts/train_base.py): what would fool it is what it learns next. Of these it learns, too, what a
training looks at in the end: how features of what is painted differ from those of the photo, its Gram matrices from
those of the painting, and where both together pull the pixels.

Where the package has a `pocket` already, that learns on, with painters from the beginning; take it away to begin anew.
Stopped and started again, the script goes on from its last minute. The file in the package was made with 1,344 photos,
eight paintings and our own four. It is the second: the first, which saw everything in its own size, had learned for two
hours on one core, mostly with zeros beyond borders, and this one learned on from it for 26 minutes on two cores with
bfloat16, in several pieces, the first half of the time with a quarter of PULL_WEIGHT.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from impasto.config import LossConfig
from impasto.core.loss_network import POCKET_HEADS, POCKET_MAGNIFICATION, Fire, LossNetwork, convolutions, pocket
from impasto.core.losses import PerceptualLoss, enlarged, gram_matrix
from impasto.core.transformer import TransformerNet
from impasto.files import assets, atomic, images, style_file
from impasto.training.fabric import choose_precision
from impasto.training.loss_weights import load_loss_network
from impasto.training.soap import Soap
from impasto.training.start import START, rows_from

ASSETS = Path(__file__).resolve().parents[1] / "src" / "impasto" / "assets"
TARGET = ASSETS / "loss" / "pocket.safetensors"
OWN_PAINTINGS = ASSETS / "paintings"
SIDE = 128
BATCH = 8
"""Pictures of a step, beside what a painter paints."""
SCALES = (0.75, 0.875, 1.0, 1.125, 1.25)
"""How much the pictures of one step after another are enlarged."""
RATE = 1.5e-3
"""SOAP's learning rate at the beginning."""
PAINTED_FROM = 0.33
"""Share of the time from which on the painters paint, where `pocket` begins at random."""
PAINTED_EVERY = 2
"""One in so many steps has painted pictures, then."""
FITTED = 512
"""Pictures that the first heads are fitted on: of the deepest layers each has few cells."""
RIDGE = 1e-5
"""Share of the mean square of features by which the first heads are kept small."""
EMA = 0.998
WARM_UP = 200
REPORT_SECONDS = 60
GRAM_WEIGHT = 3.0
GRAM_CHANGE_WEIGHT = 0.5
PULL_WEIGHT = 2.0
STYLE_WEIGHT = 20.0
"""Of the loss that pulls; a training's was the same when the file in the package was made."""
PULL_SQUARE = 4
"""Only what squares of so many pixels along a side have in common counts: the rest is SqueezeNet's strides."""
PULL_STEP = 0.01
"""How far, root mean square, pixels move to see a gradient change."""
DAMPING = 0.01
"""Share of its own square that a Gram matrix's difference to the painting's counts at least."""
PAINTERS = 4
PAINTED = 3
"""Pictures that a painter paints in a step."""
PAINTER_STEPS = (30, 400)
HELD_OUT = 32
LAYERS = {"stage2": "conv1"} | {name: name for name in ("fire2", "fire3", "fire4", "fire5", "fire6", "fire8")}
"""SqueezeNet's layer that each of ours imitates."""
CONTENT = "fire5"


class Pictures:
    """Random training pictures from photos and paintings held in memory."""

    def __init__(self, photos: list[Tensor], paintings: list[Tensor], seed: int | list[int]) -> None:
        self.photos, self.paintings = photos, paintings
        self.random = np.random.default_rng(seed)

    def batch(self, size: int) -> Tensor:
        """(size, 3, SIDE, SIDE) in [0, 1]."""
        return torch.stack([self._picture() for _ in range(size)])

    def _picture(self) -> Tensor:
        random = self.random
        picture = self._any()
        kind = random.random()
        if kind < 0.3:  # a photo with something of a painting, as a half-trained network makes it
            picture = torch.lerp(picture, self._any(), float(random.uniform(0.2, 0.8)))
        elif kind < 0.45:  # the coarse of one, the fine of another
            other, radius = self._any(), int(random.integers(1, 9))
            picture = _blur(picture, radius) + float(random.uniform(0.5, 1.5)) * (other - _blur(other, radius))
        if random.random() < 0.5:
            gain, shift = (_float(x) for x in (random.uniform(0.6, 1.4, (3, 1, 1)), random.normal(0, 0.08, (3, 1, 1))))
            picture = (picture - 0.5) * gain + 0.5 + shift
        if random.random() < 0.3:
            picture = picture + self._pattern()
        return picture.clamp(-0.1, 1.1)

    def painting(self) -> Tensor:
        """A piece of a painting, (3, SIDE, SIDE), its colours sometimes in another order."""
        piece = self.crop(self.paintings).rot90(int(self.random.integers(4)), (1, 2))
        return piece[torch.from_numpy(self.random.permutation(3))] if self.random.random() < 0.5 else piece

    def crop(self, source: list[Tensor]) -> Tensor:
        whole = source[self.random.integers(len(source))]
        height, width = whole.shape[1:]
        side = min(height, width, int(SIDE * self.random.choice([0.5, 0.7, 0.85, 1.0, 1.0, 1.25, 1.5, 2.0])))
        top, left = (int(self.random.integers(0, n - side + 1)) for n in (height, width))
        piece = whole[:, top : top + side, left : left + side].float() / 255
        if self.random.random() < 0.5:
            piece = piece.flip(2)
        return _resize(piece, SIDE)

    def _any(self) -> Tensor:
        return self.painting() if self.random.random() < 0.25 else self.crop(self.photos)

    def _pattern(self) -> Tensor:
        """Noise or a lattice of one to four pixels, of one colour or several, everywhere or in blobs."""
        random = self.random
        strength = float(random.exponential(0.06))
        channels = 1 if random.random() < 0.5 else 3
        if random.random() < 0.5:
            cell = int(random.integers(1, 4))
            noise = _float(random.normal(size=(channels, -(-SIDE // cell), -(-SIDE // cell))))
            pattern = noise.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, :SIDE, :SIDE]
        else:
            period = int(random.integers(2, 5))
            tile = _float(random.normal(size=(channels, period, period)))
            pattern = tile.tile(1, SIDE // period + 1, SIDE // period + 1)[:, :SIDE, :SIDE]
            pattern = pattern - pattern.mean()
        if random.random() < 0.5:
            coarse = _float(random.random((1, 1, 4, 4)))
            pattern = pattern * F.interpolate(coarse, size=SIDE, mode="bicubic")[0].clamp(0, 1)
        return strength * pattern


class Stream(IterableDataset[Tensor]):
    """Batches of random pictures without end, drawn by as many processes as there are workers."""

    def __init__(self, photos: list[Tensor], paintings: list[Tensor], size: int, seed: int) -> None:
        self.photos, self.paintings, self.size, self.seed = photos, paintings, size, seed

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        pictures = Pictures(self.photos, self.paintings, [self.seed, worker.id if worker else 0])
        while True:
            yield pictures.batch(self.size)


def _float(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float()


def _blur(picture: Tensor, radius: int) -> Tensor:
    small = F.interpolate(picture[None], scale_factor=1 / (2 * radius), mode="area")
    return F.interpolate(small, size=picture.shape[1:], mode="bilinear")[0]


def _resize(picture: Tensor, side: int) -> Tensor:
    if picture.shape[1] == side:
        return picture
    return F.interpolate(picture[None], size=(side, side), mode="bilinear", antialias=True)[0]


def read(folder: Path, short_sides: tuple[int, ...]) -> list[Tensor]:
    """Every picture below `folder` as uint8 (3, H, W), once for each short side."""
    found = []
    for path in images.find([folder]):
        pixels = torch.from_numpy(images.read_small(path, at_least=max(short_sides)).copy()).permute(2, 0, 1)
        for short in short_sides:
            factor = short / min(pixels.shape[1:])
            size = [max(SIDE, round(side * factor)) for side in pixels.shape[1:]]
            resized = F.interpolate(pixels[None].float(), size=size, mode="bilinear", antialias=True)[0]
            found.append(resized.round().byte())
    return found


def half_precision(device: torch.device) -> torch.autocast:
    """bf16 where the device is fast with it; optimizers stay outside, whose decompositions need more."""
    return torch.autocast(device.type, torch.bfloat16, enabled=choose_precision("auto", device.type) == "bf16")


class Painter:
    """A network that learns a painting by what `pocket` sees at present, then another, and so on.

    It begins as trainings do, with the network in the package, and so finds soon what `pocket` is wrong about.
    """

    def __init__(self, pictures: Pictures, device: torch.device) -> None:
        self.pictures = pictures
        self.device = device
        self.start = style_file.load(assets.folder("start") / START)
        self._begin()

    def _begin(self) -> None:
        random = self.pictures.random
        self.network = TransformerNet(replace(self.start.network, styles=1))
        row = int(random.integers(self.start.network.styles))
        self.network.load_state_dict(rows_from(self.start, [row]))
        self.network = self.network.to(self.device, memory_format=torch.channels_last)
        rate = float(random.uniform(2e-3, 7e-3))
        self.optimizer = Soap(self.network.parameters(), lr=rate, betas=(0.9, 0.999))
        self.painting = self.pictures.painting()[None].to(self.device)
        self.loss_config = LossConfig(
            loss_network="pocket", balanced=True, style_weight=float(random.choice([10, 20, 40])), tv_weight=0.1
        )
        self.left = int(random.integers(*PAINTER_STEPS))

    def __call__(self, judge: LossNetwork) -> Tensor:
        """Learns one step; returns photos, what it made of them and its painting, (2 · PAINTED + 1, 3, SIDE, SIDE)."""
        if not self.left or not all(weight.isfinite().all() for weight in self.network.parameters()):
            self._begin()
        self.left -= 1
        photos = torch.stack([self.pictures.crop(self.pictures.photos) for _ in range(PAINTED)])
        photos = photos.to(self.device, memory_format=torch.channels_last)
        scale = float(self.pictures.random.choice(SCALES))
        config = replace(self.loss_config, look_scale=(scale, scale))
        with half_precision(self.device):
            painted = self.network(photos)
            losses = PerceptualLoss(judge, [self.painting], config)(painted, photos)
        weights = list(self.network.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(losses.total, weights), strict=True):
            weight.grad = gradient
        nn.utils.clip_grad_norm_(weights, 5.0)
        self.optimizer.step()
        return torch.cat([photos, painted.detach().clamp(0, 1), self.painting])


def begun(teacher: LossNetwork) -> LossNetwork:
    """A `pocket` with the teacher's fire modules, as far as they fit, and all else at random."""
    network = pocket()
    for module in convolutions(network):
        nn.init.kaiming_normal_(module.weight)
    ours, theirs = ([m for m in net.modules() if isinstance(m, Fire)] for net in (network, teacher))
    for mine, fire in zip(ours, theirs, strict=False):  # the teacher has one more
        own = mine.state_dict()
        fitting = {key: value for key, value in fire.state_dict().items() if value.shape == own[key].shape}
        mine.load_state_dict({**own, **fitting})
    return network


Features = dict[str, Tensor]


def directions(teacher: LossNetwork, photos: list[Tensor], paintings: list[Tensor], device: torch.device) -> Features:
    """Those in which each layer's features vary most, the mean over pictures, (kept, channels), orthonormal."""
    with torch.no_grad():
        seen = [
            teacher(enlarged(batch.to(device), POCKET_MAGNIFICATION), tuple(LAYERS.values()))
            for batch in batches(photos, paintings, seed=98)
        ]
    result = {}
    for name in POCKET_HEADS:
        grams = torch.cat([gram_matrix(found[LAYERS[name]]) for found in seen])
        sizes = grams.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        vectors = torch.linalg.eigh((grams / sizes).double().mean(0)).eigenvectors
        result[name] = vectors.flip(1)[:, : POCKET_HEADS[name]].T.float()[..., None, None]
    return result


def fit_heads(network: LossNetwork, teacher: Teacher, pictures: Iterator[Tensor], device: torch.device) -> None:
    """Gives `network` the heads that are best for it as it is, by least squares.

    Directions of other photos, or found on another device, differ from those that its heads were for.
    """
    heads, network.heads = network.heads, nn.ModuleDict()
    products: dict[str, Tensor] = {}
    with torch.no_grad():
        for batch in pictures:
            images = batch.to(device)
            seen = inner(network(images, tuple(heads)), teacher(images))
            for name, layer in seen.items():
                ours, theirs = layer.same_cells()
                both = torch.cat([ours, torch.ones_like(ours[:, :1]), theirs], dim=1).double()
                products[name] = products.get(name, 0) + torch.einsum("bchw,bdhw->cd", both, both)
        for name, product in products.items():
            count = heads[name].in_channels + 1
            known = product[:count, :count]
            known = known + RIDGE * known.diagonal().mean() * torch.eye(count).to(known)
            solution = torch.linalg.solve(known, product[:count, count:]).T.float()
            heads[name].weight.copy_(solution[:, :-1, None, None])
            heads[name].bias.copy_(solution[:, -1])
    network.heads = heads


@dataclass
class Teacher:
    network: LossNetwork
    directions: Features

    def __call__(self, images: Tensor) -> Features:
        """What each of our layers should see, by its name."""
        found = self.network(enlarged(images, POCKET_MAGNIFICATION), tuple(LAYERS.values()))
        through = self.directions
        return {
            name: F.conv2d(found[theirs], through[name]) if name in through else found[theirs]
            for name, theirs in LAYERS.items()
        }


class Seen(NamedTuple):
    """A layer's features, `pocket`'s and the teacher's, of the same part of the pictures."""

    ours: Tensor
    theirs: Tensor

    def same_cells(self) -> tuple[Tensor, Tensor]:
        """Those at the same places: two cells of `pocket` are as far apart as three of the teacher's."""
        ours, theirs = self.ours[..., ::2, ::2], self.theirs[..., 1::3, 1::3]
        height, width = (min(a, b) for a, b in zip(ours.shape[2:], theirs.shape[2:], strict=True))
        return ours[..., :height, :width], theirs[..., :height, :width]


def inner(found: Features, wanted: Features) -> dict[str, Seen]:
    """Each layer of `found` without the border's cells, where the two see different things."""
    result = {}
    for name, ours in found.items():
        pair = ours[..., 2:-1, 2:-1], wanted[name][..., 1:-1, 1:-1]
        result[name] = Seen(*(x.contiguous(memory_format=torch.channels_last) for x in pair))
    return result


def distances(seen: dict[str, Seen]) -> dict[str, tuple[Tensor, Tensor]]:
    """For each layer the squared errors of its features, and of their Gram matrices, in shares of their own squares."""
    result = {}
    for name, both in seen.items():
        ours, theirs = both.same_cells()
        gram = gram_matrix(both.theirs)
        spread = theirs - theirs.mean((0, 2, 3), keepdim=True)
        result[name] = share(ours - theirs, spread), share(gram_matrix(both.ours) - gram, gram)
    return result


def share(error: Tensor, whole: Tensor) -> Tensor:
    return error.float().square().sum() / whole.float().square().sum()


def changes(seen: dict[str, Seen]) -> list[Tensor]:
    """How wrong `pocket` is about what a painter changed and what it still has to; its pictures are the last.

    A training looks at these differences alone, and in the end they are small beside the features themselves.
    """
    result = []
    for name, both in seen.items():
        if name == CONTENT:
            changed, asked = (x[-PAINTED - 1 : -1] - x[-2 * PAINTED - 1 : -PAINTED - 1] for x in both.same_cells())
            result.append(share(changed - asked, asked))
        mine, grams = (gram_matrix(x[-PAINTED - 1 :]) for x in both)
        missing, asked = mine[:-1] - mine[-1:], grams[:-1] - grams[-1:]
        squares = [x.square().sum((1, 2)) for x in (missing - asked, asked, grams[:-1])]
        result.append(GRAM_CHANGE_WEIGHT * (squares[0] / (squares[1] + DAMPING * squares[2])).mean())
    return result


class Objective:
    """What a training minimizes, of what a painter painted, by the features of one side."""

    def __init__(self, features: Features) -> None:
        """`features` are those of a batch that ends with the painter's pictures."""
        fixed = {name: x.detach() for name, x in features.items()}
        self.photos = fixed.pop(CONTENT)[-2 * PAINTED - 1 : -PAINTED - 1]
        self.grams = {name: gram_matrix(x[-1:]) for name, x in fixed.items()}
        painted = {name: gram_matrix(x[-PAINTED - 1 : -1]) for name, x in fixed.items()}
        self.scales = {name: _squares(gram) + _squares(self.grams[name]) for name, gram in painted.items()}

    def __call__(self, features: Features) -> Tensor:
        """Of features of painted pictures, (PAINTED,); the divisors are those of the batch's whatever they are."""
        content = _squares(features[CONTENT] - self.photos) / _squares(self.photos)
        styles = [_squares(gram_matrix(features[name]) - gram) / self.scales[name] for name, gram in self.grams.items()]
        return content + STYLE_WEIGHT * torch.stack(styles).mean(0)


def _squares(x: Tensor) -> Tensor:
    return x.float().square().flatten(1).sum(1)


def pull(network: LossNetwork, teacher: Teacher, batch: Tensor, seen: dict[str, Seen]) -> Tensor:
    """A number whose gradient is that of 1 - the cosine between where `pocket` and the teacher pull painted pixels.

    A gradient by pixels is not derived once more, which is slow: where they move a little the way that it should turn,
    the loss changes by as much as it turns.
    """
    objectives = [Objective({name: both[side] for name, both in seen.items()}) for side in range(2)]
    pixels = batch[-PAINTED - 1 : -1].clone(memory_format=torch.channels_last).requires_grad_()
    wanted = teacher(pixels)
    there = inner(network(pixels, tuple(LAYERS)), wanted)
    losses = [objectives[side]({name: both[side] for name, both in there.items()}).sum() for side in range(2)]
    ours, theirs = (torch.autograd.grad(loss, pixels)[0] for loss in losses)
    ours.requires_grad_()
    error = (1 - F.cosine_similarity(*(F.avg_pool2d(x, PULL_SQUARE).flatten(1) for x in (ours, theirs)))).mean()
    (turn,) = torch.autograd.grad(error, ours)
    step = PULL_STEP / turn.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
    ends = torch.cat([pixels + step * turn, pixels - step * turn]).detach()
    with torch.autocast(ends.device.type, enabled=False):  # a small difference of large numbers
        found = network(ends, tuple(LAYERS))
    either = inner(found, {name: x.detach().repeat(2, 1, 1, 1) for name, x in wanted.items()})
    more, less = (objectives[0]({name: both.ours.chunk(2)[end] for name, both in either.items()}) for end in range(2))
    return ((more - less) / (2 * step.flatten())).sum()


def seen_by(network: LossNetwork, teacher: Teacher, batch: Tensor) -> dict[str, Seen]:
    with torch.no_grad():
        wanted = teacher(batch)
    return inner(network(batch, tuple(LAYERS)), wanted)


def distill(
    teacher: Teacher, photos: list[Tensor], paintings: list[Tensor], device: torch.device, arguments: argparse.Namespace
) -> None:
    held_out = list(batches(photos[:HELD_OUT], paintings, seed=99))
    photos = photos[HELD_OUT:]
    torch.manual_seed(0)
    further = TARGET.exists()
    network = load_loss_network("pocket", TARGET) if further else begun(teacher.network)
    network = network.to(device, memory_format=torch.channels_last)
    state_file = arguments.runs / "pocket.pt"
    if further and not state_file.exists():
        fit_heads(network, teacher, batches(photos, paintings, seed=97, count=FITTED), device)
    network.requires_grad_(True)
    optimizer = Soap(network.parameters(), lr=0.0, betas=(0.9, 0.999))
    average = [p.detach().clone() for p in network.parameters()]
    step, spent = 0, 0.0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True, map_location=device)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        kept = "average", "step", "spent", "further", "directions"
        average, step, spent, further, teacher.directions = (state[key] for key in kept)
    stream = Stream(photos, paintings, arguments.batch, seed=step)
    loader = iter(DataLoader(stream, batch_size=None, num_workers=arguments.workers))
    pictures = Pictures(photos, paintings, step)
    painters = itertools.cycle([Painter(pictures, device) for _ in range(PAINTERS)])
    last = reported = time.monotonic()
    while spent < 60 * arguments.minutes:
        done = spent / 60 / arguments.minutes
        decay = 0.5 * (1 + math.cos(math.pi * done)) * min(1.0, (step + 1) / WARM_UP)
        optimizer.param_groups[0]["lr"] = RATE * decay
        painted = (further or done >= PAINTED_FROM) and step % PAINTED_EVERY == 0
        batch = next(loader).to(device)
        if painted:
            batch = torch.cat([batch, next(painters)(network)])
        batch = enlarged(batch, SCALES[step // PAINTED_EVERY % len(SCALES)]).to(memory_format=torch.channels_last)
        with half_precision(device):
            seen = seen_by(network, teacher, batch)
            errors = [features + GRAM_WEIGHT * grams for features, grams in distances(seen).values()]
            if painted:
                errors += [*changes(seen), PULL_WEIGHT * pull(network, teacher, batch, seen)]
            loss = torch.stack(errors).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if nn.utils.clip_grad_norm_(network.parameters(), 4.0).isfinite():  # a picture may be all black
            optimizer.step()
        step += 1
        torch._foreach_lerp_(average, [p.detach() for p in network.parameters()], 1 - min(EMA, step / (step + 10)))
        now = time.monotonic()
        spent, last = spent + now - last, now
        if now - reported > REPORT_SECONDS or spent >= 60 * arguments.minutes:
            reported = now
            save(network, average)
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
            state |= {"step": step, "spent": spent, "further": further, "directions": teacher.directions}
            arguments.runs.mkdir(parents=True, exist_ok=True)
            torch.save(state, state_file.with_suffix(".new"))
            state_file.with_suffix(".new").replace(state_file)
            print(f"{spent / 60:.1f} min, step {step}, loss {loss.item():.3f}; {judged(teacher, held_out, device)}")
    save(network, average)


def judged(teacher: Teacher, held_out: list[Tensor], device: torch.device) -> str:
    """Errors on held-out pictures by the file just written: of features / of Gram matrices."""
    network = load_loss_network("pocket", TARGET).to(device, memory_format=torch.channels_last)
    with torch.no_grad():
        found = [distances(seen_by(network, teacher, batch.to(device))) for batch in held_out]
    return "  ".join(
        f"{name} {np.mean([float(f[name][0]) for f in found]):.3f}/{np.mean([float(f[name][1]) for f in found]):.3f}"
        for name in LAYERS
    )


def save(network: LossNetwork, average: list[Tensor]) -> None:
    averaged = copy.deepcopy(network)
    for parameter, value in zip(averaged.parameters(), average, strict=True):
        parameter.data.copy_(value)
    half = {name: value.half().cpu().contiguous() for name, value in averaged.state_dict().items()}
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "normalization": "caffe-rounded",
        "network": "pocket",
        "distilled_from": "SqueezeNet 1.0 trained on ImageNet (torchvision, BSD-3-Clause)",
    }
    atomic.write_bytes(TARGET, safetensors.torch.save(half, metadata))


def batches(photos: list[Tensor], paintings: list[Tensor], seed: int, count: int = HELD_OUT) -> Iterator[Tensor]:
    pictures = Pictures(photos, paintings, seed)
    for _ in range(count // 4):
        yield pictures.batch(4).to(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures of a step; a GPU can take more")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw pictures; for a GPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs/pocket"))
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    torch.backends.cudnn.allow_tf32 = False  # pull's small differences of large numbers would be noise
    photos = read(arguments.photos, (320,))
    paintings = [picture for folder in (arguments.paintings, OWN_PAINTINGS) for picture in read(folder, (256, 512))]
    squeezenet = load_loss_network("squeezenet", arguments.teacher, "caffe-rounded")
    squeezenet = squeezenet.to(device, memory_format=torch.channels_last)
    teacher = Teacher(squeezenet, directions(squeezenet, photos[HELD_OUT:], paintings, device))
    distill(teacher, photos, paintings, device, arguments)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

"""Trains `pocket`, the loss network that comes with the package, to see what SqueezeNet sees.

    python scripts/distill_pocket.py --photos FOLDER --paintings FOLDER --teacher SQUEEZENET.safetensors

`pocket` begins with SqueezeNet's fire modules and with a front of its own, unstrided convolutions and average pooling
in the place of the strided convolution and maximum pooling. First the front learns to feed the modules, then all of it
learns SqueezeNet's features, cell by cell, and their Gram matrices. Pictures are photos, paintings, mixtures of them
and, over some, patterns of single pixels; in the second half of the time also what a few transformer networks paint
that are trained against `pocket` as it stands (they begin with the network of scripts/train_base.py): what would
fool it is what it learns next. Of these it learns, too, what a training looks at in the end: how SqueezeNet's features
of what is painted differ from those of the photo, and its Gram matrices from those of the painting.

Last, each layer gets its head: the directions in which its features vary most over photos and paintings.

Where the package has a `pocket` already, that learns on, with painters from the beginning; take it away to begin anew
(`--minutes 0` only makes its heads anew).
Stopped and started again, the script goes on from its last minute. The file in the package was made with 1,344 photos,
eight paintings and our own four: in three pieces with other SCALES and without the differences, then with them in two
of 12 and 62 minutes on one core. All that time `pocket` saw zeros beyond a border, where it repeats now what lies
there; the outermost cells count in none of the losses here.
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

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from impasto.config import LossConfig
from impasto.core.loss_network import POCKET_HEADS, Fire, LossNetwork, pocket
from impasto.core.losses import PerceptualLoss, enlarged, gram_matrix
from impasto.core.transformer import TransformerNet
from impasto.files import assets, atomic, images, style_file
from impasto.training.loss_weights import load_loss_network
from impasto.training.soap import Soap
from impasto.training.start import START, rows_from

ASSETS = Path(__file__).resolve().parents[1] / "src" / "impasto" / "assets"
TARGET = ASSETS / "loss" / "pocket.safetensors"
OWN_PAINTINGS = ASSETS / "paintings"
SIDE = 128
BATCH = 4
"""Pictures of a step, beside what a painter paints."""
SCALES = (1.0, 1.25, 1.5, 1.75)
"""How much the pictures of one step after another are enlarged."""
FRONT_RATE, FIRE_RATE = 3e-3, 4e-4
"""Learning rates, Adam's, of what begins at random and of what begins as SqueezeNet's."""
FURTHER_FRONT_RATE, FURTHER_FIRE_RATE = 1e-3, 2.5e-4
"""The same, SOAP's, of a `pocket` that learns on."""
FRONT_ALONE = 0.08
"""Share of the time in which the front alone learns, by the first fire modules, where it begins at random."""
PAINTED_FROM = 0.5
"""Share of the time from which on the painters paint, then too."""
EMA = 0.99
WARM_UP = 50
REPORT_SECONDS = 60
GRAM_CHANGE_WEIGHT = 0.5
DAMPING = 0.01
"""Share of its own square that a Gram matrix's difference to the painting's counts at least."""
PAINTERS = 4
PAINTED = 3
"""Pictures that a painter paints in a step."""
PAINTER_STEPS = (30, 400)
HELD_OUT = 32
FIRES = tuple(f"fire{number}" for number in range(2, 9))
CONTENT = "fire5"


class Pictures:
    """Random training pictures from photos and paintings held in memory."""

    def __init__(self, photos: list[Tensor], paintings: list[Tensor], seed: int) -> None:
        self.photos, self.paintings = photos, paintings
        self.device = photos[0].device
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
            gain, shift = (
                self._here(x) for x in (random.uniform(0.6, 1.4, (3, 1, 1)), random.normal(0, 0.08, (3, 1, 1)))
            )
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

    def _here(self, values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).float().to(self.device)

    def _pattern(self) -> Tensor:
        """Noise or a lattice of one to four pixels, of one colour or several, everywhere or in blobs."""
        random = self.random
        strength = float(random.exponential(0.06))
        channels = 1 if random.random() < 0.5 else 3
        if random.random() < 0.5:
            cell = int(random.integers(1, 4))
            noise = self._here(random.normal(size=(channels, -(-SIDE // cell), -(-SIDE // cell))))
            pattern = noise.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, :SIDE, :SIDE]
        else:
            period = int(random.integers(2, 5))
            tile = self._here(random.normal(size=(channels, period, period)))
            pattern = tile.tile(1, SIDE // period + 1, SIDE // period + 1)[:, :SIDE, :SIDE]
            pattern = pattern - pattern.mean()
        if random.random() < 0.5:
            coarse = self._here(random.random((1, 1, 4, 4)))
            pattern = pattern * F.interpolate(coarse, size=SIDE, mode="bicubic")[0].clamp(0, 1)
        return strength * pattern


def _blur(picture: Tensor, radius: int) -> Tensor:
    small = F.interpolate(picture[None], scale_factor=1 / (2 * radius), mode="area")
    return F.interpolate(small, size=picture.shape[1:], mode="bilinear")[0]


def _resize(picture: Tensor, side: int) -> Tensor:
    if picture.shape[1] == side:
        return picture
    return F.interpolate(picture[None], size=(side, side), mode="bilinear", antialias=True)[0]


def read(folder: Path, short_sides: tuple[int, ...], device: str) -> list[Tensor]:
    """Every picture below `folder` as uint8 (3, H, W) on the device, once for each short side."""
    found = []
    for path in images.find([folder]):
        pixels = torch.from_numpy(images.read_small(path, at_least=max(short_sides)).copy()).permute(2, 0, 1)
        for short in short_sides:
            factor = short / min(pixels.shape[1:])
            size = [max(SIDE, round(side * factor)) for side in pixels.shape[1:]]
            resized = F.interpolate(pixels[None].float(), size=size, mode="bilinear", antialias=True)[0]
            found.append(resized.round().byte().to(device))
    return found


class Painter:
    """A network that learns a painting by what `pocket` sees at present, then another, and so on.

    It begins as trainings do, with the network in the package, and so finds soon what `pocket` is wrong about.
    """

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.start = style_file.load(assets.folder("start") / START)
        self._begin()

    def _begin(self) -> None:
        random = self.pictures.random
        self.network = TransformerNet(replace(self.start.network, styles=1))
        row = int(random.integers(self.start.network.styles))
        self.network.load_state_dict(rows_from(self.start, [row]))
        self.network = self.network.to(self.pictures.device, memory_format=torch.channels_last)
        rate = float(random.uniform(2e-3, 7e-3))
        self.optimizer = Soap(self.network.parameters(), lr=rate, betas=(0.9, 0.999))
        self.painting = self.pictures.painting()[None]
        self.loss_config = LossConfig(
            loss_network="pocket", balanced=True, style_weight=float(random.choice([10, 20, 40])), tv_weight=0.1
        )
        self.left = int(random.integers(*PAINTER_STEPS))

    def __call__(self, judge: LossNetwork) -> Tensor:
        """Learns one step; returns photos, what it made of them and its painting, (2 · PAINTED + 1, 3, SIDE, SIDE)."""
        if not self.left:
            self._begin()
        self.left -= 1
        photos = torch.stack([self.pictures.crop(self.pictures.photos) for _ in range(PAINTED)])
        photos = photos.to(memory_format=torch.channels_last)
        scale = float(self.pictures.random.choice(SCALES))
        config = replace(self.loss_config, look_scale=(scale, scale))
        painted = self.network(photos)
        losses = PerceptualLoss(judge, [self.painting], config)(painted, photos)
        weights = list(self.network.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(losses.total, weights), strict=True):
            weight.grad = gradient
        nn.utils.clip_grad_norm_(weights, 5.0)
        self.optimizer.step()
        return torch.cat([photos, painted.detach().clamp(0, 1), self.painting])


def fire_of(layer: nn.Module) -> Fire:
    return next(module for module in layer.modules() if isinstance(module, Fire))


def start_from(teacher: LossNetwork, network: LossNetwork) -> None:
    """Gives `network` the teacher's fire modules, and all else at random."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)
    for name in FIRES:
        ours, theirs = fire_of(network.layers[name]).state_dict(), fire_of(teacher.layers[name]).state_dict()
        fitting = {key: value for key, value in theirs.items() if value.shape == ours[key].shape}
        fire_of(network.layers[name]).load_state_dict({**ours, **fitting})


def is_front(name: str) -> bool:
    """Whether the parameter of that name begins at random."""
    return name.startswith("layers.stage") or (name.startswith("layers.fire2.") and "squeeze" in name)


@dataclass
class Learner:
    """`pocket`, and how it learns."""

    network: LossNetwork
    optimizer: torch.optim.Optimizer
    rates: tuple[float, float]
    """Of the front and of the fires, the optimizer's two groups."""
    front_alone: float
    painted_from: float

    @classmethod
    def make(cls, teacher: LossNetwork, device: torch.device) -> Learner:
        """One that goes on with the package's file, or begins with the teacher's fires where there is none."""
        further = TARGET.exists()
        network = load_loss_network("pocket", TARGET) if further else pocket()
        network.heads = nn.ModuleDict()  # it learns features in all directions
        if not further:
            start_from(teacher, network)
        network = network.requires_grad_(True).to(device, memory_format=torch.channels_last)
        named = list(network.named_parameters())
        groups = [{"params": [p for name, p in named if is_front(name) == front]} for front in (True, False)]
        if further:
            optimizer = Soap(groups, lr=0.0, betas=(0.9, 0.999))
            return cls(network, optimizer, (FURTHER_FRONT_RATE, FURTHER_FIRE_RATE), 0.0, 0.0)
        return cls(network, torch.optim.Adam(groups), (FRONT_RATE, FIRE_RATE), FRONT_ALONE, PAINTED_FROM)

    def set_rates(self, done: float, step: int) -> None:
        decay = 0.5 * (1 + math.cos(math.pi * done)) * min(1.0, (step + 1) / WARM_UP)
        rates = (self.rates[0], self.rates[1] if done >= self.front_alone else 0.0)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * decay

    def learn(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 4.0)
        self.optimizer.step()


Features = dict[str, Tensor]


def inner(found: Features, wanted: Features) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each layer's features, `pocket`'s and the teacher's, of the same cells.

    The first cell of SqueezeNet, which pads nothing at its border, is the second of `pocket`. The border's cells,
    where the two see different things, are left out.
    """
    for name, theirs in wanted.items():
        height, width = (min(t, f - 1) for t, f in zip(theirs.shape[2:], found[name].shape[2:], strict=True))
        pair = found[name][..., 2:height, 2:width], theirs[..., 1 : height - 1, 1 : width - 1]
        ours, theirs = (x.contiguous(memory_format=torch.channels_last) for x in pair)
        yield name, ours, theirs


def distances(found: Features, wanted: Features) -> dict[str, tuple[Tensor, Tensor]]:
    """For each layer the squared errors of its features, and of their Gram matrices, in shares of their own squares."""
    result = {}
    for name, ours, theirs in inner(found, wanted):
        spread = theirs - theirs.mean((0, 2, 3), keepdim=True)
        result[name] = share(ours - theirs, spread), share(gram_matrix(ours) - gram_matrix(theirs), gram_matrix(theirs))
    return result


def share(error: Tensor, whole: Tensor) -> Tensor:
    return error.square().sum() / whole.square().sum()


def changes(found: Features, wanted: Features) -> list[Tensor]:
    """How wrong `pocket` is about what a painter changed and what it still has to; its pictures are the last.

    A training looks at these differences alone, and in the end they are small beside the features themselves.
    """
    result = []
    for name, ours, theirs in inner(found, wanted):
        if name == CONTENT:
            changed, asked = (x[-PAINTED - 1 : -1] - x[-2 * PAINTED - 1 : -PAINTED - 1] for x in (ours, theirs))
            result.append(share(changed - asked, asked))
        mine, grams = (gram_matrix(x[-PAINTED - 1 :]) for x in (ours, theirs))
        missing, asked = mine[:-1] - mine[-1:], grams[:-1] - grams[-1:]
        squares = [x.square().sum((1, 2)) for x in (missing - asked, asked, grams[:-1])]
        result.append(GRAM_CHANGE_WEIGHT * (squares[0] / (squares[1] + DAMPING * squares[2])).mean())
    return result


def distill(teacher: LossNetwork, pictures: Pictures, held_out: list[Tensor], arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    usual = list(batches(pictures.photos, pictures.paintings, seed=98))
    learner = Learner.make(teacher, pictures.device)
    network = learner.network
    average = [p.detach().clone() for p in network.parameters()]
    step, spent = 0, 0.0
    state_file = arguments.runs / "pocket.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True, map_location=pictures.device)
        network.load_state_dict(state["network"])
        learner.optimizer.load_state_dict(state["optimizer"])
        average, step, spent = state["average"], state["step"], state["spent"]
        pictures.random = np.random.default_rng(step)
    painters = itertools.cycle([Painter(pictures) for _ in range(PAINTERS)])
    last = reported = time.monotonic()
    while spent < 60 * arguments.minutes:
        done = spent / 60 / arguments.minutes
        learner.set_rates(done, step)
        paints = done >= learner.painted_from
        batch = pictures.batch(arguments.batch)
        batch = torch.cat([batch, next(painters)(network) if paints else pictures.batch(arguments.batch)])
        batch = enlarged(batch, SCALES[step % len(SCALES)]).to(memory_format=torch.channels_last)
        names = FIRES if done >= learner.front_alone else FIRES[:3]
        with torch.no_grad():
            wanted = teacher(batch, names)
        found = network(batch, names)
        errors = [error for both in distances(found, wanted).values() for error in both]
        loss = torch.stack([*errors, *(changes(found, wanted) if paints else [])]).sum()
        learner.learn(loss)
        step += 1
        torch._foreach_lerp_(average, [p.detach() for p in network.parameters()], 1 - min(EMA, step / (step + 10)))
        now = time.monotonic()
        spent, last = spent + now - last, now
        if now - reported > REPORT_SECONDS or spent >= 60 * arguments.minutes:
            reported = now
            save(network, average, usual)
            state = {"network": network.state_dict(), "optimizer": learner.optimizer.state_dict(), "average": average}
            arguments.runs.mkdir(parents=True, exist_ok=True)
            torch.save({**state, "step": step, "spent": spent}, state_file.with_suffix(".new"))
            state_file.with_suffix(".new").replace(state_file)
            print(f"{spent / 60:.1f} min, step {step}, loss {loss.item():.3f}; {judged(teacher, held_out)}", flush=True)
    save(network, average, usual)


def directions(network: LossNetwork, usual: list[Tensor]) -> Features:
    """Those in which each layer's features vary most, the mean over pictures, (kept, channels), orthonormal."""
    with torch.no_grad():
        seen = [network(enlarged(batch, SCALES[-2]), tuple(POCKET_HEADS)) for batch in usual]
    result = {}
    for layer, kept in POCKET_HEADS.items():
        grams = torch.cat([gram_matrix(found[layer]) for found in seen])
        sizes = grams.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        vectors = torch.linalg.eigh((grams / sizes).double().mean(0)).eigenvectors
        result[layer] = vectors.flip(1)[:, :kept].T.float()
    return result


def judged(teacher: LossNetwork, held_out: list[Tensor]) -> str:
    """Errors on held-out pictures by the file just written: of features / of Gram matrices."""
    network = load_loss_network("pocket", TARGET).to(held_out[0].device, memory_format=torch.channels_last)
    network.heads = nn.ModuleDict()
    with torch.no_grad():
        found = [distances(network(batch, FIRES), teacher(batch, FIRES)) for batch in held_out]
    return "  ".join(
        f"{name} {np.mean([float(f[name][0]) for f in found]):.3f}/{np.mean([float(f[name][1]) for f in found]):.3f}"
        for name in FIRES
    )


def save(network: LossNetwork, average: list[Tensor], usual: list[Tensor]) -> None:
    averaged = copy.deepcopy(network)
    for parameter, value in zip(averaged.parameters(), average, strict=True):
        parameter.data.copy_(value)
    state = averaged.state_dict()
    for layer, kept in directions(averaged, usual).items():
        state |= {f"heads.{layer}.weight": kept[..., None, None], f"heads.{layer}.bias": kept.new_zeros(len(kept))}
    half = {name: value.half().cpu().contiguous() for name, value in state.items()}
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "normalization": "caffe-rounded",
        "network": "pocket",
        "distilled_from": "SqueezeNet 1.0 trained on ImageNet (torchvision, BSD-3-Clause)",
    }
    atomic.write_bytes(TARGET, safetensors.torch.save(half, metadata))


def batches(photos: list[Tensor], paintings: list[Tensor], seed: int) -> Iterator[Tensor]:
    pictures = Pictures(photos, paintings, seed)
    for _ in range(HELD_OUT // BATCH):
        yield pictures.batch(BATCH).to(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures of a step; a GPU can take more")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs/pocket"))
    arguments = parser.parse_args()
    photos = read(arguments.photos, (320,), arguments.device)
    folders = (arguments.paintings, OWN_PAINTINGS)
    paintings = [picture for folder in folders for picture in read(folder, (256, 512), arguments.device)]
    held_out = list(batches(photos[:HELD_OUT], paintings, seed=99))
    pictures = Pictures(photos[HELD_OUT:], paintings, seed=0)
    teacher = load_loss_network("squeezenet", arguments.teacher, "caffe-rounded")
    teacher = teacher.to(arguments.device, memory_format=torch.channels_last)
    distill(teacher, pictures, held_out, arguments)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

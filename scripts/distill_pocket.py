"""Trains `pocket`, the loss network that comes with the package, to see what SqueezeNet sees.

    python scripts/distill_pocket.py --photos FOLDER --paintings FOLDER --teacher SQUEEZENET.safetensors

Each tap of `pocket` learns the leading principal components of the features that one layer of SqueezeNet has of the
same picture enlarged 1.5 times. Pictures are photos, paintings, mixtures of them and noise, with patterns of single
pixels laid over some, and what a few small transformer networks paint that are trained against `pocket` as it stands:
what would fool it is what it learns next. In the second half of the time the gradient of the style loss has to point
where that of SqueezeNet's does, too, since nothing else of a loss network reaches a style that it trains. Stopped and
started again, it goes on from its last minute. The file in the package was made with 1,344 photos, five paintings and
our own four; other pictures of that number do as well.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.config import LossConfig, NetworkConfig
from impasto.core.loss_network import POCKET_TAPS, LossNetwork, pocket
from impasto.core.losses import PerceptualLoss, balanced_style_loss, enlarged, gram_matrix
from impasto.core.transformer import TransformerNet
from impasto.files import atomic, images
from impasto.training.loss_weights import load_loss_network

ASSETS = Path(__file__).resolve().parents[1] / "src" / "impasto" / "assets"
TARGET = ASSETS / "loss" / "pocket.safetensors"
OWN_PAINTINGS = ASSETS / "paintings"
SCALE = 1.5
"""How much larger SqueezeNet sees a picture than `pocket`: its strided first layer misses single pixels otherwise."""
SIDE = 128
BATCH = 8
LEARNING_RATE = 3e-3
EMA = 0.999
WARM_UP = 100
REPORT_SECONDS = 60
GRAM_WEIGHT = 1.0
GRADIENT_WEIGHT = 9.0
GRADIENT_FROM = 0.5
"""Share of the time after which the style loss's gradient counts."""
SMOOTHINGS = (1, 2, 4)
"""Sides in pixels of the squares over which gradients are averaged before they are compared."""
STYLE_TAPS = ("conv1", "fire2", "fire3", "fire4", "fire6", "fire8")
PAINTERS = ({"body": "turbo", "width": 32, "blocks": 2}, {"width": 8, "blocks": 2}, {"body": "turbo", "width": 48})
PAINTED = 4
"""Pictures of a batch that the painters paint."""
PAINTER_STEPS = (100, 1200)
PCA_BATCHES = 40
HELD_OUT = 32

GRID = {  # stride and first centre of a layer's cells, in pixels of the enlarged picture
    "conv1": (2, 3),
    **dict.fromkeys(["fire2", "fire3", "fire4"], (4, 5)),
    **dict.fromkeys(["fire5", "fire6", "fire8"], (8, 9)),
}
TAPS = {tap: (stage, size) for stage, taps in POCKET_TAPS.items() for tap, size in taps.items()}


class Pictures:
    """Random training pictures from photos and paintings held in memory."""

    def __init__(self, photos: list[Tensor], paintings: list[Tensor], seed: int) -> None:
        self.photos, self.paintings = photos, paintings
        self.random = np.random.default_rng(seed)

    def batch(self, size: int = BATCH) -> Tensor:
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
            gain = torch.from_numpy(random.uniform(0.6, 1.4, (3, 1, 1))).float()
            picture = (picture - 0.5) * gain + 0.5 + torch.from_numpy(random.normal(0, 0.08, (3, 1, 1))).float()
        if random.random() < 0.5:
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
        strength = float(random.exponential(0.1))
        channels = 1 if random.random() < 0.5 else 3
        if random.random() < 0.5:
            cell = int(random.integers(1, 4))
            noise = torch.from_numpy(random.normal(size=(channels, -(-SIDE // cell), -(-SIDE // cell)))).float()
            pattern = noise.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, :SIDE, :SIDE]
        else:
            period = int(random.integers(2, 5))
            tile = torch.from_numpy(random.normal(size=(channels, period, period))).float()
            pattern = tile.tile(1, SIDE // period + 1, SIDE // period + 1)[:, :SIDE, :SIDE]
            pattern = pattern - pattern.mean()
        if random.random() < 0.5:
            coarse = torch.from_numpy(random.random((1, 1, 4, 4))).float()
            pattern = pattern * F.interpolate(coarse, size=SIDE, mode="bicubic")[0].clamp(0, 1)
        return strength * pattern


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


class Teacher:
    """The leading principal components of a loss network's layers, each layer's of mean square 1."""

    def __init__(self, network: LossNetwork) -> None:
        self.network: LossNetwork = network.to(memory_format=torch.channels_last)
        self.bases: dict[str, Tensor] = {}

    def features(self, pictures: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(enlarged(pictures, SCALE), tuple(TAPS))

    @torch.no_grad()
    def learn_bases(self, pictures: Pictures) -> None:
        moments: dict[str, Tensor] = {}
        for _ in range(PCA_BATCHES):
            for name, value in self.features(pictures.batch()).items():
                moments[name] = moments.get(name, torch.zeros(())) + gram_matrix(value).mean(0).double()
        for name, moment in moments.items():
            energies, directions = torch.linalg.eigh(moment)
            size = TAPS[name][1]
            kept = energies[-size:].sum()
            basis = directions[:, -size:].flip(1) / (kept * moment.shape[0] / PCA_BATCHES / size).sqrt()
            self.bases[name] = basis.float()
            print(f"{name}: {size} of {len(energies)} components hold {kept / energies.sum():.4f} of the energy")

    @torch.no_grad()
    def components(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of what :meth:`features` gave, (B, size, h, w) for each tap."""
        return {
            name: F.conv2d(value, self.bases[name].T[..., None, None].to(value.dtype)).float()
            for name, value in features.items()
        }


class Painter:
    """A transformer network that learns a painting by what `pocket` sees at present, then another, and so on."""

    def __init__(self, pictures: Pictures, options: dict[str, Any]) -> None:
        self.pictures = pictures
        self.config = NetworkConfig(**options, padding="reflection", output="linear")
        self._begin()

    def _begin(self) -> None:
        random = self.pictures.random
        self.network = TransformerNet(self.config).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=float(random.uniform(2e-3, 6e-3)))
        self.painting = self.pictures.painting()[None]
        self.loss_config = LossConfig(
            style_layers=STYLE_TAPS,
            loss_network="pocket",
            balanced=True,
            style_weight=float(random.choice([5, 10, 20, 40])),
            tv_weight=0.2,
        )
        self.left = int(random.integers(*PAINTER_STEPS))

    def __call__(self, judge: LossNetwork) -> Tensor:
        """Learns one step and returns what it painted, (PAINTED, 3, SIDE, SIDE)."""
        if not self.left:
            self._begin()
        self.left -= 1
        photos = torch.stack([self.pictures.crop(self.pictures.photos) for _ in range(PAINTED)])
        photos = photos.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            painted = self.network(photos)
            losses = PerceptualLoss(judge, [self.painting], self.loss_config)(painted, photos)
        weights = list(self.network.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(losses.total, weights), strict=True):
            weight.grad = gradient
        nn.utils.clip_grad_norm_(weights, 5.0)
        self.optimizer.step()
        return painted.detach().clamp(-0.2, 1.2)


def at_cells_of(name: str, student: Tensor, teacher: Tensor) -> Tensor:
    """The student's features where the teacher's cells are centred, by bilinear interpolation."""
    stride, first = GRID[name]
    cells = 2.0 ** (int(TAPS[name][0].removeprefix("stage")) - 1)
    for axis in (2, 3):  # as a product with a matrix, which is far faster than grid_sample
        own = torch.arange(student.shape[axis])
        centres = (first + stride * torch.arange(teacher.shape[axis]) + 0.5) / SCALE / cells - 0.5
        centres = centres.clamp(0, len(own) - 1)
        weights = (1 - (centres[:, None] - own).abs()).clamp_min(0)  # (taught, own), rows sum to 1
        student = torch.tensordot(student, weights.to(student.dtype), ([axis], [1])).movedim(-1, axis)
    return student


def seen(network: LossNetwork, pictures: Tensor) -> dict[str, Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        return network(pictures, tuple(TAPS))


def distances(found: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """For each tap the squared errors of its features and of their Gram matrices.

    Each in shares of how much those vary: being right about what all pictures have in common is worth nothing.
    """
    result = {}
    for name, target in targets.items():
        ours = at_cells_of(name, found[name], target).float()
        grams, wanted = gram_matrix(found[name]), gram_matrix(target)
        feature = (ours - target).square().sum() / (target - target.mean((0, 2, 3), keepdim=True)).square().sum()
        gram = (grams - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()
        result[name] = (feature, gram)
    return result


def style_gradient(
    pictures: Tensor, features: dict[str, Tensor], painting: dict[str, Tensor], *, differentiable: bool
) -> Tensor:
    """Where the balanced style loss of `features`, those of `pictures`, would take each picture's pixels."""
    loss = balanced_style_loss([features[n] for n in STYLE_TAPS], [gram_matrix(painting[n]) for n in STYLE_TAPS])
    return torch.autograd.grad(loss, pictures, create_graph=differentiable, retain_graph=True)[0].float()


def misdirection(ours: Tensor, theirs: Tensor) -> Tensor:
    """1 − cosine of each picture's two gradients, the mean over pictures and smoothings."""
    pairs = [[F.avg_pool2d(g, side).flatten(1) for g in (ours, theirs)] for side in SMOOTHINGS]
    # Gradients are tiny numbers: the usual epsilon would swallow them.
    return 1 - torch.stack([F.cosine_similarity(*pair, eps=1e-20).mean() for pair in pairs]).mean()


def lesson(teacher: Teacher, network: LossNetwork, pictures: Tensor, painting: Tensor | None) -> tuple[Tensor, Tensor]:
    """What `network` has to make small, and the misdirection in it, which counts where there is a painting."""
    pictures = pictures.requires_grad_(painting is not None)
    taught, found = teacher.features(pictures), seen(network, pictures)
    errors = distances(found, teacher.components(taught))
    loss = torch.stack([feature + GRAM_WEIGHT * gram for feature, gram in errors.values()]).sum()
    if painting is None:
        return loss, torch.zeros(())
    with torch.no_grad():
        style = teacher.features(painting)
    theirs = style_gradient(pictures, taught, style, differentiable=False)
    ours = style_gradient(pictures, found, seen(network, painting), differentiable=True)
    wrong = misdirection(ours, theirs)
    return loss + GRADIENT_WEIGHT * wrong, wrong.detach()


def start_of(network: LossNetwork, file: Path | None) -> None:
    network.requires_grad_(True)
    if file is not None:
        network.load_state_dict(load_loss_network("pocket", file).state_dict())
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu" if module.kernel_size[0] > 1 else "linear")
            nn.init.zeros_(module.bias)


def distill(teacher: Teacher, pictures: Pictures, held_out: list[Tensor], arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    network = pocket().to(memory_format=torch.channels_last)
    start_of(network, arguments.start)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    average = [p.detach().clone() for p in network.parameters()]
    step, spent = 0, 0.0
    state_file = arguments.runs / "pocket.pt"
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, teacher.bases, step, spent = state["average"], state["bases"], state["step"], state["spent"]
        pictures.random = np.random.default_rng(step)
    else:
        teacher.learn_bases(pictures)
    painters = itertools.cycle([Painter(pictures, options) for options in PAINTERS])
    last = reported = time.monotonic()
    while spent < 60 * arguments.minutes:
        rate = 0.5 * (1 + math.cos(math.pi * min(1.0, spent / 60 / arguments.minutes))) * min(1.0, (step + 1) / WARM_UP)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * rate
        painted = next(painters)(network) if step % 2 else pictures.batch(PAINTED)
        batch = torch.cat([pictures.batch(BATCH - PAINTED), painted])
        batch = batch.to(memory_format=torch.channels_last)
        with_gradient = arguments.start or spent > 60 * arguments.minutes * GRADIENT_FROM
        painting = pictures.painting()[None].to(memory_format=torch.channels_last) if with_gradient else None
        loss, wrong = lesson(teacher, network, batch, painting)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 4.0)
        optimizer.step()
        step += 1
        torch._foreach_lerp_(average, [p.detach() for p in network.parameters()], 1 - min(EMA, step / (step + 10)))
        now = time.monotonic()
        spent, last = spent + now - last, now
        if now - reported > REPORT_SECONDS or spent >= 60 * arguments.minutes:
            reported = now
            save(network, average)
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
            arguments.runs.mkdir(parents=True, exist_ok=True)
            torch.save({**state, "bases": teacher.bases, "step": step, "spent": spent}, state_file.with_suffix(".new"))
            state_file.with_suffix(".new").replace(state_file)
            losses = f"loss {loss.item():.3f}, misdirection {wrong.item():.3f}"
            print(f"{spent / 60:.1f} min, step {step}, {losses}; {judged(teacher, held_out)}", flush=True)


def judged(teacher: Teacher, held_out: list[Tensor]) -> str:
    """Errors on held-out pictures by the file just written: of features / of Gram matrices."""
    network = load_loss_network("pocket", TARGET).to(memory_format=torch.channels_last)
    with torch.no_grad():
        pairs = [(seen(network, batch), teacher.components(teacher.features(batch))) for batch in held_out]
        all_found = [distances(*pair) for pair in pairs]
    return "  ".join(
        f"{name} {np.mean([f[name][0] for f in all_found]):.3f}/{np.mean([f[name][1] for f in all_found]):.3f}"
        for name in TAPS
    )


def save(network: LossNetwork, average: list[Tensor]) -> None:
    names = [name for name, _ in network.named_parameters()]
    state = {name: value.half().contiguous() for name, value in zip(names, average, strict=True)}
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(TARGET, safetensors.torch.save(state, {"normalization": "torchvision", "network": "pocket"}))


def held_out_batches(photos: list[Tensor], paintings: list[Tensor]) -> Iterator[Tensor]:
    pictures = Pictures(photos, paintings, seed=99)
    for _ in range(HELD_OUT // BATCH):
        yield pictures.batch().to(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--start", type=Path, help="weights to begin with, the gradient counting from the first step")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--runs", type=Path, default=Path("runs/pocket"))
    arguments = parser.parse_args()
    photos = read(arguments.photos, (320,))
    paintings = [*read(arguments.paintings, (256, 512)), *read(OWN_PAINTINGS, (256, 512))]
    held_out = list(held_out_batches(photos[:HELD_OUT], paintings))
    pictures = Pictures(photos[HELD_OUT:], paintings, seed=0)
    teacher = Teacher(load_loss_network("squeezenet", arguments.teacher, "caffe-rounded"))
    distill(teacher, pictures, held_out, arguments)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

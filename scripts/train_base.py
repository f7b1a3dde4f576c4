"""Trains a network of many styles, one row for each painting, and puts it into the package.

    python scripts/train_base.py BASE --photos FOLDER --paintings FOLDER --loss-weights SQUEEZENET.safetensors

BASE is one of

- start: what the recipe `quick` begins with. A network that has learned to paint in many ways learns another painting
  in a fraction of the time (Dumoulin, Shlens, Kudlur 2017). Each painting is there twice, the second time larger and
  with its colours exchanged; those that show elsewhere how a new one fares are left out.
- turbo, classic: the gallery, in two sizes of network: every painting, and a last row that gives the photo back.

Stopped and started again, it goes on from its last minute. A network that is trained for longer begins with the one
in the package; each of those was trained from nothing first, for some hours of one CPU core with shares of 3 to 120 for
the default style. What is in the package then learned 16 minutes on a third of a GPU each (`--device cuda --minutes 16`
on an H100 that all three shared; 8,100 steps of 16 photos for `turbo`, 7,700 for `classic`, 14,400 for `start`), and
`classic` got three residual blocks more, which began as nothing. Last, on one CPU core each, `turbo` learned ten
minutes with a share of 200 and a rate of 1e-3, and `start` twelve, the first in which photos moved: on the GPU it had
learned to paint bands along the border.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from impasto.config import BASES, RECIPES, Device, TrainConfig, flatten, make_config
from impasto.core.losses import Losses, PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.files import atomic, images, style_file
from impasto.files.gallery import is_row
from impasto.files.style_file import IDENTITY
from impasto.training import trainer
from impasto.training.fabric import choose_precision, lay_out, make_fabric
from impasto.training.loss_weights import load_loss_network
from impasto.training.photos import PhotoBatch, Photos
from impasto.training.pixels import square, to_float, to_tensor, without_margin
from impasto.training.ranks import Ranks
from impasto.training.result import make_style
from impasto.training.state import TrainState
from impasto.version import __version__

ASSETS = Path(__file__).resolve().parents[1] / "src" / "impasto" / "assets"
OWN_PAINTINGS = ASSETS / "paintings"
HELD_OUT = 32
"""The first so many photos by name are left to judge on, as in `distill_pocket.py`."""
SIZE = 256
"""Short side of a painting in pixels; style files are judged at this size."""
OTHER_SIZE = 320
"""The same of one whose colours are exchanged."""
MARGIN = 0.01
"""As `style_margin`: the scans' edges of paper, no more, since what is left out is missing when styles are judged."""
ON_GPU = {"batch_size": 16, "learning_rate": 5e-3}
"""A GPU has no use for fewer photos, and their steadier gradient bears a higher rate."""
REPORT_SECONDS = 60
SQUEEZENET = {"loss_network": "squeezenet", "loss_normalization": "caffe-rounded", "look_scale": (1.25, 1.75)}
"""`pocket` sees everything so much larger by itself."""

PUBLIC_DOMAIN = "public domain"
CREDITS = {
    "composition_vii": ("Wassily Kandinsky", "Composition VII", "1913", PUBLIC_DOMAIN),
    "edtaonisl": ("Francis Picabia", "Edtaonisl (Ecclesiastic)", "1913", PUBLIC_DOMAIN),
    "great_wave": ("Katsushika Hokusai", "The Great Wave off Kanagawa", "about 1831", PUBLIC_DOMAIN),
    "starry_night": ("Vincent van Gogh", "The Starry Night", "1889", PUBLIC_DOMAIN),
    "tableau": ("Piet Mondrian", "Tableau No. 2 / Composition No. VII", "1913", PUBLIC_DOMAIN),
    "the_scream": ("Edvard Munch", "The Scream", "1893", PUBLIC_DOMAIN),
    "udnie": ("Francis Picabia", "Udnie (Young American Girl, The Dance)", "1913", PUBLIC_DOMAIN),
    "wheat_field": ("Vincent van Gogh", "Wheat Field with Cypresses", "1889", PUBLIC_DOMAIN),
}
"""Artist, title, year and rights of each painting; what is not here is our own."""
OWN = ("Impasto", "drawn by a program", "2026", "Apache-2.0")


@dataclass(frozen=True)
class Base:
    """One of the networks that this script makes."""

    target: Path
    options: dict[str, Any] = field(default_factory=dict)
    """In which it differs from the recipe `quick`, beside what :func:`learning` says."""
    other_colours: bool = False
    left_out: tuple[str, ...] = ()
    losses: tuple[dict[str, Any], ...] = (SQUEEZENET,)
    """Loss networks, which take turns: what fools one of them does not fool the other."""
    begins_with: tuple[Path, ...] = ()
    """The first of these that exists; none is from nothing."""

    @property
    def source(self) -> Path | None:
        return next((path for path in self.begins_with if path.exists()), None)

    def learning(self) -> dict[str, Any]:
        return FURTHER if self.source else FROM_NOTHING


FROM_NOTHING: dict[str, Any] = {
    "optimizer": "adam",
    "batch_size": 2,
    "start_size": 128,
    "ema": 0.998,
    "learning_rate": 3e-3,
}
"""How several styles are learned at once by a network that has learned none."""
# At 4e-3, in pieces of 128 pixels, a gallery lost more in 1,000 steps of SOAP than it won.
FURTHER: dict[str, Any] = {"optimizer": "soap", "learning_rate": 2e-3, "start_size": 192, "ema": 0.998}
"""How a network that paints already learns to paint better."""
DEFAULT = "great_wave"
"""The style that most will see first."""
DEFAULT_SHARE = 24.0
"""How often it is learned, where any other is once."""
IDENTITY_ROW = {"identity_weight": 100.0}
STEADY = {"temporal_weight": 120.0}
"""What the network for videos learns beside; and the start, since what moves along does not stick to the border."""
TURNS = (*[SQUEEZENET] * 5, {"loss_network": "pocket"})
START = ASSETS / "start" / "turbo.safetensors"
TURBO = ASSETS / "gallery" / "turbo.safetensors"
CLASSIC = ASSETS / "gallery" / "classic.safetensors"

MADE = {
    "start": Base(
        START,
        STEADY,
        other_colours=True,
        left_out=("great_wave", "the_scream", "udnie", "flow_field"),
        begins_with=(START,),
    ),
    "turbo": Base(TURBO, {**BASES["turbo"], **IDENTITY_ROW, **STEADY}, losses=TURNS, begins_with=(TURBO, START)),
    "classic": Base(CLASSIC, {**BASES["classic"], **IDENTITY_ROW}, losses=TURNS, begins_with=(CLASSIC,)),
}


def files(folder: Path, base: Base) -> list[Path]:
    paths = [*images.find([folder]), *images.find([OWN_PAINTINGS])]
    return [path for path in paths if path.stem not in base.left_out]


def credits(paths: list[Path]) -> dict[str, dict[str, str]]:
    """What is known of each painting, by name."""
    keys = ("artist", "title", "year", "rights", "sha256")
    digests = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return {name: dict(zip(keys, (*CREDITS.get(name, OWN), sha256), strict=True)) for name, sha256 in digests.items()}


def read_paintings(folder: Path, base: Base) -> dict[str, Tensor]:
    """The style images by name, (1, 3, H, W) in [0, 1]."""
    found = {}
    for path in files(folder, base):
        pixels = without_margin(images.read_small(path, at_least=2 * OTHER_SIZE), MARGIN)
        found[path.stem] = style_image(pixels, SIZE)
        if base.other_colours:
            found[f"{path.stem} in other colours"] = style_image(pixels, OTHER_SIZE)[:, [1, 2, 0]]
    return found


def style_image(pixels: Any, size: int) -> Tensor:
    return to_float(to_tensor(square(pixels, size, "keep")))[None]


class HeldPhotos(Photos):
    """Photos that are all read once and then lie where the network is, which would wait for them."""

    def hold(self, device: torch.device) -> None:
        self.pixels = torch.cat([batch.photos for batch in super().epoch(0)]).to(device)

    def epoch(self, epoch: int, position: int = 0) -> Iterator[PhotoBatch]:
        order = torch.randperm(len(self.pixels), generator=torch.Generator().manual_seed(epoch))
        batch = self.config.batch_size
        for place in range(position + batch, len(order) + 1, batch):
            yield PhotoBatch(self.pixels[order[place - batch : place].to(self.pixels.device)], place)


def configured(base: Base, painted: int, **options: Any) -> TrainConfig:
    config = make_config({**RECIPES["quick"], **base.learning(), **base.options, **options})
    return replace(config, network=replace(config.network, styles=painted + (config.identity_weight > 0)))


class TakingTurns(nn.Module):
    """Several losses of the same paintings, one after the other, a step each."""

    def __init__(self, losses: list[PerceptualLoss]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self.turn = 0

    def forward(self, stylized: Tensor, *arguments: Any, **named: Any) -> Losses:
        self.turn = (self.turn + 1) % len(self.losses)
        with torch.autocast("cuda", torch.bfloat16, enabled=stylized.is_cuda):
            losses: Losses = self.losses[self.turn](stylized, *arguments, **named)
        return losses


def fabric_on(device: Device) -> Fabric:
    """On a GPU in float32, by its matrix units (TF32); the loss networks, most of the work, in bf16 there, too."""
    if device == "cuda":
        torch.set_float32_matmul_precision("high")
        return make_fabric(device, "float32")
    return make_fabric(device, choose_precision("auto", device))


def make_loss(base: Base, paintings: list[Tensor], weights: Path) -> TakingTurns:
    losses: dict[str, PerceptualLoss] = {}
    for options in base.losses:
        if options["loss_network"] in losses:
            continue
        config = configured(base, len(paintings), **options).loss
        own = config.loss_network == "pocket"
        network = load_loss_network(config.loss_network, None if own else weights, config.loss_normalization)
        network = network.to(paintings[0].device, memory_format=torch.channels_last)
        losses[config.loss_network] = PerceptualLoss(network, paintings, config)
    return TakingTurns([losses[options["loss_network"]] for options in base.losses])


def begin(state: TrainState, base: Base, names: list[str]) -> None:
    """Takes the weights of what the base begins with, each style its own row there or the mean of all."""
    if base.source is None:
        return
    style = style_file.load(base.source)
    weights = {name: torch.from_numpy(value) for name, value in style.tensors.items()}
    if state.network.skip is not None:
        weights.setdefault("skip.gain", torch.tensor([[float(name == IDENTITY)] * 3 for name in style.names]))
    for name, value in state.network.state_dict().items():
        if name not in weights:  # of a residual block more than there were, which adds nothing at first
            new = value[:1].expand(len(style.names), -1) if is_row(name) else value
            weights[name] = (0 * new if name.endswith("second.norm.scale") else new).cpu()
    for name in filter(is_row, weights):
        rows = dict(zip(style.names, weights[name], strict=True))
        weights[name] = torch.stack([rows.get(wanted, weights[name].mean(0)) for wanted in names])
    state.begin_with(weights)
    print(f"beginning with {base.source}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", choices=MADE)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, default=0.0)
    length.add_argument("--steps", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs/base"))
    arguments = parser.parse_args()
    base = MADE[arguments.base]
    paintings = read_paintings(arguments.paintings, base)
    ends = {"max_minutes": arguments.minutes, "max_iterations": arguments.steps}
    config = configured(base, len(paintings), **ends, **(ON_GPU if arguments.device == "cuda" else {}))
    shares = tuple(DEFAULT_SHARE if name == DEFAULT else 1.0 for name in paintings)
    names = [*paintings, *([IDENTITY] if config.identity_weight else [])]
    fabric = fabric_on(arguments.device)
    style_images = [fabric.to_device(image) for image in paintings.values()]
    loss = lay_out(make_loss(base, style_images, arguments.loss_weights), fabric)
    torch.manual_seed(config.seed)
    state = TrainState(lay_out(TransformerNet(config.network), fabric), config)
    photos = HeldPhotos.find(images.find([arguments.photos])[HELD_OUT:], config)
    photos.hold(fabric.device)
    checkpoint = arguments.runs / f"{arguments.base}.pt"
    if checkpoint.exists():
        state.load_state_dict(torch.load(checkpoint, weights_only=True, map_location=fabric.device))
    else:
        begin(state, base, names)
    reported = time.monotonic()
    for progress in trainer.train(Ranks(fabric), state, loss, photos, config, shares=shares):
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            save_checkpoint(checkpoint, state)
            done = f"{progress.elapsed / 60:.1f} min, step {progress.iteration}"
            print(f"{done}, content {progress.content_loss:.3f}, style {progress.style_loss:.4f}", flush=True)
    provenance = {
        "paintings": credits(files(arguments.paintings, base)),
        "options": flatten(config),
        "loss_networks": [options["loss_network"] for options in base.losses],
        "shares": dict(zip(paintings, shares, strict=True)),
        "iterations": state.iteration,
        "minutes": round(state.elapsed / 60, 1),
        "impasto": __version__,
    }
    base.target.parent.mkdir(parents=True, exist_ok=True)
    style_file.save(base.target, make_style(config.network, state.result(), names, provenance))
    print(f"{base.target.name}: {base.target.stat().st_size / 1e6:.2f} MB, {len(names)} rows")


def save_checkpoint(path: Path, state: TrainState) -> None:
    with atomic.replacing(path) as temporary:
        torch.save(state.state_dict(), temporary)


if __name__ == "__main__":
    main()

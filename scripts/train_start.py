"""Trains the network that the recipe `quick` starts from: one body, a row for each of many paintings.

    python scripts/train_start.py --photos FOLDER --paintings FOLDER --loss-weights SQUEEZENET.safetensors

A network that has learned to paint in many ways learns another painting in a fraction of the time (Dumoulin, Shlens,
Kudlur 2017). The paintings are those of the folder but for those named with --leave-out, and our own; each is there
twice, the second time larger and with its colours exchanged. Stopped and started again, it goes on from its last
minute.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from impasto.config import RECIPES, TrainConfig, make_config
from impasto.core.losses import PerceptualLoss
from impasto.core.transformer import TransformerNet
from impasto.files import images, style_file
from impasto.training import trainer
from impasto.training.loss_weights import load_loss_network
from impasto.training.photos import Photos, square, to_float, to_tensor
from impasto.training.result import make_style
from impasto.training.trainer import TrainState
from impasto.version import __version__

ASSETS = Path(__file__).resolve().parents[1] / "src" / "impasto" / "assets"
TARGET = ASSETS / "start" / "turbo.safetensors"
OWN_PAINTINGS = ASSETS / "paintings"
LEFT_OUT = ["great_wave", "the_scream", "udnie", "flow_field"]
"""Paintings that are trained elsewhere to show how a new one fares."""
SIZES = (256, 320)
"""Short sides in pixels of each painting, as it is and with its colours exchanged."""
REPORT_SECONDS = 60


def read_paintings(folder: Path, left_out: list[str]) -> dict[str, Tensor]:
    """The style images by name, (1, 3, H, W) in [0, 1]."""
    found = {}
    for path in [*images.find([folder]), *images.find([OWN_PAINTINGS])]:
        if path.stem in left_out:
            continue
        pixels = images.read_small(path, at_least=max(SIZES))
        plain, other = (to_float(to_tensor(square(pixels, size, "keep")))[None] for size in SIZES)
        found[path.stem] = plain
        found[f"{path.stem} in other colours"] = other[:, [1, 2, 0]]
    return found


def configured(arguments: argparse.Namespace, styles: int) -> TrainConfig:
    config = make_config(
        {
            **RECIPES["quick"],
            "loss_network": "squeezenet",
            "loss_normalization": "caffe-rounded",
            "look_scale": (1.0, 1.5),
            "max_minutes": arguments.minutes,
            "ema": 0.998,
        }
    )
    return replace(config, network=replace(config.network, styles=styles))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--leave-out", nargs="*", default=LEFT_OUT, metavar="NAME")
    parser.add_argument("--loss-weights", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--runs", type=Path, default=Path("runs/start"))
    arguments = parser.parse_args()
    paintings = read_paintings(arguments.paintings, arguments.leave_out)
    config = configured(arguments, len(paintings))
    fabric = trainer.make_fabric("cpu", trainer.choose_precision("auto", "cpu"))
    judge = load_loss_network("squeezenet", arguments.loss_weights, "caffe-rounded")
    loss = trainer.lay_out(PerceptualLoss(judge, list(paintings.values()), config.loss), fabric)
    torch.manual_seed(config.seed)
    state = TrainState(trainer.lay_out(TransformerNet(config.network), fabric), config)
    photos = Photos.find([arguments.photos], config)
    checkpoint = arguments.runs / "start.pt"
    if checkpoint.exists():
        state.load_state_dict(torch.load(checkpoint, weights_only=True))
    reported = time.monotonic()
    for progress in trainer.train(fabric, state, loss, photos, config):
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            arguments.runs.mkdir(parents=True, exist_ok=True)
            torch.save(state.state_dict(), checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            done = f"{progress.elapsed / 60:.1f} min, step {progress.iteration}"
            print(f"{done}, content {progress.content_loss:.3f}, style {progress.style_loss:.4f}", flush=True)
    provenance = {
        "paintings": sorted(paintings),
        "iterations": state.iteration,
        "minutes": round(state.elapsed / 60, 1),
        "impasto": __version__,
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    style_file.save(TARGET, make_style(config.network, state.result(), list(paintings), provenance))
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e6:.2f} MB, {len(paintings)} rows")


if __name__ == "__main__":
    main()

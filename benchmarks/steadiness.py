"""Two networks of the same styles: how steady each is, and what that costs by the objective.

    python benchmarks/steadiness.py BEFORE.safetensors AFTER.safetensors --photos FOLDER --paintings FOLDER \\
        --loss-weights SQUEEZENET.safetensors [--count 6]

For the bundled turbo network BEFORE is the one without the temporal term:
``git show 985b8f1:src/impasto/assets/gallery/turbo.safetensors > BEFORE.safetensors``. Steadiness is that of `impasto
evaluate --temporal` (all motions and the noise together); the objective is the balanced loss under SqueezeNet at 1.5
times 256 pixels, on photos that are left out of the training: content + 20 · style.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

import impasto
from impasto.config import make_config
from impasto.core.losses import PerceptualLoss
from impasto.evaluation.pictures import Source
from impasto.evaluation.steadiness import measure
from impasto.files import images
from impasto.stylizing.stylizer import Stylizer
from impasto.training.loss_weights import load_loss_network
from impasto.training.pixels import square, to_float, to_tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import train_base

STYLE_WEIGHT = 20.0


def objectives(stylizer: Stylizer, loss: PerceptualLoss, names: Sequence[str], photos: torch.Tensor) -> list[float]:
    """content + 20 · style of each style."""
    found = []
    for number, name in enumerate(names):
        stylized = torch.as_tensor(stylizer(photos.numpy(), name))
        with torch.inference_mode():
            losses = loss(stylized, photos, style=torch.tensor([number]))
        found.append(float(losses.content) + STYLE_WEIGHT * float(losses.style))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True)
    parser.add_argument("--count", type=int, default=6)
    options = parser.parse_args()
    paintings = train_base.read_paintings(options.paintings, train_base.MADE["turbo"])
    config = make_config({**train_base.SQUEEZENET, "balanced": True, "look_scale": (1.5, 1.5)})
    network = load_loss_network("squeezenet", options.loss_weights, config.loss.loss_normalization)
    loss = PerceptualLoss(network, list(paintings.values()), config.loss)
    held_out = images.find([options.photos])[: train_base.HELD_OUT : max(1, train_base.HELD_OUT // options.count)]
    sources = [Source.of(path) for path in held_out[: options.count]]
    squares = torch.stack([to_tensor(square(source.pixels(), 256, "crop")) for source in sources])
    rows: list[list[float]] = []
    for file in (options.before, options.after):
        stylizer = impasto.load(file)
        rows.append([measure(name, partial(stylizer, style=name), sources).mean for name in paintings])
        rows.append(objectives(stylizer, loss, list(paintings), to_float(squares)))
    print("| style | temporal error before | after | ratio | objective before | after | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    table = np.array(rows)  # before, its objective, after, its objective
    for name, (error, value, later_error, later) in zip(
        [*paintings, "**all**"], [*table.T, table.mean(1)], strict=True
    ):
        print(
            f"| {name} | {100 * error:.2f} % | {100 * later_error:.2f} % | {later_error / error:.2f} "
            f"| {value:.2f} | {later:.2f} | {later / value:.2f} |"
        )


if __name__ == "__main__":
    main()

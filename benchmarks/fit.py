"""What a new painting costs: quality against minutes, fitted on the bundled network and trained from nothing.

    python benchmarks/fit.py --photos DIR --judge-weights SQUEEZENET.safetensors [--painting FILE] [--minutes 0.5 1 2]

The painting is one that the network has not seen: by default scikit-image's picture of stained tissue. Everything is
trained on one CPU thread without photos, and judged on the first 32 photos by name with the weights λ = 10 and 30.
Finished styles stay in --runs, so that the script can be stopped and started again.
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch

from impasto import workflows
from impasto.cli.progress import TrainingBar
from impasto.config import FIT_ALL, USUAL_LAYERS
from impasto.evaluation import pictures
from impasto.evaluation.objective import Judge, Objective
from impasto.evaluation.report import STYLE_WEIGHTS
from impasto.files import images
from impasto.training.loss_weights import load_loss_network

HELD_OUT = 32
SIZE = 256
WAYS: dict[str, dict[str, Any]] = {
    "rows alone": {"recipe": "fit"},
    "all of the network": {"recipe": "fit", **FIT_ALL},
    "from nothing": {"recipe": "quick", "start": "random"},
}


def tissue(folder: Path) -> Path:
    path = folder / "tissue.png"
    if not path.exists():
        images.write(path, images.Picture(np.asarray(skimage.data.immunohistochemistry())))
    return path


def train(way: str, minutes: float, painting: Path, runs: Path) -> Path:
    out = runs / f"{way.replace(' ', '-')}-{minutes:g}.safetensors"
    if not out.exists():
        print(f"training: {way}, {minutes:g} minutes", flush=True)
        with TrainingBar() as bar:
            options = {"max_minutes": minutes, "workers": 0, "run_dir": runs / out.stem, "on_progress": bar}
            workflows.train(painting, out=out, **options, **WAYS[way])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--judge-weights", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--painting", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--nothing-minutes", type=float, nargs="+", default=[1.0, 2.5, 5.0])
    parser.add_argument("--count", type=int, default=8, help="photos to judge on")
    parser.add_argument("--runs", type=Path, default=Path("runs/fit"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.runs.mkdir(parents=True, exist_ok=True)
    painting = arguments.painting or tissue(arguments.runs)
    network = load_loss_network("squeezenet", arguments.judge_weights, "caffe-rounded")
    judge = Judge("squeezenet", network, USUAL_LAYERS["squeezenet"])
    grams = judge.grams(pictures.Source.of(painting).short_side(SIZE))
    chosen = pictures.choose_photos(images.find([arguments.photos])[:HELD_OUT], arguments.count, print).chosen
    squares = [photo.square(SIZE) for photo in chosen]
    lines = []
    for way in WAYS:
        for minutes in arguments.nothing_minutes if way == "from nothing" else arguments.minutes:
            stylizer = workflows.load(train(way, minutes, painting, arguments.runs))
            with torch.no_grad():
                parts = [Objective(judge, photo, grams)(stylizer(photo)) for photo in squares]
            content, style = (float(torch.stack(list(part)).mean()) for part in zip(*parts, strict=True))
            totals = " | ".join(f"{content + weight * style:.2f}" for weight in STYLE_WEIGHTS)
            lines.append(f"| {way} | {minutes:g} | {content:.2f} | {style:.3f} | {totals} |")
    print("\n| | minutes | content | style |", " | ".join(f"λ = {weight:g}" for weight in STYLE_WEIGHTS), "|")
    print("|-|-|-|-|-|-|", *lines, sep="\n")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()

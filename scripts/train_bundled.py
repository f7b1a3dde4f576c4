"""Trains the styles that come with the package, and puts them into it.

    python scripts/train_bundled.py --photos FOLDER --paintings FOLDER --loss-weights SQUEEZENET.safetensors

Each style has a run folder below --runs. A run that was stopped goes on where it was; one that is done is only copied.
The photos are any thousand or more; the paintings are in the public domain.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from impasto import workflows
from impasto.cli.progress import TrainingBar
from impasto.training.run import TrainingStopped

ASSETS = Path(__file__).resolve().parents[1] / "src" / "impasto" / "assets" / "styles"

OPTIONS: dict[str, Any] = {
    # Half the filters look as good and take a third of the time; reflection keeps the border clean.
    "width": 16,
    "padding": "reflection",
    # A tanh that a first step drives into saturation hardly comes back; a clamp after training has no such trap.
    "output": "linear",
    "balanced": True,
    "style_weight": 10.0,
    # SqueezeNet's strided first layer cannot see a one-pixel checkerboard at one scale and place.
    "loss_network": "squeezenet",
    "loss_normalization": "caffe-rounded",
    "look_scale": [1.0, 1.8],
    "look_shift": 3,
    "tv_weight": 2.0,
    "fit": "crop",
    "style_fit": "keep",
    "epochs": 6,
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "warm_up": 60,
    "ema": 0.995,
    "checkpoint_minutes": 2.0,
}

STYLES: dict[str, dict[str, Any]] = {"great_wave": {}}
"""Painting (file name without suffix) → the options in which it differs."""


def train_one(name: str, arguments: argparse.Namespace) -> None:
    run_dir = arguments.runs / name
    out = arguments.runs / f"{name}.safetensors"
    with TrainingBar() as bar:
        if (run_dir / "job.json").exists():
            workflows.resume(run_dir, on_progress=bar, announce=bar.announce)
        else:
            workflows.train(
                next(arguments.paintings.glob(f"{name}.*")),
                arguments.photos,
                out,
                loss_weights=arguments.loss_weights,
                run_dir=run_dir,
                on_progress=bar,
                announce=bar.announce,
                **{**OPTIONS, **STYLES[name]},
            )
    shutil.copyfile(out, ASSETS / out.name)
    print(f"{out.name}: {out.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--runs", type=Path, default=Path("runs/bundled"))
    parser.add_argument("styles", nargs="*", metavar="STYLE", help=f"which ones, of: {', '.join(STYLES)}")
    arguments = parser.parse_args()
    ASSETS.mkdir(parents=True, exist_ok=True)
    try:
        for name in arguments.styles or STYLES:
            train_one(name, arguments)
    except TrainingStopped:
        sys.exit("stopped, all is saved; the same command goes on from there")


if __name__ == "__main__":
    main()

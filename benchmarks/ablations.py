"""What each part of the recipe `quick` buys: trains it with one thing changed at a time, and judges the results.

    python benchmarks/ablations.py --painting FILE --photos DIR --judge-weights SQUEEZENET.safetensors [--minutes 2]

Every variant gets the same time, one CPU thread and the same painting; none sees the photos that it is judged on, the
first 32 by name. Trained styles are kept in --runs, so that the script can be stopped and started again.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import torch

from impasto import workflows
from impasto.cli.progress import TrainingBar
from impasto.evaluation.options import EvaluateOptions
from impasto.files import images

HELD_OUT = 32
SQUEEZENET = {"loss_network": "squeezenet", "loss_normalization": "caffe-rounded", "look_scale": [1.25, 1.75]}
"""`pocket` sees everything so much larger by itself."""
STEPS = {"max_iterations": 300, "max_minutes": 0.0, "schedule": "cosine"}

FROM_NOTHING = {"start": "random"}

VARIANTS: dict[str, dict[str, Any]] = {
    "quick": {},
    "from nothing": FROM_NOTHING,
    "from nothing, as many steps by SqueezeNet": {"weights": True, **SQUEEZENET, **FROM_NOTHING, **STEPS},
    "from nothing, as many steps by pocket": {**FROM_NOTHING, **STEPS},
    "SqueezeNet in the same time": {"weights": True, **SQUEEZENET},
    "photos instead of drawn images": {"photos": True},
    "Adam": {"optimizer": "adam", "learning_rate": 3e-3},
    "one photo a step": {"batch_size": 1},
    "two photos a step": {"batch_size": 2},
    "not balanced": {"balanced": False, "content_weight": 1.0, "style_weight": 4.0},
    "no calm": {"calm_weight": 0.0},
    "no moving average": {"ema": 0.0},
    "constant rate": {"schedule": "constant"},
    "no growing": {"start_size": 0},
    "one look": {"look_scale": [1.0, 1.0], "look_shift": 0},
    "smaller looks": {"look_scale": [0.67, 1.0]},
    "from nothing, classic network, half width": {"body": "classic", "width": 16, **FROM_NOTHING},
    "from nothing, turbo on a grid of 8": {"downsampling": 8, "width": 64, "blocks": 3, **FROM_NOTHING},
}
"""What differs from `quick`, which takes one photo a step or two, by the machine.

`photos` and `weights` say what is needed beside options.
"""


def train(name: str, arguments: argparse.Namespace, photos: list[Path]) -> Path:
    options = dict(VARIANTS[name])
    out = arguments.runs / f"{name.replace(' ', '-').replace(',', '')}.safetensors"
    if out.exists():
        return out
    needs_photos, needs_weights = options.pop("photos", False), options.pop("weights", False)
    print(f"training: {name}", flush=True)
    with TrainingBar() as bar:
        return workflows.train(
            arguments.painting,
            photos if needs_photos else (),
            out,
            recipe="quick",
            loss_weights=arguments.judge_weights if needs_weights else None,
            run_dir=arguments.runs / out.stem,
            workers=0,
            on_progress=bar,
            **{"max_minutes": arguments.minutes, **options},
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--painting", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--judge-weights", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--count", type=int, default=8, help="photos to judge on")
    parser.add_argument("--steps", type=int, default=60, help="of the optimization to compare with")
    parser.add_argument("--runs", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--train-only", nargs="+", choices=VARIANTS, metavar="VARIANT", help="train these, judge later")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = images.find([arguments.photos])
    judging, training = found[:HELD_OUT], found[HELD_OUT:]
    styles = [train(name, arguments, training) for name in arguments.train_only or VARIANTS]
    if arguments.train_only:
        return
    options = EvaluateOptions(
        count=arguments.count, steps=arguments.steps, judge="squeezenet", judge_weights=arguments.judge_weights
    )
    earlier = arguments.runs / "report" / "report.json"
    report = workflows.evaluate(
        styles,
        arguments.painting,
        judging,
        options,
        out=earlier.parent,
        reuse=earlier if earlier.exists() else None,
        resume=True,
        overwrite=True,
        announce=print,
    )
    result = report.results[0]
    print(f"\n| | content | style | λ = 10 | λ = 30 | worth | checkerboard ({result.painting_checkerboard:.2f}) |")
    print("|-|-|-|-|-|-|-|")
    for name, row in itertools.zip_longest(VARIANTS, result.styles):
        low, high = row.objectives
        steps = result.worth_text(row)
        print(
            f"| {name} | {row.content:.2f} | {row.style:.3f} | {low:.2f} | {high:.2f} | {steps} "
            f"| {row.checkerboard:.2f} |"
        )


if __name__ == "__main__":
    main()

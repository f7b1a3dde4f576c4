"""What a training pays for curves, previews, checkpoints and trackers: photos/s with all of it, and with none.

    python benchmarks/overhead.py [--seconds 60] [--rounds 3]

Both ways train the recipe quick on drawn images, in turns; with all of it means a run folder, a checkpoint every half a
minute, previews, progress.png and TensorBoard. Printed: the medians and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from impasto.config import RECIPES, make_config
from impasto.files import assets, images
from impasto.training import trainer
from impasto.training.allocator import kept_memory
from impasto.training.fabric import make_fabric, quick_batch
from impasto.training.pixels import square
from impasto.training.ranks import Ranks
from impasto.training.run import Run, settled
from impasto.training.run_folder import Job, RunFolder


def pace(seconds: float, everything: bool, folder: Path) -> float:
    """Photos a second of one training, from its first step to its last with all that goes on in between."""
    options = {"max_minutes": seconds / 60, "start_size": 0, "checkpoint_minutes": 0.5}
    config = settled(make_config({**RECIPES["quick"], **options}))
    config = replace(config, batch_size=quick_batch(config.precision, config.device))
    painting = square(images.read(assets.folder("paintings") / "flow_field.jpg").pixels, 256, "crop")
    job = Job("flow_field.jpg", "", (), str(folder / "style.safetensors"), "flow_field", "quick", None)
    torch.manual_seed(0)
    run = Run(job, config, np.ascontiguousarray(painting), Ranks(make_fabric(config.device, config.precision)), print)
    if everything:
        run.go(RunFolder.create(folder / "run", run.job, config, painting), lambda _: None, track=["tensorboard"])
    else:
        with kept_memory():
            for _ in trainer.train(run.ranks, run.state, run.loss, run.photos, config):
                pass
    return run.state.iteration * config.batch_size / run.state.elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    paces: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(options.rounds):
        for everything in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                paces[everything].append(pace(options.seconds, everything, Path(folder)))
    without, with_all = (statistics.median(paces[everything]) for everything in (False, True))
    print(f"without {without:.2f} photos/s, with all of it {with_all:.2f}: {100 * (with_all / without - 1):+.1f} %")


if __name__ == "__main__":
    main()

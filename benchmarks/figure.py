"""Times a redraw of progress.png after a long training, and says what share of a training that is.

    python benchmarks/figure.py [--iterations 20000]

A redraw is put off until it costs at most 2 % of the time since the one before, however fast the steps are.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from impasto.training.figure import LARGEST_SHARE, ProgressFigure
from impasto.training.trainer import TrainProgress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=20_000)
    iterations = parser.parse_args().iterations
    losses = (1 + 1 / torch.arange(1, iterations + 1)).tolist()
    names = ("total_loss", "content_loss", "style_loss")
    figure = ProgressFigure([{"iteration": i, **dict.fromkeys(names, loss)} for i, loss in enumerate(losses, start=1)])
    progress = TrainProgress(
        iteration=iterations,
        iterations=iterations,
        epoch=1,
        epochs=1,
        total_loss=1.0,
        content_loss=1.0,
        style_loss=1.0,
        tv_loss=0.0,
        learning_rate=1e-3,
        photos_per_second=1.0,
        waited=0.0,
        elapsed=1.0,
        done=1.0,
        photo=torch.rand(3, 256, 256),
        stylized=torch.rand(3, 256, 256),
    )
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        figure.draw(progress)
        seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds[1:])
    print(f"a redraw after {iterations} iterations takes {1000 * median:.0f} ms")
    for step in (2.0, 0.1):
        every_ten = median / (10 * step)
        print(
            f"steps of {step} s, redrawn every 10: {100 * min(every_ten, LARGEST_SHARE):.1f} % of the training's time"
        )


if __name__ == "__main__":
    main()

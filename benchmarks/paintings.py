"""Trains the recipe `quick` on every painting of a folder, the same options for all, and judges the results.

    python benchmarks/paintings.py --paintings DIR --photos DIR --judge-weights SQUEEZENET.safetensors [--minutes 10]

Nothing is trained on the photos: they only serve to judge, the first 32 by name, which the scripts that trained the
networks in the package left out too. Finished styles and reports stay in --runs, so that the
script can be stopped and started again. A sheet of scikit-image's sample photos in all the styles comes last.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
import time
from pathlib import Path

from impasto import workflows
from impasto.cli.progress import TrainingBar
from impasto.evaluation.options import EvaluateOptions
from impasto.evaluation.report import Report
from impasto.files import images

HELD_OUT = 32
SHEET_QUALITY = 70


def train(painting: Path, arguments: argparse.Namespace) -> Path:
    out: Path = arguments.runs / f"{painting.stem}.safetensors"
    if out.exists():
        return out
    print(f"training: {painting.stem}", flush=True)
    with TrainingBar() as bar:
        return workflows.train(
            painting,
            out=out,
            recipe="quick",
            run_dir=arguments.runs / painting.stem,
            max_minutes=arguments.minutes,
            on_progress=bar,
            announce=bar.announce,
        )


def judged(style: Path, painting: Path, arguments: argparse.Namespace) -> Report:
    options = EvaluateOptions(
        count=arguments.count, steps=arguments.steps, judge="squeezenet", judge_weights=arguments.judge_weights
    )
    folder = arguments.runs / f"{style.stem}-report"
    earlier = folder / "report.json"
    reuse = earlier if earlier.exists() else None
    return workflows.evaluate(
        style,
        painting,
        images.find([arguments.photos])[:HELD_OUT],
        options,
        out=folder,
        reuse=reuse,
        resume=True,
        overwrite=True,
    )


def print_table(reports: dict[str, Report]) -> None:
    print("\n| painting | worth | content | style | checkerboard | the painting's own |")
    print("|-|-|-|-|-|-|")
    for name, report in reports.items():
        result = report.results[0]
        row = result.styles[0]
        numbers = f"{row.content:.2f} | {row.style:.3f} | {row.checkerboard:.2f} | {result.painting_checkerboard:.2f}"
        print(f"| {name} | {result.worth_text(row)} steps | {numbers} |")


class MemoryMeter(threading.Thread):
    """Looks every second at the memory of this process and its children; a page that they share counts once (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        """In MB."""

    def run(self) -> None:
        while True:
            children = Path(f"/proc/self/task/{os.getpid()}/children")
            with contextlib.suppress(OSError):  # a child may be gone by now
                pids = [os.getpid(), *map(int, children.read_text().split())]
                self.peak = max(self.peak, sum(map(proportional_memory, pids)))
            time.sleep(1)


def proportional_memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--judge-weights", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--count", type=int, default=8, help="photos to judge on")
    parser.add_argument("--steps", type=int, default=100, help="of the optimization to compare with")
    parser.add_argument("--runs", type=Path, default=Path("runs/paintings"))
    parser.add_argument("--sheet", type=Path, help="file of the sheet (default: sheet.jpg in --runs)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of paintings; default all")
    parser.add_argument("--train-only", action="store_true", help="judge later")
    arguments = parser.parse_args()
    paintings = [p for p in images.find([arguments.paintings]) if not arguments.only or p.stem in arguments.only]
    meter = MemoryMeter()
    meter.start()
    styles = [train(painting, arguments) for painting in paintings]
    print(f"peak memory of the trainings: {meter.peak:.0f} MB")
    target = arguments.sheet or arguments.runs / "sheet.jpg"
    workflows.contact_sheet(target, styles, overwrite=True, quality=SHEET_QUALITY)
    if not arguments.train_only:
        print_table({p.stem: judged(s, p, arguments) for s, p in zip(styles, paintings, strict=True)})


if __name__ == "__main__":
    main()

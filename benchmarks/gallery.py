"""Judges the bundled styles: what each is worth, best looking and fastest.

    python benchmarks/gallery.py --paintings DIR --photos DIR --judge-weights SQUEEZENET.safetensors

The photos are the first 32 by name, which the script that trained the gallery left out. Reports stay in --runs, so
that the script can be stopped and started again; one that is there already lends its optimization to the next.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from impasto import workflows
from impasto.evaluation.options import EvaluateOptions
from impasto.evaluation.report import Report
from impasto.files import images

HELD_OUT = 32


def judged(painting: Path, arguments: argparse.Namespace) -> Report:
    options = EvaluateOptions(
        count=arguments.count, steps=arguments.steps, judge="squeezenet", judge_weights=arguments.judge_weights
    )
    folder = arguments.runs / f"{painting.stem}-report"
    earlier = folder / "report.json"
    return workflows.evaluate(
        [painting.stem, f"{painting.stem}-turbo"],
        painting,
        images.find([arguments.photos])[:HELD_OUT],
        options,
        out=folder,
        reuse=earlier if earlier.exists() else None,
        resume=True,
        overwrite=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paintings", type=Path, nargs="+", required=True, help="folders, ours included")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--judge-weights", type=Path, required=True, help="a SqueezeNet 1.0 trained on ImageNet")
    parser.add_argument("--count", type=int, default=8, help="photos to judge on")
    parser.add_argument("--steps", type=int, default=60, help="of the optimization to compare with")
    parser.add_argument("--runs", type=Path, default=Path("runs/gallery"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of paintings; default all that are bundled")
    arguments = parser.parse_args()
    names = arguments.only or workflows.styles()
    print("| style | worth | content | style | SSIM | checkerboard | the painting's own |")
    print("|-|-|-|-|-|-|-|")
    for painting in images.find(arguments.paintings):
        if painting.stem not in names:
            continue
        result = judged(painting, arguments).results[0]
        for row in result.styles:
            numbers = f"{row.content:.2f} | {row.style:.3f} | {row.ssim:.2f} | {row.checkerboard:.2f}"
            worth = f"{result.worth_text(row)} steps"
            print(f"| {row.name} | {worth} | {numbers} | {result.painting_checkerboard:.2f} |", flush=True)


if __name__ == "__main__":
    main()

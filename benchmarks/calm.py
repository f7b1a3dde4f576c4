"""How calm styles leave the flat parts of photos, beside the calm parts of their paintings.

    python benchmarks/calm.py --paintings DIR… --photos DIR [--styles great_wave mine.safetensors]

Printed are roots of the mean squared differences of neighbouring pixels (`impasto.core.losses.liveliness`), values 0 to
1, at 256 pixels: of the calm quarter of the painting, and of what the style makes of the flat windows of the photos,
their median and their ninth decile. The photos are the first 32 by name, which trained nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto import workflows
from impasto.core.losses import CALM_QUANTILE, FLAT, liveliness
from impasto.evaluation.pictures import Source
from impasto.files import images

HELD_OUT = 32
SIZE = 256


def in_flat_parts(style: str, photos: list[Tensor]) -> Tensor:
    """The root of the liveliness of every flat window."""
    stylizer = workflows.load(style)
    found = [liveliness(stylizer(photo))[liveliness(photo) < FLAT**2] for photo in photos]
    return torch.cat(found).sqrt()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paintings", type=Path, nargs="+", required=True, help="folders, ours included")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument(
        "--styles", nargs="+", help="names that begin with the painting's; default all that are bundled"
    )
    arguments = parser.parse_args()
    photos = [Source.of(path).square(SIZE) for path in images.find([arguments.photos])[:HELD_OUT]]
    paintings = {path.stem: Source.of(path).short_side(SIZE) for path in images.find(arguments.paintings)}
    styles = arguments.styles or workflows.styles()
    print("| style | the painting's calm quarter | in flat parts, median | 9 of 10 below |")
    print("|-|-|-|-|")
    for style in styles:
        painting = next(pixels for name, pixels in paintings.items() if Path(style).stem.startswith(name))
        limit = liveliness(painting).quantile(CALM_QUANTILE).sqrt()
        median, high = np.quantile(in_flat_parts(style, photos).numpy(), [0.5, 0.9])
        print(f"| {Path(style).stem} | {limit:.3f} | {median:.3f} | {high:.3f} |", flush=True)


if __name__ == "__main__":
    main()

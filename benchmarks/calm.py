"""How calm styles leave the flat parts of photos, beside the calm parts of their paintings, and how even the border.

    python benchmarks/calm.py --paintings DIR… --photos DIR [--styles great_wave mine.safetensors]

Printed are roots of the mean squared differences of neighbouring pixels (`impasto.core.losses.liveliness`), values 0 to
1, at 256 pixels: of the calm quarter of the painting, and of what the style makes of the flat windows of the photos,
their median and their ninth decile. A band along a border shows in the mean colour of the outermost six lines against
the next six: printed is by how much they differ more than in the photos, at the border where it is most. The photos are
the first 32 by name, which trained nothing.
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
LINES = 6


def in_flat_parts(painted: list[Tensor], photos: list[Tensor]) -> Tensor:
    """The root of the liveliness of every flat window."""
    found = [liveliness(result)[liveliness(photo) < FLAT**2] for result, photo in zip(painted, photos, strict=True)]
    return torch.cat(found).sqrt()


def bands(images: list[Tensor]) -> Tensor:
    """How far the lines along each of the four borders differ from the next: the mean over images and colours, (4,)."""
    turned = [torch.cat(images).rot90(turns, (2, 3)) for turns in range(4)]
    differences = [x[:, :, :LINES].mean((2, 3)) - x[:, :, LINES : 2 * LINES].mean((2, 3)) for x in turned]
    return torch.stack([difference.abs().mean() for difference in differences])


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
    print("| style | the painting's calm quarter | in flat parts, median | 9 of 10 below | band along a border |")
    print("|-|-|-|-|-|")
    for style in styles:
        painting = next(pixels for name, pixels in paintings.items() if Path(style).stem.startswith(name))
        limit = liveliness(painting).quantile(CALM_QUANTILE).sqrt()
        stylizer = workflows.load(style)
        painted = [stylizer(photo) for photo in photos]
        median, high = np.quantile(in_flat_parts(painted, photos).numpy(), [0.5, 0.9])
        band = float((bands(painted) - bands(photos)).max())
        print(f"| {Path(style).stem} | {limit:.3f} | {median:.3f} | {high:.3f} | {band:.3f} |", flush=True)


if __name__ == "__main__":
    main()

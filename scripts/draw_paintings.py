"""Draws the paintings that come with the package.

    python scripts/draw_paintings.py [--folder src/impasto/assets/paintings]

Each is drawn from numbers alone, so it may be used like the rest of the code. Pictures are JPEG below 160 KB.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.files import atomic
from paintings import flow_field, linocut, pointillism, stained_glass

PAINTINGS = {
    "flow_field": flow_field,
    "linocut": linocut,
    "pointillism": pointillism,
    "stained_glass": stained_glass,
}
FOLDER = Path(__file__).resolve().parents[1] / "src" / "impasto" / "assets" / "paintings"
LARGEST = 160_000


def encode(pixels: NDArray[np.uint8]) -> tuple[bytes, int]:
    """A JPEG of the best quality that keeps it below 160 KB, and that quality."""
    for quality in range(85, 20, -1):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "jpeg", quality=quality, subsampling=0, optimize=True)
        if buffer.tell() < LARGEST:
            break
    return buffer.getvalue(), quality


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, painting in PAINTINGS.items():
        pixels = painting.draw()
        data, quality = encode(pixels)
        atomic.write_bytes(folder / f"{name}.jpg", data)
        height, width = pixels.shape[:2]
        print(f"{name}.jpg: {width}×{height}, {len(data) / 1000:.0f} KB, quality {quality}")


if __name__ == "__main__":
    main()

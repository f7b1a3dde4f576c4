"""Makes the README's pictures from the bundled styles and from a run of a training.

    python scripts/make_pictures.py [--run runs/paintings/great_wave]

The photos are scikit-image's free samples. Pictures are JPEG below 200 KB.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
from pathlib import Path

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image

from impasto import workflows
from impasto.core.motion import motion
from impasto.files import atomic
from impasto.inspection import draw_graph, inspect_style
from impasto.training.figure import ProgressFigure
from impasto.training.trainer import TrainProgress

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
STYLE, OTHER = "great_wave", "starry_night"
CHANGES_SHOWN = 3
"""How many times brighter than it is what changes from frame to frame is drawn."""
LARGEST = 200_000
HEIGHT = 300
GAP = 6


def save(name: str, pixels: NDArray[np.uint8]) -> None:
    """Writes a JPEG at the best quality that keeps it below 200 KB."""
    for quality in range(92, 40, -4):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "jpeg", quality=quality, subsampling=0)
        if buffer.tell() < LARGEST:
            break
    atomic.write_bytes(FOLDER / name, buffer.getvalue())
    print(f"{name}: {pixels.shape[1]}×{pixels.shape[0]}, {buffer.tell() / 1000:.0f} KB, quality {quality}")


def before_and_after() -> None:
    """Each sample photo above its stylized image, one row of photos and one of results."""
    stylizer = workflows.load(STYLE)
    columns = []
    for name in workflows.SAMPLE_PHOTOS:
        photo = getattr(skimage.data, name)()
        pair = [
            np.asarray(Image.fromarray(p).resize((round(photo.shape[1] * HEIGHT / photo.shape[0]), HEIGHT)))
            for p in (photo, stylizer(photo))
        ]
        gap = np.full((GAP, pair[0].shape[1], 3), 255, np.uint8)
        columns += [np.concatenate([pair[0], gap, pair[1]]), np.full((2 * HEIGHT + GAP, GAP, 3), 255, np.uint8)]
    save("before-after.jpg", np.concatenate(columns[:-1], axis=1))


def row_of(pictures: list[NDArray[np.uint8]], height: int = 220) -> NDArray[np.uint8]:
    """The pictures side by side, all of that height."""
    parts = []
    for picture in pictures:
        width = round(picture.shape[1] * height / picture.shape[0])
        parts.append(np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)))
        parts.append(np.full((height, GAP, 3), 255, np.uint8))
    return np.concatenate(parts[:-1], axis=1)


def strengths() -> None:
    """A style at growing strength above its mixes with another one."""
    stylizer, photo = workflows.load(STYLE), skimage.data.chelsea()
    growing = [stylizer(photo, strength=step / 4) for step in range(5)]
    mixes = [stylizer(photo, {STYLE: 1 - step / 4, OTHER: step / 4}) for step in range(5)]
    gap = np.full((GAP, row_of(growing).shape[1], 3), 255, np.uint8)
    save("strength.jpg", np.concatenate([row_of(growing), gap, row_of(mixes)]))


def colors() -> None:
    stylizer, photo = workflows.load(OTHER), skimage.data.coffee()
    save("colors.jpg", row_of([photo, *(stylizer(photo, colors=way) for way in ("style", "photo", "match"))], 260))


def strokes() -> None:
    stylizer, photo = workflows.load("edtaonisl"), skimage.data.astronaut()
    save("stroke.jpg", row_of([photo, *(stylizer(photo, stroke=size) for size in (0.5, 1.0, 2.0))], 300))


def frames() -> None:
    """Frames of a slow pan, by the network that learned to be steady and by the other; below, all other change."""
    photo = skimage.data.coffee()
    moved = motion(*photo.shape[:2], shift=(5.3, 2.1), zoom=1.01)
    shown = [photo]
    for _ in range(3):
        shown.append(pixels_of(moved.warp(planes_of(shown[-1]))))
    rows = []
    for name in ("edtaonisl-turbo", "edtaonisl"):
        painted = [workflows.load(name)(frame) for frame in shown]
        changes = [np.zeros_like(photo)]
        for before, behind in itertools.pairwise(painted):
            change = (planes_of(behind) - moved.warp(planes_of(before))).abs() * moved.seen()
            changes.append(pixels_of(CHANGES_SHOWN * change))
        for pictures in (painted, changes):
            rows.append(row_of([picture[40:, 40:][:320, :480] for picture in pictures], 160))
            rows.append(np.full((GAP, rows[-1].shape[1], 3), 255, np.uint8))
    save("frames.jpg", np.concatenate(rows[:-1]))


def planes_of(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255


def pixels_of(planes: torch.Tensor) -> NDArray[np.uint8]:
    return (planes[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def gallery() -> None:
    names = [name for name in workflows.styles() if not name.endswith("-turbo")]
    path = workflows.contact_sheet(FOLDER / "gallery.png", names, overwrite=True)
    with Image.open(path) as image:
        save("gallery.jpg", np.asarray(image.convert("RGB").resize((image.width * 11 // 20, image.height * 11 // 20))))
    path.unlink()


def curves(run: Path) -> None:
    """The run's last figure, with a sample photo in the place of the training photo."""
    history = [json.loads(line) for line in (run / "losses.jsonl").read_text().splitlines()]
    photo = skimage.data.chelsea()
    planes = torch.from_numpy(photo.transpose(2, 0, 1).copy()).float() / 255
    last = {name: value for name, value in history[-1].items() if name not in ("iteration", "epoch")}
    progress = TrainProgress(
        iteration=history[-1]["iteration"],
        iterations=history[-1]["iteration"],
        epoch=history[-1]["epoch"],
        epochs=history[-1]["epoch"],
        photos_per_second=0.0,
        waited=0.0,
        done=1.0,
        photo=planes,
        stylized=workflows.load(run.with_suffix(".safetensors"))(planes),
        **last,
    )
    figure = Image.open(io.BytesIO(ProgressFigure(history).draw(progress))).convert("RGB")
    save("progress.jpg", np.asarray(figure))


def graph() -> None:
    path = FOLDER / "graph.png"
    draw_graph(inspect_style(workflows.style_path(STYLE)), path, overwrite=True)
    with Image.open(path) as image:
        save("graph.jpg", np.asarray(image.convert("RGB").resize((image.width // 2, image.height // 2))))
    path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/paintings") / STYLE)
    arguments = parser.parse_args()
    before_and_after()
    strengths()
    colors()
    strokes()
    frames()
    gallery()
    graph()
    if (arguments.run / "losses.jsonl").exists():
        curves(arguments.run)


if __name__ == "__main__":
    main()

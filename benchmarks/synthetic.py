"""Compares synthetic photos with real ones, and times them.

    python benchmarks/synthetic.py --photos FOLDER [--count 256] [--size 256] [--sheet sheet.png]
        [--loss-weights squeezenet.safetensors]

Prints statistics of pixels, gradients and spectra of both sets side by side, and the milliseconds that a synthetic
photo costs one core. With the weights of a SqueezeNet it also prints, for each layer, how far the mean Gram matrix of
one set lies from the other's, relative to their size, beside the distance of two halves of the real photos.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from impasto.core.loss_network import LossNetwork
from impasto.core.losses import gram_matrix
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.training.loss_weights import load_loss_network
from impasto.training.pixels import square, to_float, to_tensor
from impasto.training.synthetic import BLOCK, SyntheticPhotos

LAYERS = ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire8")
Array = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="+", help="folders of real photos to compare with")
    parser.add_argument("--count", type=int, default=256, help="photos of each set")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="a picture to write 24 synthetic photos to")
    parser.add_argument("--loss-weights", type=Path, help="weights of a SqueezeNet")
    options = parser.parse_args()
    torch.set_num_threads(1)

    synthetic = SyntheticPhotos(options.seed, options.size)
    print(f"{milliseconds(synthetic, 4 * BLOCK):.1f} ms of one core for a photo of {options.size} pixels")
    # Of scenes of their own, as real photos are: those that share one would say the same twice.
    drawn = torch.stack([synthetic.sample(number) for number in range(options.count)])
    if options.sheet:
        contact_sheet(drawn[:24]).save(options.sheet)
    if not options.photos:
        return
    real = read(options.photos, options.count, options.size, options.seed)
    for (name, theirs), ours in zip(statistics(real).items(), statistics(drawn).values(), strict=True):
        print(f"{name:40} real {theirs:7.3f}   synthetic {ours:7.3f}")
    if options.loss_weights:
        compare_grams(real, drawn, options.loss_weights)


def milliseconds(synthetic: SyntheticPhotos, count: int) -> float:
    """Of processor time, so that what else runs here counts little."""
    synthetic.prepare()
    started = time.process_time()
    for place in range(count):
        synthetic.photo(0, place)
    return 1000 * (time.process_time() - started) / count


def read(folders: list[Path], count: int, size: int, seed: int) -> Tensor:
    """`count` readable photos at random, uint8 (n, 3, size, size)."""
    paths = images.find(folders)
    found: list[Tensor] = []
    for index in np.random.default_rng(seed).permutation(len(paths)):
        if len(found) < count:
            try:
                found.append(to_tensor(square(images.read_small(paths[index], at_least=size), size, "stretch")))
            except ImpastoError as error:
                print(f"left out: {error}")
    return torch.stack(found)


def statistics(photos: Tensor) -> dict[str, float]:
    pixels = to_float(photos).numpy()
    grey = np.tensordot(pixels, np.array([0.299, 0.587, 0.114], np.float32), (1, 0))
    dark_to_light = pixels.max(1) - pixels.min(1)
    slopes, steps, rough = spectrum_slopes(grey), np.diff(grey, axis=2), patch_deviations(grey)
    steps -= steps.mean((1, 2), keepdims=True)
    return {
        "spectrum: slope, mean": float(slopes.mean()),
        "spectrum: slope, deviation": float(slopes.std()),
        "gradient: kurtosis, median": float(
            np.median((steps**4).mean((1, 2)) / ((steps**2).mean((1, 2)) ** 2 + 1e-12))
        ),
        "gradient: deviation, mean": float(steps.std((1, 2)).mean()),
        "brightness: mean": float(grey.mean()),
        "brightness: deviation between photos": float(grey.mean((1, 2)).std()),
        "contrast: mean": float(grey.std((1, 2)).mean()),
        "contrast: deviation between photos": float(grey.std((1, 2)).std()),
        "red: mean": float(pixels[:, 0].mean()),
        "green: mean": float(pixels[:, 1].mean()),
        "blue: mean": float(pixels[:, 2].mean()),
        "chroma: mean": float(dark_to_light.mean()),
        "chroma: deviation between photos": float(dark_to_light.mean((1, 2)).std()),
        "saturation: mean": float((dark_to_light / (pixels.max(1) + 1e-3)).mean()),
        "share of patches that vary by < 2 of 255": float((rough < 2 / 255).mean()),
        "share of patches that vary by < 5 of 255": float((rough < 5 / 255).mean()),
        "deviation in a patch: median": float(np.median(rough)),
        "share of pixels darker than 5 of 255": float((grey < 5 / 255).mean()),
        "share of pixels brighter than 250": float((grey > 250 / 255).mean()),
    }


def spectrum_slopes(grey: Array) -> Array:
    """Of each photo (n, S, S): the exponent of its power against the frequency, from 4 cycles a photo on."""
    size = grey.shape[-1]
    window = np.outer(np.hanning(size), np.hanning(size))
    power = np.abs(np.fft.fft2((grey - grey.mean((1, 2), keepdims=True)) * window)) ** 2
    cycles = np.fft.fftfreq(size) * size
    edges = np.geomspace(4, 0.4 * size, 13)
    ring = np.digitize(np.hypot(cycles[:, None], cycles[None]), edges)
    logs = np.log(np.stack([power[:, ring == i].mean(1) for i in range(1, len(edges))], 1) + 1e-9)
    x = np.log(edges[1:] * edges[:-1]) / 2
    x -= x.mean()
    return np.asarray((logs * x).sum(1) / (x * x).sum(), np.float32)


def patch_deviations(grey: Array) -> Array:
    """The deviation in each patch of 16 × 16 pixels."""
    n = grey.shape[-1] // 16
    return np.asarray(grey[:, : 16 * n, : 16 * n].reshape(-1, n, 16, n, 16).std((2, 4)))


def compare_grams(real: Tensor, drawn: Tensor, weights: Path) -> None:
    network = load_loss_network("squeezenet", weights, announce=print)
    theirs, ours = grams(real, network), grams(drawn, network)
    print("\nmean Gram matrices     halves of the real    synthetic and real")
    for layer in LAYERS:
        halves = distance(theirs[layer][::2].mean(0), theirs[layer][1::2].mean(0))
        print(f"{layer:22} {halves:18.3f} {distance(theirs[layer].mean(0), ours[layer].mean(0)):21.3f}")


def grams(photos: Tensor, network: LossNetwork) -> dict[str, Tensor]:
    """The Gram matrices (n, C, C) of each photo by layer."""
    found: dict[str, list[Tensor]] = {layer: [] for layer in LAYERS}
    with torch.inference_mode():
        for some in photos.split(16):
            for layer, features in network(to_float(some), LAYERS).items():
                found[layer].append(gram_matrix(features))
    return {layer: torch.cat(some) for layer, some in found.items()}


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / (a.norm() * b.norm()).sqrt())


def contact_sheet(photos: Tensor, columns: int = 6) -> Image.Image:
    rows = [torch.cat(list(row), 2) for row in photos.split(columns) if len(row) == columns]
    return Image.fromarray(torch.cat(rows, 1).permute(1, 2, 0).numpy())


if __name__ == "__main__":
    main()

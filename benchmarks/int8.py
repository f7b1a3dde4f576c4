"""Shows whether int8 would do: the bundled networks quantized by NNCF with real photos, against bfloat16 and float32.

    pip install nncf
    python benchmarks/int8.py --photos DIR [--style great_wave-turbo]

Two ways: every convolution, and only those inside the residual blocks. int8 would be offered where it holds 35 dB to
float32 and is faster than what is taken now; it is not, so `impasto stylize` does not offer it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto import workflows
from impasto.files import gallery, images
from impasto.stylizing.openvino_export import openvino_model
from impasto.stylizing.openvino_runtime import ov
from impasto.stylizing.samples import resized_samples

HELD_OUT = 32
"""The first so many photos by name are judged on; those behind them calibrate."""
SIZE = 720, 1280
CALIBRATION = 60
REPEATS = 15
OTHER_KINDS = ("ConvolutionBackpropData", "GroupConvolution", "Interpolate", "Add", "Multiply", "Pad", "MVN")


def planes(path: Path, height: int, width: int) -> NDArray[np.float32]:
    pixels = resized_samples(images.read(path).to_8_bits().over_white(), height, width)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def outside_the_blocks(model: ov.Model) -> list[str]:
    """Names of all that is not a convolution inside a residual block, which has as many outputs as inputs."""

    def inside(node: Any) -> bool:
        shape = node.input(1).get_partial_shape() if node.get_type_name() == "Convolution" else None
        return shape is not None and shape[0] == shape[1] and shape[2] == 3

    kinds = ("Convolution", "SpaceToDepth", "DepthToSpace", *OTHER_KINDS)
    return [node.get_friendly_name() for node in model.get_ops() if node.get_type_name() in kinds and not inside(node)]


def measured(model: ov.Model, precision: str, photos: list[NDArray[np.float32]]) -> tuple[float, list[Any]]:
    """Milliseconds for a picture, and the pictures."""
    model = model.clone()
    model.reshape([1, 3, *SIZE])
    request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision}).create_infer_request()
    painted = [request.infer([photo])[0].copy() for photo in photos]
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        request.infer([photos[0]])
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times), painted


def psnr(ours: list[Any], theirs: list[Any]) -> str:
    values = [10 * np.log10(255**2 / np.mean((a - b) ** 2)) for a, b in zip(ours, theirs, strict=True)]
    return f"{min(values):.0f} to {max(values):.0f} dB"


def main() -> None:
    import nncf

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--style", nargs="+", default=["great_wave", "great_wave-turbo"])
    arguments = parser.parse_args()
    found = images.find([arguments.photos])
    calibration = [planes(path, 360, 640) for path in found[HELD_OUT : HELD_OUT + CALIBRATION]]
    photos = [planes(path, *SIZE) for path in found[:6]]
    print("| style | numbers | ms at 1280×720 | accuracy |\n|---|---|---:|---:|")
    for name in arguments.style:
        path, row = workflows.find_style(name)
        style = gallery.load(path)
        mix = np.zeros(len(style.names), np.float32)
        mix[style.names.index(str(row))] = 1
        model = openvino_model(style, mix, {})
        took, exact = measured(model, "f32", photos)
        print(f"| {name} | float32 | {took:.1f} | |")
        took, painted = measured(model, "bf16", photos)
        print(f"| | bfloat16 | {took:.1f} | {psnr(painted, exact)} |", flush=True)
        for title, ignored in (("int8", None), ("int8 inside the blocks", outside_the_blocks(model))):
            scope = nncf.IgnoredScope(names=ignored) if ignored else None
            quantized = nncf.quantize(
                model.clone(), nncf.Dataset(calibration), subset_size=len(calibration), ignored_scope=scope
            )
            took, painted = measured(quantized, "bf16", photos)
            print(f"| | {title} | {took:.1f} | {psnr(painted, exact)} |", flush=True)


if __name__ == "__main__":
    main()

"""Times repainting against the plain eager float32 network of pytorch/examples, in one run.

    python benchmarks/stylize.py [--only network cold folder huge gpu] [--repeats 9]

- network: the same classic network and the bundled ones at 512×512 and 1280×720, from pixels to pixels; plain and
  each of them take turns, and the medians are compared. The accuracy is that of bfloat16 to float32.
- cold: `impasto stylize photo.jpg` at 1024 pixels from process start to file, with an empty cache and a warm one, and
  where the time goes.
- folder: 1,000 photos of 640×480 against the network's own time for them.
- gpu: plain and the bundled networks at 3840×2160 on a GPU; only where it is asked for.
- huge: 100 megapixels, peak memory and time, strokes as small as on a small photo; beside it what the plain network
  would take, reckoned from a smaller picture.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from impasto import workflows
from impasto.config import Device, NetworkConfig, Precision
from impasto.evaluation.plain import plain_network, plain_weights
from impasto.files import gallery
from impasto.stylizing.backends import Backend, choices, make_backend
from impasto.stylizing.samples import resized_samples
from impasto.training.result import make_style
from impasto.workflows.diagnosis import picture

STYLE, TURBO = "great_wave", "great_wave-turbo"
SIZES = ((512, 512), (1280, 720))
PLAIN = NetworkConfig(padding="reflection", output="linear")
PHOTOS = 1000


def plain() -> tuple[torch.nn.Sequential, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]:
    torch.manual_seed(0)
    network = plain_network().eval()

    def run(photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with torch.inference_mode():
            values = network(torch.from_numpy(photos).permute(0, 3, 1, 2).float())
            return np.asarray(values.clamp(0, 255).round().byte().permute(0, 2, 3, 1).contiguous())

    return network, run


def psnr(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / np.mean((ours.astype(float) - theirs) ** 2)))


def networks(repeats: int) -> None:
    module, run_plain = plain()
    same = make_style(PLAIN, plain_weights(module), ["plain"], {})
    print("| network | size | ms | frames/s | times plain | accuracy |")
    print("|---|---|---:|---:|---:|---:|")
    for size in SIZES:
        photos = picture(*size)[None]
        runs: dict[str, Callable[[], object]] = {"plain, eager float32": lambda photos=photos: run_plain(photos)}
        accuracy = {"plain, eager float32": ""}
        for precision in [choice.precision for choice in choices("cpu", "openvino")]:
            made = make_backend(same, "cpu", "openvino", precision)
            name = f"the same, OpenVINO {precision}"
            runs[name] = lambda made=made, photos=photos: made(photos, np.ones(1, np.float32))
            accuracy[name] = f"{psnr(made(photos, np.ones(1, np.float32)), run_plain(photos)):.0f} dB"
        for name in (STYLE, TURBO):
            backend, mix = bundled(name, "auto")
            exact, _ = bundled(name, "float32")
            runs[name] = lambda backend=backend, mix=mix, photos=photos: backend(photos, mix)
            accuracy[name] = f"{psnr(backend(photos, mix), exact(photos, mix)):.0f} dB"
        medians = in_turns(runs, repeats)
        for name, seconds in medians.items():
            ratio = medians["plain, eager float32"] / seconds
            row = f"{1000 * seconds:.1f} | {1 / seconds:.1f} | {ratio:.1f} | {accuracy[name]}"
            print(f"| {name} | {size[0]}×{size[1]} | {row} |", flush=True)


def on_gpu(repeats: int) -> None:
    """Frames from pixels to pixels, the way to the GPU and back included; the GPU works on one at a time."""
    frame = picture(3840, 2160)[None]
    module = plain_network().eval().cuda()

    def run_plain() -> NDArray[np.uint8]:
        with torch.inference_mode():
            values = module(torch.from_numpy(frame).cuda().permute(0, 3, 1, 2).float())
            return np.asarray(values.clamp(0, 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu())

    runs: dict[str, Callable[[], object]] = {"plain, eager float32": run_plain}
    for name in (STYLE, TURBO):
        backend, mix = bundled(name, "auto", "cuda")
        runs[name] = lambda backend=backend, mix=mix: backend(frame, mix)
    medians = in_turns(runs, repeats)
    print(f"| {torch.cuda.get_device_name()}, 3840×2160 | ms | frames/s | times plain |")
    print("|---|---:|---:|---:|")
    for name, seconds in medians.items():
        ratio = medians["plain, eager float32"] / seconds
        print(f"| {name} | {1000 * seconds:.1f} | {1 / seconds:.1f} | {ratio:.1f} |", flush=True)


def bundled(name: str, precision: Precision, device: Device = "auto") -> tuple[Backend, NDArray[np.float32]]:
    path, row = workflows.find_style(name)
    style = gallery.load(path)
    mix = np.zeros(len(style.names), np.float32)
    mix[style.names.index(str(row))] = 1
    return make_backend(style, device, precision=precision), mix


def in_turns(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, one after the other so often, after two that do not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 2):
        for name, run in runs.items():
            run()  # the plain network leaves the caches to nobody
            begun = time.perf_counter()
            run()
            if turn >= 2:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(taken) for name, taken in times.items()}


def command(folder: Path, *arguments: object, **env: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of the command line."""
    measured = (
        "import resource, subprocess, sys, time; begun = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    program = Path(sys.executable).with_name("impasto")
    done = subprocess.run(
        [sys.executable, "-c", measured, str(program), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **env},
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes / 1000


def cold(folder: Path, repeats: int) -> None:
    photo = Image.fromarray(picture(1024, 768))
    photo.save(folder / "photo.jpg", quality=92)
    options = ("stylize", "photo.jpg", "--out", "o.jpg", "--overwrite")
    first, warm = [], []
    for number in range(repeats):
        cache = str(folder / f"cache{number}")
        first.append(command(folder, *options, IMPASTO_CACHE=cache)[0])
        warm.append(command(folder, *options, IMPASTO_CACHE=cache)[0])
    print(f"\n`impasto stylize photo.jpg`, 1024×768, style {STYLE}: {statistics.median(first):.2f} s, ", end="")
    print(f"with a warm cache {statistics.median(warm):.2f} s\n\n| where the time goes, warm | ms |\n|---|---:|")
    stages = [stage_times(folder) for _ in range(repeats)]
    for name in stages[0]:
        print(f"| {name} | {1000 * statistics.median(stage[name] for stage in stages):.0f} |")


STAGES = """
import sys, time
times = {}
def stage(name, since=[time.perf_counter()]):
    now = time.perf_counter(); times[name] = now - since[0]; since[0] = now
import impasto.cli, impasto.cli.stylize; stage("imports: the command line")
import impasto.stylizing.openvino_runtime; stage("imports: OpenVINO")
from impasto import workflows
from impasto.files import images
import numpy as np
stylizer = workflows.load(sys.argv[1]); stage("style file, backend, its check")
picture = images.read("photo.jpg"); stage("decoding")
mix = stylizer.weights()
pixels = stylizer(picture.pixels); stage("network, compiled model from the cache")
images.write("o2.jpg", picture.with_pixels(pixels)); stage("encoding and writing")
print(times)
"""


def stage_times(folder: Path) -> dict[str, float]:
    begun = time.perf_counter()
    env = {**os.environ, "IMPASTO_CACHE": str(folder / "cache0")}
    done = subprocess.run(
        [sys.executable, "-c", STAGES, STYLE], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    whole = time.perf_counter() - begun
    times: dict[str, float] = eval(done.stdout)
    return {"Python itself, start and end": whole - sum(times.values()), **times}


def folders(folder: Path) -> None:
    (folder / "in").mkdir()
    samples = [resized_samples(photo, 480, 640) for photo in workflows.sample_photos()]
    for number in range(PHOTOS):
        photo = np.roll(samples[number % len(samples)], number, axis=1)
        Image.fromarray(photo).save(folder / "in" / f"{number:04}.jpg", quality=90)
    print(f"\n| {PHOTOS:,} photos of 640×480 | s | network alone, s | more |\n|---|---:|---:|---:|")
    for style in (STYLE, TURBO):
        stylizer = workflows.load(style)
        photos = picture(640, 480)[None]
        mix = stylizer.weights()
        for _ in range(5):
            stylizer.backend(photos, mix)
        times, jobs = [], []
        for _ in range(2):  # before and after, since machines change their pace
            begun = time.perf_counter()
            for _ in range(PHOTOS // 2):
                stylizer.backend(photos, mix)
            times.append(time.perf_counter() - begun)
            if len(times) == 1:
                jobs = [(path, folder / style / path.name) for path in sorted((folder / "in").iterdir())]
                begun = time.perf_counter()
                for _ in workflows.stylize_photos(stylizer, jobs):
                    pass
                took = time.perf_counter() - begun
        alone = sum(times)
        print(f"| {style} | {took:.1f} | {alone:.1f} | {100 * (took / alone - 1):+.0f} % |", flush=True)


def huge(folder: Path) -> None:
    side = 10_000
    Image.fromarray(picture(2500, 2500)).resize((side, side)).save(folder / "huge.jpg", quality=90)
    print("\n| 100 megapixels | s | peak memory, MB |\n|---|---:|---:|")
    for title, options in {
        "as it comes, within 2 GB": ("--max-memory", "1.7GB"),
        "strokes as on a small photo, within 2 GB": ("--max-memory", "1.7GB", "--stroke", "0.32"),
        "the same, within 1 GB": ("--max-memory", "800MB", "--stroke", "0.32"),
    }.items():
        for style in (STYLE, TURBO):
            took, memory = command(
                folder, "stylize", "huge.jpg", "--style", style, "--out", "o.jpg", "--overwrite", *options
            )
            print(f"| {style}, {title} | {took:.0f} | {memory:.0f} |", flush=True)
    seconds, memory = plain_megapixel(folder, 1000)
    _, nothing = plain_megapixel(folder, 8)
    print(f"| plain, reckoned from 1 megapixel | {100 * seconds:.0f} | {100 * (memory - nothing):,.0f} |")


PLAIN_MEGAPIXEL = """
import sys, time
import numpy as np, torch
from impasto.evaluation.plain import plain_network
network = plain_network().eval()
photo = torch.rand(1, 3, int(sys.argv[1]), int(sys.argv[1])) * 255
with torch.inference_mode():
    network(photo)
    begun = time.perf_counter()
    network(photo)
# The peak of this program alone, where getrusage counts that of the process that started it, too.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.perf_counter() - begun, peak)
"""


def plain_megapixel(folder: Path, side: int) -> tuple[float, float]:
    """Seconds and peak memory in MB of the plain network on a square picture, in a process of its own."""
    command = [sys.executable, "-c", PLAIN_MEGAPIXEL, str(side)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("network", "cold", "folder", "huge")
    parser.add_argument("--only", nargs="+", choices=(*parts, "gpu"), default=parts)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    here = workflows.machine()
    print(f"{here.processor}, {here.cores} cores\n")
    if "network" in arguments.only:
        networks(arguments.repeats)
    if "gpu" in arguments.only:
        on_gpu(arguments.repeats)
    with tempfile.TemporaryDirectory() as name:
        if "cold" in arguments.only:
            cold(Path(name), arguments.repeats)
        if "folder" in arguments.only:
            folders(Path(name))
        if "huge" in arguments.only:
            huge(Path(name))


if __name__ == "__main__":
    main()

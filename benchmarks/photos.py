"""Memory, start and waiting of a training against the number of photos, in tar shards, Parquet and folders.

    python benchmarks/photos.py [--counts 1000 100000 1000000] [--kinds tar parquet folder] [--steps 60]

The photos are drawn: some hundred different JPEGs of 96×72 pixels under ever new names. Each training is a process of
its own that opens the collection twice, as two runs would, and then makes steps of the recipe quick on it. Printed: the
seconds until the first batch in the first run, which makes the index, and in the second; what is resident then, of this
process alone (anonymous memory); and the share of the time in which the network waited for photos.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

PER_SHARD = 10_000
PER_FOLDER = 2_000
DIFFERENT = 200
KINDS = ["tar", "parquet", "folder"]


def pictures() -> list[bytes]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DIFFERENT):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
            (96, 72), Image.Resampling.BICUBIC
        )
        buffer = io.BytesIO()
        coarse.save(buffer, "JPEG", quality=70)
        found.append(buffer.getvalue())
    return found


def make(kind: str, count: int, folder: Path) -> None:
    data = pictures()
    if kind == "folder":
        for first in range(0, count, PER_FOLDER):
            below = folder / f"{first:07d}"
            below.mkdir(parents=True)
            for number in range(first, min(count, first + PER_FOLDER)):
                (below / f"{number:07d}.jpg").write_bytes(data[number % DIFFERENT])
        return
    folder.mkdir(parents=True)
    for shard, first in enumerate(range(0, count, PER_SHARD)):
        numbers = range(first, min(count, first + PER_SHARD))
        if kind == "tar":
            with tarfile.open(folder / f"{shard:04d}.tar", "w") as tar:
                for number in numbers:
                    member = tarfile.TarInfo(f"{number:07d}.jpg")
                    member.size = len(data[number % DIFFERENT])
                    tar.addfile(member, io.BytesIO(data[number % DIFFERENT]))
        else:
            import pyarrow
            import pyarrow.parquet

            table = pyarrow.table({"image": [data[number % DIFFERENT] for number in numbers]})
            pyarrow.parquet.write_table(table, folder / f"{shard:04d}.parquet", row_group_size=500, compression="none")


def train(folder: Path, steps: int) -> None:
    """In a process of its own: prints a JSON line."""
    import torch

    from impasto.config import RECIPES, make_config
    from impasto.core.losses import PerceptualLoss
    from impasto.core.transformer import TransformerNet
    from impasto.training import trainer
    from impasto.training.allocator import kept_memory
    from impasto.training.fabric import choose_precision, lay_out, make_fabric
    from impasto.training.loss_weights import load_loss_network
    from impasto.training.photos import Photos
    from impasto.training.ranks import Ranks
    from impasto.training.state import TrainState

    config = make_config({**RECIPES["quick"], "start_size": 0, "max_minutes": 0.0, "max_iterations": steps})
    starts = []
    for _ in range(2):
        begun = time.perf_counter()
        photos = Photos.find([folder], config)
        next(photos.epoch(0))
        starts.append(time.perf_counter() - begun)
    ranks = Ranks(make_fabric("cpu", choose_precision("auto", "cpu")))
    loss = lay_out(PerceptualLoss(load_loss_network("pocket"), [torch.rand(1, 3, 256, 256)], config.loss), ranks.fabric)
    state = TrainState(lay_out(TransformerNet(config.network), ranks.fabric), config)
    begun = time.perf_counter()
    with kept_memory():
        waits = [progress.waited for progress in trainer.train(ranks, state, loss, photos, config)]
    seconds = time.perf_counter() - begun
    told = {"starts": starts, "waited": sum(waits[1:]) / seconds, "memory": anonymous_memory(), "steps": len(waits)}
    print(json.dumps(told))


def anonymous_memory() -> float:
    """MB of this process that no file stands behind."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("RssAnon"))) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument(
        "--kinds", nargs="+", default=["tar", "parquet", "folder"], choices=["tar", "parquet", "folder"]
    )
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(options.train, options.steps)
        return
    print("| photos | kept as | first start | second start | memory | waited for photos |")
    print("|---:|---|---:|---:|---:|---:|")
    for kind in options.kinds:
        for count in options.counts:
            with tempfile.TemporaryDirectory(prefix="impasto-photos-") as folder:
                make(kind, count, Path(folder) / "photos")
                time.sleep(2.5)  # a list is believed of folders that have come to rest
                command = [sys.executable, __file__, "--train", f"{folder}/photos", "--steps", str(options.steps)]
                env = {**os.environ, "IMPASTO_CACHE": f"{folder}/cache"}
                done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
                told = json.loads(done.stdout.splitlines()[-1])
                first, second = told["starts"]
                print(
                    f"| {count:,} | {kind} | {first:.1f} s | {second:.1f} s | {told['memory']:.0f} MB "
                    f"| {100 * told['waited']:.1f} % of {told['steps']} steps |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

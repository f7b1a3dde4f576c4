"""Does to a training what the world does, and prints for each fault whether the promise held.

    python benchmarks/faults.py [--kills 20] [--seed 0] [--only NAME …]

Every training is the real command in a process of its own, small enough to take seconds. "The same bits" means that the
weights in the style file, and the curve, are those of a training that nothing happened to. The promises stand in
docs/faults.md. A full disk and two computers need root; without it they are left out, and the table says so.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

STEPS = 120
OPTIONS = (
    *("--recipe", "quick", "--base", "turbo", "--start", "random", "--width", "8", "--blocks", "1"),
    *("--image-size", "64", "--start-size", "0", "--style-size", "64", "--batch-size", "2", "--ema", "0.9"),
    *("--epochs", "0", "--max-minutes", "0", "--checkpoint-every", "5", "--plot-every", "5"),
)
PATIENCE = 300.0
"""Seconds within which anything must have happened."""
JUMPING_CLOCK = """
import random, time
_real = time.time
time.time = lambda: _real() + random.choice([-1, 1]) * random.random() * 3e8
time.time_ns = lambda: int(time.time() * 1e9)
"""


@dataclass
class Training:
    """One run folder with all that belongs to it, and what became of it."""

    home: Path
    painting: Path
    photos: Path
    options: tuple[object, ...]
    env: dict[str, str]

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def out(self) -> Path:
        return self.home / "out" / "style.safetensors"

    def begin(self, *options: object) -> subprocess.Popen[str]:
        where = ("--photos", self.photos, "--out", self.out, "--run-dir", self.run)
        return self._start(self.painting, *where, *self.options, *options)

    def resume(self, *options: object) -> subprocess.Popen[str]:
        """Goes on; a training that was killed before it had a run folder begins."""
        if not (self.run / "job.json").exists():
            shutil.rmtree(self.run, ignore_errors=True)
            return self.begin()
        return self._start("--resume", self.run, *options)

    def finish(self, *options: object) -> Result:
        """Goes on to the end."""
        return self.outcome(self.resume(*options))

    def outcome(self, process: subprocess.Popen[str]) -> Result:
        said, line = process.communicate(timeout=PATIENCE)
        return Result(process.returncode, said, line.strip())

    def until(self, happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        """Waits until something `happened`, or the process ended."""
        begun = time.monotonic()
        while not happened() and process.poll() is None:
            require(time.monotonic() - begun < PATIENCE, "nothing happened")
            time.sleep(0.002)

    def until_step(self, step: int, process: subprocess.Popen[str]) -> None:
        self.until(lambda: self.steps() >= step, process)

    def steps(self) -> int:
        file = self.run / "losses.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def is_writing(self) -> bool:
        return any(self.run.glob(".*.part*"))

    def bits(self) -> tuple[dict[str, bytes], list[tuple[float, ...]]]:
        """The weights, and the curve without its times."""
        lines = map(json.loads, (self.run / "losses.jsonl").read_text("utf-8").splitlines())
        curve = [tuple(value for name, value in entry.items() if name != "elapsed") for entry in lines]
        return {name: value.tobytes() for name, value in load_file(self.out).items()}, curve

    def _start(self, *arguments: object) -> subprocess.Popen[str]:
        self.home.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "impasto", "train", *map(str, arguments)],
            cwd=self.home,
            env={**self.env, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_all_signals,
        )


def _hear_all_signals() -> None:
    """Under nohup, say, a process would leave SIGHUP alone."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@dataclass
class Result:
    code: int
    said: str
    line: str

    def refused(self, *words: str) -> str:
        """The one line with which it ended. Raises AssertionError for anything else."""
        require(self.code == 2, f"exit code {self.code}: {self.line}")
        # The readers of a process that was killed may complain under its number; nobody can keep them from that.
        told = [line for line in self.line.splitlines() if not line.startswith("[rank")]
        require("Traceback" not in "\n".join(told), self.line)
        line = told[-1]
        require(line.startswith("impasto: "), line)
        for word in words:
            require(word in line, f"{word!r} is not in {line!r}")
        return line


def require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


class Harness:
    """Makes trainings, and knows what they would have become."""

    def __init__(self, folder: Path, seed: int = 0, steps: int = STEPS) -> None:
        self.folder = folder
        self.env = dict(os.environ)
        self.steps = steps
        self.options = (*OPTIONS, "--max-iterations", steps)
        self.random = random.Random(seed)
        self.numbers = itertools.count(1)
        self.painting = folder / "painting.png"
        self.photos = folder / "photos"
        self.photos.mkdir(parents=True)
        for number in range(24):
            picture(number).save(self.photos / f"{number:02d}.png")
        picture(100).save(self.painting)
        self.whole = self.training()
        begun = time.monotonic()
        result = self.whole.outcome(self.whole.begin())
        self.seconds = time.monotonic() - begun
        require(result.code == 0, result.line)
        self.expected = self.whole.bits()
        require(len(self.expected[1]) == steps, "the curve of the whole training has gaps")

    def training(self, **different: Any) -> Training:
        usual = {"home": self.folder / str(next(self.numbers)), "painting": self.painting, "photos": self.photos}
        return Training(**{**usual, "options": self.options, "env": self.env, **different})

    def stopped(self, step: int) -> Training:
        """A training stopped by Ctrl-C."""
        made = self.training()
        process = made.begin()
        made.until_step(step, process)
        process.send_signal(signal.SIGINT)
        made.outcome(process)
        return made

    def require_same(self, training: Training, result: Result) -> None:
        require(result.code == 0, f"exit code {result.code}: {result.line}")
        weights, curve = training.bits()
        require(weights == self.expected[0], "the weights differ")
        require(curve == self.expected[1], "the curve differs")


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 80), Image.Resampling.BICUBIC)


# --- The faults ---


def killed(harness: Harness, kills: int = 20) -> str:
    """SIGKILL at random moments, every third one in the middle of a write; then on to the end."""
    in_writes = 0
    training = harness.training()
    for number in range(kills):
        process = training.resume() if training.run.exists() else training.begin()
        if number % 3 == 2:
            training.until(training.is_writing, process)
            in_writes += training.is_writing()
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(harness.random.uniform(0, harness.seconds))
        process.kill()
        result = training.outcome(process)
        if result.code == 0:  # it was faster
            harness.require_same(training, result)
            training = harness.training()
    harness.require_same(training, training.finish())
    require(not training.is_writing(), "what was being written is left")
    return f"{kills} of {kills} kills survived, {in_writes} of them while a file was written; the same bits"


def asked_to_stop(harness: Harness) -> str:
    """Ctrl-C, SIGTERM and SIGHUP, one after the other."""
    training = harness.training()
    for number, asked in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), start=1):
        process = training.resume() if training.run.exists() else training.begin()
        training.until_step(number * harness.steps // 4, process)
        process.send_signal(asked)
        result = training.outcome(process)
        require("all is saved; go on with: impasto train --resume" in result.line, result.line)
    harness.require_same(training, training.finish())
    return "stopped by each, saved, the command to go on printed; the same bits"


def torn(harness: Harness) -> str:
    """The newest checkpoint cut at half and at nothing, as by a power cut."""
    for share in (0.5, 0.0):
        training = harness.stopped(harness.steps // 2)
        newest = training.run / "checkpoint.pt"
        os.truncate(newest, int(share * newest.stat().st_size))
        result = training.finish()
        require(f"{newest} is damaged".replace(" ", "") in "".join(result.said.split()), result.said)
        harness.require_same(training, result)
    return "the checkpoint before takes over, and that is said; the same bits"


def flipped(harness: Harness, names: tuple[str, ...] = ()) -> str:
    """One bit changed in each file of the run folder: it goes on all the same, or says which file to put back."""
    training = harness.stopped(harness.steps // 2)
    files = [path for path in sorted(training.run.rglob("*")) if path.is_file() and path.suffix != ".lock"]
    refused = tried = 0
    backup = training.home.with_suffix(".backup")
    shutil.copytree(training.home, backup)
    for path in files:
        if names and path.name not in names:
            continue
        tried += 1
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[harness.random.randrange(len(damaged))] ^= 1 << harness.random.randrange(8)
        path.write_bytes(damaged)
        result = training.finish()
        if result.code:
            result.refused(str(training.run))
            refused += 1
            path.write_bytes(whole)
            result = training.finish()
        if path.name == "losses.jsonl":
            require(training.bits()[0] == harness.expected[0], "the weights differ")
            require(len(training.bits()[1]) >= harness.steps - 2, "more than the damaged lines are missing")
        else:
            harness.require_same(training, result)
        shutil.rmtree(training.home)
        shutil.copytree(backup, training.home)
    return f"{tried} files: {refused} refused with a line and fine when put back, the others no matter; the same bits"


def disk_full(harness: Harness) -> str:
    """No byte left, in the middle; then there is room again."""
    training = harness.training()
    with tmpfs(training.home, "24m"):
        process = training.begin()
        training.until_step(harness.steps // 3, process)
        ballast = training.home / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        line = training.outcome(process).refused("No space left", "impasto train --resume")
        ballast.unlink()
        harness.require_same(training, training.finish())
        (harness.folder / "full.txt").write_text(line)
    return "one line, the last checkpoint kept; the same bits when there is room"


def photos_gone(harness: Harness) -> str:
    """The folder of photos moved away in the middle, and back."""
    photos = harness.folder / "moving"
    shutil.copytree(harness.photos, photos)
    training = harness.training(photos=photos)
    process = training.begin()
    training.until_step(harness.steps // 3, process)
    photos.rename(harness.folder / "elsewhere")
    training.outcome(process).refused("photos cannot be read", "impasto train --resume")
    (harness.folder / "elsewhere").rename(photos)
    harness.require_same(training, training.finish())
    return "one line, all is saved; the same bits when they are back"


def not_finite(harness: Harness) -> str:
    """A learning rate that makes the loss NaN."""
    training = harness.training(options=(*harness.options, "--learning-rate", "1e30", "--warm-up", "0"))
    training.outcome(training.begin()).refused("its last good state is in")
    for name, value in load_file(training.out).items():
        require(bool(np.isfinite(value).all()), f"{name} is not finite")
    return "one line, and a style file of the last finite state"


def out_gone(harness: Harness) -> str:
    """The folder of the style file taken away; and a file put in its place."""
    training = harness.training()
    process = training.begin()
    training.until_step(harness.steps // 3, process)
    shutil.rmtree(training.out.parent)
    harness.require_same(training, training.outcome(process))
    training = harness.training()
    process = training.begin()
    training.until_step(harness.steps // 3, process)
    shutil.rmtree(training.out.parent)
    training.out.parent.write_text("in the way")
    training.outcome(process).refused("All is saved", "impasto train --resume")
    training.out.parent.unlink()
    harness.require_same(training, training.finish())
    return "made again; where that can't be, one line, all is saved and the same bits later"


def two_at_once(harness: Harness) -> str:
    """A second training in the same folder."""
    training = harness.training()
    process = training.begin()
    training.until_step(5, process)
    training.outcome(training.resume()).refused("another training is running")
    harness.require_same(training, training.outcome(process))
    return "refused with a line; the first one's bits are the same"


def clock_moved(harness: Harness) -> str:
    """A clock that jumps by years at every look."""
    site = harness.folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(JUMPING_CLOCK)
    path = os.pathsep.join([str(site), *filter(None, [harness.env.get("PYTHONPATH")])])
    training = harness.training(env={**harness.env, "PYTHONPATH": path})
    process = training.begin()
    training.until_step(harness.steps // 2, process)
    process.kill()
    training.outcome(process)
    harness.require_same(training, training.finish())
    return "the same bits"


def rank_dies(harness: Harness) -> str:
    """Of two processes that train together one is killed; on with one alone."""
    training = harness.training()
    process = training.begin("--devices", 2)
    training.until_step(harness.steps // 3, process)
    for child in children_of(process.pid):
        os.kill(child, signal.SIGKILL)
    training.outcome(process).refused("rank 1 of 2 ended by signal 9", "impasto train --resume")
    result = training.finish("--devices", 1)
    require(result.code == 0, result.line)
    require(len(training.bits()[1]) == harness.steps, "the curve has gaps")
    return "all ends with one line and a good checkpoint, from which one process goes on"


FAULTS: dict[str, Callable[[Harness], str]] = {
    function.__name__: function
    for function in (
        *(killed, asked_to_stop, torn, flipped, disk_full, photos_gone, not_finite, out_gone),
        *(two_at_once, clock_moved, rank_dies),
    )
}


@contextlib.contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    """A disk of its own, of that size. Raises PermissionError where it can't be had."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        raise PermissionError("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def children_of(process: int) -> list[int]:
    """The processes that train along."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in found if b"follower" in Path(f"/proc/{child}/cmdline").read_bytes()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="impasto-faults-") as folder:
        harness = Harness(Path(folder) / "faults", options.seed)
        for name in options.only:
            try:
                outcome = killed(harness, options.kills) if name == "killed" else FAULTS[name](harness)
            except PermissionError as error:
                outcome = f"not tried: {error}"
            except AssertionError as error:
                outcome, failed = f"BROKEN: {error}", failed + 1
            print(f"{name.replace('_', ' '):14} {outcome}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

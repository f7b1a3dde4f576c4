"""Hostile files through the real decoding and loading: no crash, no hang, no memory above 1 GB, no code run.

    python benchmarks/hostile.py --images 20000 --styles 20000 [--seed N] [--keep DIR]

The first files of each kind are made by hand (bombs, pipes, links), the others are mutations of whole ones, each drawn
from (seed, number). An image goes through `size_of`, `read_small` and `read`, with 40 million pixels as the most:
beyond them a photo may take memory in proportion to its size. A style file goes through `style_file.load`, and every
eighth that this takes through `impasto.load`. Linux alone tells the peak of a process's memory again and again.

Exit code 1 where anything but a picture, a style or one clear line came out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hostile_bombs as bombs
import hostile_images
from impasto.errors import ImpastoError
from impasto.files import images, style_file

MOST_MEMORY = 1_000_000_000
"""Bytes of the whole process at its peak."""
MOST_SECONDS = 20
"""Of computing, in one file; a process that says nothing for six times as long is ended."""
FENCE = 8 << 30
"""Bytes of address space: what a bomb may take of this machine."""
HANGS = "hangs"
MOST_PIXELS = 40_000_000
LONGEST_LINE = 1000
Place = Callable[[Path], None]


# --- The corpus: file number so-and-so ---


def make_image(number: int, seed: int, path: Path) -> str:
    """Writes it to `path`; returns its kind."""
    return _make(bombs.BOMBS, bombs.PLACES, hostile_images.mutated, number, seed, path)


def make_style(number: int, seed: int, path: Path) -> str:
    """Writes it to `path`; returns its kind."""
    import hostile_styles as styles

    return _make(styles.BOMBS, styles.PLACES, styles.mutated, number, seed, path)


def _make(
    by_hand: dict[str, bombs.Bomb], places: dict[str, Place], mutated: Any, number: int, seed: int, path: Path
) -> str:
    if number < len(by_hand):
        name = list(by_hand)[number]
        path.write_bytes(by_hand[name]())
        return f"by hand: {name}"
    if number < len(by_hand) + len(places):
        name = list(places)[number - len(by_hand)]
        places[name](path)
        return f"by hand: {name}"
    kind, data = mutated(random.Random(f"{seed} {number}"))
    path.write_bytes(data)
    return str(kind)


MAKERS = {"images": make_image, "styles": make_style}


# --- What is done with a file ---


def look_at_image(path: Path, number: int) -> None:
    """As a training, an evaluation and `impasto stylize` do; raises what `read` raises."""
    for attempt in (
        lambda: images.size_of(path),
        lambda: images.read_small(path, at_least=(100_000, 16)[number % 2]),  # a JPEG whole or at an eighth
    ):
        try:
            attempt()
        except ImpastoError as error:
            check_line(error, path)
    images.read(path, max_pixels=MOST_PIXELS)


def look_at_style(path: Path, number: int) -> None:
    style_file.load(path)
    if number % 8 == 0 or number < 100:
        import impasto

        impasto.load(path, precision="float32")


def check_line(error: ImpastoError, path: Path) -> None:
    """Raises ValueError where it is not one clear line about the file, or where memory had run out."""
    text = str(error)
    named = path.name in text or "the style file" in text
    if not named or not text.isprintable() or len(text) > LONGEST_LINE or "not enough memory" in text:
        raise ValueError(f"not a clear line: {text[:300]!r}") from error


# --- A child process: one file after the other, each announced before and reported behind ---


def child(kind: str, seed: int, first: int, stop: int, step: int, folder: Path) -> None:
    make, look = MAKERS[kind], look_at_image if kind == "images" else look_at_style
    make(10**9, seed, folder / "warm up")  # what is made once is no file's memory or time
    limit_address_space()
    os.chdir(folder)
    for number in range(first, stop, step):
        path = folder / f"{number}{random.Random(number).choice(hostile_images.SUFFIXES)}"
        of = make(number, seed, path)
        print(json.dumps({"begins": number, "kind": of, "path": path.name}), flush=True)
        forget_peak()
        begun = time.process_time()
        outcome = outcome_of(look, path, number)
        took = time.process_time() - begun
        print(json.dumps({"number": number, "outcome": outcome, "seconds": took, "peak": peak()}), flush=True)
        remove(path)


def outcome_of(look: Callable[[Path, int], None], path: Path, number: int) -> str:
    try:
        look(path, number)
    except ImpastoError as error:
        try:
            check_line(error, path)
        except ValueError as wrong:
            return str(wrong)
        return "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return "read"


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()


def limit_address_space() -> None:
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + FENCE, used + FENCE))


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes of memory that this process had at most since `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


# --- The parent: watches, blames, counts ---


@dataclass(frozen=True)
class Failure:
    number: int
    kind: str
    what: str


@dataclass
class Tally:
    """What became of the files of one kind."""

    tried: int = 0
    read: int = 0
    refused: int = 0
    hangs: int = 0
    worst_seconds: float = 0.0
    peak: int = 0
    failures: list[Failure] = field(default_factory=list)
    """Hangs among them."""

    @property
    def crashes(self) -> int:
        return len(self.failures) - self.hangs

    def count(self, number: int, kind: str, outcome: str, seconds: float, peak: int) -> bool:
        """Counts one file; tells whether it went as it should."""
        self.tried += 1
        self.worst_seconds = max(self.worst_seconds, seconds)
        self.peak = max(self.peak, peak)
        if outcome in ("read", "refused") and peak > MOST_MEMORY:
            outcome = f"{outcome}, but took {peak / 1e6:,.0f} MB"
        if outcome in ("read", "refused") and seconds > MOST_SECONDS:
            outcome = HANGS
        self.read += outcome == "read"
        self.refused += outcome == "refused"
        self.hangs += outcome == HANGS
        if outcome not in ("read", "refused"):
            self.failures.append(Failure(number, kind, outcome))
        return outcome in ("read", "refused")

    def add(self, other: Tally) -> None:
        self.tried += other.tried
        self.read += other.read
        self.refused += other.refused
        self.hangs += other.hangs
        self.worst_seconds = max(self.worst_seconds, other.worst_seconds)
        self.peak = max(self.peak, other.peak)
        self.failures += other.failures


def run(
    kind: str, count: int, seed: int, *, begin: int = 0, processes: int = 2, keep: Path | None = None
) -> dict[str, Tally]:
    """Tries files `begin` to `count` of `kind` ("images" or "styles"); what became of them, by format or change."""
    found: dict[str, Tally] = {}
    with ThreadPoolExecutor(processes) as pool:
        shares = [pool.submit(_watched, kind, count, seed, begin + nth, processes, keep) for nth in range(processes)]
        for share in shares:
            for name, tally in share.result().items():
                found.setdefault(name, Tally()).add(tally)
    return dict(sorted(found.items()))


def _watched(kind: str, count: int, seed: int, first: int, step: int, keep: Path | None) -> dict[str, Tally]:
    """One child after the other: where one dies or hangs, the next goes on behind that file."""
    found: dict[str, Tally] = {}
    while first < count:
        with tempfile.TemporaryDirectory(prefix="impasto-hostile-") as folder:
            begun: dict[str, Any] = {}
            for event in _events([kind, str(seed), str(first), str(count), str(step), folder]):
                if "begins" in event:
                    begun = event
                    continue
                if not begun:
                    raise RuntimeError(f"a child ended before file {first}: {event['outcome']}")
                number, of = begun["begins"], begun["kind"]
                tally = found.setdefault(of.partition(":")[0], Tally())
                if not tally.count(number, of, event["outcome"], event["seconds"], event["peak"]) and keep is not None:
                    _keep(kind, number, seed, keep)
                first = number + step
            if (Path(folder) / bombs.MARKER).exists():
                found.setdefault("code", Tally()).count(first, "code", "code was run", 0, 0)
    return found


def _events(arguments: list[str]) -> Iterator[dict[str, Any]]:
    """What a child reports; at last how it died, where it did not end by itself."""
    command = [sys.executable, __file__, "--child", *arguments]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=_quiet()) as running,
        selectors.DefaultSelector() as waiting,
    ):
        assert running.stdout is not None
        waiting.register(running.stdout, selectors.EVENT_READ)
        pending = b""
        while waiting.select(6 * MOST_SECONDS):
            block = os.read(running.stdout.fileno(), 1 << 16)
            *lines, pending = (pending + block).split(b"\n")
            yield from map(json.loads, lines)
            if not block:
                break
        else:
            running.kill()
            yield {"outcome": HANGS, "seconds": 6 * MOST_SECONDS, "peak": 0}
            return
        if code := running.wait():
            errors.seek(0)
            said = errors.read().decode(errors="replace")[-500:]
            yield {"outcome": f"crashed with {code}: {said}", "seconds": 0, "peak": 0}


def _quiet() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _keep(kind: str, number: int, seed: int, folder: Path) -> None:
    """Makes the file once more, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind} {seed} {number}"
    if not path.exists():
        MAKERS[kind](number, seed, path)


def print_table(kind: str, found: dict[str, Tally]) -> None:
    total = Tally()
    for tally in found.values():
        total.add(tally)
    print(f"\n| {kind} | tried | read | refused | crashes | hangs | worst time | peak memory |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, tally in [*found.items(), ("all", total)]:
        numbers = (tally.tried, tally.read, tally.refused, tally.crashes, tally.hangs)
        counts = " | ".join(f"{number:,}" for number in numbers)
        print(f"| {name} | {counts} | {tally.worst_seconds:.1f} s | {tally.peak / 1e6:,.0f} MB |")
    for failure in total.failures:
        print(f"{kind} {failure.number} ({failure.kind}): {failure.what}")


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        kind, *numbers, folder = sys.argv[2:]
        child(kind, *map(int, numbers), Path(folder))  # type: ignore[call-arg]
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--styles", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder for the files on which something failed")
    arguments = parser.parse_args()
    failed = False
    for kind in MAKERS:
        count, options = getattr(arguments, kind), {"processes": arguments.processes, "keep": arguments.keep}
        if count:
            found = run(kind, count, arguments.seed, **options)
            print_table(kind, found)
            failed |= any(tally.failures for tally in found.values())
    sys.exit(failed)


if __name__ == "__main__":
    main()

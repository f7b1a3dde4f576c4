"""The studio under load: many visitors at once, hostile uploads, and how soon the page is there.

    python benchmarks/studio.py [--clients 50] [--seconds 60] [--hostile 200] [--page 5]

Starts a studio of its own. A client does what the page does, by Gradio's queue: uploads a photo of 1024×768, has it
painted, then chooses another style a second after each answer, and fetches every picture. Hostile uploads are the
images of benchmarks/hostile.py, twelve at a time, each opened as a photo; then a photo is painted as before. The page's
first paint is Chromium's own word, with an empty cache; without Chromium it is left out.

Exit code 1 where anything was answered with an error that should have been painted.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from skimage import data

import hostile

CHROMIUM_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
THINKING = 1.0
"""Seconds between an answer and the next click."""


@dataclass
class Found:
    """Seconds of answers by what was asked, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, what: str, begun: float) -> None:
        self.seconds.setdefault(what, []).append(time.perf_counter() - begun)


class Events:
    """The numbers by which the page's events are called."""

    def __init__(self, config: dict[str, Any]) -> None:
        ids = {one["props"].get("elem_id"): one["id"] for one in config["components"]}
        self.easel, self.picker = ids["easel"], ids["picker"]
        self.values = {one["id"]: one["props"].get("value") for one in config["components"]}
        self.opening = self._find(config, (self.easel, "drop"))
        painting = [one for one in self._all(config, (self.picker, "select")) if one["outputs"] == [self.easel]]
        self.painting = painting[0]

    def _find(self, config: dict[str, Any], target: tuple[int, str]) -> dict[str, Any]:
        return self._all(config, target)[0]

    @staticmethod
    def _all(config: dict[str, Any], target: tuple[int, str]) -> list[dict[str, Any]]:
        return [one for one in config["dependencies"] if list(target) in [list(each) for each in one["targets"]]]

    def controls(self, style: str) -> list[Any]:
        """The values of the inputs behind the easel, with another style."""
        rest = [self.values[one] for one in self.painting["inputs"][2:]]
        return [{"chosen": style}, *rest]


class Visitor:
    """One page, as the server sees it."""

    def __init__(self, client: httpx.AsyncClient, events: Events, number: int) -> None:
        self.client, self.events, self.number = client, events, number
        self.calls = 0

    async def call(self, event: dict[str, Any], values: list[Any]) -> list[Any]:
        """What an event of the page returns."""
        self.calls += 1
        session = f"visitor{self.number}x{self.calls}"
        body = {"data": values, "fn_index": event["id"], "session_hash": session, "event_data": None}
        (await self.client.post("/gradio_api/queue/join", json=body)).raise_for_status()
        stream = self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session})
        async with stream as answer:
            async for line in answer.aiter_lines():
                told = json.loads(line[6:]) if line.startswith("data: ") else {}
                if told.get("msg") == "process_completed":
                    if not told["success"]:
                        raise RuntimeError(str(told["output"].get("error")))
                    return list(told["output"]["data"])
        raise RuntimeError("the stream of events ended early")

    async def open(self, content: bytes, name: str) -> dict[str, Any]:
        answer = await self.client.post("/gradio_api/upload", files={"files": (name, content)})
        answer.raise_for_status()
        file = {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        (value,) = await self.call(self.events.opening, [{"file": file}])
        return dict(value)

    async def paint(self, value: dict[str, Any], style: str) -> dict[str, Any]:
        (value,) = await self.call(self.events.painting, [value, *self.events.controls(style)])
        if value.get("error"):
            raise RuntimeError(value["error"])
        (await self.client.get(f"/{value['after']}")).raise_for_status()
        return dict(value)


async def visit(visitor: Visitor, content: bytes, styles: Sequence[str], until: float, found: Found) -> None:
    rng = random.Random(visitor.number)
    try:
        begun = time.perf_counter()
        (await visitor.client.get("/")).raise_for_status()
        found.add("page", begun)
        begun = time.perf_counter()
        value = await visitor.paint(await visitor.open(content, "photo.jpg"), rng.choice(styles))
        found.add("a new photo", begun)
        while time.perf_counter() < until:
            await asyncio.sleep(THINKING)
            begun = time.perf_counter()
            value = await visitor.paint(value, rng.choice(styles))
            found.add("another style", begun)
    except Exception as error:
        found.errors.append(f"{type(error).__name__}: {error}")


async def load(url: str, clients: int, seconds: float) -> Found:
    found, content, limits = Found(), photo(), httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        events = Events((await client.get("/config")).json())
        styles = [one["id"] for one in events.values[events.picker]["styles"]]
        until = time.perf_counter() + seconds
        visitors = [Visitor(client, events, number) for number in range(clients)]
        await asyncio.gather(*(visit(one, content, styles, until, found) for one in visitors))
    return found


async def attack(url: str, count: int, seed: int = 0) -> tuple[int, Found]:
    """Uploads so many hostile files; how many were answered with a picture, and what the good photo after them met."""
    found, taken, turn = Found(), 0, asyncio.Semaphore(12)
    async with httpx.AsyncClient(base_url=url, timeout=300) as client:
        events = Events((await client.get("/config")).json())

        async def one(number: int, folder: Path) -> None:
            nonlocal taken
            path = folder / f"{number}.jpg"
            await asyncio.to_thread(hostile.make_image, number, seed, path)
            async with turn:
                if path.is_file() and path.stat().st_size < 200_000_000:
                    value = await Visitor(client, events, number).open(path.read_bytes(), path.name)
                    taken += "photo" in value and value["photo"] is not None

        with tempfile.TemporaryDirectory() as folder:
            for begun in range(0, count, 20):
                numbers = range(begun, min(begun + 20, count))
                done = await asyncio.gather(*(one(n, Path(folder)) for n in numbers), return_exceptions=True)
                found.errors += [f"{type(error).__name__}: {error}" for error in done if error is not None]
        until = time.perf_counter()
        await visit(Visitor(client, events, count + 1), photo(), ["great_wave"], until, found)
    return taken, found


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(data.chelsea()).resize((1024, 768)).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()


def first_paints(url: str, count: int) -> list[tuple[float, float]]:
    """Seconds until something is painted and until the gallery is there, each with an empty cache."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM_FLAGS))
        for _ in range(count):
            page = browser.new_context().new_page()
            begun = time.perf_counter()
            page.goto(url)
            page.wait_for_selector(".swatch img[src]")
            whole = time.perf_counter() - begun
            first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
            found.append((first, whole))
            page.context.close()
        browser.close()
    return found


def memory(process: int) -> str:
    """The server's peak, on Linux."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return f"{int(next(line for line in lines if line.startswith('VmHWM')).split()[1]) / 1024:.0f} MB"
    except OSError:
        return "unknown"


def row(what: str, seconds: list[float]) -> str:
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95)]
    return f"| {what} | {len(ordered)} | {at[0]:.2f} | {at[1]:.2f} | {ordered[-1]:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("clients", 50), ("seconds", 60), ("hostile", 200), ("page", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "impasto", "studio", "--no-open", "--folder", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[2]
            good = measure(asked, url, process.pid)
        finally:
            process.terminate()
            process.wait(60)
    sys.exit(0 if good else 1)


def measure(asked: argparse.Namespace, url: str, process: int) -> bool:
    if asked.page and shutil.which("chromium"):
        paints = first_paints(url, asked.page)
        first, whole = (statistics.median(one[n] for one in paints) for n in (0, 1))
        print(f"page, median of {asked.page}: first paint after {first:.2f} s, gallery there after {whole:.2f} s")
    errors = []
    if asked.clients:
        found = asyncio.run(load(url, asked.clients, asked.seconds))
        print(f"\n{asked.clients} visitors for {asked.seconds} s: {len(found.errors)} errors")
        print("\n| asked | times | median s | 95 % | longest |\n|---|---|---|---|---|")
        for what, seconds in found.seconds.items():
            print(row(what, seconds))
        errors += found.errors
    if asked.hostile:
        taken, found = asyncio.run(attack(url, asked.hostile))
        told = f"{asked.hostile} hostile uploads: {taken} were pictures after all, the others refused in words"
        print(f"\n{told}; {len(found.errors)} errors; a photo after them: {found.seconds['a new photo'][0]:.2f} s")
        errors += found.errors
    print(f"\nthe server's memory at its peak: {memory(process)}")
    for error in errors[:10]:
        print(error, file=sys.stderr)
    return not errors


if __name__ == "__main__":
    main()

"""The README's pictures of the studio: its page on a desktop, on a phone, dark, and while it trains.

    python scripts/studio_pictures.py [--out docs/pictures]

Needs Chromium. The painting that is trained is one of ours (`impasto styles`), the photos are scikit-image's.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from impasto import workflows

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
DARK = {**DESKTOP, "color_scheme": "dark"}
QUALITY = 70


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    out = parser.parse_args().out
    with studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        save(painting(browser, url, DESKTOP, "coffee", "Starry Night"), out / "studio.jpg")
        phone = painting(browser, url, PHONE, "chelsea", "Composition VII")
        dark = painting(browser, url, DARK, "astronaut", "Stained glass")
        save(beside(dark, phone), out / "studio-dark-phone.jpg")
        save(training(browser, url), out / "studio-train.jpg")
        browser.close()


@contextmanager
def studio() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "impasto", "studio", "--no-open", "--folder", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[2]
        finally:
            process.terminate()
            process.wait(60)


def opened(browser: Browser, url: str, screen: dict[str, object]) -> Page:
    page = browser.new_context(**screen).new_page()
    page.goto(url)
    page.wait_for_selector(".swatch img[src]")
    return page


def painting(browser: Browser, url: str, screen: dict[str, object], sample: str, style: str) -> Image.Image:
    """A sample photo in a style."""
    page = opened(browser, url, screen)
    page.get_by_label(f"Take the sample photo {sample}").click()
    page.wait_for_selector(".recent-strip button")
    page.locator(".swatch", has_text=style).click()
    page.wait_for_function("document.querySelectorAll('.recent-strip button').length === 2")
    page.evaluate("scrollTo(0, 0)")
    return shot(page)


def training(browser: Browser, url: str) -> Image.Image:
    """Two minutes of training, half of them over."""
    page = opened(browser, url, DESKTOP)
    page.get_by_role("tab", name="Train").click()
    page.set_input_files("#train-painting input[type=file]", workflows.painting_path("flow_field"))
    page.click("#train-start:not([disabled])")
    page.wait_for_function("document.querySelector('#work-train progress')?.value > 0.55", timeout=300_000)
    page.wait_for_timeout(2000)
    page.locator("#work-train .card").scroll_into_view_if_needed()
    return shot(page)


def shot(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Both as high as the left one, a gap between."""
    right = right.resize((round(right.width * left.height / right.height), left.height), Image.Resampling.LANCZOS)
    both = Image.new("RGB", (left.width + 24 + right.width, left.height), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 24, 0))
    return both


def save(picture: Image.Image, path: Path) -> None:
    picture.save(path, quality=QUALITY, optimize=True, progressive=True)
    print(path, f"{path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()

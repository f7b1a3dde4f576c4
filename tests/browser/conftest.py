"""A browser, and one studio for all tests that do not end it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from studios import Server

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("studio") / "library", cache) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a module and not for all tests: while Playwright runs, no other test can have an event loop."""
    if not Path(CHROMIUM).exists():
        pytest.skip("there is no chromium here; .ci/run installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page of a studio, and what went wrong in it."""

    def __init__(self, browser: Browser, url: str, **options: object) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.url = url
        self.page.goto(url)
        self.page.wait_for_selector(".swatch img[src]")
        # The last of the easel's script: on a busy machine its part of the page can come after the gallery's.
        self.page.wait_for_function("Boolean(window.impasto?.fullDone)")

    def outside(self) -> list[str]:
        """Requests that went anywhere but to the studio."""
        own = (self.url, "data:", "blob:", self.url.replace("http", "ws", 1))
        return [url for url in self.asked if not url.startswith(own)]

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """A page that asks its studio alone, and whose scripts do not fail."""
    visit = Visit(browser, server.url)
    yield visit
    assert visit.outside() == []
    assert visit.errors == []
    visit.close()

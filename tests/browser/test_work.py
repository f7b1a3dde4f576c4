"""Folders, videos, trainings and reports: long work, in a real browser."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from browser.conftest import Visit
from clips import make_clip
from impasto.studio.jobs import Jobs
from studios import Server
from support import photo

LONG = 400_000


def card(page: Page, scope: str, state: str) -> None:
    """Waits until the newest card of a board is in that state."""
    newest = f"#work-{scope} .card:first-child"
    page.wait_for_selector(f"{newest}[data-state={state}], {newest}[data-state=failed]", timeout=LONG)
    assert page.get_attribute(newest, "data-state") == state, page.inner_text(newest)


def taken(page: Page, scope: str) -> bytes:
    """What the newest card has to download."""
    with page.expect_download() as waiting:
        page.locator(f"#work-{scope} .card").first.get_by_text("Download").click()
    return waiting.value.path().read_bytes()


def test_a_folder_comes_back_as_a_zip_and_broken_photos_are_named(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    for number in range(2):
        photo(number, 120, 80).save(tmp_path / f"day {number}.jpg")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "day 0.jpg").read_bytes()[:300])
    page.click("#tab-batch-button")
    page.set_input_files("#batch-drop input[type=file]", sorted(tmp_path.iterdir()))
    page.click("#batch-start:not([disabled])")
    card(page, "repaint", "done")
    page.wait_for_selector("#work-repaint .files a")
    assert "torn.jpg" in page.inner_text("#work-repaint .card:first-child")
    with zipfile.ZipFile(io.BytesIO(taken(page, "repaint"))) as packed:
        names = sorted(packed.namelist())
        assert len(names) == 2
        assert Image.open(io.BytesIO(packed.read(names[0]))).size == (120, 80)
    page.reload()
    page.click("#tab-batch-button")
    card(page, "repaint", "done")  # it is still there for whoever started it
    page.locator("#work-repaint .card").first.get_by_text("Remove").click()
    page.wait_for_selector("#work-repaint .card", state="detached")


@pytest.mark.slow
def test_a_clip_comes_back_as_an_mp4_with_its_sound_and_plays(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    clip = make_clip(tmp_path / "a walk.mp4", 20, size=(128, 96))
    page.click("#tab-batch-button")
    page.set_input_files("#batch-drop input[type=file]", clip)
    page.click("#batch-start:not([disabled])")
    card(page, "repaint", "done")
    page.wait_for_function("document.querySelector('#work-repaint video')?.readyState >= 2")
    with av.open(io.BytesIO(taken(page, "repaint"))) as film:
        assert sum(1 for _ in film.decode(video=0)) == 20
        assert len(film.streams.audio) == 1
    # A board that is looked at again and again moves nothing: a clip would stop, and the keyboard lose its place.
    page.evaluate("document.querySelector('#work-repaint video').play()")
    page.focus("#work-repaint .card .actions button")
    for _ in range(2):
        with page.expect_response(lambda answer: "component_server" in answer.url):
            pass
    assert page.evaluate("document.activeElement.closest('.card') !== null")
    assert not page.evaluate("document.querySelector('#work-repaint video').paused")


@pytest.mark.slow
def test_two_pages_of_one_visitor_know_of_each_others_work(visit: Visit, tmp_path: Path) -> None:
    first, second = visit.page, visit.context.new_page()
    second.goto(visit.url)
    for number, page in enumerate((first, second)):
        page.bring_to_front()
        picture = tmp_path / f"page {number}.jpg"
        photo(number, 60, 40).save(picture)
        page.click("#tab-batch-button")
        page.set_input_files("#batch-drop input[type=file]", picture)
        page.click("#batch-start:not([disabled])")
        page.wait_for_selector(f"#work-repaint .card:has-text('page {number}.jpg')")
    first.bring_to_front()
    first.reload()
    first.click("#tab-batch-button")
    for number in range(2):
        first.wait_for_selector(f"#work-repaint .card:has-text('page {number}.jpg')")


def test_a_job_can_be_cancelled(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    clip = make_clip(tmp_path / "long.mp4", 400, size=(640, 480), sound=None)
    page.click("#tab-batch-button")
    page.set_input_files("#batch-drop input[type=file]", clip)
    page.click("#batch-start:not([disabled])")
    page.locator("#work-repaint .card").first.get_by_text("Cancel").click()
    card(page, "repaint", "cancelled")


def test_the_judge_asks_for_the_painting_and_takes_it(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.click("#tab-compare-button")
    page.click("#judge-start")  # of the Great Wave, whose painting nobody has dropped
    page.get_by_text("The judge has to see the painting").wait_for()
    path = tmp_path / "a painting.png"
    photo(100, 300, 260).save(path)
    page.set_input_files("#judge-painting input[type=file]", path)
    page.wait_for_selector("#judge-painting .drop-file")
    page.click("#judge-start")
    card(page, "judge", "running")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Really cancel?").click()
    card(page, "judge", "cancelled")


@pytest.mark.slow
def test_the_judges_report_is_shown(browser: Browser, tmp_path: Path, cache: Path) -> None:
    library = tmp_path / "library"
    photo(7, 200, 160).save(tmp_path / "a.png")
    photo(8, 90, 90).save(tmp_path / "painting.png")
    request = {"style": "great_wave-turbo", "title": "A style", "count": 1, "steps": 2, "size": 64}
    with Jobs(library / "jobs", library / "styles") as jobs:
        files = {"painting": tmp_path / "painting.png", "photos": [tmp_path / "a.png"]}
        job = jobs.submit("judge", "The judge on A style", request, files)
        until(lambda: jobs.get(job.id).state in ("done", "failed"), LONG / 1000)
        assert jobs.get(job.id).state == "done", jobs.get(job.id).error
    with Server(library, cache) as server:
        visit = Visit(browser, server.url)
        visit.page.click("#tab-compare-button")
        card(visit.page, "judge", "done")
        report = visit.page.locator("#work-judge .report")
        assert "A style is worth" in report.locator(".headline").inner_text()
        assert report.locator("tbody tr").count() >= 3
        visit.page.get_by_text("photo 1: 2 steps").wait_for()
        assert len(taken(visit.page, "judge")) > 10_000
        assert visit.outside() == []
        assert visit.errors == []
        visit.close()


def until(is_so: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_training_survives_a_killed_server_and_its_style_joins_the_gallery(
    browser: Browser, tmp_path: Path, cache: Path
) -> None:
    painting, own = tmp_path / "my_garden.png", tmp_path / "me.jpg"
    photo(5, 300, 300).save(painting)
    photo(6, 400, 300).save(own)
    with Server(tmp_path / "library", cache) as server:
        visit = Visit(browser, server.url)
        page = visit.page
        page.get_by_role("tab", name="Train").click()
        page.set_input_files("#train-painting input[type=file]", painting)
        page.set_input_files("#train-watched input[type=file]", own)
        page.click("#train-start:not([disabled])")
        page.wait_for_selector("#work-train .card[data-state=running]")
        assert page.locator("#work-train h4").inner_text() == "My garden"
        page.wait_for_selector("#work-train svg polyline", timeout=LONG)  # it learns
        assert "left" in page.inner_text("#work-train .what")
        page.get_by_role("button", name="Pause").click()
        card(page, "train", "paused")
        page.get_by_role("button", name="Resume").click()
        card(page, "train", "running")
        page.wait_for_function("document.querySelector('#work-train .what').textContent.includes('step')", timeout=LONG)
        server.kill()
        visit.close()
    with Server(tmp_path / "library", cache) as server:
        visit = Visit(browser, server.url)
        page = visit.page
        page.get_by_role("tab", name="Train").click()
        card(page, "train", "interrupted")
        assert page.locator("#work-train .card").count() == 1
        page.get_by_role("button", name="Stop and keep it").click()
        card(page, "train", "done")
        assert page.locator("#work-train .pictures img").count() == 2  # the painting, and a photo of one's own
        page.get_by_role("tab", name="Repaint").click()
        mine = page.locator(".swatch").first
        mine.get_by_text("My garden").wait_for()
        page.get_by_label("Take the sample photo coffee").click()
        page.wait_for_selector(".easel .after[src]")
        before = page.get_attribute(".easel .after", "src")
        mine.click()
        page.wait_for_function("b => document.querySelector('.easel .after').getAttribute('src') !== b", arg=before)
        assert visit.outside() == []
        assert visit.errors == []
        visit.close()
        assert server.close() in (0, 130)

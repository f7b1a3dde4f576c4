"""A visitor with a photo, in a real browser."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from browser.conftest import Visit
from support import photo

AFTER = ".easel .after"
PASTE = """([selector, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: "image/png" }));
  const event = selector
    ? new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true });
  (selector ? document.querySelector(selector) : document).dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of 480×320 pixels with a description in its EXIF."""
    path = tmp_path_factory.mktemp("photos") / "at the sea.jpg"
    exif = Image.Exif()
    exif[270] = "the sea"
    photo(3, 480, 320).save(path, quality=95, exif=exif)
    return path


def put(page: Page, path: Path) -> str:
    """Chooses a photo and waits until it is painted; the address of the painting."""
    before = page.get_attribute(AFTER, "src")
    page.set_input_files(".easel-empty input[type=file]", path)
    return changed(page, before)


def changed(page: Page, before: str | None, stays: int = 500) -> str:
    """Waits until another picture is shown and stays for so many milliseconds; its address."""
    page.evaluate("window.seen = [null, 0]")
    page.wait_for_function(
        """([selector, before, long]) => {
          const src = document.querySelector(selector).getAttribute("src");
          if (src !== window.seen[0]) window.seen = [src, performance.now()];
          const stays = performance.now() - window.seen[1] > long;
          return src && src !== before && stays && !document.querySelector(".easel.busy");
        }""",
        arg=[AFTER, before, stays],
    )
    return str(page.get_attribute(AFTER, "src"))


def fetched(page: Page, url: str) -> np.ndarray[Any, Any]:
    answer = page.request.get(f"{page.url}{url}")
    assert answer.ok
    return np.asarray(Image.open(io.BytesIO(answer.body())).convert("RGB"), np.float64)


def psnr(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(255**2 / np.mean((one - other) ** 2)))


def move(page: Page, label: str, value: float) -> None:
    """Types a number beside a slider."""
    field = page.get_by_label(f"number input for {label}")
    field.fill(str(value))
    field.press("Enter")


def test_a_photo_is_painted_and_every_control_answers(visit: Visit, jpeg: Path) -> None:
    page = visit.page
    assert page.is_visible(".easel-empty")
    first = put(page, jpeg)
    assert page.inner_text(".easel-note") == "480 × 320"
    plain, painted = np.asarray(Image.open(jpeg).convert("RGB"), np.float64), fetched(page, first)
    assert painted.shape == (320, 480, 3)
    assert psnr(painted, plain) < 25

    page.locator(".swatch", has_text="Starry Night").click()
    starry = changed(page, first)
    assert psnr(fetched(page, starry), painted) < 25

    move(page, "Strength", 0)
    nothing = changed(page, starry)
    assert psnr(fetched(page, nothing), plain) > 30
    move(page, "Strength", 1)
    again = changed(page, nothing)

    page.get_by_label("Keep the photo's colours").check()
    kept = changed(page, again)
    hue = np.abs(fetched(page, kept).mean((0, 1)) - plain.mean((0, 1))).mean()
    assert hue < np.abs(fetched(page, again).mean((0, 1)) - plain.mean((0, 1))).mean()
    page.get_by_label("Keep the photo's colours").uncheck()
    uncolored = changed(page, kept)

    move(page, "Size of the strokes", 2)
    coarse = changed(page, uncolored)
    move(page, "Size of the strokes", 1)
    usual = changed(page, coarse)

    page.get_by_label("Mix with").click()
    page.get_by_role("option", name="The Scream").click()
    mixed = changed(page, usual, stays=3000)  # a slow machine shows something in between
    move(page, "How much of the second", 1)
    other = changed(page, mixed, stays=3000)
    page.locator(".swatch", has_text="The Scream").click()
    scream = changed(page, other)
    assert psnr(fetched(page, other), fetched(page, scream)) > 40
    assert len({first, starry, nothing, kept, coarse, mixed, other}) == 7


def test_the_photo_comes_back_in_full_size_with_what_belongs_to_it(visit: Visit, jpeg: Path, tmp_path: Path) -> None:
    page = visit.page
    own = tmp_path / "Möwen #1, 100% schön?.jpg"  # letters that mean something in an address
    own.write_bytes(jpeg.read_bytes())
    put(page, own)
    with page.expect_download() as waiting:
        page.get_by_text("Download in full size").click()
    download = waiting.value
    assert download.suggested_filename == "Möwen #1, 100% schön - The Great Wave off Kanagawa.jpg"
    with Image.open(download.path()) as result:
        assert result.size == (480, 320)
        assert result.getexif()[270] == "the sea"
    page.wait_for_selector(".easel-full:not([disabled])")


def test_the_last_pictures_are_kept_with_how_they_were_made(visit: Visit, jpeg: Path) -> None:
    page = visit.page
    first = put(page, jpeg)
    page.wait_for_selector(".recent-strip button")
    page.locator(".swatch", has_text="Pointillism").click()
    second = changed(page, first)
    page.wait_for_function("document.querySelectorAll('.recent-strip button').length === 2")
    page.locator(".recent-strip button", has_text="The Great Wave").click()
    assert changed(page, second) == first
    page.wait_for_function("document.querySelector('.swatch :checked').value === 'great_wave'")


def test_a_slider_compares_before_and_after_by_keyboard_too(visit: Visit, jpeg: Path) -> None:
    page = visit.page
    put(page, jpeg)
    slider = page.get_by_label("Slide to compare the photo with the painting")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert page.locator(".easel-picture").evaluate("one => one.style.getPropertyValue('--split')") == "40%"


@pytest.mark.parametrize("target", [".easel-empty", None])
def test_a_photo_may_be_dragged_or_pasted(visit: Visit, jpeg: Path, target: str | None) -> None:
    buffer = io.BytesIO()
    photo(8, 300, 200).save(buffer, "png")
    visit.page.evaluate(PASTE, [target, "here.png", base64.b64encode(buffer.getvalue()).decode()])
    changed(visit.page, None)
    assert visit.page.inner_text(".easel-note") == "300 × 200"


def test_what_is_no_photo_is_answered_in_words_and_the_next_one_works(visit: Visit, jpeg: Path, tmp_path: Path) -> None:
    page = visit.page
    bad = tmp_path / "notes.jpg"
    bad.write_text("nothing to see here")
    page.set_input_files(".easel-empty input[type=file]", bad)
    page.wait_for_function("document.querySelector('.easel-error').textContent")
    said = page.inner_text(".easel-error")
    assert "notes.jpg" in said
    assert "not a JPEG" in said
    assert "/tmp" not in said
    put(page, jpeg)
    assert page.inner_text(".easel-error") == ""


def test_styles_are_chosen_with_the_keys(visit: Visit, jpeg: Path) -> None:
    page = visit.page
    before = put(page, jpeg)
    page.locator(".swatch input:checked").focus()
    page.keyboard.press("ArrowRight")
    changed(page, before)
    chosen = page.locator(".swatch:has(:checked)").inner_text()
    assert chosen != "The Great Wave off Kanagawa"


def test_without_a_photo_at_hand_there_are_samples(visit: Visit) -> None:
    visit.page.get_by_label("Take the sample photo coffee").click()
    changed(visit.page, None)
    assert visit.page.inner_text(".easel-note") == "600 × 400"
    swatch = ".swatch img"
    visit.page.wait_for_function("s => document.querySelector(s).complete", arg=swatch)


def test_a_style_that_was_chosen_while_the_swatches_come_stays_chosen(visit: Visit, jpeg: Path) -> None:
    page = visit.page
    page.set_input_files(".easel-empty input[type=file]", jpeg)
    page.locator(".swatch", has_text="Linocut").click()
    page.wait_for_timeout(2500)
    assert page.locator(".swatch:has(:checked)").inner_text() == "Linocut"


def test_a_file_that_cannot_be_opened_does_not_end_the_work_on_the_photo_before(
    visit: Visit, jpeg: Path, tmp_path: Path
) -> None:
    page = visit.page
    painted = put(page, jpeg)
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(jpeg.read_bytes()[:300])
    page.set_input_files(".easel-empty input[type=file]", torn)
    page.wait_for_selector(".easel-error:has-text('torn.jpg')")
    assert page.is_enabled(".easel-full")
    page.locator(".swatch").nth(2).click()
    changed(page, painted)
    assert page.inner_text(".easel-error") == ""

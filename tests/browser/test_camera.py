"""The browser's camera, played by Chromium's own fake one."""

from __future__ import annotations

from browser.conftest import Visit

PAINTED = ".camera-picture img"
SOURCE = f"document.querySelector('{PAINTED}').src"


def test_the_camera_is_painted_live_and_follows_the_look(visit: Visit) -> None:
    page = visit.page
    page.click("#tab-camera-button")
    page.click(".camera-start")
    page.wait_for_function(f"{SOURCE}.startsWith('data:image/jpeg')")
    first = page.evaluate(SOURCE)
    page.wait_for_function(f"first => {SOURCE} !== first", arg=first)
    size = page.evaluate(f"[document.querySelector('{PAINTED}').naturalWidth, 0]")
    assert size[0] == 640
    before = brightness(visit)
    page.locator(".swatch", has_text="The Scream").click()
    page.wait_for_timeout(1500)
    assert abs(brightness(visit) - before) > 5
    with page.expect_download() as waiting:
        page.get_by_text("Take this picture").click()
    assert waiting.value.suggested_filename == "impasto.jpg"
    page.click(".camera-start")
    assert page.inner_text(".camera-start") == "Start the camera"
    page.wait_for_timeout(300)
    still = page.evaluate(SOURCE)
    page.wait_for_timeout(700)
    assert page.evaluate(SOURCE) == still


def brightness(visit: Visit) -> float:
    """Mean of what is painted."""
    script = f"""() => {{
      const canvas = document.createElement("canvas"), image = document.querySelector("{PAINTED}");
      [canvas.width, canvas.height] = [64, 48];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0, 64, 48);
      const data = context.getImageData(0, 0, 64, 48).data;
      return data.reduce((sum, value) => sum + value, 0) / data.length;
    }}"""
    return float(visit.page.evaluate(script))

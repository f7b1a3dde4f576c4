"""What docs/studio.md tells programmers, done to the letter."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studios import Server
from support import photo

TEXT = Path(__file__).parents[2].joinpath("docs", "studio.md").read_text("utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("studio")
    with Server(folder / "library", folder / "cache") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photo(4, 400, 300).save(tmp_path / "photo.jpg")
    return tmp_path


def example(language: str, server: Server) -> str:
    """The document's only block in that language, asking the test's studio."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found).replace("http://127.0.0.1:7860", server.url)


def check_painted(folder: Path) -> None:
    with Image.open(folder / "painted.jpg") as painted, Image.open(folder / "photo.jpg") as before:
        assert painted.size == before.size
        difference = np.asarray(painted.convert("RGB"), float) - np.asarray(before, float)
    assert np.abs(difference).mean() > 5


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_example_for_curl(server: Server, folder: Path) -> None:
    subprocess.run(["bash", "-euc", example("bash", server)], cwd=folder, check=True, timeout=120)
    check_painted(folder)


def test_the_example_for_python(server: Server, folder: Path) -> None:
    command = [sys.executable, "-c", example("python", server)]
    done = subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True, text=True)
    assert "The Great Wave off Kanagawa" in done.stdout
    check_painted(folder)


def test_what_is_wrong_comes_back_in_words(server: Server, folder: Path) -> None:
    from gradio_client import Client, handle_file

    client = Client(server.url, verbose=False)
    given = handle_file(str(folder / "photo.jpg"))
    for options, words in (
        ({"style": "nope"}, "there is no style 'nope'"),
        ({"strength": 2}, "the strength is 2"),
        ({"strength": "full"}, "the strength is 'full'; it is a number"),
        ({"mix_with": "udnie", "share": -1}, "the share of the second style"),
    ):
        with pytest.raises(Exception, match=words):
            client.predict(given, api_name="/repaint", **options)
    (folder / "photo.png").write_text("no photo")
    with pytest.raises(Exception, match=r"cannot read photo\.png: not a JPEG"):
        client.predict(handle_file(str(folder / "photo.png")), api_name="/repaint")
    with pytest.raises(Exception, match="drop it again"):
        client.predict(None, api_name="/repaint")
    assert "Traceback" not in server.log.read_text()
    client.close()


def test_programs_see_two_functions_and_nothing_of_the_page(server: Server) -> None:
    import httpx

    told = httpx.get(f"{server.url}/gradio_api/info").json()
    assert sorted(told["named_endpoints"]) == ["/repaint", "/styles"]
    assert told["unnamed_endpoints"] == {}

"""`impasto data` from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from web import Web


@pytest.fixture
def web() -> Iterator[Any]:
    web = Web(b"<html>log in to this network first</html>")
    yield web
    web.close()


def impasto(*arguments: str, code: int = 0, url: str = "http://127.0.0.1:9") -> tuple[str, str]:
    command = [sys.executable, "-m", "impasto", "data", *arguments]
    environment = {**os.environ, "IMPASTO_DATA_URL": url, "COLUMNS": "80"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_list_shows_what_there_is() -> None:
    output, _ = impasto("--list")
    assert output == impasto()[0]
    _, train, validation = output.splitlines()
    assert all(part in train for part in ("coco2014 ", "82,783", "13.5 GB", "/zips/train2014.zip", "Flickr"))
    assert all(part in validation for part in ("coco2014-val", "40,504", "6.6 GB", "/zips/val2014.zip", "CC BY 4.0"))


def test_help() -> None:
    output, _ = impasto("--help")
    assert all(option in output for option in ("--list", "--keep-archive", "FOLDER"))


def test_bad_input(tmp_path: Path) -> None:
    assert "coco2014-val" in impasto("imagenet", str(tmp_path), code=2)[1]
    assert "impasto data coco2014 FOLDER" in impasto("coco2014", code=2)[1]


def test_terms_come_first_and_a_login_page_is_refused(web: Any, tmp_path: Path) -> None:
    _, errors = impasto("coco2014-val", str(tmp_path / "data"), code=2, url=web.url)
    terms, announced, refused = errors.splitlines()
    assert "Flickr terms" in terms
    assert all(part in announced for part in ("40,504 photos", "6.6 GB", f"{web.url}/val2014.zip"))
    if "not enough room" not in refused:  # the real size is asked of the disk of whoever runs this
        assert "41 bytes instead of 6,645,013,297" in refused
        assert str(tmp_path / "data" / "val2014.zip") in refused
    assert list((tmp_path / "data").iterdir()) == []


def test_offline_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    _, errors = impasto("coco2014-val", str(tmp_path), code=2)
    refused = errors.splitlines()[-1]
    if "not enough room" not in refused:
        assert all(part in refused for part in ("127.0.0.1:9/val2014.zip", "6.6 GB", str(tmp_path / "val2014.zip")))

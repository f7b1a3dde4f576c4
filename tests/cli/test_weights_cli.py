"""`impasto weights` from outside, and the search and download behind it with entries of the tests' own."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import ImpastoError
from impasto.files.download import Source
from impasto.files.weights import WEIGHT_FILES, WeightFile, find, obtain, weights_folder
from web import Web, wait_for

CONTENT = random.Random(1).randbytes(300_000)
VGG16 = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
SQUEEZENET = "squeezenet1_0-b66bff10.pth"


@pytest.fixture
def web() -> Iterator[Any]:
    web = Web(CONTENT)
    yield web
    web.close()


@pytest.fixture
def places(tmp_path: Path, web: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The three folders that are searched, empty, and our own server as the mirror."""
    homes = {"IMPASTO_CACHE": "weights", "TORCH_HOME": "hub/checkpoints", "KERAS_HOME": "models"}
    for name in homes:
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("IMPASTO_WEIGHTS_URL", f"{web.url}/mirror/")
    folders = {name: tmp_path / name / below for name, below in homes.items()}
    for folder in folders.values():
        folder.mkdir(parents=True)
    return folders


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "impasto", "weights", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
        # A test run in the background ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def impasto(*arguments: str, code: int = 0) -> tuple[str, str]:
    process = start(*arguments)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    return output, errors


def test_help_names_the_commands() -> None:
    output, _ = impasto("--help")
    assert all(command in output for command in ("download", "list", "path", "verify"))


def test_list_path_and_verify(places: dict[str, Path]) -> None:
    output, _ = impasto()
    networks = ["pocket", *(entry.network for entry in WEIGHT_FILES)]
    assert [line.split()[0] for line in output.splitlines()[1:]] == networks
    assert Path(impasto("path", "pocket")[0].strip()).is_file()
    assert output.count("not here") == len(WEIGHT_FILES)
    _, errors = impasto("path", "squeezenet", code=2)
    assert "impasto weights download squeezenet" in errors
    here = places["TORCH_HOME"] / SQUEEZENET
    here.write_bytes(b"not these")
    half = places["KERAS_HOME"] / VGG16
    half.write_bytes(b"half a download")
    output, _ = impasto("list")
    assert str(here) in output
    assert f"{half} (wrong size)" in output
    assert impasto("path", "squeezenet")[0] == f"{here}\n"
    output, errors = impasto("verify", code=2)
    assert [line.split() for line in output.splitlines()] == [["wrong", str(half)], ["wrong", str(here)]]
    assert "15 bytes instead of 58,889,256" in errors
    assert len(errors.splitlines()) == 1


def test_unknown_network(places: dict[str, Path]) -> None:
    _, errors = impasto("download", "resnet", code=2)
    assert "vgg16, vgg19, squeezenet" in errors


def test_wrong_content_is_refused(web: Any, places: dict[str, Path]) -> None:
    output, errors = impasto("download", "squeezenet", code=2)
    assert output == ""
    announced, refused = errors.splitlines()
    assert all(part in announced for part in ("about 5.0 MB", f"{web.url}/mirror/{SQUEEZENET}"))
    assert f"SHA256 is {hashlib.sha256(CONTENT).hexdigest()[:8]} instead of b66bff10" in refused
    assert list(places["IMPASTO_CACHE"].iterdir()) == []


def test_stopped_download_goes_on(web: Any, places: dict[str, Path]) -> None:
    web.content, web.pause = bytes(58_889_256), 0.02
    part = places["IMPASTO_CACHE"] / f"{VGG16}.part"

    def reaches(count: int) -> bool:
        return part.exists() and part.stat().st_size >= count

    process = start("download", "vgg16")
    wait_for(lambda: reaches(50_000))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    first = part.stat().st_size
    process = start("download", "vgg16")
    wait_for(lambda: reaches(first + 50_000))
    process.kill()
    process.communicate(timeout=10)
    second, web.pause = part.stat().st_size, 0.0
    _, errors = impasto("download", "vgg16", code=2)
    assert [asked.get("range") for asked in web.asked] == [None, f"bytes={first}-", f"bytes={second}-"]
    assert "MD5" in errors  # zeros of the right number are not the weights
    assert list(places["IMPASTO_CACHE"].iterdir()) == []


def own_files() -> tuple[WeightFile, ...]:
    source = Source(("https://nowhere.invalid/a.h5",), size=len(CONTENT), md5=hashlib.md5(CONTENT).hexdigest())
    usual = WeightFile("small", source, "caffe", "free")
    other = replace(usual, source=Source(("https://nowhere.invalid/b.pth",)), normalization="torchvision")
    return usual, other


def test_obtain_downloads_once(web: Any, places: dict[str, Path]) -> None:
    said: list[str] = []
    found = obtain("small", announce=said.append, files=own_files())
    assert found.path == weights_folder() / "a.h5"
    assert found.path.read_bytes() == CONTENT
    assert all(part in said[0] for part in ("300.0 kB", f"{web.url}/mirror/a.h5", str(found.path)))
    assert obtain("small", announce=said.append, files=own_files()) == found
    assert (len(said), len(web.asked)) == (1, 1)
    assert found.difference() == ""


def test_original_weights_come_before_others(web: Any, places: dict[str, Path]) -> None:
    files, said = own_files(), list[str]()
    assert find("small", files) is None
    (places["IMPASTO_CACHE"] / "b.pth").write_bytes(b"torchvision's")
    found = obtain("small", announce=said.append, files=files)
    assert found.entry is files[1]
    assert "not the original ones" in said[0]
    (places["KERAS_HOME"] / "a.h5").write_bytes(CONTENT[:-1])
    assert find("small", files) == found  # the other one is not whole
    (places["KERAS_HOME"] / "a.h5").write_bytes(CONTENT)
    assert find("small", files).path == places["KERAS_HOME"] / "a.h5"  # type: ignore[union-attr]
    assert web.asked == []


def test_mirror_that_is_no_address(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_WEIGHTS_URL", "/srv/mirror")
    with pytest.raises(ImpastoError, match="http"):
        obtain("small", files=own_files())


def test_cache_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPASTO_CACHE", raising=False)
    assert weights_folder().name == "weights"
    assert "impasto" in weights_folder().parts or "impasto" in str(weights_folder()).lower()

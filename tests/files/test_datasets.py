"""Data sets from a real server, and archives that mean harm."""

from __future__ import annotations

import hashlib
import io
import random
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import ImpastoError
from impasto.files.datasets import DATA_SETS, DataSet, extract, named, obtain
from impasto.files.download import Progress, Source
from web import Web, wait_for

PHOTOS = {f"train2014/photo_{number}.jpg": random.Random(number).randbytes(40_000) for number in range(6)}


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def web() -> Iterator[Any]:
    web = Web(zipped({"train2014/": b"", **PHOTOS}))
    yield web
    web.close()


def data_set(web: Any) -> DataSet:
    digest = hashlib.sha256(web.content).hexdigest()
    source = Source((f"{web.url}/train2014.zip",), size=len(web.content), sha256=digest)
    return DataSet("small", source, "train2014", len(PHOTOS), "Terms: ask the cat.")


def assert_whole(folder: Path) -> None:
    assert {f"train2014/{path.name}": path.read_bytes() for path in (folder / "train2014").iterdir()} == PHOTOS


@pytest.mark.parametrize("keep", [False, True])
def test_downloads_and_unpacks(web: Any, tmp_path: Path, keep: bool) -> None:
    seen: list[Progress] = []
    said: list[str] = []
    photos = obtain(data_set(web), tmp_path / "data", seen.append, said.append, keep_archive=keep)
    assert photos == tmp_path / "data" / "train2014"
    assert_whole(tmp_path / "data")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["train2014"] + ["train2014.zip"] * keep
    assert said[0] == "Terms: ask the cat."
    assert web.url in said[1]
    assert [*dict.fromkeys(progress.phase for progress in seen)] == ["download", "check", "extract"]
    assert seen[-1].done == seen[-1].total == 240_000


def test_second_call_asks_for_nothing(web: Any, tmp_path: Path) -> None:
    obtain(data_set(web), tmp_path)
    asked = len(web.asked)
    obtain(data_set(web), tmp_path)
    assert len(web.asked) == asked


def test_unpacking_goes_on_where_it_was(web: Any, tmp_path: Path) -> None:
    archive = tmp_path / "train2014.zip"
    archive.write_bytes(web.content)

    def stop_early(progress: Progress) -> None:
        if progress.phase == "extract" and progress.done >= 100_000:
            raise KeyboardInterrupt

    slow = zipped(dict(list(PHOTOS.items())[:2]))
    (tmp_path / "first.zip").write_bytes(slow)
    extract(tmp_path / "first.zip", tmp_path)
    kept = tmp_path / "train2014" / "photo_0.jpg"
    before = kept.stat().st_mtime_ns
    (tmp_path / "train2014" / "photo_1.jpg").write_bytes(b"cut short")
    with pytest.raises(KeyboardInterrupt):
        extract(archive, tmp_path, stop_early)
    seen: list[Progress] = []
    extract(archive, tmp_path, seen.append)
    assert_whole(tmp_path)
    assert kept.stat().st_mtime_ns == before
    assert not list(tmp_path.glob("*.unpacking"))


def start(web: Any, folder: Path) -> subprocess.Popen[str]:
    code = (
        "import sys; from pathlib import Path; from impasto.files.datasets import DataSet, obtain\n"
        "from impasto.files.download import Source\n"
        "source = Source((sys.argv[1],), sha256=sys.argv[2])\n"
        "obtain(DataSet('small', source, 'train2014', 6, ''), Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, f"{web.url}/train2014.zip", data_set(web).source.sha256, str(folder)]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_killed_download_goes_on(web: Any, tmp_path: Path) -> None:
    web.pause = 0.05
    process, part = start(web, tmp_path), tmp_path / "train2014.zip.part"
    wait_for(lambda: part.exists() and part.stat().st_size >= 50_000)
    process.kill()
    process.communicate(timeout=10)
    have, web.pause = part.stat().st_size, 0.0
    obtain(data_set(web), tmp_path)
    assert_whole(tmp_path)
    assert web.asked[-1]["range"] == f"bytes={have}-"


def test_two_processes_share_one_data_set(web: Any, tmp_path: Path) -> None:
    web.pause = 0.01
    for process in [start(web, tmp_path) for _ in range(2)]:
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
    assert_whole(tmp_path)
    assert web.sent == [len(web.content)]
    assert [path.name for path in tmp_path.iterdir()] == ["train2014"]


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/tmp/evil.jpg", "train2014/../../evil.jpg", "C:\\evil.jpg", "..\\evil.jpg", "\\evil.jpg"]
)
def test_archive_that_leaves_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive, folder = tmp_path / "in" / "bad.zip", tmp_path / "in"
    folder.mkdir()
    archive.write_bytes(zipped({"train2014/good.jpg": b"good", name: b"evil"}))
    with pytest.raises(ImpastoError, match="outside its folder"):
        extract(archive, folder)
    assert [path.name for path in tmp_path.rglob("*.jpg")] == []


def test_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("train2014/link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ImpastoError, match="outside its folder"):
        extract(tmp_path / "bad.zip", tmp_path)


def test_zip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = zipped({f"train2014/{number}.jpg": bytes(4_000_000) for number in range(5)}, zipfile.ZIP_DEFLATED)
    (tmp_path / "bomb.zip").write_bytes(bomb)
    with pytest.raises(ImpastoError, match="20,000,000 bytes; refused"):
        extract(tmp_path / "bomb.zip", tmp_path)
    assert not (tmp_path / "train2014").exists()


def flipped(content: bytes) -> bytes:
    """One byte of a photo changed; stored photos lie in the archive as they are."""
    at = content.index(PHOTOS["train2014/photo_3.jpg"]) + 1000
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:-100], lambda content: b"not a zip"])
def test_damaged_archive_is_named(web: Any, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    (tmp_path / "a.zip").write_bytes(damage(web.content))
    with pytest.raises(ImpastoError, match=r"a\.zip is damaged"):
        extract(tmp_path / "a.zip", tmp_path)
    assert not (tmp_path / "train2014" / "photo_3.jpg").exists()


def test_folder_that_cannot_be(web: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ImpastoError, match="cannot write"):
        obtain(data_set(web), tmp_path / "taken")


def test_registry() -> None:
    assert named("coco2014").photos == 82_783
    assert {data.source.name for data in DATA_SETS} == {"train2014.zip", "val2014.zip"}
    with pytest.raises(ImpastoError, match="coco2014-val"):
        named("imagenet")

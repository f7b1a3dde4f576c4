"""Collections of photos: folders, tar shards, Parquet files and what lies behind HTTP, read back byte by byte."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import ImpastoError
from impasto.files.collection import Collection, blocks, folders, open_collection
from impasto.files.collection import collection as collection_module
from impasto.files.collection.index import Names
from impasto.files.collection.places import expanded
from support import photo


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def encoded(seed: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    photo(seed).save(buffer, kind)
    return buffer.getvalue()


def contents(collection: Collection) -> list[bytes]:
    return [
        Path(name).read_bytes() if data is None else data
        for name, data in (collection[number] for number in range(len(collection)))
    ]


def write_tar(path: Path, members: dict[str, bytes], **options: Any) -> None:
    with tarfile.open(path, "w", **options) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


# --- Names ---


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("a-{0..2}.tar", ["a-0.tar", "a-1.tar", "a-2.tar"]),
        ("a-{008..010}.tar", ["a-008.tar", "a-009.tar", "a-010.tar"]),
        ("{a,b}/{0..1}", ["a/0", "a/1", "b/0", "b/1"]),
        ("odd {name}.jpg", ["odd {name}.jpg"]),
    ],
)
def test_braces_stand_for_ranges_and_lists(pattern: str, names: list[str]) -> None:
    assert expanded(pattern) == names


@given(st.lists(st.binary(max_size=20), max_size=30))
def test_names_come_back_as_they_were(names: list[bytes]) -> None:
    kept = Names.of(names)
    assert [kept[number] for number in range(len(kept))] == names


# --- Folders ---


def test_folders_give_what_photos_there_are_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for folder in ("", "b", "b/deep", ".hidden", "__MACOSX", "run/previews"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "run" / "job.json").write_text("{}")
    names = ["z.jpg", "a.JPG", "b/1.png", "b/deep/ä.webp"]
    for name in (*names, ".x.jpg", "._a.jpg", "notes.txt", ".hidden/a.jpg", "__MACOSX/a.jpg", "run/progress.png"):
        (root / name).write_bytes(name.encode())
    (root / "run" / "previews" / "1.png").write_bytes(b"")
    found = open_collection([root])
    assert sorted(found.name(number) for number in range(4)) == sorted(str(root / name) for name in names)
    assert sorted(contents(found)) == sorted(name.encode() for name in names)


def test_a_photo_counts_once_however_it_is_reached(tmp_path: Path) -> None:
    root, other = tmp_path / "photos", tmp_path / "other"
    (root / "below").mkdir(parents=True)
    other.mkdir()
    for path in (root / "a.jpg", root / "below" / "b.jpg", other / "c.jpg"):
        path.write_bytes(path.name.encode())
    (root / "loop").symlink_to(root)
    (root / "again.jpg").symlink_to(root / "a.jpg")
    (root / "outside.jpg").symlink_to(other / "c.jpg")
    assert sorted(contents(open_collection([root]))) == [b"a.jpg", b"b.jpg", b"c.jpg"]
    everything = [root, root / "below", root / "a.jpg", other, other / "c.jpg", root / "below" / "*.jpg"]
    assert sorted(set(contents(open_collection(everything)))) == [b"a.jpg", b"b.jpg", b"c.jpg"]
    assert len(open_collection([root / "below", root / "a.jpg", root / "below" / "b.jpg"])) == 2


def test_a_large_folder_is_listed_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(folders, "KEPT_FROM", 3)
    root = tmp_path / "photos"
    (root / "below").mkdir(parents=True)
    for number in range(4):
        (root / "below" / f"{number}.jpg").write_bytes(str(number).encode())
    long_ago = 1_600_000_000
    for folder in (root, root / "below"):
        os.utime(folder, (long_ago, long_ago))
    first = contents(open_collection([root]))
    (kept,) = (cache / "photos").iterdir()
    # The list is believed as long as the folders are as old as it says: a file that came without a trace is not seen.
    (root / "below" / "4.jpg").write_bytes(b"4")
    os.utime(root / "below", (long_ago, long_ago))
    assert contents(open_collection([root])) == first
    os.utime(root / "below", (long_ago + 1, long_ago + 1))
    assert contents(open_collection([root])) == [*first, b"4"]
    kept.write_bytes(kept.read_bytes()[:100])
    assert contents(open_collection([root])) == [*first, b"4"]


def test_a_list_is_not_believed_of_a_folder_that_changed_a_moment_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "KEPT_FROM", 1)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a")
    date = (tmp_path / "photos").stat().st_mtime_ns
    assert len(open_collection([tmp_path / "photos"])) == 1
    (tmp_path / "photos" / "b.jpg").write_bytes(b"b")
    os.utime(tmp_path / "photos", ns=(date, date))  # as on a disk with coarse dates
    assert len(open_collection([tmp_path / "photos"])) == 2


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="no such file or folder"):
        open_collection([tmp_path / "nowhere"])
    write_tar(tmp_path / "part-0.tar", {"a.jpg": b"a"})
    with pytest.raises(ImpastoError, match=r"part-1\.tar: no such file"):
        open_collection([tmp_path / "part-{0..1}.tar"])
    with pytest.raises(ImpastoError, match=r"no photos match .*\*\.jpg"):
        open_collection([tmp_path / "*.jpg"])


# --- Tar shards ---


def test_shards_are_read_in_place(tmp_path: Path) -> None:
    photos = {f"{'long folder name ' * 9}{number}.jpg": encoded(number) for number in range(3)}
    others = {"0.json": b"{}", "0.txt": b"a caption", "._a.jpg": b"resource", "b.cls": b"3"}
    write_tar(tmp_path / "one.tar", {**photos, **others}, format=tarfile.PAX_FORMAT)
    write_tar(tmp_path / "two.tar", {"x/y.png": encoded(9, "PNG")}, format=tarfile.GNU_FORMAT)
    expected = [*photos.values(), encoded(9, "PNG")]
    for given_ in ([tmp_path / "one.tar", tmp_path / "two.tar"], [tmp_path], [str(tmp_path / "{one,two}.tar")]):
        found = open_collection(given_)
        assert contents(found) == expected
        assert contents(pickle.loads(pickle.dumps(found))) == expected
        assert not found.far


def test_the_index_of_a_shard_is_made_anew_when_the_shard_changes(tmp_path: Path, cache: Path) -> None:
    shard = tmp_path / "a.tar"
    write_tar(shard, {"1.jpg": b"one"})
    assert contents(open_collection([shard])) == [b"one"]
    assert len(list((cache / "photos").iterdir())) == 1
    write_tar(shard, {"0.jpg": b"zero", "1.jpg": b"another"})
    assert contents(open_collection([shard])) == [b"zero", b"another"]


@pytest.mark.parametrize("damage", ["compressed", "noise", "empty", "cut short", "damaged in the middle"])
def test_what_is_no_tar_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    shard = tmp_path / "bad.tar"
    if damage == "compressed":
        with tarfile.open(shard, "w:gz") as tar:
            tar.add(__file__)
    elif damage in ("cut short", "damaged in the middle"):
        write_tar(shard, {"1.jpg": b"1" * 2000, "2.jpg": b"2" * 2000})
        data = shard.read_bytes()
        middle = 512 + 2048  # the second header
        damaged = data[:middle] + b"x" * 512 + data[middle + 512 :]
        shard.write_bytes(data[:4000] if damage == "cut short" else damaged)
    else:
        shard.write_bytes(b"no tar" * 1000 if damage == "noise" else b"")
    with pytest.raises(ImpastoError, match=r"bad\.tar is no whole tar file"):
        open_collection([shard])


# --- Parquet ---


@pytest.mark.parametrize("shape", ["struct", "binary"])
def test_photos_come_out_of_parquet(tmp_path: Path, shape: str) -> None:
    photos: list[bytes | None] = [encoded(number) for number in range(7)]
    photos[4] = None
    values = [{"bytes": data, "path": None} for data in photos] if shape == "struct" else photos
    table = pyarrow.table({"label": list(range(7)), "image": values})
    file = tmp_path / "train-0.parquet"
    pyarrow.parquet.write_table(table, file, row_group_size=3)
    found = open_collection([file])
    assert contents(pickle.loads(pickle.dumps(found))) == [data or b"" for data in photos]
    assert found.name(5) == f"{file}, row 5"


def test_parquet_without_pictures_is_refused_with_its_columns(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"label": [1], "text": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(ImpastoError, match=r"no column of image bytes; its columns: label, text"):
        open_collection([tmp_path / "a.parquet"])
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ImpastoError, match=r"b\.parquet is no whole Parquet file"):
        open_collection([tmp_path / "b.parquet"])


# --- Far away ---


class Server:
    """Serves a folder with ranges, and counts what it sends."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[str, int]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(False)

            def do_GET(self) -> None:
                self.answer(True)

            def answer(self, body: bool) -> None:
                path = folder / self.path.lstrip("/")
                if not path.is_file():
                    self.send_error(404)
                    return
                content = path.read_bytes()
                first, last = 0, len(content) - 1
                asked = self.headers.get("Range")
                if asked:
                    first, last = (int(number) for number in asked.removeprefix("bytes=").split("-"))
                    last = min(last, len(content) - 1)
                self.send_response(206 if asked else 200)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(last - first + 1))
                if asked:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
                self.end_headers()
                if body:
                    server.sent.append((self.path, last - first + 1))
                    self.wfile.write(content[first : last + 1])

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "web").mkdir()
    made = Server(tmp_path / "web")
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_shards_behind_http_are_fetched_in_blocks_once(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from impasto.files.collection import shards

    monkeypatch.setattr(shards, "BLOCK_BYTES", 5000)
    photos = {f"{number}.jpg": bytes([number]) * (700 + number) for number in range(20)}
    for number in range(2):
        write_tar(tmp_path / "web" / f"{number}.tar", photos)
    found = open_collection([f"{server.url}/{{0..1}}.tar"])
    assert found.far
    indexed = len(server.sent)
    order = found.order(np.random.default_rng(0)).tolist()
    assert sorted(order) == list(range(40))
    assert [found[number].data for number in order] == [list(photos.values())[number % 20] for number in order]
    fetched = len(server.sent) - indexed
    assert fetched <= 2 * ((tmp_path / "web" / "0.tar").stat().st_size // 5000 + 1)
    assert [pickle.loads(pickle.dumps(found))[number].data for number in order]
    again = open_collection([f"{server.url}/{{0..1}}.tar"])
    assert contents(again) == [*photos.values()] * 2
    assert len(server.sent) - indexed == fetched  # neither the index nor a block came a second time


def test_single_photos_behind_http(tmp_path: Path, server: Server) -> None:
    for number in range(3):
        (tmp_path / "web" / f"{number}.jpg").write_bytes(encoded(number))
    found = open_collection([f"{server.url}/{number}.jpg" for number in range(3)])
    assert contents(found) == [encoded(number) for number in range(3)]


@pytest.mark.parametrize("address", ["{url}/none.tar", "{url}/none.parquet", "nowhere://bucket/a.tar"])
def test_what_cannot_be_reached_is_named_in_one_line(server: Server, address: str) -> None:
    with pytest.raises(ImpastoError, match=r"cannot re(ad|ach) ") as raised:
        open_collection([address.format(url=server.url)])
    assert "\n" not in str(raised.value)


def test_the_cache_of_blocks_forgets_those_that_were_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "KEPT_BYTES", 2500)
    fetched: list[str] = []

    def read(key: str) -> bytes:
        def fetch(path: Path) -> None:
            fetched.append(key)
            path.write_bytes(key.encode() * 1000)

        return blocks.with_block(key, fetch, Path.read_bytes)

    for number, key in enumerate("abacac"):
        assert read(key) == key.encode() * 1000
        for path in (cache / "blocks").glob("[0-9a-f]*"):
            os.utime(path, (number, path.stat().st_mtime))  # so that the dates differ however fast this is
    assert fetched == ["a", "b", "c"]
    read("b")
    assert fetched == ["a", "b", "c", "b"]


# --- Order ---


class InBlocks:
    """Photos of a size, so many to a block."""

    far = True

    def __init__(self, count: int, block: int, photo_bytes: float) -> None:
        self.count, self.block, self.photo_bytes = count, block, photo_bytes

    def __len__(self) -> int:
        return self.count

    def name(self, number: int) -> str:
        return str(number)

    def data(self, number: int) -> bytes:
        return str(number).encode()

    def blocks(self) -> Any:
        return np.arange(self.count) // self.block

    def identity(self) -> Iterator[bytes]:
        yield str(self.count).encode()


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 5), st.data())
def test_every_order_has_every_photo_once(count: int, block: int, more: int, data: st.DataObject) -> None:
    found = Collection([InBlocks(count, block, 1e5), InBlocks(more, 3, 1e6)])
    chosen = data.draw(st.lists(st.integers(0, count + more - 1), unique=True, min_size=1))
    reduced = found.reduced(np.array(sorted(chosen)))
    for one in (found, reduced):
        order = one.order(np.random.default_rng(1))
        assert sorted(order.tolist()) == list(range(len(one)))
        assert order.tolist() == one.order(np.random.default_rng(1)).tolist()
    assert [reduced.name(number) for number in range(len(chosen))] == [found.name(number) for number in sorted(chosen)]


def test_blocks_are_near_each_other_in_the_order_and_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_module, "NEAR_BYTES", 1000)
    monkeypatch.setattr(collection_module, "NEAR_FEWEST", 1)
    order = Collection([InBlocks(10_000, 10, 10)]).order(np.random.default_rng(0))  # near: within 100 photos
    places = np.argsort(order).reshape(-1, 10)
    spread = places.max(1) - places.min(1)
    assert spread.max() <= 120
    assert spread.mean() > 50
    assert np.abs(np.diff(order // 10)).mean() > 300  # a third of all blocks apart, were it at random

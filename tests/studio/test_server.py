"""The real server, as the command starts it."""

from __future__ import annotations

import io
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from serving import Studio

from support import Command, photo

META = {"_type": "gradio.FileData"}
LIMITS = "upload_bytes=200_000, drop_bytes=500_000, drop_files=20, scratch_bytes=4_000_000, spare_bytes=1"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Studio]]:
    """Started side by side, since most of that time goes to Gradio's import."""
    plain = Studio(tmp_path_factory.mktemp("studio"), "--port", "0")
    login = "ann:pass:word"
    guarded = Studio(tmp_path_factory.mktemp("guarded"), "--port", "0", limits=LIMITS, IMPASTO_STUDIO_AUTH=login)
    try:
        yield plain.wait(), guarded.wait()
    finally:
        for one in (plain, guarded):
            one.process.kill()
            one.process.communicate(timeout=20)


@pytest.fixture
def studio(both: tuple[Studio, Studio]) -> Studio:
    """As anybody starts it."""
    return both[0]


@pytest.fixture
def guarded(both: tuple[Studio, Studio]) -> Studio:
    """With a login, and little room."""
    return both[1]


@pytest.fixture
def member(guarded: Studio) -> Iterator[httpx.Client]:
    with guarded.client() as client:
        answer = client.post("/login", data={"username": "ann", "password": "pass:word"})
        assert answer.status_code == 200
        yield client


def picture(size: int = 32) -> bytes:
    file = io.BytesIO()
    photo(1, size, size).save(file, "PNG")
    return file.getvalue()


def uploaded(client: httpx.Client) -> str:
    answer = client.post("/gradio_api/upload", files={"files": ("photo.png", picture())})
    assert answer.status_code == 200, answer.text
    return str(answer.json()[0])


def called(client: httpx.Client, data: object) -> str:
    """The last event that a call of the page's function ends with."""
    answer = client.post("/gradio_api/call/v2/repaint", json={"photo": data})
    assert answer.status_code == 200, answer.text
    return client.get(f"/gradio_api/call/repaint/{answer.json()['event_id']}").text


def test_the_page_comes_with_what_it_needs(studio: Studio) -> None:
    with studio.client() as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
        assert "server" not in page.headers
        start = page.text.index("./assets/")
        assert client.get(page.text[start : page.text.index('"', start)]).status_code == 200
        for path in ("/config", "/theme.css", "/gradio_api/info", "/gradio_api/startup-events", "/manifest.json"):
            assert client.get(path).status_code == 200, path
        assert "/repaint" in client.get("/gradio_api/info").json()["named_endpoints"]
        assert client.get("/monitoring").status_code == 404


def test_a_photo_goes_in_and_comes_back(studio: Studio) -> None:
    with studio.client() as client:
        path = uploaded(client)
        assert Path(path).is_relative_to(studio.scratch / "uploads")
        told = called(client, {"path": path, "meta": META})
        assert "event: complete" in told
        result = json.loads(told.split("data: ")[-1])[0]
        assert client.get(f"/gradio_api/file={result['path']}").status_code == 200
        assert result["url"].startswith(studio.url)
        # As Gradio's page sends it back
        assert "event: complete" in called(client, result)


def test_nobody_passes_the_queue(studio: Studio) -> None:
    with studio.client() as client:
        data = [{"path": uploaded(client), "meta": META}]
        for path in ("run/repaint", "api/repaint"):
            assert client.post(f"/gradio_api/{path}", json={"data": data}).status_code == 404
        # What only changes the page needs no queue.
        (known,) = (one for one in client.get("/config").json()["dependencies"] if one["api_name"] == "_ready")
        body = {"data": [None, ""], "fn_index": known["id"], "session_hash": "a"}
        assert client.post("/gradio_api/run/predict", json=body).status_code == 200


def test_scratch_is_private(studio: Studio) -> None:
    assert studio.scratch.stat().st_mode & 0o777 == 0o700


def test_no_foreign_file_is_read(studio: Studio) -> None:
    with studio.client() as client:
        for path in ("/etc/passwd", "/etc/../etc/passwd", str(studio.library), str(studio.scratch / ".lock")):
            assert client.get(f"/gradio_api/file={path}").status_code == 403
        answer = client.post("/gradio_api/call/repaint", json={"data": [{"path": "/etc/passwd", "meta": META}]})
        assert answer.status_code == 400
        assert "not uploaded" in answer.json()["error"]


def test_nothing_is_fetched_for_a_client(studio: Studio) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, studio.client() as client:
        elsewhere.settimeout(0.5)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/a.png"
        data = {"path": address, "url": address, "meta": META}
        bodies = [{"data": [data]}, {"data": [data], "fn_index": 0, "session_hash": "a"}, {"photo": data}]
        for path in ("call/repaint", "call/v2/repaint", "run/repaint", "api/repaint", "queue/join"):
            for body in bodies:
                assert client.post(f"/gradio_api/{path}", json=body).status_code == 400
        assert client.get(f"/gradio_api/file={address}").status_code == 403
        assert client.get(f"/gradio_api/proxy={address}").status_code == 404
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_other_names_and_pages_are_refused(studio: Studio) -> None:
    with studio.client() as client:
        assert client.get("/", headers={"host": "evil.example"}).status_code == 403
        answer = client.post("/gradio_api/queue/join", json={}, headers={"origin": "http://evil.example"})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert client.post("/gradio_api/queue/join", content=b" " * 5_000_000).status_code == 413


def test_a_drop_that_says_it_is_too_large_is_refused_at_once(studio: Studio) -> None:
    port = int(studio.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000000000\r\n"
            b"content-type: multipart/form-data; boundary=x\r\nexpect: 100-continue\r\n\r\n"
        )
        answer = client.recv(65536)
    assert b" 413 " in answer.split(b"\r\n")[0]


def test_without_a_login_nothing_is_told(guarded: Studio) -> None:
    with guarded.client() as client:
        assert '"auth_required":true' in client.get("/").text.replace(" ", "")
        assert client.get("/config").status_code == 401
        for path in ("info", "heartbeat/a", "queue/data?session_hash=a", "stream/a/b/1/playlist-file", "file=/a"):
            assert client.get(f"/gradio_api/{path}").status_code == 401, path
        for path in ("upload", "queue/join", "cancel", "reset", "stream/a", "component_server"):
            assert client.post(f"/gradio_api/{path}", json={}).status_code == 401, path


def test_with_a_login_everything_works(guarded: Studio, member: httpx.Client) -> None:
    assert '"auth_required"' not in member.get("/").text
    assert "event: complete" in called(member, {"path": uploaded(member), "meta": META})


def test_gradios_own_client_works(guarded: Studio, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    (tmp_path / "photo.png").write_bytes(picture())
    client = Client(guarded.url, auth=("ann", "pass:word"), verbose=False, download_files=str(tmp_path / "got"))
    try:
        assert Path(client.predict(handle_file(str(tmp_path / "photo.png")), api_name="/repaint")).is_file()
        with pytest.raises(Exception, match=r"fetches nothing|400"):
            client.predict({"path": "http://127.0.0.1:9/a.png", "meta": META}, api_name="/repaint")
    finally:
        client.close()


def test_a_wrong_password_is_told_and_then_takes_time(guarded: Studio) -> None:
    with guarded.client() as client, guarded.client() as other:
        wrong = {"username": "ann", "password": "x"}
        assert [client.post("/login", data=wrong).status_code for _ in range(3)] == [400, 400, 400]
        begin = time.monotonic()
        slow = threading.Thread(target=client.post, args=("/login",), kwargs={"data": wrong})
        slow.start()
        assert other.get("/").status_code == 200
        assert slow.is_alive()  # who waits keeps nobody else waiting
        slow.join()
        assert time.monotonic() - begin > 0.9
        assert other.post("/login", data={"username": "ann", "password": "pass:word"}).status_code == 200


def chunks(size: int, *, name: str = "a.bin") -> Iterator[bytes]:
    yield f'--xx\r\ncontent-disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    for _ in range(size // 10_000):
        yield b"a" * 10_000
    yield b"\r\n--xx--\r\n"


FORM = {"content-type": "multipart/form-data; boundary=xx"}


@pytest.mark.parametrize(("size", "words"), [(300_000, "a file can"), (900_000, "a file can")])
def test_a_file_that_grows_too_large_is_refused_and_removed(
    guarded: Studio, member: httpx.Client, size: int, words: str
) -> None:
    before = sorted((guarded.scratch / "uploads").rglob("*"))
    answer = member.post("/gradio_api/upload", content=chunks(size), headers=FORM)
    assert (answer.status_code, answer.text[: len(words)]) == (413, words)
    assert sorted((guarded.scratch / "uploads").rglob("*")) == before


def test_drops_are_bounded_and_leave_nothing(guarded: Studio, member: httpx.Client) -> None:
    before = sorted((guarded.scratch / "uploads").rglob("*"))
    large = [("files", (f"{n}.bin", b"a" * 150_000)) for n in range(4)]
    many = [("files", (f"{n}.bin", b"a")) for n in range(21)]
    for files, words in ((large, "all files together"), (many, "at most 20 files")):
        answer = member.post("/gradio_api/upload", files=files)
        assert answer.status_code == 413
        assert answer.text.startswith(words)
    assert sorted((guarded.scratch / "uploads").rglob("*")) == before


def test_an_upload_that_breaks_off_leaves_nothing(guarded: Studio, member: httpx.Client) -> None:
    before = sorted((guarded.scratch / "uploads").rglob("*"))

    def breaking() -> Iterator[bytes]:
        yield from list(chunks(50_000))[:-1]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        member.post("/gradio_api/upload", content=breaking(), headers=FORM)
    until(lambda: sorted((guarded.scratch / "uploads").rglob("*")) == before)


def test_a_full_scratch_takes_no_more(guarded: Studio, member: httpx.Client) -> None:
    statuses = []
    for n in range(60):
        files = {"files": (f"{n}.bin", bytes([n]) * 150_000)}
        statuses.append(member.post("/gradio_api/upload", files=files).status_code)
        if statuses[-1] != 200:
            break
    assert statuses[-1] == 507
    assert sum(path.stat().st_size for path in guarded.scratch.rglob("*")) < 4_500_000
    assert member.get("/config").status_code == 200


def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def part(head: bytes) -> bytes:
    return b"--xx\r\n" + head + b"\r\n\r\na\r\n--xx--\r\n"


NAMED = b'content-disposition: form-data; name="files"'
HOSTILE = [
    ("upload", part(NAMED)),
    ("upload?upload_id=a", part(NAMED)),
    ("upload", part(NAMED + b'; filename="../../../../x"')),
    ("upload", part(NAMED + b'; filename="' + b"a" * 5000 + b'"')),
    ("upload", part(NAMED + b'; filename="\xff\x00/.png"')),
    ("upload", part(b"a: b")),
    ("upload", b"garbage" * 10_000),
    ("upload", b""),
    ("queue/join", b"[" * 1_900_000 + b"]" * 1_900_000),
    ("call/repaint", b'{"data": [' + b"[" * 900 + b"]" * 902 + b"}"),
    ("call/repaint", b'{"data": [1e999, "\\ud800"]}'),
    ("call/repaint", b'{"data": [{"path": "a", "meta": 3}]}'),
    ("component_server", b'{"data": 1, "component_id": [1], "session_hash": {}, "fn_name": 3}'),
    ("component_server", b'{"data": 1, "component_id": 1, "session_hash": "a", "fn_name": "__init__"}'),
    ("run/repaint", b'{"data": [{"url": "data:image/png;base64,AAAA", "meta": {"_type": "gradio.FileData"}}]}'),
]


def test_hostile_requests_take_nothing_down(studio: Studio) -> None:
    def send(number: int) -> int:
        path, body = HOSTILE[number % len(HOSTILE)]
        headers = FORM if path.startswith("upload") else {"content-type": "application/json"}
        return client.post(f"/gradio_api/{path}", content=body, headers=headers).status_code

    with studio.client() as client, ThreadPoolExecutor(12) as pool:
        assert all(100 < status < 600 for status in pool.map(send, range(6 * len(HOSTILE))))
        assert "event: complete" in called(client, {"path": uploaded(client), "meta": META})
    assert all(path.is_relative_to(studio.scratch / "uploads") for path in studio.temporary.parent.rglob("x"))


def test_nobody_outside_was_asked_anything(studio: Studio, guarded: Studio) -> None:
    assert studio.seen() == ""
    assert guarded.seen() == ""


@pytest.mark.parametrize(("which", "by"), [("studio", signal.SIGINT), ("guarded", signal.SIGTERM)])
def test_it_ends_at_once_with_streams_open_and_leaves_nothing(
    which: str, by: signal.Signals, request: pytest.FixtureRequest
) -> None:
    running: Studio = request.getfixturevalue(which)
    port = int(running.url.rpartition(":")[2])
    with running.client() as client, socket.create_connection(("127.0.0.1", port)) as slow:
        if which == "guarded":
            client.post("/login", data={"username": "ann", "password": "pass:word"})
        slow.sendall(b"POST /gradio_api/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n")
        with client.stream("GET", "/gradio_api/heartbeat/a") as beats:
            assert "ALIVE" in next(beats.iter_text())
            begin = time.monotonic()
            code, out, err = running.end(by)
    assert time.monotonic() - begin < 6
    assert code == 130
    assert err.splitlines()[-1].startswith("impasto: stopped")
    assert "Traceback" not in err
    assert out == ""
    assert not list(running.temporary.glob("impasto-studio-*"))


def test_what_a_killed_server_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    killed = Studio(tmp_path, "--port", "0").wait()
    left = killed.scratch
    (left / "work" / "film.mp4").write_bytes(b"a")
    with killed.client() as client:
        uploaded(client)
    killed.end(signal.SIGKILL)
    assert left.exists()
    (tmp_path / "tmp" / "impasto-studio-link").symlink_to(tmp_path / "home")
    following = Studio(tmp_path, "--port", "0")
    try:
        until(lambda: not left.exists(), 30)
        assert following.end(signal.SIGTERM)[0] == 130  # while Gradio is still being imported
    finally:
        following.process.kill()
    assert (tmp_path / "home" / "studio" / "styles").is_dir()
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["impasto-studio-link"]


def test_what_is_wrong_is_told_on_one_line(impasto: Command, refused: Callable[..., str], tmp_path: Path) -> None:
    home = {"IMPASTO_HOME": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(impasto("studio", "--no-open", "--port", port, **home), f"port {port} is taken")
    assert "secret" not in refused(impasto("studio", "--auth", "secret", **home), "USER:PASSWORD")
    refused(impasto("studio", "--port", 70000, **home), "--port 70000")
    refused(impasto("studio", "--no-open", "--host", "192.0.2.1", **home), "192.0.2.1")
    (tmp_path / "file").write_bytes(b"")
    refused(impasto("studio", "--no-open", "--folder", tmp_path / "file" / "library"), "cannot write")


def test_without_gradio_it_says_what_to_install(impasto: Command, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ModuleNotFoundError('no', name='gradio')")
    done = impasto("studio", "--no-open", "--port", 0, IMPASTO_HOME=str(tmp_path), PYTHONPATH=str(tmp_path))
    refused(done, "pip install 'impasto[studio]'")

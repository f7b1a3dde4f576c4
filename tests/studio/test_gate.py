"""The gate over an application that only notes what reaches it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.formparsers import MultiPartException

from impasto.errors import ImpastoError
from impasto.studio import options as studio_options
from impasto.studio.connections import configured
from impasto.studio.gate import Gate, Visitors
from impasto.studio.limits import Limits, in_words
from impasto.studio.logins import Logins
from impasto.studio.places import Places

SMALL = Limits(
    upload_bytes=20_000,
    drop_bytes=50_000,
    drop_files=3,
    body_bytes=2000,
    patience=0.6,
    slowest=5000.0,
    spare_bytes=1,
    connections=20,
    login_delay=0.1,
)
MEMBER = "access=1"


class Noting:
    """Takes a whole request, notes its body, and answers 'ok'."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status, self.answer = 200, b"ok"
        self.file: Path | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["method"] == "POST"
        try:
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
                if self.file is not None:
                    self.file.write_bytes(body)
        except MultiPartException:  # as Gradio does
            self.status = 400
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"x-app", b"1")]})
        await send({"type": "http.response.body", "body": self.answer})


class Asked:
    """One answer of a gate, driven by hand."""

    def __init__(self, gate: Gate, method: str, path: str, chunks: list[bytes], headers: dict[str, str]) -> None:
        lines = {"host": "localhost:7860", **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
        }
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in chunks]
        messages.append({"type": "http.request", "body": b"", "more_body": False})
        self.body = b""

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.body += message.get("body", b"")

        asyncio.run(gate(scope, receive, send))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("scratch/uploads", "scratch/work", "library/styles"):
        (tmp_path / name).mkdir(parents=True)
    return Places(tmp_path / "library", tmp_path / "scratch", SMALL)


@pytest.fixture
def inner() -> Noting:
    return Noting()


def ask(
    inner: Noting,
    places: Places,
    method: str,
    path: str,
    *chunks: bytes,
    visitors: Visitors | None = None,
    **headers: str,
) -> Asked:
    gate = Gate(inner, places, visitors or Visitors(pages=["/train"]))
    return Asked(gate, method, path, list(chunks), {name.replace("_", "-"): text for name, text in headers.items()})


def parts(*sizes: int) -> bytes:
    heads = (b'--xx\r\ncontent-disposition: form-data; name="files"; filename="a"\r\n\r\n' + b"a" * n for n in sizes)
    return b"\r\n".join(heads) + b"\r\n--xx--\r\n"


FORM = {"content_type": "multipart/form-data; boundary=xx"}


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=https://a.hf.space/x",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/deep_link",
        "/gradio_api/token",
        "/gradio_api/dev/reload",
        "/gradio_api/run-history/buckets",
        "/gradio_api/vibe-code",
        "/gradio_api/mcp/sse",
        "/gradio_api/process_recording",
        "/gradio_api/custom_component/a/client/b/c",
        "/login/huggingface",
        "/monitoring",
        "/monitoring/summary",
        "//gradio_api/info",
        "/gradio_api/../monitoring",
        "/docs",
    ],
)
def test_what_an_offline_studio_has_no_use_for_is_closed(inner: Noting, places: Places, path: str) -> None:
    assert ask(inner, places, "GET", path).status == 404
    assert ask(inner, places, "POST", path).status == 404
    assert not inner.bodies


@pytest.mark.parametrize(
    "path", ["/", "/train", "/assets/a.js", "/config", "/gradio_api/info", "/gradio_api/heartbeat/x", "/studio/x"]
)
def test_what_the_page_needs_is_open(inner: Noting, places: Places, path: str) -> None:
    asked = ask(inner, places, "GET", path)
    assert asked.status == 200
    assert asked.headers["x-app"] == "1"
    assert "connect-src 'self'" in asked.headers["content-security-policy"]
    assert asked.headers["x-content-type-options"] == "nosniff"
    assert asked.headers["permissions-policy"].startswith("camera=(self)")


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1/a", "HTTPS://a", "//a/b", "\\\\a\\b", "ftp://a", " file:///etc/x"]
)
def test_nothing_is_fetched_for_a_file_request(inner: Noting, places: Places, address: str) -> None:
    asked = ask(inner, places, "GET", f"/gradio_api/file={address}")
    assert asked.status == 403
    assert "fetches nothing" in json.loads(asked.body)["error"]


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "TRACE"])
def test_other_methods_are_unknown(inner: Noting, places: Places, method: str) -> None:
    assert ask(inner, places, method, "/").status == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "192.168.1.7", "a b"])
def test_on_the_loopback_only_names_of_this_computer_count(inner: Noting, places: Places, host: str) -> None:
    assert ask(inner, places, "GET", "/", host=host).status in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST:1", "127.0.0.2"])
def test_all_names_of_this_computer_count(inner: Noting, places: Places, host: str) -> None:
    assert ask(inner, places, "GET", "/", host=host).status == 200


def test_without_a_login_no_internet_name_reaches_it_elsewhere_either(inner: Noting, places: Places) -> None:
    near = Visitors(hosts="near")
    for host in ("192.168.1.7:7860", "[fe80::1]:7860", "studio", "studio.local:7860", "localhost"):
        assert ask(inner, places, "GET", "/", host=host, visitors=near).status == 200
    assert ask(inner, places, "GET", "/", host="evil.example", visitors=near).status == 403
    assert ask(inner, places, "GET", "/", host="evil.example", visitors=Visitors(hosts="any")).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://localhost"])
def test_pages_from_elsewhere_may_not_use_it(inner: Noting, places: Places, origin: str) -> None:
    assert ask(inner, places, "POST", "/gradio_api/queue/join", b"{}", origin=origin).status == 403
    assert not inner.bodies


def test_its_own_page_and_programs_may(inner: Noting, places: Places) -> None:
    assert ask(inner, places, "POST", "/gradio_api/queue/join", b"{}", origin="http://localhost:7860").status == 200
    assert ask(inner, places, "POST", "/gradio_api/queue/join", b"{}").status == 200
    foreign = ask(inner, places, "POST", "/gradio_api/queue/join", b"{}", sec_fetch_site="cross-site")
    assert foreign.status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_elsewhere_leads_to_the_pages_and_to_nothing_else(inner: Noting, places: Places, site: str) -> None:
    clicked = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert ask(inner, places, "GET", "/", **clicked).status == 200
    assert ask(inner, places, "GET", "/train", **clicked).status == 200
    assert ask(inner, places, "GET", "/", **{**clicked, "sec_fetch_dest": "iframe"}).status == 403
    assert ask(inner, places, "GET", "/gradio_api/info", **clicked).status == 403
    assert ask(inner, places, "POST", "/", **clicked).status == 403
    assert ask(inner, places, "GET", "/", **clicked, origin="http://evil.example").status == 403


META = {"_type": "gradio.FileData"}


@pytest.mark.parametrize(
    "data",
    [
        {"path": "http://127.0.0.1:9/a", "meta": META},
        {"path": "https://a.example/a"},
        {"path": "HtTp://a.example/a", "meta": META},
        {"path": "\n http://a.example/a", "meta": META},
        {"path": "//a.example/a", "meta": META},
        {"path": "\\\\a.example\\a", "meta": META},
        {"path": "data:image/png;base64,AA", "meta": META},
        {"path": "file:///etc/passwd", "meta": META},
        {"path": "/etc/passwd", "meta": META},
        {"path": "/etc/passwd", "meta": META, "is_stream": True},
        {"path": "etc/passwd", "meta": META},
        {"path": "/a\0b", "meta": META},
        {"url": "http://a.example/a", "meta": META},
        {"url": "http://localhost:7860/elsewhere", "meta": META},
        {"url": "http://localhost:7860.a.example/gradio_api/file=a", "meta": META},
        {"url": "http://localhost:99999999/gradio_api/file=a", "meta": META},
        {"url": "data:text/html,a", "meta": META},
    ],
)
def test_file_data_name_no_address_and_no_foreign_file(inner: Noting, places: Places, data: dict[str, Any]) -> None:
    for body in ({"data": [data]}, {"data": [[{"a": {"value": data}}]]}, data):
        asked = ask(inner, places, "POST", "/gradio_api/call/repaint", json.dumps(body).encode())
        assert asked.status == 400
    assert not inner.bodies


def test_a_link_in_scratch_leads_nowhere(inner: Noting, places: Places) -> None:
    (places.uploads / "link").symlink_to("/etc/passwd")
    body = json.dumps({"data": [{"path": str(places.uploads / "link"), "meta": META}]}).encode()
    assert ask(inner, places, "POST", "/gradio_api/queue/join", body).status == 400


def test_what_was_uploaded_passes_unchanged(inner: Noting, places: Places) -> None:
    name = str(places.uploads / "a" / "photo.jpg")
    data = [
        {"path": name, "url": f"http://localhost:7860/gradio_api/file={name}", "meta": META},
        {"path": name, "url": f"http://127.0.0.1:7860/gradio_api/file={name}", "meta": META},
        {"path": name, "url": None, "meta": META},
        {"url": "data:image/jpeg;base64,AAAA", "path": None, "meta": META},
        "http://a.example is a text like any other",
    ]
    body = json.dumps({"data": data}).encode()
    assert ask(inner, places, "POST", "/gradio_api/queue/join", body[:40], body[40:]).status == 200
    assert inner.bodies == [body]


@pytest.mark.parametrize("body", [b"{", b"[" * 1900, b'{"a": 1, "a": 2}', b"\xff", b'{"path": "/a", "path": 1}'])
def test_what_is_no_json_goes_no_further(inner: Noting, places: Places, body: bytes) -> None:
    asked = ask(inner, places, "POST", "/gradio_api/component_server", body, content_type="text/plain")
    assert asked.status in (400, 413)
    assert not inner.bodies


def test_what_is_nested_deep_goes_no_further(inner: Noting, places: Places) -> None:
    for depth, status in ((30, 200), (33, 400)):
        body = (
            b'{"a": ' * (depth // 2) + b"[" * (depth - depth // 2) + b"]" * (depth - depth // 2) + b"}" * (depth // 2)
        )
        assert ask(inner, places, "POST", "/gradio_api/run/x", body).status == status


@pytest.mark.parametrize("said", [{}, {"content_length": "2100"}, {"content_length": "1"}])
def test_other_bodies_are_bounded_whatever_they_say(inner: Noting, places: Places, said: dict[str, str]) -> None:
    asked = ask(inner, places, "POST", "/gradio_api/run/x", b" " * 1500, b" " * 600, **said)
    assert asked.status == 413
    assert "at once" in json.loads(asked.body)["detail"]


def test_uploads_pass(inner: Noting, places: Places) -> None:
    body = parts(10, 5, 7)
    assert ask(inner, places, "POST", "/gradio_api/upload", body[:77], body[77:], **FORM).body == b"ok"
    assert inner.bodies == [body]


@pytest.mark.parametrize("said", [{}, {"content_length": "60000"}, {"content_length": "7"}])
def test_a_drop_is_bounded_in_bytes(inner: Noting, places: Places, said: dict[str, str]) -> None:
    asked = ask(inner, places, "POST", "/gradio_api/upload", *[b"a" * 6000] * 10, **FORM, **said)
    assert asked.status == 413
    assert asked.body == b"all files together can have at most 50 KB"


@pytest.mark.parametrize("step", [1000, 7])
def test_a_drop_is_bounded_in_files(inner: Noting, places: Places, step: int) -> None:
    for count, status in ((3, 200), (4, 413)):
        body = parts(*[9] * count)
        chunks = [body[at : at + step] for at in range(0, len(body), step)]
        asked = ask(inner, places, "POST", "/gradio_api/upload", *chunks, **FORM)
        assert asked.status == status
    assert asked.body == b"at most 3 files can be sent at once"


def test_a_file_is_bounded_by_gradio_and_told_in_our_words(inner: Noting, places: Places) -> None:
    inner.status, inner.answer = 413, b"File size exceeded maximum allowed size of 20000 bytes."
    asked = ask(inner, places, "POST", "/gradio_api/upload", parts(1), **FORM)
    assert (asked.status, asked.body) == (413, b"a file can have at most 20 KB")


@pytest.mark.parametrize("said", [{}, {"content_length": "90000"}])
def test_a_full_disk_takes_no_uploads(inner: Noting, places: Places, said: dict[str, str]) -> None:
    full = replace(places, limits=replace(SMALL, scratch_bytes=80_000, drop_bytes=500_000))
    inner.file = places.uploads / "tmp"
    asked = ask(inner, full, "POST", "/gradio_api/upload", *[b"a" * 30_000] * 5, **FORM, **said)
    assert asked.status == 507
    assert b"disk is full" in asked.body


def test_uploads_of_another_kind_are_refused(inner: Noting, places: Places) -> None:
    for kind in ("application/json", "multipart/form-data", "multipart/form-data; boundary="):
        assert ask(inner, places, "POST", "/gradio_api/upload", b"a", content_type=kind).status == 400


def test_with_a_login_everything_but_the_page_needs_it(inner: Noting, places: Places) -> None:
    visitors = Visitors(is_member=lambda cookies: cookies.get("access") == "1")
    for path in ("/", "/assets/a.js", "/gradio_api/user", "/gradio_api/login_check"):
        assert ask(inner, places, "GET", path, visitors=visitors).status == 200
    for path in ("/gradio_api/info", "/gradio_api/heartbeat/a", "/gradio_api/file=/a", "/studio/a"):
        assert ask(inner, places, "GET", path, visitors=visitors).status == 401
        assert ask(inner, places, "GET", path, visitors=visitors, cookie="access=2").status == 401
        assert ask(inner, places, "GET", path, visitors=visitors, cookie=MEMBER).status == 200
    assert ask(inner, places, "POST", "/gradio_api/upload", parts(1), visitors=visitors, **FORM).status == 401


def test_wrong_passwords_are_held_up_longer_and_longer_but_only_of_one_address() -> None:
    async def attempts(logins: Logins, address: str, count: int) -> float:
        begin = time.monotonic()
        for _ in range(count):
            async with logins.turn(address) as attempt:
                attempt.note(succeeded=False)
        return time.monotonic() - begin

    async def check() -> None:
        logins = Logins(replace(SMALL, login_delay=0.2))
        slow = asyncio.create_task(attempts(logins, "10.0.0.1", 5))
        await asyncio.sleep(0.05)
        assert await attempts(logins, "10.0.0.2", 2) < 0.1
        assert await slow >= 0.4
        async with logins.turn("10.0.0.1") as attempt:
            attempt.note(succeeded=True)
        assert await attempts(logins, "10.0.0.1", 2) < 0.1

    asyncio.run(check())


@contextmanager
def served(app: Any, limits: Limits) -> Iterator[int]:
    """The port of a real server in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(configured(app, limits))
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)


def until_closed(connection: socket.socket, trickle: bytes = b"") -> tuple[bytes, float]:
    """What comes until the other end closes, and after how long; `trickle` is sent meanwhile."""
    begin, got = time.monotonic(), b""
    connection.settimeout(0.05)
    while time.monotonic() - begin < 8:
        try:
            if trickle:
                connection.sendall(trickle)
            if (part := connection.recv(65536)) == b"":
                break
            got += part
        except TimeoutError:
            continue
        except OSError:
            break
    return got, time.monotonic() - begin


HEAD = b"POST /gradio_api/upload HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=xx\r\n"


@pytest.mark.parametrize(
    ("begin", "trickle"),
    [
        (b"", b""),
        (b"", b"x"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 2, b"x"),
        (HEAD + b"content-length: 40000\r\n\r\n", b""),
        (HEAD + b"content-length: 40000\r\n\r\n", b"x"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_slow_clients_are_cut_off_while_others_are_served(places: Places, begin: bytes, trickle: bytes) -> None:
    gate = Gate(Noting(), places, Visitors())
    with served(gate, SMALL) as port, socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(begin)
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            got, seconds = until_closed(other)
            assert b"\r\nok\r\n" in got
            assert seconds < 0.5
        got, seconds = until_closed(slow, trickle)
    assert seconds < 3
    if begin.startswith(b"POST"):
        assert b"408" in got.split(b"\r\n")[0]


def test_who_does_not_read_an_answer_is_cut_off(places: Places) -> None:
    ended = threading.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"a" * 100_000, "more_body": True})
        finally:
            ended.set()

    limits = replace(SMALL, stall=0.5)
    with served(endless, limits) as port, socket.create_connection(("127.0.0.1", port)) as lazy:
        lazy.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        time.sleep(1)
        got, seconds = until_closed(lazy)
    assert len(got) < 90_000_000
    assert seconds < 3


def test_a_refusal_reaches_a_client_that_is_still_sending(places: Places) -> None:
    gate = Gate(Noting(), places, Visitors())
    with served(gate, SMALL) as port, socket.create_connection(("127.0.0.1", port)) as sending:
        sending.sendall(HEAD + b"content-length: 5000000\r\n\r\n")
        for _ in range(50):
            sending.sendall(b"a" * 100_000)
        got, _ = until_closed(sending)
    assert b" 413 " in got.split(b"\r\n")[0]
    assert got.endswith(b"at most 50 KB")


def test_old_files_go_and_what_the_page_shows_stays(places: Places) -> None:
    old, new = time.time() + 7 * 3600, time.time() + 3600
    shown, upload, loose = places.uploads / "s" / "shown", places.uploads / "a" / "photo", places.uploads / "tmp1"
    for path in (shown, upload, loose):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"a")
        if path == shown:
            places.settle()
    places.tidy(new)
    assert upload.exists()
    assert not loose.exists()
    places.tidy(old)
    assert shown.exists()
    assert not upload.parent.exists()


def test_room_counts_what_is_there(places: Places) -> None:
    assert Places(places.library, places.scratch, replace(SMALL, scratch_bytes=10**6)).room() == 10**6
    (places.uploads / "a").write_bytes(b"a" * 300_000)
    (places.uploads / "b").write_bytes(b"")  # counts as a small file
    assert Places(places.library, places.scratch, replace(SMALL, scratch_bytes=10**6)).room() == 636_000
    assert Places(places.library, places.scratch, replace(SMALL, spare_bytes=10**18)).room() == 0


@pytest.mark.parametrize("text", ["", ":", "name", "name:", ":word", "  :word"])
def test_a_login_has_two_parts(text: str) -> None:
    with pytest.raises(ImpastoError, match="USER:PASSWORD"):
        studio_options.parse_auth(text)


def test_a_login_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_STUDIO_AUTH", "ann:a:b")
    assert studio_options.parse_auth(None) == ("ann", "a:b")
    assert studio_options.parse_auth(None) is None


def test_who_is_warned() -> None:
    options = studio_options.StudioOptions()
    assert options.warning() is None
    outside = replace(options, host="0.0.0.0")
    assert "anyone who can reach this computer" in str(outside.warning())
    assert "unencrypted" in str(replace(outside, auth=("a", "b")).warning())
    assert studio_options.url_of(outside, 80) == "http://127.0.0.1:80"
    assert studio_options.url_of(replace(options, host="::"), 80) == "http://[::1]:80"


def test_a_taken_port_is_told_and_the_next_one_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ImpastoError, match=f"port {port} is taken"):
            studio_options.listening(studio_options.StudioOptions(port=port))
        monkeypatch.setattr(studio_options, "DEFAULT_PORT", port)
        with studio_options.listening(studio_options.StudioOptions()) as door:
            assert port < door.getsockname()[1] < port + 20
        monkeypatch.setattr(studio_options, "PORTS", 1)
        with pytest.raises(ImpastoError, match="all ports"):
            studio_options.listening(studio_options.StudioOptions())


def test_bytes_in_words() -> None:
    assert [in_words(n) for n in (999, 1000, 4_000_000, 1_500_000_000)] == ["999 bytes", "1 KB", "4 MB", "1.5 GB"]

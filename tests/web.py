"""A server on this computer that misbehaves on request."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """A server for one file under any name, and what it was asked."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.etag = '"one"'
        self.with_ranges = True
        self.with_length = True
        self.shifts: list[int] = []  # bytes by which to miss the place asked for
        self.statuses: list[int] = []  # answers to give before the file
        self.cuts: list[int] = []  # bytes after which to break off, one for each answer
        self.stall = 0.0  # seconds to keep a broken-off connection open
        self.pause = 0.0  # seconds between pieces of 10 kB
        self.asked: list[dict[str, str]] = []
        self.sent: list[int] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        self.asked.append({"path": to.path, **{key.lower(): value for key, value in to.headers.items()}})
        if self.statuses:
            to.send_error(self.statuses.pop(0))
            return
        content, start = self.content, 0
        wanted = to.headers.get("Range", "")
        if wanted and self.with_ranges and to.headers.get("If-Range", self.etag) == self.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            start += self.shifts.pop(0) if self.shifts else 0
        if start >= len(content):
            to.send_response(416)
            to.send_header("Content-Range", f"bytes */{len(content)}")
            to.end_headers()
            return
        to.send_response(206 if start else 200)
        if start:
            to.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.with_length:
            to.send_header("Content-Length", str(len(content) - start))
        if self.etag:
            to.send_header("ETag", self.etag)
        to.end_headers()
        self.send(to, content[start : start + self.cuts.pop(0)] if self.cuts else content[start:], start)

    def send(self, to: BaseHTTPRequestHandler, body: bytes, start: int) -> None:
        self.sent.append(0)
        number = len(self.sent) - 1
        try:
            for offset in range(0, len(body), 10_000):
                to.wfile.write(body[offset : offset + 10_000])
                self.sent[number] = min(offset + 10_000, len(body))
                time.sleep(self.pause)
            if start + len(body) < len(self.content):
                time.sleep(self.stall)
        except OSError:
            pass  # the other side was killed

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def wait_for(condition: object, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)

"""What stands between the network and Gradio: every request passes here first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impasto.errors import in_one_line
from impasto.studio import openings
from impasto.studio.answers import RefusedError, refuse, with_headers
from impasto.studio.bodies import Patience, Room, Upload, checked_json, full, too_large, too_large_a_file, whole
from impasto.studio.limits import Limits
from impasto.studio.logins import Logins
from impasto.studio.places import Places

_log = logging.getLogger("impasto.studio")


@dataclass(frozen=True)
class Visitors:
    """Who may come in."""

    hosts: Literal["this", "near", "any"] = "this"
    """By which names: those of this computer, those that no stranger can own, or any; see `openings.check_host`."""
    is_member: Callable[[dict[str, str]], bool] | None = None
    """Whether a request with these cookies is of somebody who has logged in; None: nobody needs to."""
    pages: Collection[str] = field(default_factory=tuple)
    """The addresses of the studio's own pages besides `/`."""


class Gate:
    """ASGI middleware; answers in words what it does not let through."""

    def __init__(self, app: ASGIApp, places: Places, visitors: Visitors) -> None:
        self._app = app
        self._places = places
        self._limits: Limits = places.limits
        self._visitors = visitors
        self._room = Room(places.room)
        self._logins = Logins(places.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        patient, answer = Patience(receive, self._limits), _Answer(send)
        try:
            await self._let_in(scope, patient, answer)
        except RefusedError as refusal:
            if not answer.started:
                drain = _has_body(scope) and not patient.ended
                await refuse(refusal, scope, patient.lingering, send, drain)
        except Exception as error:
            # Gradio has answered 500 by now; the terminal gets a line, and the traceback with debugging.
            what = f"{scope['method']} {scope['path']}: {type(error).__name__}: {error}"
            _log.error("%s", in_one_line(what), exc_info=_log.isEnabledFor(logging.DEBUG))
            if not answer.started:
                await refuse(RefusedError(500, "something went wrong in the studio"), scope, receive, send, False)

    async def _let_in(self, scope: Scope, receive: Patience, send: _Answer) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        host = openings.check_host(headers, self._visitors.hosts)
        is_page = scope["method"] in ("GET", "HEAD") and path.rstrip("/") in ("", *self._visitors.pages)
        openings.check_origin(headers, host, opens_page=is_page)
        openings.check_open(scope["method"], path, self._visitors.pages)
        self._check_member(headers, path)
        if path.rstrip("/") == "/login" and self._visitors.is_member is None:
            raise RefusedError(404, "nobody needs to log in here")
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
        elif path.rstrip("/") == "/login":
            await self._login(scope, receive, send)
        elif path.rstrip("/") == f"{openings.API}/upload":
            await self._upload(scope, receive, send, headers)
        else:
            await self._call(scope, receive, send, host)

    def _check_member(self, headers: Headers, path: str) -> None:
        is_member = self._visitors.is_member
        if is_member is None or not openings.needs_login(path):
            return
        if not is_member(cookie_parser(headers.get("cookie", ""))):
            raise RefusedError(401, "please log in first")

    async def _login(self, scope: Scope, receive: Patience, send: _Answer) -> None:
        body = await whole(receive, self._limits.login_bytes)
        async with self._logins.turn((scope.get("client") or ("",))[0]) as attempt:
            await self._app(scope, _replayed(body, receive), send)
            attempt.note(succeeded=send.status == 200)

    async def _call(self, scope: Scope, receive: Patience, send: _Answer, host: str) -> None:
        _check_length(scope, self._limits.body_bytes)
        body = await whole(receive, self._limits.body_bytes)
        if body:
            checked_json(body, host, (self._places.scratch, self._places.library))
        await self._app(scope, _replayed(body, receive), send)

    async def _upload(self, scope: Scope, receive: Patience, send: _Answer, headers: Headers) -> None:
        kind, options = parse_options_header(headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise RefusedError(400, "an upload is sent as multipart/form-data")
        length = _length(scope)
        if length > self._limits.drop_bytes:
            raise too_large(self._limits)
        if not await self._room.take(0) or length > self._room.left:
            raise full()
        upload = Upload(receive, options[b"boundary"], self._limits, self._room)
        send.held = True  # what Gradio says of an upload that was refused is not what the reader gets
        await self._app(scope, upload, send)
        if upload.refusal is not None:
            raise upload.refusal
        if send.status == 413 and send.says(b"File size"):
            raise too_large_a_file(self._limits)
        await send.release()


class _Answer:
    """An answer on its way, with the headers that all have."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._kept: list[Message] = []
        self.held = False
        """Whether it is kept back until `release`; only what is short is."""
        self.started = False
        """Whether the client has been sent something."""
        self.status = 0
        """The answer's HTTP status."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = with_headers(message)
        if self.held:
            self._kept.append(message)
        else:
            self.started = True
            await self._send(message)

    def says(self, beginning: bytes) -> bool:
        """Whether what is kept back begins so."""
        return b"".join(message.get("body", b"") for message in self._kept).startswith(beginning)

    async def release(self) -> None:
        """Sends what was kept back."""
        self.held = False
        for message in self._kept:
            self.started = True
            await self._send(message)


def _replayed(body: bytes, receive: Patience) -> Receive:
    """Receives a body that has been read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _check_length(scope: Scope, most: int) -> None:
    if _length(scope) > most:
        raise RefusedError(413, "that is too much at once: files are uploaded")


def _length(scope: Scope) -> int:
    """What the client says about its body's length; 0 where it says nothing."""
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _has_body(scope: Scope) -> bool:
    return _length(scope) > 0 or "transfer-encoding" in Headers(scope=scope)

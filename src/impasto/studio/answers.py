"""What the gate answers by itself: refusals in words, and the headers of every answer."""

from __future__ import annotations

import json

from starlette.types import Message, Receive, Scope, Send

_POLICY = {
    # Gradio's page holds inline scripts and styles, and makes functions of the JavaScript that events are given.
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": "'self' blob: data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}

HEADERS = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "x-dns-prefetch-control": "off",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""The page may talk to this server alone, and no other page may look into it."""


class RefusedError(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        """The HTTP status."""
        self.words = words
        """For the reader: one sentence without a period."""


def with_headers(message: Message) -> Message:
    """The start of an answer with the headers above; what the application says itself stays."""
    given = list(message.get("headers", []))
    names = {bytes(name).lower() for name, _ in given}
    ours = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in names]
    return {**message, "headers": given + ours}


async def refuse(refusal: RefusedError, scope: Scope, receive: Receive, send: Send, drain: bool) -> None:
    """Answers a request with `refusal`.

    With `drain`, the rest of the body is read before the connection ends, as long as `receive` lets it be: a browser
    that is still sending would report a broken connection instead of the answer.
    """
    body, kind = _written(refusal, scope)
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *([(b"connection", b"close")] if drain else []),
    ]
    await send(with_headers({"type": "http.response.start", "status": refusal.status, "headers": headers}))
    await send({"type": "http.response.body", "body": body, "more_body": drain})
    if drain:
        while (message := await receive())["type"] == "http.request" and message.get("more_body"):
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _written(refusal: RefusedError, scope: Scope) -> tuple[bytes, bytes]:
    # Gradio's page shows the text of a refused upload as it is; of everything else it reads JSON.
    if scope["path"].rstrip("/").endswith("/upload"):
        return refusal.words.encode(), b"text/plain; charset=utf-8"
    return json.dumps({"error": refusal.words, "detail": refusal.words}).encode(), b"application/json"

"""What clients send, measured while it comes."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.formparsers import MultiPartException
from starlette.types import Message, Receive

from impasto.studio.answers import RefusedError
from impasto.studio.limits import Limits, in_words
from impasto.studio.openings import ADDRESS, API, is_this_computer

LINGER = 10.0
"""Seconds for which a body that was refused may still come, unread."""
DEPTH = 32
"""How deep JSON may be nested; what the page sends is not deeper than ten."""


class Patience:
    """Receives from a client that must not stand still, nor trickle.

    Waiting uses up `limits.patience`, and what comes gives it back, `limits.slowest` bytes a second.
    """

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive = receive
        self._limits = limits
        self._left = limits.patience
        self.ended = False
        """Whether the body is here to its last byte, or the client is gone."""

    async def __call__(self) -> Message:
        """The next message; raises RefusedError where the client was too slow."""
        if self.ended:  # what comes now is that the client left, whenever it does
            return await self._receive()
        begin = time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(self._left, 0.01))
        except TimeoutError:
            self._left = 0.0
            raise RefusedError(408, "the connection was too slow; please try again") from None
        earned = len(message.get("body", b"")) / self._limits.slowest
        self._left = min(self._left - (time.monotonic() - begin) + earned, self._limits.patience)
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def lingering(self) -> Message:
        """The same for a body that was refused: until it ends, or for a few seconds."""
        self._left = min(self._left, LINGER)
        gone: Message = {"type": "http.disconnect"}
        try:
            return gone if self.ended else await self()
        except RefusedError:
            return gone


class Room:
    """Counts what all uploads write to scratch between two looks at the disk."""

    def __init__(self, measure: Callable[[], int]) -> None:
        self._measure = measure
        self.left = 0
        """Bytes that may still come."""
        self._looked = float("-inf")

    async def take(self, count: int) -> bool:
        """Whether `count` more bytes may be written."""
        if self.left < count or time.monotonic() - self._looked > 5:
            self.left = await asyncio.to_thread(self._measure)
            self._looked = time.monotonic()
        self.left -= count
        return self.left >= 0


class Upload:
    """The body of an upload: bounded in bytes and files, and by what the disk can hold."""

    def __init__(self, receive: Patience, boundary: bytes, limits: Limits, room: Room) -> None:
        self._receive = receive
        self._mark = b"--" + boundary
        self._limits = limits
        self._room = room
        self._count = 0
        self._parts = 0
        self._tail = b""
        self.refusal: RefusedError | None = None
        """Why no more was taken."""

    async def __call__(self) -> Message:
        """The next message; raises what makes Gradio remove the files that it has begun."""
        try:
            message = await self._receive()
            if message["type"] == "http.request":
                await self._check(message.get("body", b""))
        except RefusedError as refusal:
            self.refusal = refusal
            raise MultiPartException(refusal.words) from refusal
        if message["type"] != "http.request":
            self.refusal = RefusedError(400, "the upload was broken off")
            raise MultiPartException(self.refusal.words)
        return message

    async def _check(self, chunk: bytes) -> None:
        self._count += len(chunk)
        seen = self._tail + chunk
        self._parts += seen.count(self._mark)
        self._tail = seen[-(len(self._mark) - 1) :]
        if self._count > self._limits.drop_bytes:
            raise too_large(self._limits)
        # Before the first part and after the last one there is one mark more than there are parts.
        if self._parts > self._limits.drop_files + 1:
            raise RefusedError(413, f"at most {self._limits.drop_files:,} files can be sent at once")
        if not await self._room.take(len(chunk)):
            raise full()


def too_large(limits: Limits) -> RefusedError:
    """Of a drop."""
    return RefusedError(413, f"all files together can have at most {in_words(limits.drop_bytes)}")


def too_large_a_file(limits: Limits) -> RefusedError:
    """Of one file."""
    return RefusedError(413, f"a file can have at most {in_words(limits.upload_bytes)}")


def full() -> RefusedError:
    """Of the disk."""
    return RefusedError(507, "the studio's disk is full; older files go after some hours, please try again later")


async def whole(receive: Patience, most: int) -> bytes:
    """A body of at most `most` bytes.

    Raises:
        RefusedError: it is longer, or slow, or the client left.
    """
    parts, count = [], 0
    while not receive.ended:
        message = await receive()
        if message["type"] != "http.request":
            raise RefusedError(400, "the request was broken off")
        parts.append(message.get("body", b""))
        count += len(parts[-1])
        if count > most:
            raise RefusedError(413, f"that is too much at once: at most {in_words(most)}, files are uploaded")
    return b"".join(parts)


def checked_json(body: bytes, host: str, folders: Iterable[Path]) -> None:
    """Looks at all file data in a JSON body: none may name an address, or a file outside of `folders`.

    Gradio fetches what a client's file data name; and what it has not checked, a page's own code may open.

    Raises:
        RefusedError: one does, or it is no JSON.
    """

    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(pairs)
        if len(data) != len(pairs):  # others might see the other one
            raise RefusedError(400, "the request names a thing twice")
        _check_file(data, host, folders)
        return data

    try:
        value = json.loads(body, object_pairs_hook=check)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the request is no proper JSON") from None
    if _is_deep(value):
        raise RefusedError(400, "the request is nested too deep")


def _is_deep(value: Any) -> bool:
    """Whether lists and objects lie in each other beyond DEPTH: Gradio takes seconds over hundreds."""
    level = [value]
    for _ in range(DEPTH):
        parts = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [child for part in parts for child in part]
        if not level:
            return False
    return True


def _check_file(data: dict[str, Any], host: str, folders: Iterable[Path]) -> None:
    path, url = data.get("path"), data.get("url")
    if isinstance(path, str):
        if ADDRESS.match(path):
            raise RefusedError(400, "the studio fetches nothing from other addresses: upload the file instead")
        if path and "meta" in data and not _is_inside(path, folders):
            raise RefusedError(400, "the studio opens no file that was not uploaded to it")
    if isinstance(url, str) and ADDRESS.match(url) and not _is_own(url, host):
        raise RefusedError(400, "the studio fetches nothing from other addresses: upload the file instead")


def _is_inside(path: str, folders: Iterable[Path]) -> bool:
    try:
        real = Path(os.path.realpath(path))
    except (OSError, ValueError):  # a null in it
        return False
    return any(real.is_relative_to(folder) for folder in folders)


def _is_own(url: str, host: str) -> bool:
    """A picture in the address itself, as cameras send it, or a file of this very server as its page names it."""
    if url.startswith(("data:image/", "blob:")):
        return True
    try:
        parts, here = urlsplit(url), urlsplit(f"//{host}")
        same = parts.netloc.lower() == host or (
            is_this_computer(parts.hostname or "") and is_this_computer(here.hostname or "") and parts.port == here.port
        )
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and same and parts.path.startswith(f"{API}/file=")

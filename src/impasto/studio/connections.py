"""Connections that end when nobody is at their other end, or somebody who keeps the studio waiting."""

from __future__ import annotations

import asyncio

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from impasto.studio.limits import Limits
from impasto.studio.openings import is_this_computer


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP, in which a request's head has to come in time, and answers have to be read.

    uvicorn itself waits for both as long as it takes.
    """

    limits: Limits
    _head: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._has_too_many():
            transport.abort()
        self._head = self.loop.call_later(self.limits.patience, transport.abort)

    def _has_too_many(self) -> bool:
        client = self.client and self.client[0]
        if not client or is_this_computer(client):
            return False
        theirs = [getattr(one, "client", None) for one in self.connections]
        return sum(1 for one in theirs if one and one[0] == client) > self.limits.connections_of_one

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_head()
        elif self._head is None:  # the next request on the same connection
            self._head = self.loop.call_later(self.limits.patience, self.transport.abort)

    def on_response_complete(self) -> None:
        # The next request may have been here already.
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._stop_head()

    def _stop_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading = self.loop.call_later(self.limits.stall, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head()
        self._stop_reading()
        super().connection_lost(exc)


def configured(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """How uvicorn serves `app`: quietly, patient only so far, and ending within `limits.farewell`."""
    bound: type[asyncio.Protocol] = type("BoundProtocol", (PatientProtocol,), {"limits": limits})
    return uvicorn.Config(
        app,
        http=bound,
        ws="none",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # or whoever is on this computer could be anyone to `logins`
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=max(1, round(limits.farewell)),
    )

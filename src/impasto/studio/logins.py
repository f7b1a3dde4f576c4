"""Guessing passwords takes long, and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from impasto.studio.answers import RefusedError
from impasto.studio.limits import Limits

FORGOTTEN = 900.0
"""Seconds after which nothing is held against an address any more."""


@dataclass
class Attempt:
    """The attempts of one address, and how many of the last were wrong."""

    failures: int = 0
    waiting: int = 0
    last: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def note(self, succeeded: bool) -> None:
        """What became of it."""
        self.failures = 0 if succeeded else self.failures + 1


class Logins:
    """Lets one attempt of each address through at a time, later and later while the password is wrong."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[str, Attempt] = {}

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[Attempt]:
        """Waits until `address` may try again.

        Raises:
            RefusedError: too many of its attempts wait already.
        """
        attempt = self._of(address)
        if attempt.waiting >= self._limits.logins_waiting:
            raise RefusedError(429, "too many attempts to log in; please wait a minute")
        attempt.waiting += 1
        try:
            async with attempt.lock:
                await asyncio.sleep(self._delay(attempt.failures))
                yield attempt
        finally:
            attempt.waiting -= 1
            attempt.last = time.monotonic()

    def _delay(self, failures: int) -> float:
        beyond = failures - self._limits.logins_free
        return 0.0 if beyond < 0 else min(2.0 ** min(beyond, 20), self._limits.login_delay)

    def _of(self, address: str) -> Attempt:
        now = time.monotonic()
        for name in [name for name, it in self._known.items() if not it.waiting and now - it.last > FORGOTTEN]:
            del self._known[name]
        return self._known.setdefault(_network(address), Attempt(last=now))


def _network(address: str) -> str:
    """An IPv6 user has a whole network of addresses; it counts as one."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False)) if known.version == 6 else address

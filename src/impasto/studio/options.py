"""How a studio is started, checked before anything else happens."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from impasto.errors import ImpastoError
from impasto.studio.openings import is_this_computer

DEFAULT_PORT = 7860
PORTS = 20
"""How many ports are tried where none is named."""
AUTH_VARIABLE = "IMPASTO_STUDIO_AUTH"


@dataclass(frozen=True)
class StudioOptions:
    """What `serve` is told."""

    folder: Path | None = None
    """The library; None: `$IMPASTO_HOME/studio`, or that in the user's data folder."""
    host: str = "127.0.0.1"
    """The address or name to answer at."""
    port: int | None = None
    """The port; None: 7860 or the next free one."""
    auth: tuple[str, str] | None = None
    """The user's name and password that everyone has to give."""
    opens_browser: bool = False
    """Whether a browser is opened once the page is there."""

    def __post_init__(self) -> None:
        if self.port is not None and not 0 <= self.port <= 65535:
            raise ImpastoError(f"--port {self.port}: a port is a number from 1 to 65535")

    @property
    def is_private(self) -> bool:
        """Whether only this computer reaches it."""
        return is_this_computer(self.host)

    @property
    def hosts(self) -> Literal["this", "near", "any"]:
        """By which names it may be called; see `openings.check_host`."""
        if self.is_private:
            return "this"
        return "any" if self.auth else "near"

    def warning(self) -> str | None:
        """What whoever starts it should know, on one line."""
        if self.is_private:
            return None
        if self.auth is None:
            return f"warning: at {self.host} anyone who can reach this computer can use the studio; add --auth"
        return "note: without HTTPS in front, passwords and pictures travel unencrypted"


def parse_auth(text: str | None) -> tuple[str, str] | None:
    """The two parts of USER:PASSWORD, from the environment where `text` is None.

    The variable is removed, so that no process started from here inherits it.

    Raises:
        ImpastoError: it has another form. The message does not repeat it.
    """
    given = os.environ.pop(AUTH_VARIABLE, None)
    source = f"--auth (or {AUTH_VARIABLE})"
    text = given if text is None else text
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not colon or not user.strip() or not password:
        raise ImpastoError(f"{source} takes USER:PASSWORD, with neither of them empty")
    return user.strip(), password


def has_desktop() -> bool:
    """Whether a browser could be seen if it were opened."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def listening(options: StudioOptions) -> socket.socket:
    """A socket that nobody else can take any more; it answers when the server does.

    Raises:
        ImpastoError: the port is taken, or the host is none of this computer's.
    """
    first = DEFAULT_PORT if options.port is None else options.port
    last = first + PORTS if options.port is None else first + 1
    for port in range(first, last):
        try:
            return _bound(options.host, port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or (error.errno == errno.EACCES and options.port):
                raise ImpastoError(f"cannot answer at {options.host}:{port}: {error.strerror or error}") from error
    if options.port is None:
        raise ImpastoError(f"all ports from {first} to {last - 1} are taken; name a free one with --port")
    raise ImpastoError(f"port {first} is taken; name another with --port, or none to take the next free one")


def url_of(options: StudioOptions, port: int) -> str:
    """Where a browser on this computer finds it."""
    host = options.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    one = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there, it would let two programs have one port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(address)
        one.listen(512)
    except BaseException:
        one.close()
        raise
    return one

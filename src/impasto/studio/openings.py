"""Which of Gradio's addresses are open, and to whom."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from impasto.studio.answers import RefusedError

API = "/gradio_api"
OWN = "/studio/"
"""What the studio adds to Gradio's page lies here, behind the login as everything else."""

_PAGE = ("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json", "/pwa_icon")
_PARTS = ("/assets/", "/static/", "/svelte/", "/pwa_icon/")
_ASKING = ("user", "login_check", "app_id", "startup-events", "theme.css")
_READ = ("info", "openapi.json", "queue/data", "queue/status", "upload_progress")
_READ_BELOW = ("file=", "heartbeat/", "call/", "stream/")
_SENT = ("upload", "queue/join", "component_server", "cancel", "reset")
_SENT_BELOW = ("run/", "api/", "call/", "stream/")

# A letter and a colon may be a Windows drive.
ADDRESS = re.compile(r"[\x00-\x20]*(?:[a-z][a-z0-9+.-]+:|[/\\]{2})", re.IGNORECASE)
"""What begins like an address rather than a path on this machine."""


def check_open(method: str, path: str, pages: Collection[str]) -> None:
    """Refuses everything that an offline studio has no use for: a proxy, monitoring, deep links, editing, the Hub, …

    `pages` are the addresses of the studio's own pages besides `/`, such as `/train`.

    Raises:
        RefusedError: it is closed.
    """
    if method not in ("GET", "HEAD", "POST"):
        raise RefusedError(405, "only GET, HEAD and POST are known here")
    if path.startswith(OWN):
        return
    is_open = _may_be_sent(path) if method == "POST" else _may_be_read(path, pages)
    if not is_open:
        raise RefusedError(404, "there is nothing here")
    if path.startswith(f"{API}/file=") and ADDRESS.match(path.removeprefix(f"{API}/file=")):
        raise RefusedError(403, "the studio fetches nothing from other addresses")


def needs_login(path: str) -> bool:
    """Whether an address is closed to those who have not logged in: all but the page with its login form."""
    name = path.removeprefix(f"{API}/").rstrip("/")
    return path.startswith(OWN) or (path.startswith(f"{API}/") and name not in _ASKING)


def _may_be_read(path: str, pages: Collection[str]) -> bool:
    if path.startswith(f"{API}/"):
        return _is_one(path.removeprefix(f"{API}/"), (*_ASKING, *_READ), _READ_BELOW)
    return path.rstrip("/") in pages or _is_one(path, (*_PAGE, "/logout"), _PARTS)


def _may_be_sent(path: str) -> bool:
    if path.startswith(f"{API}/"):
        return _is_one(path.removeprefix(f"{API}/"), _SENT, _SENT_BELOW)
    return path.rstrip("/") == "/login"


def _is_one(name: str, names: Collection[str], beginnings: tuple[str, ...]) -> bool:
    return name in names or name.rstrip("/") in names or name.startswith(beginnings)


def check_host(headers: Headers, is_allowed: str) -> str:
    """The host that a request is for, as `name:port`.

    A foreign page can have its own name point to this computer (DNS rebinding); its requests name that name.

    Args:
        is_allowed: 'this' for names of this computer alone, 'near' for all that no stranger can own, 'any'.

    Raises:
        RefusedError: it is for another one.
    """
    hosts = headers.getlist("host")
    name = host_name(hosts[0]) if len(hosts) == 1 else None
    if not name:
        raise RefusedError(400, "the request does not say which host it is for")
    if is_allowed == "this" and not is_this_computer(name):
        raise RefusedError(403, "the studio answers to localhost alone; --host lets others reach it")
    if is_allowed == "near" and not _is_near(name):
        raise RefusedError(403, f"without --auth the studio answers to no internet name such as {name}")
    return hosts[0].lower()


def check_origin(headers: Headers, host: str, *, opens_page: bool = False) -> None:
    """Refuses what a page of somewhere else sends; programs send no origin, and are let through.

    `opens_page` is for what asks for a page of the studio: a link elsewhere may bring a visitor there, but not into a
    frame of its own.

    Raises:
        RefusedError: it is from elsewhere.
    """
    origin = headers.get("origin")
    # A proxy in front may have changed the host; no page can set this header without asking first, which is refused.
    ours = (host, headers.get("x-forwarded-host", host).split(",")[0].strip().lower())
    foreign = origin is not None and _place(origin) not in ours
    elsewhere = origin is None and headers.get("sec-fetch-site") in ("cross-site", "same-site")
    comes = opens_page and (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    if foreign or (elsewhere and not comes):
        raise RefusedError(403, "another web page may not use the studio")


def _place(origin: str) -> str | None:
    """The host and port of an origin; None where it is hidden ('null') or nonsense."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def host_name(host: str) -> str | None:
    """The name in `name:port`, without the brackets of an IPv6 address; None where it is no host."""
    match = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?", host.strip().lower())
    return None if match is None else match[1] or match[2]


def is_this_computer(name: str) -> bool:
    """Whether a host's name or address is that of the loopback."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _is_near(name: str) -> bool:
    """An address, a name without a dot, or one of the endings that belong to nobody."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith((".local", ".localhost", ".lan", ".home", ".internal", ".home.arpa"))
    return True

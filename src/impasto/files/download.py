"""Downloads that resume, that are checked before they count, and that never disturb one another."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, Literal

from impasto.errors import ImpastoError
from impasto.files.lock import alone

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds before each new try of a lost connection; whatever arrives starts the list anew."""

_CHUNK = 1 << 18
_REPORT_SECONDS = 0.1
_SPARE_BYTES = 50_000_000
_BUSY = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Source:
    """A file on the web, and how to tell that it is the right one."""

    urls: tuple[str, ...]
    """Addresses of the same file, tried in order; the last part of the first one is its name."""
    size: int | None = None
    """Its exact size in bytes, where known: checked."""
    about: int | None = None
    """Its rough size in bytes where the exact one is not known: for messages."""
    sha256: str = ""
    """SHA-256 in hex, or its beginning: checked."""
    md5: str = ""
    """MD5 in hex: checked."""

    @property
    def name(self) -> str:
        return urllib.parse.unquote(urllib.parse.urlsplit(self.urls[0]).path.rpartition("/")[2])

    @property
    def size_text(self) -> str:
        if self.size is not None:
            return size_text(self.size)
        return f"about {size_text(self.about)}" if self.about is not None else "size unknown"

    def moved_to(self, base: str) -> Source:
        """The same file on a mirror: `base` replaces all that stands before the file name; empty changes nothing.

        Raises:
            ImpastoError: `base` is not an http or https address.
        """
        if not base:
            return self
        try:
            address = urllib.parse.urlsplit(base)
            usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ImpastoError(f"{base!r} is not a mirror's address; it must begin with http:// or https://")
        return replace(self, urls=(f"{base.rstrip('/')}/{self.name}",))


@dataclass(frozen=True)
class Progress:
    """How far a download, a check or an unpacking is."""

    phase: Literal["wait", "download", "check", "extract"]
    """`wait`: another process is downloading this very file."""
    name: str
    """The file's name."""
    done: int
    """Bytes so far, those of an earlier run included."""
    total: int | None
    """Bytes in all; None where the server does not say."""


Report = Callable[[Progress], None]


class _LostError(Exception):
    """The connection broke or never came to be: worth another try."""


class _RefusedError(Exception):
    """This address will not do: on to the next one."""


def fetch(
    source: Source,
    target: Path,
    progress: Report | None = None,
    *,
    pauses: Sequence[float] = PAUSES,
    timeout: float = TIMEOUT,
) -> Path:
    """Downloads `source` to `target`, which is there whole and checked, or not at all.

    What arrives goes to `<target>.part`, which stays after Ctrl-C, a crash or a lost connection; the
    next call goes on from there. A `target` that already is the right file is left alone.

    Returns:
        `target`.

    Raises:
        ImpastoError: no address delivers the right file (the text says what to fetch by hand, from
            where, and where to put it), no room on the disk, or a folder that cannot be written to.
    """
    report: Report = progress or (lambda _: None)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target, lambda: report(Progress("wait", target.name, 0, source.size))):
            if target.is_file() and not difference(target, source, report):
                return target
            reasons = _try_all(source, target, report, pauses, timeout)
    except OSError as error:
        raise ImpastoError(f"cannot write {target}: {error.strerror or error}") from error
    if reasons:
        raise ImpastoError(_advice(source, target, reasons))
    return target


def difference(path: Path, source: Source, progress: Report | None = None) -> str:
    """What tells the file at `path` from `source`, in words; empty where nothing that is known does.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if source.size is not None and size != source.size:
        return f"it has {size:,} bytes instead of {source.size:,}"
    for algorithm, expected in (("sha256", source.sha256), ("md5", source.md5)):
        if expected:
            found = _digest(path, algorithm, progress)
            if not found.startswith(expected.lower()):
                return f"its {algorithm.upper()} is {found[: len(expected)]} instead of {expected}"
    return ""


def size_text(count: float) -> str:
    """`58889256` → `58.9 MB`."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def require_room(folder: Path, needed: int) -> None:
    """Raises ImpastoError where the disk of `folder` has no room for `needed` bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if needed > 0 and free < needed + _SPARE_BYTES:
        raise ImpastoError(
            f"not enough room in {folder}: {size_text(needed + _SPARE_BYTES)} needed, {size_text(free)} free; "
            "free some, or choose a folder on another disk"
        )


def _try_all(source: Source, target: Path, report: Report, pauses: Sequence[float], timeout: float) -> list[str]:
    """Why each address failed; empty once one has delivered."""
    reasons = []
    for url in source.urls:
        try:
            _Transfer(url, source, target, report, timeout).run(pauses)
            return []
        except _RefusedError as reason:
            reasons.append(f"{url}: {reason}")
    return reasons


def _advice(source: Source, target: Path, reasons: Sequence[str]) -> str:
    return (
        f"cannot download {source.name} ({source.size_text}) from {'; '.join(reasons)}; run this again to try again, "
        f"or, offline or behind a firewall, fetch {source.urls[0]} elsewhere and put it at {target}"
    )


@dataclass
class _Transfer:
    """One file from one address."""

    url: str
    source: Source
    target: Path
    report: Report
    timeout: float

    def __post_init__(self) -> None:
        self.part = self.target.with_name(self.target.name + ".part")
        self.tag = self.part.with_name(self.part.name + ".tag")
        self.total = self.source.size
        self.arrived = 0  # bytes of this run
        self.reported = 0.0

    def run(self, pauses: Sequence[float]) -> None:
        self._receive_all(pauses)
        wrong = difference(self.part, self.source, lambda seen: self.report(replace(seen, name=self.target.name)))
        if wrong:
            self._forget()
            raise _RefusedError(f"what came is not the right file, {wrong}; it was removed")
        self.part.replace(self.target)
        self.tag.unlink(missing_ok=True)

    def _receive_all(self, pauses: Sequence[float]) -> None:
        tries = 0
        while True:
            before = self.arrived
            try:
                return self._receive()
            except _LostError as error:
                tries = 1 if self.arrived > before else tries + 1
                # An address that never gave a byte is most likely out of reach: no use in long patience.
                if tries > (len(pauses) if self.arrived else min(1, len(pauses))):
                    raise _RefusedError(str(error)) from error
                time.sleep(pauses[tries - 1])

    def _receive(self) -> None:
        """Requests what is missing and appends it to the part."""
        have = self._usable()
        if have and have == self.source.size:
            return
        require_room(self.target.parent, (self.source.size or 0) - have)
        try:
            with self._open(have) as response:
                self._store(response, have)
        except urllib.error.HTTPError as error:
            self._answer_error(error, have)

    def _usable(self) -> int:
        """How many bytes of the part can be kept; it is removed where that is none."""
        have = self.part.stat().st_size if self.part.exists() else 0
        too_long = self.source.size is not None and have > self.source.size
        # Without a name of its version nor a hash, parts of two versions could end up in one file.
        checkable = self._validator() or self.source.sha256 or self.source.md5
        if have and (too_long or not checkable):
            self._forget()
            return 0
        return have

    def _open(self, have: int) -> HTTPResponse:
        request = urllib.request.Request(self.url, headers={"User-Agent": "impasto", "Accept-Encoding": "identity"})
        if have:
            request.add_header("Range", f"bytes={have}-")
            validator = self._validator()
            if validator:
                request.add_header("If-Range", validator)
        try:
            response: HTTPResponse = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError:
            raise
        except (HTTPException, OSError) as error:
            raise _LostError(_reason(error)) from error
        return response

    def _validator(self) -> str:
        """What the server called the version that the part is of, if the part came from this address."""
        with suppress(OSError, ValueError):
            url, validator = self.tag.read_text(encoding="utf-8").splitlines()
            if url == self.url:
                return validator
        return ""

    def _answer_error(self, error: urllib.error.HTTPError, have: int) -> None:
        error.close()
        if error.code == 416:
            # Nothing lies behind what we have: either it is all there, or it is of some other file.
            if error.headers.get("Content-Range", "") == f"bytes */{have}":
                return
            self._forget()
            raise _LostError("the partial file does not fit what the server has")
        message = f"HTTP {error.code} {error.reason}"
        raise _LostError(message) if error.code in _BUSY else _RefusedError(message)

    def _store(self, response: HTTPResponse, have: int) -> None:
        length = response.headers.get("Content-Length")
        start, total = (0, int(length)) if length and length.isdigit() else (0, None)
        if response.status == 206:
            start, total = _content_range(response.headers.get("Content-Range", ""))
            if start != have:
                self._forget()
                raise _LostError("the server sent another part than asked for")
        if total is not None and self.source.size is not None and total != self.source.size:
            raise _RefusedError(f"the file there has {total:,} bytes instead of {self.source.size:,}")
        self.total = self.source.size if self.source.size is not None else total
        require_room(self.target.parent, (self.total or 0) - start)
        if start == 0:
            self._note_validator(response)
        with self.part.open("ab" if start else "wb") as file:
            self._copy(response, file, start)

    def _note_validator(self, response: HTTPResponse) -> None:
        validator = response.headers.get("ETag", "")
        if not validator or validator.startswith("W/"):  # If-Range takes strong ones only
            validator = response.headers.get("Last-Modified", "")
        # The old part goes first: it must never lie beside the name of a newer version.
        self.part.unlink(missing_ok=True)
        self.tag.write_text(f"{self.url}\n{validator}\n", encoding="utf-8")

    def _copy(self, response: HTTPResponse, file: BinaryIO, done: int) -> None:
        self._say(done, now=True)
        while True:
            try:
                chunk = response.read1(_CHUNK)
            except (HTTPException, OSError) as error:
                raise _LostError(_reason(error)) from error
            if not chunk:
                break
            file.write(chunk)
            done, self.arrived = done + len(chunk), self.arrived + len(chunk)
            if self.source.size is not None and done > self.source.size:
                break  # longer than it may be; the check says so
            self._say(done)
        if self.total is not None and done < self.total:
            raise _LostError(f"the connection broke after {done:,} of {self.total:,} bytes")
        file.flush()
        os.fsync(file.fileno())
        self._say(done, now=True)

    def _say(self, done: int, now: bool = False) -> None:
        moment = time.monotonic()
        if now or moment - self.reported >= _REPORT_SECONDS:
            self.reported = moment
            self.report(Progress("download", self.target.name, done, self.total))

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)


def _content_range(text: str) -> tuple[int, int | None]:
    """`bytes 5-9/10` → (5, 10); (-1, None) where it says something else."""
    span, _, total = text.removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    return (int(start) if start.isdigit() else -1, int(total) if total.isdigit() else None)


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        error = inner
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _digest(path: Path, algorithm: str, progress: Report | None) -> str:
    total, done, said = path.stat().st_size, 0, time.monotonic()
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
            done += len(chunk)
            if progress and (done == total or time.monotonic() - said >= _REPORT_SECONDS):
                said = time.monotonic()
                progress(Progress("check", path.name, done, total))
    return hasher.hexdigest()

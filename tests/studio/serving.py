"""Starts the real server for tests, watched for connections to elsewhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx

# Python runs this by itself in every process that has it in its path.
WATCH = """
import os, socket, sys

def watch(event, details):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        place = details[1]
        if not isinstance(place, tuple) or place[0] in ("127.0.0.1", "::1"):
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        place = details[0]
        if place in (None, "", "127.0.0.1", "::1", "localhost", "0.0.0.0"):
            return
    else:
        return
    with open(os.environ["WATCHED"], "a") as file:
        file.write(f"{event} {place}\\n")

sys.addaudithook(watch)
"""

WITH_LIMITS = """
from impasto.studio.limits import Limits
from impasto.studio import server
import impasto.cli
serve = server.serve
server.serve = lambda options, announce: serve(options, announce, Limits({limits}))
impasto.cli.main()
"""


class Studio:
    """A running `impasto studio` in a folder of its own.

    Args:
        folder: Holds its temporary files, its library and what the watch has seen.
        limits: Arguments of `Limits`, as Python writes them.
    """

    def __init__(self, folder: Path, *arguments: str, limits: str = "", **env: str) -> None:
        self.temporary, self.library, self.watched = folder / "tmp", folder / "home" / "studio", folder / "watched"
        (folder / "hook").mkdir(parents=True, exist_ok=True)
        (folder / "hook" / "sitecustomize.py").write_text(WATCH)
        self.temporary.mkdir(exist_ok=True)
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would stop it
        program = ["-c", WITH_LIMITS.format(limits=limits)] if limits else ["-m", "impasto"]
        self.process = subprocess.Popen(
            [sys.executable, *program, "studio", "--no-open", *arguments],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(folder / "hook"), os.environ.get("PYTHONPATH", "")]),
                "TMPDIR": str(self.temporary),
                "IMPASTO_HOME": str(folder / "home"),
                "WATCHED": str(self.watched),
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            preexec_fn=_with_usual_signals,
        )
        self.url = ""

    def wait(self) -> Studio:
        """Returns once it has said where it answers."""
        assert self.process.stdout is not None
        timer = threading.Timer(60, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        found = re.fullmatch(r"Impasto studio: (http://127\.0\.0\.1:\d+)  \(Ctrl-C ends it\)\n", line)
        assert found, line + self.said()
        self.url = found[1]
        return self

    @property
    def scratch(self) -> Path:
        (path,) = self.temporary.glob("impasto-studio-*")
        return path

    def client(self, **settings: object) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20, **settings)  # type: ignore[arg-type]

    def end(self, by: signal.Signals) -> tuple[int, str, str]:
        """The exit code, and what it said from then on, on stdout and stderr."""
        before = len(self.said())
        self.process.send_signal(by)
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out, self.said()[before:]

    def said(self) -> str:
        """All of its stderr so far."""
        self._errors.seek(0)
        return self._errors.read()

    def seen(self) -> str:
        """The connections to elsewhere that it tried."""
        return self.watched.read_text() if self.watched.exists() else ""


def _with_usual_signals() -> None:
    """A shell starts what runs in the background deaf to Ctrl-C."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)

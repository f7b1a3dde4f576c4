"""A studio of its own for tests: the real command, in a process."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class Server:
    """`impasto studio` on a free port, with a library of its own; it answers once this is made."""

    def __init__(self, library: Path, cache: Path, *options: str) -> None:
        self.library = library
        self.log = library.parent / f"{library.name}.log"
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = str(found.getsockname()[1])
        command = [sys.executable, "-m", "impasto", "studio", "--no-open", "--port", port, "--folder", str(library)]
        with self.log.open("a") as errors:
            self.process = subprocess.Popen(
                [*command, *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "IMPASTO_CACHE": str(cache)},
            )
        self.url = self._address()

    def _address(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := ADDRESS.search(line):
                return found[0]
        raise AssertionError(f"the studio did not start: {self.log.read_text()}")

    def kill(self) -> None:
        """As the system does when the memory is short."""
        self.process.kill()
        self.process.wait(30)

    def close(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

"""A process that trains along with the leader of its computer: ``python -m impasto.training.follower …``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from impasto.training import ranks, together


def end_with_the_leader() -> None:
    """Its end of the pipe closes when it dies, even where nothing else would tell."""
    os.read(sys.stdin.fileno(), 1)  # not by sys.stdin, whose lock a forked worker would wait for
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the leader decides
    threading.Thread(target=end_with_the_leader, daemon=True).start()
    node, local, devices, nodes, address, port = sys.argv[1:7]
    rest: list[Any] = sys.argv[7:]
    place = ranks.Place(int(node), int(local), int(devices), int(nodes), address, int(port))
    print(ranks.READY, flush=True)
    sys.exit(together.accompany(place, *rest))

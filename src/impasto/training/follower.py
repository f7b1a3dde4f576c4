"""A process that trains along with the leader of its computer: ``python -m impasto.training.follower …``."""

from __future__ import annotations

import sys
from typing import Any

from impasto.training import ranks, together

if __name__ == "__main__":
    node, local, devices, nodes, address, port = sys.argv[1:7]
    rest: list[Any] = sys.argv[7:]
    place = ranks.Place(int(node), int(local), int(devices), int(nodes), address, int(port))
    print(ranks.READY, flush=True)
    sys.exit(together.accompany(place, *rest))

"""Photos that are files of their own, far away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from impasto.files.collection.index import Names
from impasto.files.collection.places import opened


class FarFiles:
    """Photos by URI, each fetched alone: in any order."""

    far = True

    def __init__(self, uris: Sequence[str]) -> None:
        self.uris = Names.of([uri.encode(errors="surrogateescape") for uri in uris])

    def __len__(self) -> int:
        return len(self.uris)

    def name(self, number: int) -> str:
        return self.uris[number].decode(errors="surrogateescape")

    def data(self, number: int) -> bytes:
        with opened(self.name(number)) as file:
            return file.read()

    def blocks(self) -> None:
        return None

    def identity(self) -> Iterator[bytes]:
        yield self.uris.text.tobytes()
        yield self.uris.bounds.tobytes()

"""What was encoded so far, in a folder beside the result, so that nothing is lost when a program ends early."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

from impasto.errors import ImpastoError
from impasto.files import atomic
from impasto.files.video.reading import explained

SETTINGS = "settings.json"
UNFINISHED = "unfinished"


class Parts:
    """Pieces of a video, pictures alone, each a whole file with its number and its first time as a name."""

    def __init__(self, target: Path, suffix: str) -> None:
        """Those of the result `target`, in files with this suffix."""
        self.folder = target.with_name(target.name + ".parts")
        self.suffix = suffix
        self.unfinished = self.folder / f"{UNFINISHED}{suffix}"

    def begin(self, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> None:
        """Makes the folder; to resume, finds it.

        Raises:
            ImpastoError: there are parts that must not be replaced, or they were made with other settings.
        """
        if self.folder.exists() and not resume:
            if not overwrite:
                raise ImpastoError(
                    f"{self.folder} holds what a stopped run has done; add --resume to go on, or --overwrite"
                )
            self.remove()
        if (self.folder / SETTINGS).exists():
            self._check(settings)
            self.unfinished.unlink(missing_ok=True)
        else:
            atomic.write_bytes(self.folder / SETTINGS, json.dumps(settings, indent=1).encode())

    def _check(self, settings: Mapping[str, Any]) -> None:
        try:
            before = json.loads((self.folder / SETTINGS).read_bytes())
        except (OSError, ValueError):
            before = None
        if not isinstance(before, dict):
            raise ImpastoError(f"cannot go on: {self.folder / SETTINGS} is damaged; --overwrite begins again")
        for name, value in json.loads(json.dumps(settings)).items():
            if (begun := before.get(name)) != value:
                plain = not isinstance(begun, list) and not isinstance(value, list)
                what = f"{name} {begun}, not {value}" if plain else f"another {name}"
                raise ImpastoError(
                    f"cannot go on: the stopped run was begun with {what}; give the same, or --overwrite to begin again"
                )

    def __iter__(self) -> Iterator[tuple[Path, Fraction]]:
        """The parts in order, each with the time of its first frame in seconds."""
        for path in sorted(self.folder.glob(f"[0-9]*_*_*{self.suffix}")):
            _, numerator, denominator = path.stem.split("_")
            yield path, Fraction(int(numerator), int(denominator))

    def keep(self, first: Fraction) -> None:
        """Makes the unfinished part, which begins at that time, one of them."""
        name = f"{len(list(self)):06}_{first.numerator}_{first.denominator}{self.suffix}"
        self.unfinished.rename(self.folder / name)

    @property
    def last(self) -> Fraction | None:
        """Time of the last frame of all, in seconds."""
        parts = list(self)
        return None if not parts else max((packet.pts or 0) * packet.time_base for packet in _packets(*parts[-1]))

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Of all parts, with their times in the whole."""
        last: int | None = None
        for part in self:
            for packet in _packets(*part):
                # Where frames come unevenly, a part may begin before the last one has ended, in decoding order.
                if last is not None and (packet.dts or 0) <= last:
                    packet.dts = last + 1
                last = packet.dts
                yield packet

    def remove(self) -> None:
        """Deletes all that is ours in the folder, and the folder if nothing else is in it."""
        for path in [*self.folder.glob(f"[0-9]*_*_*{self.suffix}"), self.unfinished, self.folder / SETTINGS]:
            path.unlink(missing_ok=True)
        if self.folder.exists() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def _packets(path: Path, first: Fraction) -> Iterator[Packet[VideoStream]]:
    with explained("read", path), av.open(str(path), "r") as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.pts is not None and packet.dts is not None:
                ticks = round(first / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                yield packet

"""Training photos: read, drawn, or both, by worker processes; memory independent of their number.

Broken ones are left out and named.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from impasto.config import TrainConfig
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.files.collection import Collection, open_collection
from impasto.training.allocator import keep_memory
from impasto.training.pixels import square, to_tensor
from impasto.training.synthetic import BLOCK, SyntheticPhotos

SAMPLE = 512
"""How many photos are read in full before a training starts, to say at once that a folder is no good."""
SAMPLE_FAR = 32
TOLERATED_SHARE = 0.1
MAX_WORKERS = 8
FEW_PHOTOS = 500
SYNTHETIC_EPOCH = 2048
"""How many photos an epoch has when all of them are drawn."""
# Workers that torch spawns abort now and then when an epoch is left early.
START_ANEW = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
MOST_BROKEN_IN_A_ROW = 20
_FRACTION, _SAMPLE = -1, -2
"""What random numbers are for, beside the epochs from 0 on."""


Portions = Sequence[NDArray[np.int64]] | NDArray[np.int64]


class Chunk(NamedTuple):
    """What a worker made of a few places in the order."""

    photos: Tensor  # uint8 (n, 3, S, S)
    broken: dict[str, str]  # name → problem, of those whose places others took


class PhotoBatch(NamedTuple):
    """A batch, and the place in the epoch's order after its last photo."""

    photos: Tensor  # uint8 (B, 3, S, S)
    position: int


class Share(NamedTuple):
    """The part of every batch that is this process's own, where several train together."""

    rank: int
    of: int


ALL = Share(0, 1)


@dataclass
class _Reader(Dataset[Chunk]):
    """Reads or draws places of an epoch's order, in which `len(collection)` means a drawn photo.

    The place of a photo that can't be read is taken by the next one that can, so that batches stay what they are.
    """

    collection: Collection
    order: NDArray[np.int64]
    config: TrainConfig
    synthetic: SyntheticPhotos
    epoch: int

    def __getitem__(self, places: NDArray[np.int64]) -> Chunk:
        broken: dict[str, str] = {}
        photos = [photo for place in places if (photo := self._first_from(int(place), broken)) is not None]
        size = self.config.image_size
        return Chunk(torch.stack(photos) if photos else torch.empty(0, 3, size, size, dtype=torch.uint8), broken)

    def _first_from(self, place: int, broken: dict[str, str]) -> Tensor | None:
        for further in range(MOST_BROKEN_IN_A_ROW):
            there = (place + further) % len(self.order)
            number = int(self.order[there])
            if number >= len(self.collection):
                return self.synthetic.photo(self.epoch, there)
            try:
                return read_photo(self.collection, number, self.config)
            except ImpastoError as error:
                broken[self.collection.name(number)] = str(error)
        return None


def read_photo(collection: Collection, number: int, config: TrainConfig) -> Tensor:
    """The photo as uint8 (3, image_size, image_size). Raises ImpastoError if it cannot be read."""
    name, data = collection[number]
    pixels = images.read_small(name, at_least=config.image_size, data=data)
    return to_tensor(square(pixels, config.image_size, config.fit))


@dataclass
class Photos:
    """The photos of a training: those that are read, how many are drawn, and those that are broken.

    An epoch has each photo once and `drawn` new synthetic ones, in one random order.
    """

    collection: Collection
    config: TrainConfig
    broken: dict[str, str] = field(default_factory=dict)
    drawn: int = 0
    share: Share = ALL

    def __post_init__(self) -> None:
        self._synthetic = SyntheticPhotos(self.config.seed, self.config.image_size)
        self._in_sample = 0

    @classmethod
    def find(
        cls,
        sources: Sequence[str | os.PathLike[str]],
        config: TrainConfig,
        share: Share = ALL,
    ) -> Self:
        """The photos of `sources` (:func:`open_collection`), or the share of them that the configuration asks for.

        ``config.synthetic`` is the share of drawn photos in an epoch; without sources all are drawn.

        Raises:
            ImpastoError: fewer photos than a batch, or more than a tenth of a sample broken.
        """
        if not sources or config.synthetic == 1:
            return cls._all_drawn(config, share)
        collection = open_collection(sources)
        found = len(collection)
        if config.fraction < 1:
            chosen = _random(config.seed, _FRACTION).permutation(found)[: round(found * config.fraction)]
            collection = collection.reduced(np.sort(chosen))
        drawn = round(len(collection) * config.synthetic / (1 - config.synthetic))
        photos = cls(collection, config, drawn=drawn, share=share)
        if not len(collection) or photos.usable < config.batch_size:
            used = f", of which --fraction leaves {len(collection)}" if len(collection) < found else ""
            raise ImpastoError(
                f"found {found} photos in {', '.join(map(str, sources))}{used}, and a batch needs {config.batch_size}; "
                "name a folder with more photos, or a smaller --batch-size"
            )
        photos._check_sample()
        return photos

    @classmethod
    def _all_drawn(cls, config: TrainConfig, share: Share) -> Self:
        photos = cls(Collection([]), config, drawn=max(1, round(SYNTHETIC_EPOCH * config.fraction)), share=share)
        if photos.drawn < config.batch_size:
            raise ImpastoError(
                f"an epoch has {photos.drawn} drawn photos, and a batch needs {config.batch_size}; "
                "take a larger --fraction, or a smaller --batch-size"
            )
        return photos

    @property
    def usable(self) -> int:
        """How many photos an epoch has, less those known to be broken."""
        return len(self.collection) - len(self.broken) + self.drawn

    @property
    def batches_per_epoch(self) -> int:
        return (len(self.collection) + self.drawn) // self.config.batch_size

    def epoch(self, epoch: int, position: int = 0) -> Iterator[PhotoBatch]:
        """This process's share of the batches of epoch number `epoch`, from the place `position` in its order on.

        An incomplete last batch is dropped.
        """
        batch, size = self.config.batch_size, self.config.batch_size // self.share.of
        places = np.arange(position, self.batches_per_epoch * batch)
        places = places[(places - position) % batch // size == self.share.rank]
        photos = torch.empty(0)
        for chunk in self._chunks(self._order(epoch), self._portions(places, size), epoch):
            photos = torch.cat([photos, chunk.photos]) if len(photos) else chunk.photos
            self.note_broken(chunk.broken)
            while len(photos) >= size:
                position += batch
                yield PhotoBatch(photos[:size], position)
                photos = photos[size:]

    def samples(self, count: int) -> Tensor:
        """Up to `count` photos to look at, always the same, uint8 (n, 3, S, S): first of those read, then drawn ones.

        There are fewer only where all photos are read and the first of them are broken or few.
        """
        photos: list[Tensor] = []
        for number in range(min(4 * count, len(self.collection))):
            if len(photos) < count:
                with suppress(ImpastoError):  # the epoch names it
                    photos.append(read_photo(self.collection, number, self.config))
        if self.drawn:
            photos += [self._synthetic.sample(number) for number in range(count - len(photos))]
        size = self.config.image_size
        return torch.stack(photos) if photos else torch.empty(0, 3, size, size, dtype=torch.uint8)

    @property
    def digest(self) -> str:
        """Tells one list of photos from another."""
        return f"{self.collection.digest()} and {self.drawn} drawn"

    def note_broken(self, broken: dict[str, str]) -> None:
        """Remembers photos that could not be read. Raises ImpastoError when they are more than a tenth."""
        new = {name: problem for name, problem in broken.items() if name not in self.broken}
        self.broken.update(new)
        # Each process knows those of its own share, and all of them those of the sample.
        tolerated = TOLERATED_SHARE * len(self.collection) / self.share.of
        found_here = len(self.broken) - self._in_sample * (1 - 1 / self.share.of)
        if new and (found_here > tolerated or len(broken) >= MOST_BROKEN_IN_A_ROW):
            raise ImpastoError(self.complaint(f"{len(self.broken)} of {len(self.collection)} photos cannot be read"))

    def complaint(self, what: str) -> str:
        named = "; ".join(list(self.broken.values())[:3])
        return f"{what}: {named}{'; …' if len(self.broken) > 3 else ''}. Mend or remove them, or name another folder"

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """The numbers of the collection in the epoch's order; the one behind the last stands for all drawn photos."""
        random = _random(self.config.seed, epoch)
        read = self.collection.order(random)
        if not self.drawn:
            return read
        order = np.full(len(read) + self.drawn, len(read))
        order[np.sort(random.permutation(len(order))[: len(read)])] = read
        return order

    def _check_sample(self) -> None:
        order = self.collection.order(_random(self.config.seed, 0 if self.collection.far else _SAMPLE))
        # What is far away is fetched in large pieces: those of the first epoch's beginning are needed anyway.
        count = min(SAMPLE_FAR if self.collection.far else SAMPLE, len(order))
        for chunk in self._chunks(order[:count], np.array_split(np.arange(count), -(-count // 32)), epoch=0):
            self.broken.update(chunk.broken)
        if len(self.broken) > TOLERATED_SHARE * count or self.usable < self.config.batch_size:
            raise ImpastoError(self.complaint(f"{len(self.broken)} of the first {count} photos tried cannot be read"))
        self._in_sample = len(self.broken)

    def _portions(self, places: NDArray[np.int64], size: int) -> Portions:
        """Places in portions for the workers."""
        if not self.drawn:
            return places.reshape(-1, size)
        # Drawn photos come cheapest by whole blocks, wherever the epoch goes on.
        return np.split(places, np.flatnonzero(np.diff(places // BLOCK)) + 1)

    def _chunks(self, order: NDArray[np.int64], portions: Portions, epoch: int) -> Iterator[Chunk]:
        workers = choose_workers(self.config.workers) if len(portions) > 2 else 0
        if self.drawn:
            self._synthetic.prepare()
        loader = DataLoader(
            _Reader(self.collection, order, self.config, self._synthetic, epoch),
            sampler=portions,
            batch_size=None,
            num_workers=workers,
            # A block of drawn photos is a supply for many batches, and large.
            prefetch_factor=(1 if self.drawn else 4) if workers else None,
            worker_init_fn=_start_worker if workers else None,
            multiprocessing_context=START_ANEW if workers and self.collection.far else None,
        )
        yield from loader


def choose_workers(workers: int) -> int:
    """-1 leaves the cores to the network but one in four, one at least."""
    return workers if workers >= 0 else max(1, min(MAX_WORKERS, (os.cpu_count() or 1) // 4))


def _start_worker(_: int) -> None:
    # Ctrl-C reaches every process of the terminal; the main one decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_memory(False)  # photos of any size come through here


def _random(seed: int, purpose: int) -> np.random.Generator:
    """Random numbers that depend on the seed and on what they are for, so that any epoch can be drawn by itself."""
    return np.random.default_rng(np.random.SeedSequence([seed, purpose - min(_FRACTION, _SAMPLE)]))

"""Training photos: read from folders, drawn, or both, by worker processes; memory independent of their number.

Broken files are skipped and named.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from impasto.config import TrainConfig
from impasto.errors import ImpastoError
from impasto.files import images
from impasto.training.synthetic import BLOCK, SyntheticPhotos

SAMPLE = 512
"""How many photos are read in full before a training starts, to say at once that a folder is no good."""
TOLERATED_SHARE = 0.1
MAX_WORKERS = 8
FEW_PHOTOS = 500
SYNTHETIC_EPOCH = 2048
"""How many photos an epoch has when all of them are drawn."""
JOB = "job.json"
"""The file that tells a run folder, whose pictures are no photos."""


def square(pixels: NDArray[np.uint8], size: int, fit: str) -> NDArray[np.uint8]:
    """`pixels` (H, W, 3) as (size, size, 3): `fit` is stretch, or crop for the largest centred square.

    The third way, keep, makes the short side `size` and keeps the shape.
    """
    height, width = pixels.shape[:2]
    short = min(height, width)
    box: tuple[float, float, float, float] | None = None
    target = (size, size)
    if fit == "crop":
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
    elif fit == "keep":
        target = (round(width * size / short), round(height * size / short))
    resized = Image.fromarray(pixels).resize(target, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    return np.asarray(resized)


def without_margin(pixels: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """`pixels` (H, W, 3) without that share of its height and width along each side."""
    top, left = (int(side * share) for side in pixels.shape[:2])
    return pixels[top : pixels.shape[0] - top, left : pixels.shape[1] - left]


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (H, W, 3) → uint8 (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def to_float(photos: Tensor) -> Tensor:
    """uint8 in 0..255 → float32 in [0, 1]."""
    return photos.float() / 255


class Chunk(NamedTuple):
    """What a worker made of a few places in the order."""

    photos: Tensor  # uint8 (n, 3, S, S), those that could be read, and those drawn
    places: list[int]  # the place in the epoch's order of each
    broken: dict[str, str]  # path → problem


class PhotoBatch(NamedTuple):
    """A batch, and the place in the epoch's order after its last photo."""

    photos: Tensor  # uint8 (B, 3, S, S)
    position: int


@dataclass
class _Reader(Dataset[Chunk]):
    """Reads or draws places of an epoch's order, whose numbers from `len(paths)` on mean drawn photos.

    The paths lie in one array, which forked workers share untouched, and so do the textures of drawn photos.
    """

    paths: NDArray[np.bytes_]
    order: NDArray[np.int64]
    config: TrainConfig
    synthetic: SyntheticPhotos
    epoch: int

    def __getitem__(self, places: Sequence[int]) -> Chunk:
        photos, good, broken = [], [], {}
        for place in places:
            number = self.order[place]
            if number >= len(self.paths):
                photos.append(self.synthetic.photo(self.epoch, place))
                good.append(place)
                continue
            path = Path(os.fsdecode(self.paths[number]))
            try:
                photos.append(read_photo(path, self.config))
                good.append(place)
            except ImpastoError as error:
                broken[str(path)] = str(error)
        size = self.config.image_size
        stacked = torch.stack(photos) if photos else torch.empty(0, 3, size, size, dtype=torch.uint8)
        return Chunk(stacked, good, broken)


def read_photo(path: Path, config: TrainConfig) -> Tensor:
    """The photo as uint8 (3, image_size, image_size). Raises ImpastoError if it cannot be read."""
    pixels = images.read_small(path, at_least=config.image_size)
    return to_tensor(square(pixels, config.image_size, config.fit))


@dataclass
class Photos:
    """The photos of a training: the paths of those that are read, how many are drawn, and those that are broken.

    An epoch has each path once and `drawn` new synthetic photos, in one random order.
    """

    paths: list[Path]
    config: TrainConfig
    broken: dict[str, str] = field(default_factory=dict)
    drawn: int = 0

    def __post_init__(self) -> None:
        self._synthetic = SyntheticPhotos(self.config.seed, self.config.image_size)

    @classmethod
    def find(cls, folders: Sequence[str | os.PathLike[str]], config: TrainConfig) -> Photos:
        """The readable photos under `folders`, or the share of them that the configuration asks for.

        ``config.synthetic`` is the share of drawn photos in an epoch; without folders all are drawn.

        Raises:
            ImpastoError: fewer photos than a batch, or more than a tenth of a sample broken.
        """
        if not folders or config.synthetic == 1:
            return cls._all_drawn(config)
        paths = without_run_folders(images.find([Path(folder) for folder in folders]))
        found = len(paths)
        if config.fraction < 1:
            chosen = torch.randperm(len(paths), generator=_generator(config.seed, -1))
            paths = [paths[i] for i in sorted(chosen[: round(len(paths) * config.fraction)].tolist())]
        photos = cls(paths, config, drawn=round(len(paths) * config.synthetic / (1 - config.synthetic)))
        where = ", ".join(str(folder) for folder in folders)
        if not paths or photos.usable < config.batch_size:
            used = f", of which --fraction leaves {len(paths)}" if len(paths) < found else ""
            raise ImpastoError(
                f"found {found} photos in {where}{used}, and a batch needs {config.batch_size}; "
                "name a folder with more photos, or a smaller --batch-size"
            )
        photos._check_sample()
        return photos

    @classmethod
    def _all_drawn(cls, config: TrainConfig) -> Photos:
        photos = cls([], config, drawn=max(1, round(SYNTHETIC_EPOCH * config.fraction)))
        if photos.drawn < config.batch_size:
            raise ImpastoError(
                f"an epoch has {photos.drawn} drawn photos, and a batch needs {config.batch_size}; "
                "take a larger --fraction, or a smaller --batch-size"
            )
        return photos

    @property
    def usable(self) -> int:
        """How many photos an epoch has."""
        return len(self.paths) - len(self.broken) + self.drawn

    @property
    def batches_per_epoch(self) -> int:
        return self.usable // self.config.batch_size

    def epoch(self, epoch: int, position: int = 0) -> Iterator[PhotoBatch]:
        """The batches of epoch number `epoch`, from a place in its order on; an incomplete last one is dropped."""
        count = len(self.paths) + self.drawn
        order = torch.randperm(count, generator=_generator(self.config.seed, epoch)).numpy()
        size = self.config.batch_size
        photos = torch.empty(0)
        places: list[int] = []
        for chunk in self._chunks(order, self._portions(position, count), epoch):
            self.note_broken(chunk.broken)
            for place in chunk.places if self.broken else ():
                if order[place] < len(self.paths):
                    self.broken.pop(str(self.paths[order[place]]), None)  # mended since
            photos = torch.cat([photos, chunk.photos]) if places else chunk.photos
            places += chunk.places
            while len(places) >= size:
                yield PhotoBatch(photos[:size], places[size - 1] + 1)
                photos, places = photos[size:], places[size:]

    def samples(self, count: int) -> Tensor:
        """Up to `count` photos to look at, always the same, uint8 (n, 3, S, S): first of those read, then drawn ones.

        There are fewer only where all photos are read and the first of them are broken or few.
        """
        photos: list[Tensor] = []
        for path in self.paths[: 4 * count]:
            if len(photos) < count and str(path) not in self.broken:
                with suppress(ImpastoError):  # it vanished since; the next epoch will name it
                    photos.append(read_photo(path, self.config))
        if self.drawn:
            photos += [self._synthetic.sample(number) for number in range(count - len(photos))]
        size = self.config.image_size
        return torch.stack(photos) if photos else torch.empty(0, 3, size, size, dtype=torch.uint8)

    @property
    def digest(self) -> str:
        """Tells one list of photos from another."""
        names = [os.fsencode(path) for path in self.paths]
        if self.drawn:
            names.append(f"and {self.drawn} drawn".encode())
        return hashlib.sha256(b"\0".join(names)).hexdigest()

    def note_broken(self, broken: dict[str, str]) -> None:
        """Remembers photos that could not be read. Raises ImpastoError when they are more than a tenth."""
        new = {path: problem for path, problem in broken.items() if path not in self.broken}
        self.broken.update(new)
        if new and len(self.broken) > TOLERATED_SHARE * len(self.paths):
            raise ImpastoError(self.complaint(f"{len(self.broken)} of {len(self.paths)} photos cannot be read"))

    def complaint(self, what: str) -> str:
        named = "; ".join(list(self.broken.values())[:3])
        return f"{what}: {named}{'; …' if len(self.broken) > 3 else ''}. Mend or remove them, or name another folder"

    def _check_sample(self) -> None:
        order = torch.randperm(len(self.paths), generator=_generator(self.config.seed, -2)).numpy()[:SAMPLE]
        tried = 0
        for chunk in self._chunks(order, _split(range(len(order)), 32), epoch=0):
            tried += len(chunk.places) + len(chunk.broken)
            self.broken.update(chunk.broken)
        if len(self.broken) > TOLERATED_SHARE * tried or self.usable < self.config.batch_size:
            raise ImpastoError(self.complaint(f"{len(self.broken)} of the first {tried} photos tried cannot be read"))

    def _portions(self, position: int, count: int) -> list[range]:
        """The rest of an epoch's places in portions for the workers."""
        if not self.drawn:
            return _split(range(position, count), self.config.batch_size)
        # Drawn photos come cheapest by whole blocks, wherever the epoch goes on.
        begun = range(position, min(count, -(-position // BLOCK) * BLOCK))
        return [*([begun] if begun else []), *_split(range(begun.stop, count), BLOCK)]

    def _chunks(self, order: NDArray[np.int64], portions: Sequence[range], epoch: int) -> Iterator[Chunk]:
        workers = choose_workers(self.config.workers) if len(portions) > 2 else 0
        if self.drawn:
            self._synthetic.prepare()
        loader = DataLoader(
            _Reader(np.array([os.fsencode(path) for path in self.paths]), order, self.config, self._synthetic, epoch),
            sampler=portions,
            batch_size=None,
            num_workers=workers,
            # A block of drawn photos is a supply for many batches, and large.
            prefetch_factor=(1 if self.drawn else 4) if workers else None,
            worker_init_fn=_start_worker if workers else None,
        )
        yield from loader


def _split(places: range, size: int) -> list[range]:
    return [places[i : i + size] for i in range(0, len(places), size)]


def without_run_folders(paths: Sequence[Path]) -> list[Path]:
    """The paths but those in a run folder or its sub-folders, where earlier trainings left their pictures."""

    @cache
    def is_of_a_run(folder: Path) -> bool:
        return (folder / JOB).exists() or (folder.parent / JOB).exists()

    return [path for path in paths if not is_of_a_run(path.parent)]


def choose_workers(workers: int) -> int:
    """-1 leaves the cores to the network but one in four, one at least."""
    return workers if workers >= 0 else max(1, min(MAX_WORKERS, (os.cpu_count() or 1) // 4))


def _start_worker(_: int) -> None:
    # Ctrl-C reaches every process of the terminal; the main one decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _generator(seed: int, stream: int) -> torch.Generator:
    """Random numbers that depend on the seed and on what they are for, so that any epoch can be drawn by itself."""
    mixed = np.random.SeedSequence([seed, stream + 1000]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed) % 2**63)

"""Many photos: order, laziness, errors, threads, batches."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from networks import style_of

from impasto.errors import ImpastoError
from impasto.files.images import read
from impasto.stylizing.backends import make_backend
from impasto.stylizing.batching import Batching
from impasto.stylizing.mapping import in_order
from impasto.stylizing.samples import planes_of
from impasto.stylizing.stylizer import Stylizer
from support import photo


@pytest.fixture
def stylizer() -> Stylizer:
    return Stylizer(style_of("turbo"), make_backend(style_of("turbo"), "cpu", "openvino", "float32"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(9):
        photo(number, 30 + number % 3, 24).save(tmp_path / f"{number}.png")
    (tmp_path / "4.png").write_bytes(b"no photo")
    return tmp_path


def test_photos_come_painted_and_in_order_and_broken_ones_with_the_reason(stylizer: Stylizer, folder: Path) -> None:
    paths = sorted(folder.iterdir())
    results = list(stylizer.map(paths, "b", strength=0.5))
    assert [result.path for result in results] == paths
    for result in results:
        if result.path.name == "4.png":
            assert result.picture is None
            assert "4.png" in str(result.error)
            with pytest.raises(ImpastoError, match=r"4\.png"):
                result.save(folder / "painted.png")
            with pytest.raises(ImpastoError, match=r"4\.png"):
                _ = result.image
        else:
            expected = stylizer(read(result.path).pixels, "b", strength=0.5)
            np.testing.assert_array_equal(np.asarray(result.image), expected)
    results[0].save(folder / "painted.png")
    np.testing.assert_array_equal(read(folder / "painted.png").pixels, np.asarray(results[0].image))
    assert not list(folder.glob(".*"))


def test_a_size_and_a_wrong_style_are_looked_at_at_once(stylizer: Stylizer, folder: Path) -> None:
    assert max(next(stylizer.map([folder / "1.png"], size=60)).image.size) == 60
    with pytest.raises(ImpastoError, match="has no style"):
        stylizer.map([folder / "1.png"], "nonesuch")
    with pytest.raises(ImpastoError, match="strength is 2"):
        stylizer.map([folder / "1.png"], strength=2)


def test_no_more_is_begun_than_is_soon_asked_for() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return number * number

    results = in_order(iter(range(10**9)), work, workers=2)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    results.close()  # type: ignore[attr-defined]
    assert len(begun) < 20


def test_work_overlaps_and_an_error_ends_it() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(number: int) -> int:
        if number < 2:
            both.wait()  # passes only if two are at work at the same time
        if number == 5:
            raise ValueError("five")
        return number

    results = in_order(range(100), meet, workers=2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(results)


def test_threads_may_share_a_stylizer(stylizer: Stylizer) -> None:
    pictures = [np.asarray(photo(number, 40, 30 + number % 2)) for number in range(12)]
    expected = [stylizer(picture) for picture in pictures]
    for ours, theirs in zip(in_order(pictures, stylizer, workers=4), expected, strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= 1


# --- Batches ---


class Slow:
    """A backend that darkens, takes its time, and remembers how much it was given."""

    name = "slow"
    precision = "float32"

    def __init__(self) -> None:
        self.given: list[int] = []

    def __call__(self, photos: np.ndarray, mix: np.ndarray) -> np.ndarray:
        self.given.append(len(photos))
        time.sleep(0.02)
        if photos.shape[2] == 13:
            raise RuntimeError("thirteen")
        if photos.shape[2] == 40 and len(photos) > 1:
            raise MemoryError("one at a time")
        return photos * mix[0]

    def working_memory(self, height: int, width: int) -> int:
        return height * width


def test_photos_of_one_size_and_mix_go_together() -> None:
    slow = Slow()
    batching = Batching(slow, 4)
    assert batching.working_memory(10, 10) == 100

    def call(number: int) -> np.ndarray:
        shape = (1, 3, 8 if number % 3 else 9, 8)
        return batching(np.full(shape, number, np.float32), np.float32([0.5 if number % 2 else 0.25]))

    results = list(in_order(range(60), call, workers=12))
    for number, result in enumerate(results):
        assert result.shape == (1, 3, 8 if number % 3 else 9, 8)
        assert (result == number * (0.5 if number % 2 else 0.25)).all()
    assert sum(slow.given) == 60
    assert 1 < max(slow.given) <= 4


def test_an_error_reaches_all_that_were_in_the_batch_and_no_others() -> None:
    batching = Batching(Slow(), 8)

    def call(side: int) -> object:
        try:
            return batching(np.ones((1, 3, side, 8), np.float32), np.float32([1])).shape
        except RuntimeError as error:
            return str(error)

    results = list(in_order([13, 12] * 10, call, workers=6))
    assert results == ["thirteen", (1, 3, 12, 8)] * 10


def test_photos_that_are_too_much_together_go_one_by_one() -> None:
    slow = Slow()
    batching = Batching(slow, 4)

    def call(number: int) -> np.ndarray:
        return batching(np.full((1, 3, 40, 8), number, np.float32), np.float32([1]))

    for number, result in enumerate(in_order(range(20), call, workers=6)):
        assert (result == number).all()
    assert max(slow.given) > 1
    assert slow.given.count(1) == 20


def test_a_batch_is_what_each_would_have_been() -> None:
    style = style_of("classic")
    plain, mix = make_backend(style, "cpu", "torch"), np.float32([1, 0, 0])
    batching = Batching(plain, 3)
    photos = [planes_of(np.asarray(photo(number, 20, 16))[None]) for number in range(7)]
    for ours, one in zip(in_order(photos, lambda p: batching(p, mix), workers=7), photos, strict=True):
        np.testing.assert_allclose(ours, plain(one, mix), atol=1e-5)


def test_many_share_the_memory_and_one_path_is_one_photo(stylizer: Stylizer, folder: Path) -> None:
    stylizer.max_memory = 900_000_000
    shared = stylizer.for_many()
    assert shared.max_memory is not None
    assert shared.max_memory <= 450_000_000
    assert [result.path.name for result in stylizer.map(str(folder / "1.png"))] == ["1.png"]
    with pytest.raises(ImpastoError, match="has no style 'nix'"):
        stylizer.map([], mask=np.ones((2, 2)), outside="nix")

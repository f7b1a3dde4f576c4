"""Training photos: order, batches, shapes, and broken files, on real folders; drawn photos, alone and among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from impasto.config import TrainConfig
from impasto.errors import ImpastoError
from impasto.evaluation.pictures import Source
from impasto.files.collection import open_collection
from impasto.training import photos as photos_module
from impasto.training.photos import PhotoBatch, Photos, choose_workers, read_photo
from impasto.training.pixels import square, to_float, to_tensor, without_margin
from impasto.training.synthetic import BLOCK

SIDE = 32


def config(**options: object) -> TrainConfig:
    return TrainConfig(**{"image_size": SIDE, "batch_size": 2, "workers": 0, **options})


def shade(number: int) -> int:
    """The grey that photo `number` is painted in, which tells it in a batch."""
    return 3 * number + 1


def make_photos(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo {number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (20 + number % 3, 24), (shade(number),) * 3).save(path)
    return paths


def spoil(path: Path) -> None:
    """Cuts the file in the middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def names(photos: Photos) -> list[str]:
    return [photos.collection.name(number) for number in range(len(photos.collection))]


def read(path: Path, config: TrainConfig) -> Tensor:
    return read_photo(open_collection([path]), 0, config)


def numbers(batches: list[PhotoBatch]) -> list[int]:
    """Which photos the batches hold, in their order."""
    shades = [int(photo[0, 0, 0]) for batch in batches for photo in batch.photos]
    return [(value - 1) // 3 for value in shades]


# --- How a photo becomes a square ---


def test_a_margin_is_left_out_along_each_side() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (100, 250, 3), dtype=np.uint8)
    np.testing.assert_array_equal(without_margin(pixels, 0.04), pixels[4:96, 10:240])
    np.testing.assert_array_equal(without_margin(pixels, 0.0), pixels)
    assert without_margin(pixels[:1, :1], 0.4).shape == (1, 1, 3)


def three_stripes() -> np.ndarray:
    """32 rows; red, green and blue, 32 columns each."""
    stripes = np.zeros((32, 96, 3), np.uint8)
    for index in range(3):
        stripes[:, 32 * index : 32 * (index + 1), index] = 255
    return stripes


def test_crop_keeps_the_middle_square_untouched() -> None:
    cropped = square(three_stripes(), 32, "crop")
    assert cropped.shape == (32, 32, 3)
    assert (cropped == [0, 255, 0]).all()
    upright = square(three_stripes().transpose(1, 0, 2), 32, "crop")
    assert (upright == [0, 255, 0]).all()


def test_stretch_keeps_the_whole_picture() -> None:
    stretched = square(three_stripes(), 30, "stretch")
    assert stretched.shape == (30, 30, 3)
    for index, column in enumerate((4, 15, 25)):  # the middles of the thirds
        expected = np.zeros(3)
        expected[index] = 255
        assert (stretched[:, column] == expected).all()


def test_keep_makes_the_short_side_the_size() -> None:
    assert square(three_stripes(), 16, "keep").shape == (16, 48, 3)
    assert square(three_stripes().transpose(1, 0, 2), 64, "keep").shape == (192, 64, 3)


def test_a_painting_is_learned_as_sharp_as_it_is_judged(tmp_path: Path) -> None:
    painting = np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    Image.fromarray(painting).save(tmp_path / "painting.png")
    judged = Source.of(tmp_path / "painting.png").short_side(128)
    np.testing.assert_array_equal(to_float(to_tensor(square(painting, 128, "keep"))), judged[0])


@pytest.mark.parametrize("fit", ["stretch", "crop", "keep"])
def test_a_square_of_the_right_size_stays_as_it_is(fit: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert (square(pixels, 32, fit) == pixels).all()


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (33, 32), (32, 33), (200, 3)])
def test_any_shape_becomes_the_square(fit: str, shape: tuple[int, int]) -> None:
    result = square(np.full((*shape, 3), 77, np.uint8), 32, fit)
    assert result.shape == (32, 32, 3)
    assert (result == 77).all()


def test_a_photo_is_read_as_planes_of_red_green_and_blue(tmp_path: Path) -> None:
    path = tmp_path / "stripes.png"
    Image.fromarray(three_stripes()).save(path)
    photo = read(path, config())
    assert photo.shape == (3, SIDE, SIDE)
    assert photo.dtype == torch.uint8
    assert photo[:, 16, 4].tolist() == [255, 0, 0]
    assert read(path, config(fit="crop"))[:, 16, 4].tolist() == [0, 255, 0]


def test_a_grey_photo_becomes_three_equal_planes(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (40, 40), 90).save(path)
    assert bool((read(path, config()) == 90).all())


def test_pixels_become_floats_from_zero_to_one() -> None:
    planes = to_tensor(np.array([[[0, 51, 255]]], np.uint8))
    assert planes.shape == (3, 1, 1)
    torch.testing.assert_close(to_float(planes).flatten(), torch.tensor([0.0, 0.2, 1.0]))


# --- Batches and order ---


@pytest.mark.parametrize(("count", "batch", "full"), [(10, 4, 2), (8, 4, 2), (4, 4, 1), (7, 1, 7)])
def test_an_incomplete_last_batch_is_dropped(tmp_path: Path, count: int, batch: int, full: int) -> None:
    make_photos(tmp_path, count)
    photos = Photos.find([tmp_path], config(batch_size=batch))
    assert photos.batches_per_epoch == full
    batches = list(photos.epoch(0))
    assert [b.photos.shape for b in batches] == [(batch, 3, SIDE, SIDE)] * full
    assert len(set(numbers(batches))) == full * batch


def test_each_epoch_reads_each_photo_once_in_an_order_of_its_own(tmp_path: Path) -> None:
    make_photos(tmp_path, 12)
    photos = Photos.find([tmp_path], config())
    orders = [numbers(list(photos.epoch(epoch))) for epoch in range(4)]
    for order in orders:
        assert sorted(order) == list(range(12))
    assert len({tuple(order) for order in [*orders, list(range(12))]}) == 5


def test_the_seed_decides_the_order(tmp_path: Path) -> None:
    make_photos(tmp_path, 12)
    orders = [numbers(list(Photos.find([tmp_path], config(seed=seed)).epoch(1))) for seed in (5, 5, 6)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_an_epoch_goes_on_from_any_batchs_position(tmp_path: Path, batch: int) -> None:
    make_photos(tmp_path, 11)
    photos = Photos.find([tmp_path], config(batch_size=batch))
    whole = list(photos.epoch(3))
    for index, last in enumerate(whole):
        rest = list(photos.epoch(3, last.position))
        assert numbers(rest) == numbers(whole[index + 1 :])
        assert [b.position for b in rest] == [b.position for b in whole[index + 1 :]]


def test_broken_photos_do_not_shift_the_position(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 31)
    for number in (4, 17, 29):
        spoil(paths[number])
    photos = Photos.find([tmp_path], config(batch_size=3))
    whole = list(photos.epoch(0))
    assert len(whole) == 31 // 3
    assert not {4, 17, 29} & set(numbers(whole))
    for index, last in enumerate(whole):
        fresh = Photos.find([tmp_path], config(batch_size=3))
        assert numbers(list(fresh.epoch(0, last.position))) == numbers(whole[index + 1 :])


def test_a_worker_process_gives_the_same_batches(tmp_path: Path) -> None:
    paths = make_photos(tmp_path / "Bäume und Flüsse", 12)
    spoil(paths[7])
    alone, helped = (Photos.find([tmp_path], config(workers=workers)) for workers in (0, 1))
    ours, theirs = list(alone.epoch(2)), list(helped.epoch(2))
    assert len(ours) == len(theirs) == 6
    for a, b in zip(ours, theirs, strict=True):
        assert a.position == b.position
        assert torch.equal(a.photos, b.photos)
    assert alone.broken == helped.broken
    assert list(alone.broken) == [str(paths[7])]


def test_the_number_of_workers_is_chosen_or_given() -> None:
    assert choose_workers(0) == 0
    assert choose_workers(3) == 3
    assert 1 <= choose_workers(-1) <= 8


# --- Which photos ---


def test_a_fraction_is_drawn_at_random_and_by_the_seed(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 20)
    drawn = [names(Photos.find([tmp_path], config(fraction=0.4, seed=seed))) for seed in (1, 1, 2)]
    assert len(drawn[0]) == 8
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(set(drawn[0]) & set(map(str, paths)))
    assert drawn[0] != list(map(str, paths[:8]))


def test_names_with_umlauts_spaces_and_signs(tmp_path: Path) -> None:
    folder = tmp_path / "Ölbilder, 100 % schön" / "日本"
    folder.mkdir(parents=True)
    given = ["Straße nach Süden.png", "a #1 'copy'.PNG", "ñandú\u0301.png", "🎨.png"]
    for number, name in enumerate(given):
        Image.new("RGB", (9, 9), (shade(number),) * 3).save(folder / name, "PNG")
    photos = Photos.find([tmp_path], config())
    assert sorted(Path(name).name for name in names(photos)) == sorted(given)
    assert sorted(numbers(list(photos.epoch(0)))) == [0, 1, 2, 3]


def test_several_folders_are_one_set(tmp_path: Path) -> None:
    make_photos(tmp_path / "a", 3)
    make_photos(tmp_path / "b", 2)
    assert len(names(Photos.find([tmp_path / "a", tmp_path / "b"], config()))) == 5


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_photos_for_a_batch_are_refused_with_the_number_and_the_folder(tmp_path: Path, count: int) -> None:
    make_photos(tmp_path / "few", count)
    with pytest.raises(ImpastoError, match=rf"found {count} photos in .*few.*needs 4.*--batch-size"):
        Photos.find([tmp_path / "few"], config(batch_size=4))


def test_a_fraction_that_leaves_too_few_is_refused(tmp_path: Path) -> None:
    make_photos(tmp_path, 20)
    with pytest.raises(ImpastoError, match=r"found 20 photos .*leaves 1"):
        Photos.find([tmp_path], config(fraction=0.05))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match="nowhere"):
        Photos.find([tmp_path / "nowhere"], config())


# --- Broken photos ---


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_a_broken_photo_is_skipped_and_named(tmp_path: Path, content: bytes) -> None:
    make_photos(tmp_path, 11)
    bad = tmp_path / "bäd.png"
    bad.write_bytes(content)
    photos = Photos.find([tmp_path], config())
    assert list(photos.broken) == [str(bad)]
    assert "bäd.png" in photos.broken[str(bad)]
    assert photos.usable == 11
    assert sorted(numbers(list(photos.epoch(0)))) != []
    assert len(list(photos.epoch(0))) == photos.batches_per_epoch == 6


def test_a_tenth_broken_is_borne_and_more_is_not(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 20)
    for path in paths[:2]:
        spoil(path)
    assert Photos.find([tmp_path], config()).usable == 18
    spoil(paths[2])
    with pytest.raises(ImpastoError, match=r"^3 of the first 20 photos tried.*photo 00[012]\.png"):
        Photos.find([tmp_path], config())


def test_so_few_readable_ones_that_no_batch_is_full_are_refused(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 10)
    spoil(paths[0])
    with pytest.raises(ImpastoError, match="1 of the first 10"):
        Photos.find([tmp_path], config(batch_size=10))


def test_a_photo_that_vanishes_later_is_skipped_and_named(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 20)
    photos = Photos.find([tmp_path], config())
    paths[11].unlink()
    found = numbers(list(photos.epoch(0)))
    assert set(found) == set(range(20)) - {11}
    assert len(found) == 20  # the next one takes its place
    assert list(photos.broken) == [str(paths[11])]


def test_more_than_a_tenth_vanishing_later_is_an_error_at_once(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 20)
    photos = Photos.find([tmp_path], config())
    for path in paths[:3]:
        path.unlink()
    with pytest.raises(ImpastoError, match="3 of 20 photos cannot be read"):
        list(photos.epoch(0))


def test_photos_beyond_the_sample_are_found_out_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos_module, "SAMPLE", 5)
    paths = make_photos(tmp_path, 40)
    for path in paths[:4]:
        spoil(path)
    photos = next(found for seed in range(200) if (found := _found(tmp_path, seed)) is not None and not found.broken)
    assert len(list(photos.epoch(0))) == 20
    assert sorted(photos.broken) == [str(path) for path in paths[:4]]
    assert photos.batches_per_epoch == 20


def _found(folder: Path, seed: int) -> Photos | None:
    try:
        return Photos.find([folder], config(seed=seed))
    except ImpastoError:
        return None


def test_a_folder_of_broken_photos_names_three_and_ends_the_list(tmp_path: Path) -> None:
    for path in make_photos(tmp_path, 10):
        spoil(path)
    with pytest.raises(ImpastoError) as raised:
        Photos.find([tmp_path], config())
    assert str(raised.value).count("photo 0") == 3
    assert "…" in str(raised.value)
    assert "\n" not in str(raised.value)


# --- Drawn photos ---


@pytest.fixture
def short_epochs(monkeypatch: pytest.MonkeyPatch) -> int:
    """An epoch of drawn photos that is a block and a bit."""
    count = BLOCK + 11
    monkeypatch.setattr(photos_module, "SYNTHETIC_EPOCH", count)
    return count


def same(ours: list[PhotoBatch], theirs: list[PhotoBatch]) -> bool:
    return [b.position for b in ours] == [b.position for b in theirs] and all(
        torch.equal(a.photos, b.photos) for a, b in zip(ours, theirs, strict=True)
    )


def test_without_a_folder_all_photos_are_drawn(short_epochs: int) -> None:
    photos = Photos.find([], config(batch_size=4))
    assert len(photos.collection) == 0
    assert photos.usable == short_epochs
    batches = list(photos.epoch(0))
    assert len(batches) == photos.batches_per_epoch == short_epochs // 4
    assert {batch.photos.shape for batch in batches} == {(4, 3, SIDE, SIDE)}
    assert batches[0].photos.dtype == torch.uint8
    assert len({photo.numpy().tobytes() for batch in batches for photo in batch.photos}) == 4 * len(batches)


def test_drawn_photos_are_the_same_ones_again_and_new_in_each_epoch_and_for_each_seed(short_epochs: int) -> None:
    first, again, later = (list(Photos.find([], config(batch_size=9)).epoch(epoch)) for epoch in (0, 0, 1))
    other = list(Photos.find([], config(batch_size=9, seed=1)).epoch(0))
    assert same(first, again)
    kinds = [
        {photo.numpy().tobytes() for batch in batches for photo in batch.photos} for batches in (first, later, other)
    ]
    assert not kinds[0] & kinds[1]
    assert not kinds[0] & kinds[2]


@pytest.mark.parametrize("workers", [1, 2])
def test_drawn_photos_do_not_depend_on_the_number_of_workers(
    workers: int, short_epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos_module, "SYNTHETIC_EPOCH", 4 * BLOCK)
    alone, helped = (Photos.find([], config(batch_size=5, workers=number)) for number in (0, workers))
    assert same(list(alone.epoch(1)), list(helped.epoch(1)))


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.integers(1, 20), share=st.floats(0, 1))
def test_an_epoch_of_drawn_photos_goes_on_from_any_batch(short_epochs: int, batch: int, share: float) -> None:
    whole = list(Photos.find([], config(batch_size=batch)).epoch(2))
    stopped = int(share * (len(whole) - 1))
    rest = Photos.find([], config(batch_size=batch)).epoch(2, whole[stopped].position)
    assert same(list(rest), whole[stopped + 1 :])


@pytest.mark.parametrize(("share", "drawn"), [(0.0, 0), (0.25, 4), (0.5, 12), (0.9, 108)])
def test_a_mix_has_each_photo_once_and_the_share_that_is_drawn(tmp_path: Path, share: float, drawn: int) -> None:
    make_photos(tmp_path, 12)
    photos = Photos.find([tmp_path], config(synthetic=share, batch_size=1))
    assert (photos.drawn, photos.usable) == (drawn, 12 + drawn)
    for epoch in range(2):
        batches = list(photos.epoch(epoch))
        assert len(batches) == photos.batches_per_epoch == 12 + drawn
        plain = [batch for batch in batches if (batch.photos == batch.photos[0, 0, 0, 0]).all()]
        assert sorted(numbers(plain)) == list(range(12))
        assert drawn < 10 or plain[0].position < len(batches) / 2 < plain[-1].position


def test_a_mix_goes_on_from_any_batch_and_with_any_workers(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 40)
    spoil(paths[3])
    alone, helped = (Photos.find([tmp_path], config(synthetic=0.8, batch_size=7, workers=n)) for n in (0, 2))
    whole = list(alone.epoch(0))
    assert same(list(helped.epoch(0)), whole)
    assert alone.broken == helped.broken
    assert same(list(alone.epoch(0, whole[9].position)), whole[10:])


def test_a_share_of_one_leaves_the_folders_alone(tmp_path: Path, short_epochs: int) -> None:
    photos = Photos.find([tmp_path / "nowhere"], config(synthetic=1.0))
    assert (len(photos.collection), photos.usable) == (0, short_epochs)


def test_few_photos_do_with_drawn_ones_but_none_is_an_error(tmp_path: Path) -> None:
    make_photos(tmp_path / "few", 3)
    (tmp_path / "none").mkdir()
    assert Photos.find([tmp_path / "few"], config(synthetic=0.5, batch_size=4)).usable == 6
    with pytest.raises(ImpastoError, match=r"found 0 photos in .*none"):
        Photos.find([tmp_path / "none"], config(synthetic=0.5))


def test_a_fraction_shortens_an_epoch_of_drawn_photos(short_epochs: int) -> None:
    assert Photos.find([], config(fraction=0.1)).usable == round(short_epochs * 0.1)
    with pytest.raises(ImpastoError, match=r"--fraction.*--batch-size"):
        Photos.find([], config(fraction=0.01, batch_size=4))


def test_the_digest_tells_which_photos_there_are_and_how_many_are_drawn(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 6)

    def digest(**options: object) -> str:
        return Photos.find([tmp_path], config(**options)).digest

    digests = [digest(synthetic=share) for share in (0.0, 0.5, 0.75)]
    digests += [digest(fraction=0.5, seed=seed) for seed in (1, 2)]
    assert digest() == digests[0]
    paths[5].rename(tmp_path / "another.png")
    digests += [digest(), Photos.find([], config()).digest]
    assert len(set(digests)) == 7


# --- Samples ---


def test_samples_are_the_first_photos_that_can_be_read(tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 20)
    spoil(paths[1])
    photos = Photos.find([tmp_path], config())
    paths[2].unlink()  # after it was found good
    assert numbers([PhotoBatch(photos.samples(4), 0)]) == [0, 3, 4, 5]
    assert photos.samples(100).shape == (18, 3, SIDE, SIDE)


def test_samples_of_drawn_photos_are_fixed_and_of_several_scenes(short_epochs: int) -> None:
    ours, theirs = (Photos.find([], config(workers=0)).samples(6) for _ in range(2))
    assert ours.shape == (6, 3, SIDE, SIDE)
    assert ours.dtype == torch.uint8
    assert torch.equal(ours, theirs)
    assert len({photo.numpy().tobytes() for photo in ours}) == 6


def test_samples_of_a_mix_begin_with_photos_that_are_read(tmp_path: Path) -> None:
    make_photos(tmp_path, 3)
    samples = Photos.find([tmp_path], config(synthetic=0.5)).samples(5)
    assert len(samples) == 5
    assert numbers([PhotoBatch(samples[:3], 0)]) == [0, 1, 2]
    assert torch.equal(samples[3:], Photos.find([], config()).samples(2))


def test_no_sample_where_nothing_can_be_read(tmp_path: Path) -> None:
    make_photos(tmp_path, 1)[0].rename(tmp_path / "gone.png")
    collection = open_collection([tmp_path])
    (tmp_path / "gone.png").unlink()
    photos = Photos(collection, config())
    assert photos.samples(4).shape == (0, 3, SIDE, SIDE)

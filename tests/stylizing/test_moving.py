"""Frames of videos repainted one after the other, and the size that follows a machine's pace."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import style_of

import impasto
from clips import decoded, make_clip, pictures, times
from impasto.errors import ImpastoError
from impasto.files.video import Format, Frame, VideoWriter, open_video
from impasto.stylizing.backends import make_backend
from impasto.stylizing.manner import Manner, working_size
from impasto.stylizing.moving import Change, FramePainter, beside, change_over, painted, quick_size
from impasto.stylizing.openvino_backend import OpenVinoBackend
from impasto.stylizing.pace import SCALES, Pace
from impasto.stylizing.stylizer import Stylizer
from support import photo

SOME_KINDS = ("classic", "classic, reflection, linear, skip", "turbo", "turbo, zero, tanh")
FORMAT = Format.of_rgb(48, 64, rate=Fraction(30), time_base=Fraction(1, 30))


def frames(count: int) -> list[Frame]:
    return [Frame.of(picture, FORMAT, number) for number, picture in enumerate(pictures(count))]


def test_frames_of_a_video_are_what_the_stylizer_makes_of_them(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", 5, codec="ffv1", pixels="bgr0")
    stylizer = impasto.load("great_wave-turbo", precision="float32")
    results = list(stylizer.video(source, strength=0.7))
    assert [round(frame.time * 30) for frame in results] == [0, 1, 2, 3, 4]
    for frame, picture in zip(results, pictures(5), strict=True):
        np.testing.assert_allclose(frame.pixels, stylizer(picture, strength=0.7), atol=1)
        assert frame.image.size == (64, 48)
    with VideoWriter(tmp_path / "o.mp4", sound=source) as writer:
        for frame in stylizer.video(source, start=0.05, size=32):
            writer.write(frame)
    assert [picture.shape for picture in decoded(tmp_path / "o.mp4")] == [(24, 32, 3)] * 3
    assert len(times(tmp_path / "o.mp4", "audio")) > 1


def test_bad_input_is_told_at_the_call(tmp_path: Path) -> None:
    source, stylizer = make_clip(tmp_path / "in.mp4", 2), impasto.load("great_wave-turbo")
    for path, options in (
        (tmp_path / "none.mp4", {}),
        (source, {"style": "nonesuch"}),
        (source, {"style_to": "nonesuch"}),
        (source, {"strength": 2}),
        (source, {"strength_to": -1}),
    ):
        with pytest.raises(ImpastoError):
            stylizer.video(path, **options)  # type: ignore[arg-type]


def test_the_change_goes_evenly_from_the_first_frame_to_the_last(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 11, rate=10)
    with open_video(source) as video:
        change = change_over(video, None, 0.0)
        assert change is not None
        shares = [change.share(frame.time) for frame in video.frames()]
        part = change_over(video, None, 0.0, 0.2, 0.7)
        assert part is not None
        shares_of_part = [part.share(frame.time) for frame in video.frames(0.2, 0.7)]
        assert change_over(video, None, None) is None
    np.testing.assert_allclose(shares, np.linspace(0, 1, 11), atol=1e-6)
    np.testing.assert_allclose(shares_of_part, np.linspace(0, 1, 5), atol=1e-6)


@pytest.mark.parametrize("kind", SOME_KINDS)
def test_a_mix_that_may_change_gives_what_a_fixed_one_gives(kind: str) -> None:
    style = style_of(kind)
    fixed, changing = (OpenVinoBackend(style, changing=changing) for changing in (False, True))
    batch = np.stack(pictures(1))
    for mix in ([1, 0, 0], [0.2, 0.3, 0.5], [0, 0.5, 0.5]):
        weights = np.array(mix, np.float32)
        for _ in range(2):  # of any size first, then of this one
            ours, theirs = changing(batch, weights), fixed(batch, weights)
            np.testing.assert_allclose(ours.astype(int), theirs, atol=1)
    planes = batch.transpose(0, 3, 1, 2).astype(np.float32) / 255
    np.testing.assert_allclose(changing(planes, weights), fixed(planes, weights), atol=1e-3)


def test_style_and_strength_change_without_a_model_for_each_frame() -> None:
    style = style_of("turbo")
    stylizer = Stylizer(style, make_backend(style, precision="float32")).for_many(changing=True)
    change = Change("b", 0.5, 0.0, 9 / 30)
    painter = FramePainter(stylizer, Manner("a", strength=1.0), change)
    results = list(painted(frames(10), painter))
    backend = stylizer.backend
    assert isinstance(backend, OpenVinoBackend)
    assert len(backend._models) <= 2
    plain = Stylizer(style, make_backend(style, precision="float32"))
    for frame, share in ((0, 0.0), (3, 1 / 3), (9, 1.0)):
        expected = plain(pictures(10)[frame], {"a": 1 - share, "b": share}, strength=1 - share / 2)
        np.testing.assert_allclose(results[frame].pixels.astype(int), expected, atol=2)


def test_no_more_than_a_few_frames_are_begun_before_they_are_taken() -> None:
    read: list[int] = []
    at_once, most, guard = 0, 0, threading.Lock()

    def source() -> Iterator[Frame]:
        for number, frame in enumerate(frames(40)):
            read.append(number)
            yield frame

    def paint(frame: Frame) -> Frame:
        nonlocal at_once, most
        with guard:
            at_once += 1
            most = max(most, at_once)
        with guard:
            at_once -= 1
        return frame

    results = painted(source(), paint)
    for number, frame in enumerate(results):
        assert frame.pts == number
        assert len(read) - number <= 6
        if number == 20:
            results.close()
            break
    assert len(read) < 30
    assert most <= 5


def test_a_frame_beside_its_stylized_image_has_an_even_width() -> None:
    for width in (3, 64, 1280, 1921):
        black = np.zeros((2, width, 3), np.uint8)
        both = beside(black, black + 7)
        assert both.shape[1] % 2 == 0
        assert (both[:, :width] == 0).all()
        assert (both[:, -width:] == 7).all()
        assert (both[:, width:-width] == 255).all()


@given(st.floats(0.001, 1.0), st.floats(5, 60))
def test_the_pace_settles_where_the_machine_keeps_up(full_size_seconds: float, wanted: float) -> None:
    pace, scales = Pace(wanted), []
    for _ in range(400):
        pace.took(full_size_seconds * pace.scale**2)
        scales.append(pace.scale)
    assert len(set(scales[-100:])) == 1
    keeps_up = full_size_seconds * pace.scale**2 <= 1 / wanted
    assert keeps_up or pace.scale == min(SCALES)
    larger = [scale for scale in SCALES if scale > pace.scale]
    assert not larger or full_size_seconds * min(larger) ** 2 > 0.79 / wanted


def test_the_pace_comes_back_when_the_machine_is_free_again() -> None:
    pace = Pace(20)
    for seconds, expected in ((0.3, 0.35), (0.03, 1.0)):
        for _ in range(200):
            pace.took(seconds * pace.scale**2)
        assert pace.scale == expected


@given(st.integers(16, 5000), st.integers(16, 5000), st.floats(0.25, 4))
def test_the_quick_size_is_near_the_working_size(height: int, width: int, stroke: float) -> None:
    size, usual = quick_size(height, width, stroke=stroke), working_size(height, width, stroke=stroke)
    assert size == usual or (size[0] % 8, size[1] % 64) == (0, 0)
    assert all(abs(quick / side - 1) <= 0.03 for quick, side in zip(size, usual, strict=True))
    assert usual != (height, width) or size == usual
    assert quick_size(720, 1280, stroke=1) == (640, 1152)


def crossed(count: int) -> list[np.ndarray]:
    """A still picture that a bright disc crosses in its upper half."""
    still, rows, columns = np.asarray(photo(3, 96, 96)), *np.mgrid[:96, :96]
    scenes = []
    for number in range(count):
        scene = still.copy()
        scene[(rows - 24) ** 2 + (columns - 12 * number + 20) ** 2 < 400] = 255
        scenes.append(scene)
    return scenes


SQUARE = Format.of_rgb(96, 96, rate=Fraction(10), time_base=Fraction(1, 10))


def changes(stylizer: Stylizer, scenes: list[np.ndarray], steady: float) -> tuple[list[np.ndarray], float]:
    """The stylized scenes, and how much their lower quarter changes from one to the next."""
    painter = FramePainter(stylizer, Manner(), steady=steady)
    moving = [Frame.of(scene, SQUARE, number) for number, scene in enumerate(scenes)]
    results = [frame.pixels.astype(int) for frame in painted(moving, painter, painter.workers)]
    lower = [result[72:] for result in results]
    return results, float(np.mean([np.abs(one - other).mean() for one, other in itertools.pairwise(lower)]))


def test_steady_frames_change_less_where_nothing_moves() -> None:
    stylizer = impasto.load("great_wave-turbo", precision="float32")
    scenes = crossed(14)
    plain, of_plain = changes(stylizer, scenes, 0.0)
    steady, of_steady = changes(stylizer, scenes, 1.0)
    assert of_plain > 0.5
    assert of_steady < 0.8 * of_plain
    np.testing.assert_allclose(steady[0], plain[0], atol=2)  # nothing to average with


@pytest.mark.parametrize("kind", SOME_KINDS)
def test_steady_frames_of_a_still_scene_and_after_a_cut_are_as_ever(kind: str) -> None:
    style = style_of(kind)
    stylizer = Stylizer(style, make_backend(style, precision="float32"))
    dark, bright = np.asarray(photo(3, 96, 96)) // 4, 255 - np.asarray(photo(4, 96, 96)) // 4
    steady, _ = changes(stylizer, [dark, dark, dark, bright, bright, dark], 0.5)
    for result, scene in zip(steady, [dark, dark, dark, bright, bright, dark], strict=True):
        np.testing.assert_allclose(result, stylizer(scene).astype(int), atol=2)

"""Videos read and written: times, colours, rotation and sound against what PyAV itself says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clips import decoded, length, make_clip, packets, pictures, times
from impasto.errors import ImpastoError
from impasto.files.video import Around, Format, Frame, VideoWriter, open_video
from impasto.files.video import writing as writing_module
from impasto.files.video.frame import Colors, Turn
from support import photo


def copy(source: Path, target: Path, **options: object) -> Path:
    """Each frame through RGB and into a new file."""
    sound = source if target.suffix not in (".gif", ".webp") else None
    with open_video(source) as video, VideoWriter(target, sound=sound, **options) as writer:  # type: ignore[arg-type]
        for frame in video.frames():
            writer.write(frame.with_pixels(frame.pixels))
    return target


def broken_off(source: Path, target: Path) -> None:
    with open_video(source) as video, VideoWriter(target) as writer:
        for number, frame in enumerate(video.frames()):
            writer.write(frame)
            _ = 1 / (2 - number)


def psnr(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((ours.astype(float) - theirs) ** 2)))


@pytest.mark.parametrize(
    ("suffix", "rate"), [(".mp4", 30), (".mp4", Fraction(30000, 1001)), (".mov", 24), (".mkv", 25), (".ts", 50)]
)
def test_frames_times_and_sound_are_those_of_the_source(suffix: str, rate: Fraction | int, tmp_path: Path) -> None:
    source = make_clip(tmp_path / f"in{suffix}", rate=rate)
    result = copy(source, tmp_path / f"out{suffix}")
    assert times(result) == times(source)
    assert len(times(result)) == 12
    if suffix in (".mp4", ".mov"):
        assert length(result) == pytest.approx(length(source), abs=1 / 1000)
    assert times(result, "audio") == times(source, "audio")
    assert packets(result) == packets(source)
    with av.open(str(source)) as before, av.open(str(result)) as after:
        assert after.streams.video[0].average_rate == pytest.approx(before.streams.video[0].average_rate)
        assert (after.streams.video[0].width, after.streams.video[0].height) == (64, 48)
    for ours, theirs in zip(decoded(result), pictures(12), strict=True):
        assert psnr(ours, theirs) > 28


@given(steps=st.lists(st.integers(1, 5000), min_size=1, max_size=9), begin=st.integers(0, 3000))
@settings(max_examples=12)
def test_uneven_times_stay_as_they_are(steps: list[int], begin: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("uneven")
    ticks = (begin + np.cumsum([0, *steps])).tolist()
    source = make_clip(folder / "in.mp4", ticks=ticks, time_base=Fraction(1, 12800), sound=None)
    expected = times(source)
    assert [time - expected[0] for time in expected] == [Fraction(tick - begin, 12800) for tick in ticks]
    result = copy(source, folder / "out.mp4")
    assert times(result) == expected


def test_parts_give_the_same_times_as_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = np.cumsum([0, *([100, 900, 30, 2000, 1] * 6)]).tolist()
    source = make_clip(tmp_path / "in.mp4", ticks=ticks, time_base=Fraction(1, 12800), begin=0)
    monkeypatch.setattr(writing_module, "SECONDS", 0.2)
    result = copy(source, tmp_path / "out.mp4")
    assert times(result) == times(source)
    assert packets(result) == packets(source)
    for ours, theirs in zip(decoded(result), pictures(31), strict=True):
        assert psnr(ours, theirs) > 28
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_video_comes_out_upright(rotation: int, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 2, rotation=rotation, sample_aspect_ratio=Fraction(4, 3))
    with open_video(source) as video:
        frame = next(video.frames())
        assert frame.picture.rotation % 360 == rotation
        # PyAV's degrees are counter-clockwise, as NumPy's.
        assert psnr(frame.pixels, np.rot90(pictures(1)[0], rotation // 90)) > 28
        assert video.format.pixel_shape == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))
    result = copy(source, tmp_path / "out.mp4")
    assert decoded(result)[0].shape == ((64, 48, 3) if rotation != 180 else (48, 64, 3))
    with open_video(result) as video:
        assert next(video.frames()).turn == Turn()


@pytest.mark.parametrize("flips", range(8))
def test_a_display_matrix_of_any_of_the_eight_kinds_is_followed(flips: int) -> None:
    transposed, left_right, up_down = flips & 1, flips & 2, flips & 4
    x, y = (-1 if left_right else 1), (-1 if up_down else 1)
    rows = [[0, y], [x, 0]] if transposed else [[x, 0], [0, y]]
    one = 1 << 16
    matrix = [rows[0][0] * one, rows[0][1] * one, 0, rows[1][0] * one, rows[1][1] * one, 0, 0, 0, 1 << 30]
    stored = pictures(1, 6, 4)[0]
    seen = Turn.of(np.array(matrix, np.int32).tobytes())(stored)
    for row in range(4):
        for column in range(6):  # where the matrix itself takes a pixel, from the middle of the picture
            place = np.array([column - 2.5, row - 1.5]) @ np.array(rows)
            middle = (np.array(seen.shape[1::-1]) - 1) / 2
            to_column, to_row = (place + middle).astype(int)
            np.testing.assert_array_equal(seen[to_row, to_column], stored[row, column])


LUMA = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("color", [(200, 60, 30), (20, 180, 90), (128, 128, 128), (250, 250, 5)])
def test_colors_follow_matrix_and_range_both_ways(matrix: int, full: bool, color: tuple[int, ...]) -> None:
    red, green, blue = (value / 255 for value in color)
    of_red, of_blue = LUMA[matrix]
    luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
    chroma = (blue - luma) / (2 - 2 * of_blue), (red - luma) / (2 - 2 * of_red)
    values = (
        [255 * luma, *(255 * c + 128 for c in chroma)] if full else [219 * luma + 16, *(224 * c + 128 for c in chroma)]
    )
    planes = np.rint(values).clip(0, 255).astype(np.uint8)
    stored = np.concatenate([np.full(32 * 32, planes[0]), np.full(256, planes[1]), np.full(256, planes[2])])
    format = Format(32, 32, Fraction(25), Fraction(1, 25), colors=Colors(matrix, 2 if full else 1))
    frame = Frame(av.VideoFrame.from_ndarray(stored.reshape(48, 32), "yuv420p"), format, 0, 1)
    assert np.abs(frame.pixels.astype(int) - color).max() <= 3
    written = frame.with_pixels(np.broadcast_to(np.uint8(color), (32, 32, 3))).in_yuv("yuv420p").picture
    assert np.abs(written.to_ndarray().ravel().astype(int) - stored).max() <= 2


def test_color_tags_and_pixel_shape_are_written(tmp_path: Path) -> None:
    tags = {"colorspace": 9, "color_range": 2, "color_primaries": 9, "color_trc": 14}
    source = make_clip(tmp_path / "in.mkv", 3, sample_aspect_ratio=Fraction(4, 3), **tags)
    result = copy(source, tmp_path / "out.mp4")
    with av.open(str(result)) as opened:
        frame = next(opened.decode(video=0))
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (9, 2, 9, 14)
        assert opened.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    assert psnr(decoded(result)[0], pictures(1)[0]) > 28


@pytest.mark.parametrize("size", [(65, 49), (2, 2), (16, 9)])
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp"])
def test_odd_and_tiny_sizes_are_kept(size: tuple[int, int], suffix: str, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", 2, size=size, codec="ffv1", pixels="bgr0", sound=None)
    result = copy(source, tmp_path / f"out{suffix}")
    if suffix == ".webp":
        with Image.open(result) as image:
            assert image.size == size
    else:
        assert [picture.shape[1::-1] for picture in decoded(result)] == [size] * 2


def test_one_frame_and_no_sound(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 1, sound=None)
    result = copy(source, tmp_path / "out.mkv")
    assert len(decoded(result)) == 1
    with av.open(str(result)) as opened:
        assert [stream.type for stream in opened.streams] == ["video"]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "hevc"), (".mkv", "vp9"), (".mp4", "av1"), (".webm", None), (".m4v", None)],
)
def test_other_codecs(suffix: str, codec: str | None, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 5, size=(96, 80), sound="libmp3lame" if suffix != ".webm" else None)
    result = copy(source, tmp_path / f"out{suffix}", codec=codec)
    assert len(times(result)) == 5
    for ours, theirs in zip(decoded(result), pictures(5, 96, 80), strict=True):
        assert psnr(ours, theirs) > 25
    if suffix != ".webm":
        assert packets(result) == packets(source)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_keep_their_times_and_lie_over_white(suffix: str, tmp_path: Path) -> None:
    durations = [100, 50, 200, 70]
    frames = [photo(seed, 40, 30) for seed in range(4)]
    for frame in frames:
        frame.putalpha(Image.new("L", frame.size, 255))
        frame.paste((0, 0, 0, 0), (0, 0, 10, 10))
    source = tmp_path / f"in{suffix}"
    frames[0].save(
        source, save_all=True, append_images=frames[1:], duration=durations, loop=0, lossless=True, disposal=2
    )
    result = copy(source, tmp_path / f"out{suffix}")
    with open_video(source) as before, open_video(result) as after:
        pairs = list(zip(before.frames(), after.frames(), strict=True))
        assert before.duration == Fraction(420, 1000)
    assert [round(1000 * one.exact_time) for one, _ in pairs] == [0, 100, 150, 350]
    assert [one.exact_time for one, _ in pairs] == [other.exact_time for _, other in pairs]
    for one, other in pairs:
        assert min(one.pixels[2:8, 2:8].min(), other.pixels[2:8, 2:8].min()) > 235
        assert psnr(one.pixels, other.pixels) > 20  # 256 colours


def combing(picture: np.ndarray) -> float:
    """How much neighbouring rows differ, beyond what rows with one between them do."""
    rows = picture.astype(float)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())


def test_rows_of_two_moments_become_whole_pictures(tmp_path: Path) -> None:
    moments = pictures(16)
    woven = [moment.copy() for moment in moments[::2]]
    for picture, later in zip(woven, moments[1::2], strict=True):
        picture[1::2] = np.roll(later, 6, axis=1)[1::2]
    options = {"x264-params": "tff=1", "crf": "5"}
    source = make_clip(tmp_path / "in.mp4", 8, options=options, shown=woven)
    with open_video(source) as video:
        frames = list(video.frames())
    assert [frame.exact_time for frame in frames] == times(source)
    stored = decoded(source)
    assert all(combing(frame.pixels) < 0.6 * combing(raw) for frame, raw in zip(frames, stored, strict=True))


def test_a_part_of_it_and_what_is_after(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 40, rate=10, options={"g": "12"})
    with open_video(source) as video:
        assert [frame.exact_time for frame in video.frames(1.45, 2)] == [Fraction(n, 10) for n in range(15, 20)]
        assert [frame.exact_time for frame in video.frames(after=Fraction(37, 10))] == [
            Fraction(38, 10),
            Fraction(39, 10),
        ]
        assert len(list(video.frames())) == 40  # again, from the beginning
        taken = next(video.frames(2.0))
    assert psnr(taken.pixels, pictures(40)[20]) > 28
    with (
        open_video(source) as video,
        VideoWriter(tmp_path / "out.mp4", sound=Around(source, Fraction(1), Fraction(2))) as writer,
    ):
        for frame in video.frames(1, 2):
            writer.write(frame)
    assert times(tmp_path / "out.mp4") == [Fraction(n, 10) for n in range(10)]
    sound = times(tmp_path / "out.mp4", "audio")
    assert 0 <= sound[0] < Fraction(1024, 48000)
    assert abs(sound[-1] - 1) <= Fraction(2048, 48000)


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi", ".mp4"])
def test_a_broken_tail_ends_the_video_and_is_told(suffix: str, tmp_path: Path) -> None:
    whole = make_clip(tmp_path / f"whole{suffix}", 40, options={"g": "10"})
    if suffix == ".mp4":
        with VideoWriter(tmp_path / "fast.mp4") as writer, open_video(whole) as video:  # its index at the front
            for frame in video.frames():
                writer.write(frame)
        whole = tmp_path / "fast.mp4"
    source = tmp_path / f"in{suffix}"
    data = whole.read_bytes()
    source.write_bytes(data[: len(data) * 3 // 4])
    result = copy(source, tmp_path / "out.mp4")
    assert 8 <= len(times(result)) < 40
    assert len(decoded(result)) == len(times(result))


def test_subtitles_title_and_chapters_are_copied_where_they_can_be(tmp_path: Path) -> None:
    (tmp_path / "words.srt").write_text("1\n00:00:00,100 --> 00:00:00,300\nLook!\n\n")
    plain = make_clip(tmp_path / "plain.mkv")
    source = tmp_path / "in.mkv"
    with (
        av.open(str(plain)) as video,
        av.open(str(tmp_path / "words.srt")) as words,
        av.open(str(source), "w") as output,
    ):
        output.metadata["title"] = "A film"
        output.set_chapters(
            [{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}]
        )
        copies = [(one, [output.add_stream_from_template(stream) for stream in one.streams]) for one in (video, words)]
        for opened, streams in copies:
            for packet in opened.demux():
                if packet.size:
                    packet.stream = streams[packet.stream_index]
                    output.mux(packet)
    result = copy(source, tmp_path / "out.mkv")
    assert packets(result, "subtitle") == packets(source, "subtitle") == [b"Look!"]
    with av.open(str(result)) as opened:
        assert opened.metadata["title"] == "A film"
        assert opened.chapters()[0]["metadata"] == {"title": "One"}
    copy(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as opened:
        assert {stream.type for stream in opened.streams} - {"data"} == {"video", "audio"}


def test_what_cannot_be_is_refused_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 3)
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "empty.mp4").touch()
    with av.open(str(tmp_path / "sound.m4a"), "w") as output:
        stream = output.add_stream("aac", rate=48000)
        output.mux(stream.encode(None))
    for name in ("text.mp4", "empty.mp4", "sound.m4a", "none.mp4", "."):
        with pytest.raises(ImpastoError, match="cannot read"):
            open_video(tmp_path / name)
    there = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for name, options in (
        ("o.xyz", {}),
        ("o", {}),
        ("in.mp4", {}),
        ("o.mp4", {"quality": 0}),
        ("o.mp4", {"codec": "gif"}),
    ):
        with pytest.raises(ImpastoError):
            VideoWriter(tmp_path / name, **options)  # type: ignore[arg-type]
    with pytest.raises(ImpastoError, match="no picture"):
        VideoWriter(tmp_path / "o.mp4").finish()
    with pytest.raises(ImpastoError, match="mkv"):
        copy(make_clip(tmp_path / "other.avi", 3, sound="adpcm_ms"), tmp_path / "o.mp4")
    (tmp_path / "other.avi").unlink()
    with pytest.raises(ZeroDivisionError):
        broken_off(source, tmp_path / "o.mp4")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == there


def write_again(source: Path, target: Path) -> VideoWriter:
    with open_video(source) as video, VideoWriter(target, sound=source) as writer:
        for frame in video.frames():
            writer.write(frame)
    return writer


@pytest.mark.parametrize(("sound", "suffix"), [("flac", ".mov"), ("pcm_s16le", ".mp4"), ("flac", ".ts")])
def test_sound_that_does_not_fit_is_noticed_before_anything_is_painted(tmp_path: Path, sound: str, suffix: str) -> None:
    source = make_clip(tmp_path / "in.mkv", 4, sound=sound)
    with pytest.raises(ImpastoError, match=r"cannot hold the sound of the source.*--no-sound"):
        VideoWriter(tmp_path / f"out{suffix}", sound=source)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_attachments_stay_in_mkv_and_are_named_elsewhere(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.add_attachment("font.ttf", "font/ttf", b"no font at all")
        for seed in range(4):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(photo(seed, 64, 48)), "rgb24")))
        output.mux(stream.encode(None))
    assert "attachment" in write_again(source, tmp_path / "out.mp4").left_out[0]
    assert write_again(source, tmp_path / "out.mkv").left_out == []
    with av.open(str(tmp_path / "out.mkv")) as opened:
        assert [stream.type for stream in opened.streams] == ["video", "attachment"]


def test_a_gif_has_a_palette_of_its_own(tmp_path: Path) -> None:
    shown = [np.asarray(photo(seed, 64, 48)) for seed in range(3)]
    write_again(make_clip(tmp_path / "in.mp4", 3, sound=None, shown=shown), tmp_path / "out.gif")
    with Image.open(tmp_path / "out.gif") as image:
        red = set(np.asarray(image.convert("RGB"))[..., 0].ravel().tolist())
    assert len(red - {round(255 * level / 7) for level in range(8)} - {36 * level for level in range(8)}) > 10

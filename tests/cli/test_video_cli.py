"""`impasto video` as a user meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clips import decoded, make_clip, packets, pictures, times
from support import Command

Refused = Callable[..., str]
STYLE = ("--style", "great_wave-turbo")


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours.astype(float) - theirs).mean())


def test_a_video_comes_out_painted_with_its_times_and_its_sound(impasto: Command, tmp_path: Path) -> None:
    ticks = np.cumsum([0, *([400, 500, 611] * 7)]).tolist()
    source = make_clip(tmp_path / "ein Föto.mp4", ticks=ticks, time_base=Fraction(1, 12800))
    done = impasto("video", source)
    assert done.returncode == 0, done.stderr
    result = tmp_path / "ein Föto-great_wave-turbo.mp4"
    assert done.stdout.splitlines()[-1] == str(result)
    assert "22 frames" in done.stdout
    assert times(result) == times(source)
    assert times(result, "audio") == times(source, "audio")
    assert packets(result) == packets(source)
    painted = decoded(result)
    assert all(distance(ours, theirs) > 10 for ours, theirs in zip(painted, pictures(22), strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == [result.name, source.name]


def test_a_frame_is_painted_as_the_photo_would_be(impasto: Command, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", 3, codec="ffv1", pixels="bgr0", sound=None)
    assert impasto("video", source, *STYLE, "--quality", 100, "--out", tmp_path / "o.mp4").returncode == 0
    import impasto as package

    stylizer = package.load("great_wave-turbo")
    for ours, photo in zip(decoded(tmp_path / "o.mp4"), pictures(3), strict=True):
        assert distance(ours, stylizer(photo)) < 6  # chroma has half the pixels


def test_strength_and_mix_change_from_the_first_frame_to_the_last(impasto_here: Command, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 9, sound=None)
    out = {name: tmp_path / f"{name}.mp4" for name in ("growing", "mixed", "first", "last")}
    common = ("--quality", 95, "--precision", "float32")
    for name, options in {
        "growing": (*STYLE, "--strength", 0, "--strength-to", 1),
        "mixed": (*STYLE, "--mix-to", "udnie-turbo=1"),
        "first": STYLE,
        "last": ("--style", "udnie-turbo"),
    }.items():
        done = impasto_here("video", source, *options, *common, "--out", out[name])
        assert done.returncode == 0, done.stderr
    frames, painted = decoded(source), {name: decoded(path) for name, path in out.items()}
    distances = [distance(ours, theirs) for ours, theirs in zip(painted["growing"], frames, strict=True)]
    assert distances[0] < 8
    assert distances[-1] > 3 * distances[0]
    assert np.all(np.diff(distances) > -0.3)
    assert distance(painted["growing"][-1], painted["first"][-1]) < 3
    assert distance(painted["mixed"][0], painted["first"][0]) < 3
    assert distance(painted["mixed"][-1], painted["last"][-1]) < 3
    assert distance(painted["mixed"][4], painted["first"][4]) > 5 < distance(painted["mixed"][4], painted["last"][4])


def test_a_part_of_it_in_another_size_beside_the_original(impasto: Command, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 20, rate=10)
    done = impasto(
        *("video", source, *STYLE, "--start", 0.5, "--end", 1.5, "--size", 95, "--compare", "--out", tmp_path / "o.mkv")
    )
    assert done.returncode == 0, done.stderr
    assert times(tmp_path / "o.mkv") == [Fraction(n, 10) for n in range(10)]
    assert 0 <= times(tmp_path / "o.mkv", "audio")[0] < Fraction(30, 1000)
    both = decoded(tmp_path / "o.mkv")[0]
    assert both.shape == (70, 94 + 4 + 94, 3)
    photo = np.repeat(np.repeat(pictures(6)[5], 2, 0), 2, 1)[: 2 * 48, : 2 * 64]
    assert distance(both[35:37, 40:50], photo[48:50, 55:68][:, :10]) < 25
    assert distance(both[:, :94], both[:, 98:]) > 10


def test_keep_colors_and_animations(impasto_here: Command, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", 4, rate=10)
    done = impasto_here("video", source, *STYLE, "--keep-colors", "--out", tmp_path / "new folder" / "o.gif")
    assert done.returncode == 0, done.stderr
    assert impasto_here("video", tmp_path / "new folder" / "o.gif", *STYLE, cwd=tmp_path).returncode == 0
    assert len(decoded(tmp_path / "new folder" / "o-great_wave-turbo.gif")) == 4
    done = impasto_here("video", source, *STYLE, "--steady", 0.5, "--no-sound", "--out", tmp_path / "steady.mp4")
    assert done.returncode == 0, done.stderr
    assert times(tmp_path / "steady.mp4") == times(source)
    with pytest.raises(StopIteration):
        packets(tmp_path / "steady.mp4")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "impasto", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})


def wait_for(there: Callable[[], bool]) -> None:
    for _ in range(1200):
        if there():
            return
        time.sleep(0.05)
    raise AssertionError("nothing has come of it in a minute")


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_what_is_stopped_or_killed_goes_on_to_the_same_end(
    how: signal.Signals, impasto: Command, impasto_here: Command, refused: Refused, tmp_path: Path
) -> None:
    source = make_clip(tmp_path / "in.mp4", 240, rate=4, size=(96, 80))
    arguments = ("video", source, *STYLE, "--keep-colors", "--strength-to", 0.2, "--out", tmp_path / "o.mp4")
    parts = tmp_path / "o.mp4.parts"
    running = start(*arguments)
    wait_for(lambda: len(list(parts.glob("0*.mp4"))) > 1)
    running.send_signal(how)
    _, error = running.communicate(timeout=60)
    if how == signal.SIGINT:
        assert running.returncode == 130
        assert "--resume goes on" in error
        assert "Traceback" not in error
        before = times(tmp_path / "o.mp4")
        assert before == times(source)[: len(before)]
        assert len(decoded(tmp_path / "o.mp4")) == len(before) < 240
        sound = packets(tmp_path / "o.mp4")
        assert sound == packets(source)[: len(sound)]
        assert abs(times(tmp_path / "o.mp4", "audio")[-1] - before[-1]) < 0.5
    else:
        assert not (tmp_path / "o.mp4").exists()
    refused(impasto_here(*arguments), "--overwrite")
    refused(impasto_here(*arguments, "--strength", 0.5, "--resume"), "strength", "0.5")
    done = impasto(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout.splitlines()[-2].split()[0].replace(",", "")) < 240
    assert times(tmp_path / "o.mp4") == times(source)
    assert packets(tmp_path / "o.mp4") == packets(source)
    assert not parts.exists()
    again = impasto_here(*arguments, "--resume")
    assert again.returncode == 0
    assert "done already" in again.stdout
    whole = impasto_here(*arguments[:-1], tmp_path / "whole.mp4")
    assert whole.returncode == 0
    pairs = zip(decoded(tmp_path / "o.mp4")[::40], decoded(tmp_path / "whole.mp4")[::40], strict=True)
    assert all(distance(ours, theirs) < 3 for ours, theirs in pairs)


def test_a_broken_tail_is_told_and_what_is_before_is_painted(impasto: Command, tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", 60, options={"g": "10"})
    source = tmp_path / "in.mkv"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = impasto("video", source, *STYLE, "--out", tmp_path / "o.mp4")
    assert done.returncode == 0, done.stderr
    assert 10 <= len(decoded(tmp_path / "o.mp4")) < 60
    source.write_bytes(b"\x1a\x45\xdf\xa3 nothing")
    done = impasto("video", source, *STYLE, "--out", tmp_path / "p.mp4")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


BAD: dict[str, tuple[tuple[object, ...], tuple[str, ...]]] = {
    "no video": ((), ("which video",)),
    "not there": (("none.mp4",), ("none.mp4", "no such file")),
    "a text": (("text.mp4",), ("text.mp4",)),
    "a folder": ((".",), ("folder",)),
    "out is a folder": (("in.mp4", "--out", "folder.mp4", "--overwrite"), ("is a folder",)),
    "end is no time": (("in.mp4", "--end", "inf", "--out", "o.mp4"), ("--end inf",)),
    "animation resumed": (("in.mp4", "--out", "o.gif", "--resume"), ("cannot be resumed",)),
    "itself": (("in.mp4", "--out", "in.mp4", "--overwrite"), ("itself",)),
    "exists": (("in.mp4", "--out", "there.mp4"), ("there.mp4", "--overwrite")),
    "suffix": (("in.mp4", "--out", "o.xyz"), (".xyz", ".mp4")),
    "folder": (("in.mp4", "--out", "text.mp4/o.mp4"), ("text.mp4/o.mp4",)),
    "no time": (("in.mp4", "--start", 3, "--end", 2), ("--end",)),
    "beyond the end": (("in.mp4", "--start", 30, "--out", "o.mp4"), ("lasts",)),
    "codec": (("in.mp4", "--out", "o.webm", "--codec", "h264"), ("webm", "vp9")),
    "no such codec": (("in.mp4", "--codec", "divx"), ("divx",)),
    "quality": (("in.mp4", "--quality", 0), ("--quality",)),
    "size": (("in.mp4", "--size", 0), ("--size",)),
    "strength": (("in.mp4", "--strength-to", 2), ("strength",)),
    "style": (("in.mp4", "--style", "nonesuch"), ("nonesuch",)),
    "mix": (("in.mp4", "--mix-to", "udnie-turbo"), ("--mix-to",)),
    "other network": (("in.mp4", "--mix-to", "udnie=1"), ("udnie",)),
    "two ways": (("in.mp4", "--resume", "--overwrite"), ("--resume",)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(case: str, impasto_here: Command, refused: Refused, tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", 3)
    (tmp_path / "there.mp4").write_text("mine")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "folder.mp4").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    arguments, words = BAD[case]
    refused(impasto_here("video", *arguments, cwd=tmp_path), *words)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_without_the_package_it_says_what_to_install(refused: Refused, tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", 3)
    (tmp_path / "av.py").write_text("raise ModuleNotFoundError(name='av')")
    done = subprocess.run(
        [sys.executable, "-m", "impasto", "video", "in.mp4"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    refused(done, "impasto[video]")

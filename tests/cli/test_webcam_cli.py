"""`impasto webcam` as a user meets it: a file in the camera's place, a display in memory, keys that are pressed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import decoded, make_clip, times
from screen import AVAILABLE, Keyboard, screen
from support import Command

Refused = Callable[..., str]
needs_screen = pytest.mark.skipif(not AVAILABLE, reason="there is no Xvfb")


@needs_screen
def test_a_file_in_the_cameras_place_is_shown_to_its_end(impasto: Command, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", 20, sound=None)
    with screen() as display:
        done = impasto("webcam", "--camera", clip, "--folder", tmp_path, DISPLAY=display)
    assert done.returncode == 0, done.stderr
    assert "q quit" in done.stdout
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@needs_screen
def test_keys_change_the_style_take_screenshots_and_record(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", 2500, sound=None)
    command = [sys.executable, "-m", "impasto", "webcam", "--camera", str(clip), "--strength", "0"]
    with screen() as display:
        running = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "DISPLAY": display}, stdout=subprocess.PIPE, text=True
        )
        keyboard, window = Keyboard(display), None
        while window is None:
            assert running.poll() is None
            time.sleep(0.05)
            window = keyboard.window("impasto")

        def files() -> int:
            return len(list(tmp_path.glob("webcam-*")))

        def press(*keys: str, more_files: bool = False, patience: float = 15.0) -> bool:
            """Whether as many files as wanted came of it."""
            before, until = files(), time.monotonic() + patience
            for key in keys:
                keyboard.press(window, key)
                time.sleep(0.1)
            while more_files and files() == before and time.monotonic() < until:
                time.sleep(0.05)
            return files() > before

        # The window may be there before it hears keys.
        assert any(press("s", more_files=True, patience=3) for _ in range(10))
        press("n", *["plus"] * 10)
        assert press("s", more_files=True)
        assert press("r", more_files=True)
        time.sleep(1)
        press("r")
        press("q")
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    shots = [np.asarray(Image.open(path)).astype(int) for path in sorted(tmp_path.glob("webcam-*.png"))]
    before, after = shots[0], shots[-1]
    assert np.abs(after - before).mean() > 10
    (recording,) = tmp_path.glob("webcam-*.mp4")
    assert str(recording.name) in out
    assert np.all(np.diff(times(recording)) > 0)
    assert decoded(recording)[0].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--camera", "7"), ("no camera 7",)),
        (("--camera", "none.mp4"), ("none.mp4",)),
        (("--camera", "text.mp4"), ("text.mp4",)),
        (("--camera", "in.mp4"), ("display",)),
        (("--rate", "0"), ("--rate",)),
        (("--strength", "2"), ("strength",)),
        (("--style", "nonesuch"), ("nonesuch",)),
    ],
)
def test_bad_input_gets_one_clear_line(
    arguments: tuple[str, ...], words: tuple[str, ...], impasto: Command, refused: Refused, tmp_path: Path
) -> None:
    make_clip(tmp_path / "in.mp4", 2)
    (tmp_path / "text.mp4").write_text("no video")
    done = impasto("webcam", *arguments, cwd=tmp_path, DISPLAY="", WAYLAND_DISPLAY="")
    refused(done, *words)
    assert len(done.stderr.strip().splitlines()) == 1

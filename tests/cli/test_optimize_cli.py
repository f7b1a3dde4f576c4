"""`impasto optimize` as a user meets it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from impasto import workflows
from impasto.errors import ImpastoError
from impasto.evaluation.optimization import Step
from support import Command, photo

NETWORK = ["--loss-network", "pocket"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "ein Föto.png"
    photo(1, 61, 43).save(path)
    return path


def options(size: int = 64, steps: int = 3) -> workflows.OptimizeOptions:
    return workflows.OptimizeOptions(size=size, steps=steps, loss_network="pocket")


def test_the_result_has_the_photos_shape(impasto: Command, picture: Path, painting: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "painted.png"
    done = impasto("optimize", picture, "--painting", painting, "--out", out, "--size", 80, "--steps", 12, *NETWORK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out)
    with Image.open(out) as painted, Image.open(picture) as original:
        assert painted.size == (80, 56)
        resized = original.convert("RGB").resize(painted.size)
        assert np.abs(np.asarray(painted).astype(int) - np.asarray(resized)).mean() > 1
    assert [path.name for path in out.parent.iterdir()] == ["painted.png"]


def test_sixteen_bits_and_alpha_are_kept(painting: Path, tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:50, 0:60]
    deep = np.stack([columns * 1000, rows * 1300, columns * 300, rows * 1311], axis=-1).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    made = workflows.optimize(tmp_path / "deep.png", painting, tmp_path / "o.png", options())
    painted = imagecodecs.png_decode(made.path.read_bytes())
    assert painted.dtype == np.uint16
    assert painted.shape == (53, 64, 4)
    assert (made.steps, made.stopped) == (3, False)


def test_stopping_it_writes_the_best_so_far(painting: Path, picture: Path, tmp_path: Path) -> None:
    seen: list[Step] = []

    def until_the_fifth(step: Step) -> None:
        seen.append(step)
        if step.number == 5:
            signal.raise_signal(signal.SIGINT)

    out = tmp_path / "o.png"
    made = workflows.optimize(picture, painting, out, options(steps=1000), on_progress=until_the_fifth)
    assert (made.steps, made.stopped, made.path) == (5, True, out)
    assert made.objective == seen[-1].best <= seen[0].best
    assert out.exists()


def test_ctrl_c_writes_what_is_there_and_says_after_how_many_steps(
    picture: Path, painting: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.jpg"
    command = ["optimize", picture, "--painting", painting, "--out", out, "--steps", 100000, "--size", 64, *NETWORK]
    process = subprocess.Popen(
        [sys.executable, "-m", "impasto", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("64×45 pixels")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    text, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "stopped after" in text
    assert "of 100000 steps" in text
    with Image.open(out) as painted:
        assert painted.size == (64, 45)


def test_stroke_size_and_style_weight_change_the_result(painting: Path, picture: Path, tmp_path: Path) -> None:
    found = []
    for weight, stroke in ((20, 1), (20, 2), (0.01, 1)):
        given = workflows.OptimizeOptions(64, 8, weight, stroke, "pocket")
        workflows.optimize(picture, painting, tmp_path / "o.png", given, overwrite=True)
        with Image.open(tmp_path / "o.png") as painted:
            found.append(np.asarray(painted).astype(float))
    assert np.abs(found[0] - found[1]).mean() > 0.5
    assert np.abs(found[0] - found[2]).mean() > 0.5


def test_without_naming_a_network_the_one_in_the_package_will_do(
    picture: Path, painting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IMPASTO_CACHE", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    said: list[str] = []
    given = workflows.OptimizeOptions(size=64, steps=2)
    workflows.optimize(picture, painting, tmp_path / "o.png", given, announce=said.append)
    assert said == ["64×45 pixels, compared by pocket"]


def test_sizes_that_do_not_fit_into_the_memory_are_refused(picture: Path, painting: Path, tmp_path: Path) -> None:
    with pytest.raises(ImpastoError, match=r"16384×11549 pixels needs about \d+.* GB.*smaller --size"):
        workflows.optimize(picture, painting, tmp_path / "o.png", options(size=16384))
    assert not (tmp_path / "o.png").exists()


BAD = {
    "no photo": (["--painting", "{painting}", "--out", "o.png"], "PHOTO"),
    "photo missing": (["no.jpg", "--painting", "{painting}", "--out", "o.png"], "no.jpg"),
    "no painting": (["{picture}", "--out", "o.png"], "--painting"),
    "painting no image": (["{picture}", "--painting", "{text}", "--out", "o.png"], "notes.txt"),
    "out exists": (["{picture}", "--painting", "{painting}", "--out", "{picture}"], "the photo itself"),
    "out unknown suffix": (["{picture}", "--painting", "{painting}", "--out", "o.psd"], ".psd is not known"),
    "size": (["{picture}", "--painting", "{painting}", "--out", "o.png", "--size", "3"], "--size is 3"),
    "steps": (["{picture}", "--painting", "{painting}", "--out", "o.png", "--steps", "0"], "--steps is 0"),
    "style weight": (["{picture}", "--painting", "{painting}", "--out", "o.png", "--style-weight", "nan"], "nan"),
    "stroke": (["{picture}", "--painting", "{painting}", "--out", "o.png", "--stroke-size", "0"], "--stroke-size"),
    "tiny stroke": (
        ["{picture}", "--painting", "{painting}", "--out", "o.png", "--size", "64", "--stroke-size", "0.1"],
        "larger --size",
    ),
    "network": (["{picture}", "--painting", "{painting}", "--out", "o.png", "--loss-network", "resnet"], "squeezenet"),
    "weights": (["{picture}", "--painting", "{painting}", "--out", "o.png", "--loss-weights", "w.h5"], "w.h5"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(
    case: str,
    painting: Path,
    picture: Path,
    tmp_path: Path,
    impasto_here: Command,
    refused: Callable[..., str],
) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    names = {"painting": painting, "picture": picture, "text": tmp_path / "notes.txt"}
    given, words = BAD[case]
    done = impasto_here("optimize", *(part.format_map(names) for part in given), cwd=tmp_path)
    refused(done, words)
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "o.png").exists()

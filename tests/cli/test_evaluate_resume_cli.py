"""An evaluation that is stopped or killed, and goes on."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageOps

from impasto import cli
from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.files import style_file
from impasto.training.result import make_style

STEPS, PIECES = 12, 9


@pytest.fixture(scope="module")
def command(
    tmp_path_factory: pytest.TempPathFactory, painting: Path, photo_folder: Path, loss_weights: Path
) -> list[str]:
    """`evaluate` of a style of random weights on three photos: nine pieces."""
    torch.manual_seed(0)
    config = NetworkConfig(width=4, blocks=1)
    style = tmp_path_factory.mktemp("styles") / "a style.safetensors"
    style_file.save(style, make_style(config, TransformerNet(config).state_dict(), ["a"], {}))
    own = tmp_path_factory.mktemp("own") / "a painting.png"
    own.write_bytes(painting.read_bytes())
    where = ["--painting", str(own), "--photos", str(photo_folder), "--count", "3", "--sizes", "64"]
    judge = ["--judge", "squeezenet", "--judge-weights", str(loss_weights), "--steps", str(STEPS)]
    return ["evaluate", str(style), *where, *judge]


@pytest.fixture(scope="module")
def uninterrupted(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted") / "o"
    assert run([*command, "--out", str(out)]) == 0
    return out


def run(words: list[str]) -> int:
    """The command line in this process, where torch is loaded already; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["impasto", *words])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def ended_by(number: int, command: list[str], out: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which gets the signal once a first piece is there."""
    words = [sys.executable, "-m", "impasto", *command, "--out", str(out)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not pieces(out) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


def pieces(out: Path) -> list[Path]:
    return sorted((out / "pieces").glob("[0-9a-f]*.piece"))


def numbers(out: Path) -> Any:
    """All that a report says, but for times."""
    text = (out / "report.json").read_text("utf-8")
    return json.loads(text, object_hook=lambda values: values | ({"seconds": 0} if "ssim" in values else {}))


def pictures(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.jpg")}


@pytest.mark.parametrize(
    ("number", "replacing"), [(signal.SIGINT, False), pytest.param(signal.SIGTERM, True, marks=pytest.mark.slow)]
)
def test_stopped_it_says_how_to_go_on_and_comes_to_the_same_report(
    number: int,
    replacing: bool,
    command: list[str],
    uninterrupted: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where it is `replacing` another report, that one stays until the new one is there."""
    out = tmp_path / "ä report"
    if replacing:
        shutil.copytree(uninterrupted, out)
        (out / "report.json").write_text("the one before")
    before = {path.name for path in out.glob("*")}
    stopped = ended_by(number, [*command, "--overwrite"] if replacing else command, out)
    assert stopped.returncode == 130
    made = len(pieces(out))
    assert 0 < made < PIECES
    (line,) = stopped.stderr.strip().splitlines()
    told, _, again = line.partition("; go on with: ")
    assert told == f"impasto: stopped; {made} of {PIECES} pieces are kept in {out / 'pieces'}"
    assert {path.name for path in out.iterdir()} == {*before, "pieces"}

    words = shlex.split(again)
    assert words[:3] == ["impasto", "evaluate", "--resume"]
    assert "--overwrite" not in words
    assert run(words[1:]) == 0
    assert f"going on: {made} of {PIECES} pieces are done already" in capsys.readouterr().out
    assert numbers(out) == numbers(uninterrupted)
    assert pictures(out) == pictures(uninterrupted)
    assert {path.name for path in out.iterdir()} == {path.name for path in uninterrupted.iterdir()}

    assert run(words[1:]) == 0
    assert "is done already" in capsys.readouterr().out


@pytest.mark.slow
def test_killed_it_goes_on_though_a_piece_is_damaged_and_takes_none_of_another_painting(
    command: list[str], uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, paint = tmp_path / "o", Path(command[command.index("--painting") + 1])
    assert ended_by(signal.SIGKILL, command, out).returncode == -signal.SIGKILL
    first = pieces(out)[0]
    data = first.read_bytes()
    first.write_bytes(data[: len(data) // 2])
    command = [*command, "--out", str(out)]
    assert run(command) == 2
    assert "add --resume to go on, or --overwrite" in capsys.readouterr().err
    assert first.exists()

    before = paint.read_bytes()
    with Image.open(paint) as opened:
        ImageOps.mirror(opened).save(paint)
    assert run([*command, "--resume"]) == 0
    assert f"nothing in {out / 'pieces'} is of this evaluation" in capsys.readouterr().out
    other = numbers(out)
    assert other["subject"]["painting"] != numbers(uninterrupted)["subject"]["painting"]
    assert other["results"][0]["baseline"]["curves"] != numbers(uninterrupted)["results"][0]["baseline"]["curves"]
    assert pieces(out) == []

    paint.write_bytes(before)
    (out / "pieces").mkdir()
    first.write_bytes(data[: len(data) // 2])
    assert run([*command, "--resume"]) == 0
    shown = capsys.readouterr()
    assert f"{first} is damaged; what it held is computed anew" in shown.out
    assert shown.err == ""
    assert numbers(out) == numbers(uninterrupted)


def test_two_at_a_time_in_one_folder_are_refused(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from impasto.evaluation.folder import ReportFolder

    with ReportFolder(tmp_path).alone():
        assert run([*command, "--out", str(tmp_path)]) == 2
    assert f"another evaluation is running in {tmp_path}" in capsys.readouterr().err

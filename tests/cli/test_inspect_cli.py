"""`impasto inspect` from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from impasto.config import NetworkConfig, TrainConfig, flatten
from impasto.core.transformer import TransformerNet
from impasto.files import style_file
from impasto.training.result import make_style
from support import Command

NETWORK = NetworkConfig(width=4, blocks=1)
PROVENANCE = {
    "painting": "wave.jpg",
    "painting_sha256": "c0ffee" * 10 + "abcd",
    "recipe": "classic",
    "options": {
        name: value
        for name, value in flatten(TrainConfig(learning_rate=0.002, network=NETWORK)).items()
        if value is not None
    },
    "iterations": 12345,
    "photos": 678,
    "minutes": 9.5,
    "impasto": "0.1.0",
    "torch": "2.13.0",
    "place": "a\x1b[31m red beach",
}


@pytest.fixture(scope="module")
def wave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("styles") / "wave.safetensors"
    style_file.save(path, make_style(NETWORK, TransformerNet(NETWORK).state_dict(), ["große Welle"], PROVENANCE))
    return path


def test_json(wave: Path, impasto: Command, tmp_path: Path) -> None:
    done = impasto("inspect", wave, "--size", "64", "--json", "--graph", tmp_path / "net.svg", PYTHONUTF8="1")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["names"] == ["große Welle"]
    assert told["bytes"] == wave.stat().st_size
    network = {"body": "classic", "width": 4, "blocks": 1, "downsampling": 4}
    assert told["network"] == {**network, "padding": "zero", "output": "tanh", "skip": False, "styles": 1}
    assert told["provenance"]["iterations"] == 12345
    assert told["provenance"]["options"]["learning_rate"] == 0.002
    assert told["size"] == 64
    # Convolutions with their biases, then two numbers for each channel of the norms.
    convolutions = (4 * 3 * 81 + 4) + (8 * 4 * 9 + 8) + (16 * 8 * 9 + 16) + 2 * (16 * 16 * 9 + 16)
    convolutions += (8 * 16 * 9 + 8) + (4 * 8 * 9 + 4) + (3 * 4 * 81 + 3)
    assert told["parameters"] == convolutions + 2 * (4 + 8 + 16 + 16 + 16 + 8 + 4)
    assert told["layers"][1] == {
        "name": "down.0.conv",
        "kind": "conv 9×9",
        "output": [4, 64, 64],
        "parameters": 4 * 3 * 81 + 4,
        "macs": 64 * 64 * 4 * 3 * 81,
    }
    assert told["macs"] == sum(layer["macs"] for layer in told["layers"]) == told["macs_per_pixel"] * 64 * 64
    assert told["graph"] == str(tmp_path / "net.svg")
    assert "blocks.0.first" in (tmp_path / "net.svg").read_text(encoding="utf-8")


def test_tables(wave: Path, impasto_here: Command) -> None:
    done = impasto_here("inspect", wave, COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    facts = ["style große Welle", "painting wave.jpg", "iterations 12,345", "photos 678", "minutes 9.5"]
    assert all(fact in lines for fact in [*facts, f"SHA-256 {PROVENANCE['painting_sha256']}", "loss network vgg16"])
    assert "options --blocks 1 --learning-rate 0.002 --width 4" in lines
    assert "network width 4, 1 block, zero padding, tanh output" in lines
    assert "down.0.norm instance norm, 1 style, ReLU 4×256×256 8" in lines
    assert "down.0.conv conv 9×9 4×256×256 976 63.7 M" in lines  # 256·256·4·3·81 = 63,700,992
    assert any(line.startswith("total of a 256×256 photo ") for line in lines)
    assert "\x1b" not in done.stdout  # what a file says cannot command the terminal


def test_bad_suffix(impasto_here: Command) -> None:
    done = impasto_here("inspect", "wave", "--graph", "net.bmp")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "impasto: cannot draw a graph as net.bmp; its suffix must be one of .svg, .png\n"


@pytest.mark.filterwarnings("ignore:Cyclopts")
@pytest.mark.parametrize("problem", ["none.safetensors", "--overwrite", "--size is 0"])
def test_what_cannot_be_done(
    problem: str, wave: Path, tmp_path: Path, impasto_here: Command, refused: Callable[..., str]
) -> None:
    there = tmp_path / "there.png"
    there.write_text("mine")
    arguments = {
        "none.safetensors": [tmp_path / "none.safetensors", "--graph", tmp_path / "net.png"],
        "--overwrite": [wave, "--graph", there],
        "--size is 0": [wave, "--size", "0", "--graph", there, "--overwrite"],
    }[problem]
    done = impasto_here("inspect", *arguments)
    refused(done, problem)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]
    assert there.read_text() == "mine"

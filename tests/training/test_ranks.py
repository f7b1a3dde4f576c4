"""Several processes that train together: the real command, on two devices that are this CPU twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from impasto.config import TrainConfig
from impasto.errors import ImpastoError
from impasto.files.collection import open_collection
from impasto.training.photos import Photos, Share
from impasto.training.ranks import place_here
from impasto.training.trainer import own
from support import Command, photo

OPTIONS = (
    *("--recipe", "quick", "--base", "turbo", "--width", "8", "--blocks", "1"),
    *("--image-size", "64", "--start-size", "0", "--style-size", "64", "--batch-size", "4", "--workers", "0"),
    *("--epochs", "2", "--max-minutes", "0", "--precision", "float32", "--temporal-weight", "20"),
)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(22):
        photo(number).save(folder / f"{number:02d}.png")
    return folder


def curve(run: Path) -> list[float]:
    return [json.loads(line)["total_loss"] for line in (run / "losses.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def alone(impasto: Command, painting: Path, many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    where = ("--photos", many, "--out", folder / "style.safetensors", "--run-dir", folder / "run")
    done = impasto("train", painting, *where, *OPTIONS)
    assert done.returncode == 0, done.stderr
    return folder


def same_training(ours: Path, theirs: Path) -> None:
    assert len(curve(ours / "run")) == len(curve(theirs / "run")) == 10
    np.testing.assert_allclose(curve(ours / "run"), curve(theirs / "run"), rtol=1e-4)
    first, second = (load_file(folder / "style.safetensors") for folder in (ours, theirs))
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], atol=3e-3, err_msg=name)


def test_two_processes_train_what_one_does(
    alone: Path, impasto: Command, painting: Path, many: Path, tmp_path: Path
) -> None:
    where = ("--photos", many, "--out", tmp_path / "style.safetensors", "--run-dir", tmp_path / "run")
    done = impasto("train", painting, *where, *OPTIONS, "--devices", 2)
    assert done.returncode == 0, done.stderr
    assert "2 processes together" in done.stdout
    assert done.stdout.count("run folder") == 1  # the leader alone speaks
    same_training(alone, tmp_path)


@pytest.mark.slow
def test_torchrun_starts_them_as_well(alone: Path, painting: Path, many: Path, tmp_path: Path) -> None:
    where = ("--photos", many, "--out", tmp_path / "style.safetensors", "--run-dir", tmp_path / "run")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "impasto", "train", str(painting), *map(str, where), *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is ready") == 1
    same_training(alone, tmp_path)


def test_what_one_process_finds_wrong_ends_all_with_one_line(
    impasto: Command, painting: Path, many: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    where = ("--out", tmp_path / "style.safetensors", "--run-dir", tmp_path / "run")
    done = impasto("train", painting, "--photos", tmp_path / "nowhere", *where, *OPTIONS, "--devices", 2)
    refused(done, "nowhere", "no such file or folder")
    assert done.stderr.count("impasto:") == 1
    assert not (tmp_path / "run").exists()


def test_a_batch_that_cannot_be_shared_is_refused(
    impasto_here: Command, painting: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    done = impasto_here("train", painting, "--out", tmp_path / "s.safetensors", *OPTIONS, "--devices", 3, cwd=tmp_path)
    refused(done, "a batch of 4 cannot be shared by 3 processes", "--batch-size 3")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "needs MASTER_ADDR, MASTER_PORT, NODE_RANK"),
        ({"MASTER_ADDR": "10.0.0.1", "NODE_RANK": "0"}, "needs MASTER_PORT in"),
        ({"MASTER_ADDR": "10.0.0.1", "NODE_RANK": "0", "MASTER_PORT": "http"}, "must be whole numbers"),
        ({"MASTER_ADDR": "10.0.0.1", "NODE_RANK": "2", "MASTER_PORT": "29500"}, "NODE_RANK is 2.*between 0 and 1"),
    ],
)
def test_several_computers_need_an_address(told: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImpastoError, match=words):
        place_here(devices=1, nodes=2)


def test_places_are_numbered_by_computer_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "NODE_RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    place = place_here(devices=4, nodes=3)
    assert place is not None
    assert (place.global_rank(), place.world_size(), place.local_rank(), place.node_rank()) == (8, 12, 0, 2)
    assert place_here(devices=1, nodes=1) is None


@given(position=st.integers(0, 4), size=st.sampled_from([1, 2, 3, 6]))
def test_the_shares_of_all_are_each_batch_once(many: Path, position: int, size: int) -> None:
    config = TrainConfig(image_size=32, batch_size=6, workers=0)
    collection = open_collection([many])
    shares = [Photos(collection, config, share=Share(rank, size)).epoch(1, 6 * position) for rank in range(size)]
    whole = list(Photos(collection, config).epoch(1, 6 * position))
    assert len(whole) == max(0, 22 // 6 - position)
    for batch, *parts in zip(whole, *shares, strict=True):
        assert {part.position for part in parts} == {batch.position}
        assert torch.equal(torch.cat([part.photos for part in parts]), batch.photos)


def test_a_share_of_values_is_that_of_its_photos() -> None:
    values = torch.arange(6)
    assert [own(values, Share(rank, 3)).tolist() for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]

"""The run folder's files: losses, previews, checkpoints."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch

from impasto.config import NetworkConfig, TrainConfig
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files.collection import Collection
from impasto.files.collection.folders import FolderPart, list_files
from impasto.training.photos import Photos
from impasto.training.run_folder import CHECKPOINTS, TOLD, RunFolder, new_run_dir, next_preview, to_pixels
from impasto.training.state import TrainState

CONFIG = TrainConfig(network=NetworkConfig(width=2, blocks=0), ema=0.9)


def state(iteration: int) -> TrainState:
    torch.manual_seed(iteration)
    made = TrainState(TransformerNet(CONFIG.network), CONFIG)
    made.iteration, made.epoch, made.position, made.elapsed = iteration, 1, 12, 3.5
    return made


def photos(*names: str) -> Photos:
    listing = list_files([Path(name) for name in names or ("a.jpg", "b.jpg")])
    return Photos(Collection([FolderPart(listing)]), CONFIG)


def loaded(folder: RunFolder) -> tuple[TrainState, Photos]:
    into, found = state(0), photos()
    assert folder.load_checkpoint(into, found, print)
    return into, found


def test_previews_come_closer_together_at_first_and_never_twice() -> None:
    previews = [0.0]
    while previews[-1] < 1000:
        previews.append(next_preview(previews[-1]))
    assert previews[1:5] == pytest.approx([20, 26, 33.8, 43.94])  # seconds of training
    gaps = [later - earlier for earlier, later in itertools.pairwise(previews[1:])]
    assert all(gap > 0 for gap in gaps)
    assert gaps == sorted(gaps)


def test_a_checkpoint_gives_everything_back(tmp_path: Path) -> None:
    folder, saved, known = RunFolder(tmp_path), state(7), photos()
    folder.save_checkpoint(saved, known)
    got, _ = loaded(folder)
    assert (got.iteration, got.epoch, got.position, got.elapsed) == (7, 1, 12, 3.5)
    for ours, theirs in zip(got.parameters() + got.average, saved.parameters() + saved.average, strict=True):
        assert torch.equal(ours, theirs)


def test_other_photos_than_before_are_noticed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save_checkpoint(state(1), photos())
    assert not folder.load_checkpoint(state(0), photos("a.jpg", "c.jpg"), print)


def test_a_folder_that_is_not_empty_is_never_taken_for_a_run(tmp_path: Path) -> None:
    RunFolder.require_new(tmp_path / "new")
    RunFolder.require_new(tmp_path)
    (tmp_path / "config.toml").write_text("mine")
    with pytest.raises(ImpastoError, match="not empty"):
        RunFolder.require_new(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    folder = RunFolder(tmp_path)
    folder.save_checkpoint(state(1), photos())
    folder.save_checkpoint(state(2), photos())
    newest = tmp_path / CHECKPOINTS[0]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"truncated": data[: len(data) // 2], "flipped": data, "empty": b""}[damage])
    said: list[str] = []
    assert folder.load_checkpoint(into := state(0), photos(), said.append)
    assert into.iteration == 1
    assert len(said) == 1
    assert str(newest) in said[0]
    assert not newest.exists()  # else the next save would put it in the place of the whole one
    (tmp_path / CHECKPOINTS[1]).write_bytes(b"gone too")
    with pytest.raises(ImpastoError, match="damaged"):
        loaded(folder)


def test_losses_behind_the_checkpoint_and_a_torn_line_are_dropped(tmp_path: Path) -> None:
    said: list[str] = []
    lines = [loss_line(i) for i in (1, 2, 3)]
    (tmp_path / "losses.jsonl").write_text("\n".join(lines) + '\n{"iteration": 4, "tot')
    assert [entry["iteration"] for entry in RunFolder(tmp_path).cut_losses(2, said.append)] == [1, 2]
    assert (tmp_path / "losses.jsonl").read_text() == lines[0] + "\n" + lines[1] + "\n"
    (tmp_path / "losses.jsonl").write_text("\n".join(lines) + '\n{"iteration": 4, "tot')
    assert len(RunFolder(tmp_path).cut_losses(3, said.append)) == 3
    assert not said


def loss_line(iteration: int) -> str:
    return json.dumps({name: float(iteration) for name in TOLD})


def test_a_damaged_line_of_the_losses_costs_that_line_alone_and_is_told(tmp_path: Path) -> None:
    lines = [loss_line(i) for i in range(1, 7)]
    lines[1] = lines[1].replace("total", "t\x00tal")
    lines[3] = lines[3].replace("4.0", "2.0")  # a second line of a step that is over
    (tmp_path / "losses.jsonl").write_text("\n".join(lines))
    said: list[str] = []
    assert [entry["iteration"] for entry in RunFolder(tmp_path).cut_losses(6, said.append)] == [1, 3, 5, 6]
    assert len(said) == 1
    assert "2 steps are missing" in said[0]
    (tmp_path / "losses.jsonl").write_text("\n".join([lines[0], "torn", lines[2]]))
    assert len(RunFolder(tmp_path).cut_losses(3, said.append)) == 2
    assert "1 steps are missing" in said[1]


def test_pixels_are_rounded_and_clamped() -> None:
    image = torch.tensor([-0.5, 0.0, 0.5, 0.501, 1.0, 2.0]).view(1, 2, 3).expand(3, 2, 3)
    assert to_pixels(image)[..., 0].tolist() == [[0, 0, 128], [128, 255, 255]]
    assert to_pixels(image).shape == (2, 3, 3)


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda _: "now")
    assert [str(new_run_dir("a b.jpg")) for _ in range(3)] == ["runs/a b-now", "runs/a b-now-2", "runs/a b-now-3"]

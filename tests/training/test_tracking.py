"""Trackers: the real ones write what a training tells, and none of them can end a training."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import ImpastoError
from impasto.training import tracking
from impasto.training.tracking import check_trackers
from impasto.training.tracking import tracking as tracked
from impasto.training.trainer import TrainProgress


def progress(iteration: int) -> TrainProgress:
    image = torch.zeros(3, 8, 8)
    numbers = {name: float(iteration) for name in ("total_loss", "content_loss", "style_loss", "tv_loss")}
    rest: dict[str, Any] = {"learning_rate": 0.1, "photos_per_second": 5.0, "waited": 0.0, "elapsed": 1.0, "done": 0.5}
    return TrainProgress(iteration, 10, 1, 1, **numbers, **rest, photo=image, stylized=image)


def test_tensorboard_gets_every_curve(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with tracked(["tensorboard"], tmp_path, {"epochs": 1}, print) as listeners:
        for iteration in (1, 2, 3):
            for listener in listeners:
                listener(progress(iteration))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == sorted(tracking.TRACKED)
    assert [(event.step, event.value) for event in events.Scalars("total_loss")] == [(1, 1), (2, 2), (3, 3)]


ONE_RUN = """
import sys
from pathlib import Path
sys.path.insert(0, "tests/training")
from test_tracking import progress
from impasto.training.tracking import tracking
with tracking([sys.argv[1]], Path(sys.argv[2]), {"epochs": 1}, print) as listeners:
    for iteration in range(*map(int, sys.argv[3:5])):
        listeners[0](progress(iteration))
"""


def track(name: str, run_dir: Path, first: int, behind: int, **env: str) -> str:
    """In a process of its own, as these packages keep much to themselves."""
    command = [sys.executable, "-c", ONE_RUN, name, str(run_dir), str(first), str(behind)]
    root = Path(__file__).parents[2]
    paths = os.pathsep.join(["tests", *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": paths, **env}
    done = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, timeout=120, check=True)
    assert "left out" not in done.stdout
    return done.stdout + done.stderr


def test_wandb_keeps_a_run_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    track("wandb", tmp_path, 1, 4, WANDB_MODE="offline", WANDB_SILENT="true")
    assert [path for path in (tmp_path / "wandb").rglob("run-*.wandb") if path.stat().st_size]


def test_trackio_keeps_a_run_and_goes_on_with_it(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    run = tmp_path / "a run"
    for first, behind in ((1, 3), (3, 5)):
        track("trackio", run, first, behind, TRACKIO_DIR=str(tmp_path / "kept"), HF_HUB_OFFLINE="1")
    (database,) = (tmp_path / "kept").glob("impasto*.db")
    with sqlite3.connect(database) as connection:
        query = "select step from metrics where run_name like 'a run-%' order by step"
        steps = [step for (step,) in connection.execute(query)]
    assert steps == [1, 2, 3, 4]


class Failing:
    def __init__(self, run_dir: Path, options: object) -> None: ...

    def log(self, values: object, step: int) -> None:
        raise ConnectionError("no\nnetwork")

    def close(self) -> None: ...


def test_a_tracker_that_fails_is_left_out_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tracking.TRACKERS, "failing", Failing)
    said: list[str] = []
    with tracked(["failing"], tmp_path, {}, said.append) as listeners:
        for iteration in range(3):
            listeners[0](progress(iteration))
    assert said == ["--track failing has failed and is left out: no network"]


def test_an_unknown_tracker_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ImpastoError, match=r"'papyrus'.*tensorboard, wandb, trackio"):
        check_trackers(["tensorboard", "papyrus"])

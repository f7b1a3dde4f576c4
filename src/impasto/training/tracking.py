"""The curves of a training for TensorBoard, Weights & Biases and trackio: listeners like any `on_progress`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from impasto.errors import ImpastoError, in_one_line
from impasto.files import atomic
from impasto.training.trainer import TrainProgress

TRACKED = ("total_loss", "content_loss", "style_loss", "tv_loss", "learning_rate", "photos_per_second")
PROJECT = "impasto"


class Tracker(Protocol):
    """Something that keeps curves."""

    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


def own_id(run_dir: Path) -> str:
    """What a tracker knows the training in that folder by, so that one that goes on goes on in the same run."""
    file = run_dir / "tracking-id"
    if not file.exists():
        atomic.write_bytes(file, uuid4().hex[:16].encode())
    return file.read_text("ascii")


class TensorBoard:
    """Event files in the run folder: ``tensorboard --logdir runs``."""

    def __init__(self, run_dir: Path, options: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(run_dir / "tensorboard"))

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        self.writer.close()


class WandB:
    """A run of Weights & Biases; where and whether it is sent, wandb's own settings and WANDB_MODE say."""

    def __init__(self, run_dir: Path, options: Mapping[str, Any]) -> None:
        import wandb

        self.run = wandb.init(
            project=PROJECT,
            name=run_dir.name,
            id=own_id(run_dir),
            resume="allow",
            dir=str(run_dir),
            config=dict(options),
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        self.run.finish()


class Trackio:
    """A run of trackio, kept on this computer: ``trackio show``."""

    def __init__(self, run_dir: Path, options: Mapping[str, Any]) -> None:
        import trackio

        name = f"{run_dir.name}-{own_id(run_dir)[:6]}"
        self.run = trackio.init(project=PROJECT, name=name, resume="allow", config=dict(options), embed=False)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        self.run.finish()


TRACKERS: dict[str, Callable[[Path, Mapping[str, Any]], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WandB,
    "trackio": Trackio,
}


def check_trackers(names: Sequence[str]) -> None:
    """Raises ImpastoError for a tracker that there is not, or whose package is not installed."""
    for name in names:
        if name not in TRACKERS:
            raise ImpastoError(f"there is no tracker {name!r}; --track knows: {', '.join(TRACKERS)}")
        if importlib.util.find_spec(name) is None:
            raise ImpastoError(f"--track {name} needs a package: pip install 'impasto[{name}]'")


@contextmanager
def tracking(
    names: Sequence[str], run_dir: Path, options: Mapping[str, Any], announce: Callable[[str], None]
) -> Iterator[list[Callable[[TrainProgress], None]]]:
    """A listener for each tracker. One that fails on the way is left out, and the training goes on.

    Raises:
        ImpastoError: one that does not begin.
    """
    trackers: dict[str, Tracker] = {}

    def listener(name: str) -> Callable[[TrainProgress], None]:
        def listen(progress: TrainProgress) -> None:
            if name in trackers:
                with _forgiven(name):
                    values = {item: getattr(progress, item) for item in TRACKED}
                    trackers[name].log(values, progress.iteration)

        return listen

    @contextmanager
    def _forgiven(name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            trackers.pop(name, None)
            announce(f"--track {name} has failed and is left out: {in_one_line(str(error))}")

    try:
        for name in names:
            try:
                trackers[name] = TRACKERS[name](run_dir, options)
            except Exception as error:
                raise ImpastoError(f"--track {name} does not begin: {in_one_line(str(error))}") from error
        yield [listener(name) for name in names]
    finally:
        for name, tracker in list(trackers.items()):
            with _forgiven(name):
                tracker.close()

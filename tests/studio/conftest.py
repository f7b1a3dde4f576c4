"""A library of the studio's jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from impasto.studio.jobs import Jobs
from support import photo


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library")


@pytest.fixture(scope="module")
def jobs(library: Path) -> Iterator[Jobs]:
    with Jobs(library / "jobs", library / "styles") as opened:
        yield opened


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four photos."""
    folder = tmp_path_factory.mktemp("snapshots")
    for seed in range(4):
        photo(seed, 64, 48).save(folder / f"{seed}.jpg")
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """A training whose steps take a moment, by steps and not by the clock."""
    return {
        **{"image_size": 64, "start_size": 0, "style_size": 64, "workers": 0, "precision": "float32"},
        **{"max_minutes": 600.0, "max_iterations": 20, "checkpoint_every": 2},
    }

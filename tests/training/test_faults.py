"""What can go wrong with a training, done to real ones: the harness of benchmarks/faults.py, a part of it each time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest

import faults
from faults import Harness


def outcome(of: Future[str]) -> str:
    try:
        return of.result()
    except PermissionError as error:
        pytest.skip(str(error))


def test_a_training_killed_at_random_ends_in_the_same_bits(faults_tried: dict[str, Future[str]]) -> None:
    assert outcome(faults_tried["killed"]).startswith("2 of 2 kills survived")


@pytest.mark.parametrize("fault", ["rank dies", "disk full"])
def test_nothing_is_lost(faults_tried: dict[str, Future[str]], fault: str) -> None:
    assert outcome(faults_tried[fault])


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("faults") / "all")


@pytest.mark.slow
@pytest.mark.parametrize("fault", faults.FAULTS.values(), ids=faults.FAULTS)
def test_every_promise_is_kept(harness: Harness, fault: Callable[[Harness], str]) -> None:
    try:
        assert fault(harness)
    except PermissionError as error:
        pytest.skip(str(error))

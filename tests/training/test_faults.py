"""What can go wrong with a training, done to real ones: the harness of benchmarks/faults.py, a part of it each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import faults
from faults import Harness


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("faults") / "all", steps=30)


@pytest.fixture(scope="module")
def outcomes(harness: Harness) -> Iterator[dict[str, Future[str]]]:
    """What is tried each time, two faults at once: most of it is waiting for one process."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            "rank dies": pool.submit(faults.rank_dies, harness),
            "killed": pool.submit(faults.killed, harness, kills=2),
            "disk full": pool.submit(faults.disk_full, harness),
        }


def outcome(of: Future[str]) -> str:
    try:
        return of.result()
    except PermissionError as error:
        pytest.skip(str(error))


def test_a_training_killed_at_random_ends_in_the_same_bits(outcomes: dict[str, Future[str]]) -> None:
    assert outcome(outcomes["killed"]).startswith("2 of 2 kills survived")


@pytest.mark.parametrize("fault", ["rank dies", "disk full"])
def test_nothing_is_lost(outcomes: dict[str, Future[str]], fault: str) -> None:
    assert outcome(outcomes[fault])


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("longer faults") / "all")


@pytest.mark.slow
@pytest.mark.parametrize("fault", faults.FAULTS.values(), ids=faults.FAULTS)
def test_every_promise_is_kept(longer: Harness, fault: Callable[[Harness], str]) -> None:
    try:
        assert fault(longer)
    except PermissionError as error:
        pytest.skip(str(error))

"""What can go wrong with a training, done to real ones: the harness of benchmarks/faults.py, a part of it each time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import faults
from faults import Harness


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("faults") / "short", steps=30)


def kept(fault: Callable[[Harness], str], harness: Harness) -> str:
    try:
        return fault(harness)
    except PermissionError as error:
        pytest.skip(str(error))


def test_a_training_killed_at_random_ends_in_the_same_bits(short: Harness) -> None:
    assert kept(lambda harness: faults.killed(harness, kills=1), short).startswith("1 of 1 kills survived")


def test_a_full_disk_loses_nothing(short: Harness) -> None:
    assert kept(faults.disk_full, short)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("faults") / "all")


@pytest.mark.slow
@pytest.mark.parametrize("fault", faults.FAULTS.values(), ids=faults.FAULTS)
def test_every_promise_is_kept(harness: Harness, fault: Callable[[Harness], str]) -> None:
    assert kept(fault, harness)

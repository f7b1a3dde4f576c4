"""What can go wrong with a training, done to real ones: the harness of benchmarks/faults.py, a part of it each time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import faults
from faults import Harness


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return Harness(tmp_path_factory.mktemp("faults") / "all")


def outcome(harness: Harness, fault: Callable[[Harness], str]) -> str:
    try:
        return fault(harness)
    except PermissionError as error:
        pytest.skip(str(error))


def test_a_training_killed_at_random_ends_in_the_same_bits(harness: Harness) -> None:
    assert outcome(harness, lambda made: faults.killed(made, kills=2)).startswith("2 of 2 kills survived")


def test_a_flipped_bit_is_noticed_or_harmless(harness: Harness) -> None:
    assert outcome(harness, lambda made: faults.flipped(made, ("config.toml", "checkpoint.pt"))).startswith("2 files")


@pytest.mark.parametrize("fault", [faults.disk_full, faults.rank_dies])
def test_nothing_is_lost(harness: Harness, fault: Callable[[Harness], str]) -> None:
    assert outcome(harness, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", faults.FAULTS.values(), ids=faults.FAULTS)
def test_every_promise_is_kept(harness: Harness, fault: Callable[[Harness], str]) -> None:
    assert outcome(harness, fault)

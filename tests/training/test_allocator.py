"""Memory that is freed stays with the process while it trains, and goes back to the system afterwards."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

MEASURED = """
import resource
import numpy as np
from impasto.training.allocator import kept_memory

def faults(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        np.ones(2**23)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

usual = faults(4)
with kept_memory():
    faults(1)
    kept = faults(4)
    held = resident()
print(usual, kept, held - resident(), faults(4))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_blocks_are_kept_within_and_given_back_afterwards() -> None:
    result = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    usual, kept, given_back, afterwards = (int(text) for text in result.stdout.split())
    block = 2**26 // resource.getpagesize()  # in pages; huge ones make fewer faults
    assert kept < max(usual, 100) / 10
    assert given_back > 0.9 * block
    assert afterwards > 0.5 * usual

"""Memory that a step frees is there for the next."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gradcost import cpu

WARM_UP, STEPS = 20, 50  # the heap finds its size in the first steps
PAGES = 1024  # tensors of 4 MiB
FAULTS = f"""
import resource, torch
from gradcost import cpu

{{prepare}}

def step():
    made = [torch.ones({PAGES} * 1024) for _ in range(8)]
    return sum(made)

for _ in range({WARM_UP}):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({STEPS}):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(prepare: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(prepare=prepare)], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return int(done.stdout)


@pytest.mark.skipif(not cpu.keep_freed_memory(), reason="the C library is not glibc")
def test_steps_touch_few_new_pages():
    assert 10 * faults("cpu.prepare(1)") < faults("torch.set_num_threads(1)")

"""The benchmark on a model of the size of a test: what it counts, not how long it takes."""

from __future__ import annotations

import pytest

from gradcost.training import bench

TINY = bench.Size(
    layers=1, hidden=64, intermediate=128, heads=2, key_value_heads=1, vocabulary=100, length=8
)


@pytest.fixture(scope="module")
def results():
    return {one.label: one for one in bench.run(TINY, 1, tell=lambda _: None)}


def test_every_entry_is_measured(results):
    assert list(results) == [entry.label for entry in bench.ENTRIES]
    assert all(one.time > 0 for one in results.values())


def test_flops_are_those_of_the_mathematics(results):
    def flops(label: str) -> float:
        return results[label].flops

    assert flops("BP-Vanilla") <= 2.05
    assert flops("BP-Checkpointing") <= 3.05
    for label in ("ZO-Vanilla", "ZO-Accumulate", "ZO-Adaptive", "ZO-Sparse", "SignZO"):
        assert flops(label) == pytest.approx(2, abs=0.05)
    assert flops("ZO-Vanilla, one-sided") == pytest.approx(2, abs=0.05)
    assert flops("ZO-SVRG") == pytest.approx(4, abs=0.05)
    assert flops("ZO, all parameters in place") == pytest.approx(2, abs=0.05)
    assert flops("FMAD-Vanilla") <= 2.1
    assert flops("FMAD-Multiple, together") <= 11.1
    assert flops("FMAD-Vanilla, as published") > 2.5
    assert flops("FMAD-Multiple, as published") > 25
    assert flops("FMAD-Sparse") == pytest.approx(3, abs=0.1)


def test_zeroth_order_in_place_takes_the_memory_of_inference(results):
    # the tiny model's activations are few: two blocks of random numbers show
    assert results["ZO-Vanilla"].memory < 1.2
    assert results["ZO, all parameters"].memory > 2 * results["ZO, all parameters in place"].memory


def test_the_table_has_a_line_for_each_method(results):
    text = bench.table(list(results.values()))
    assert len(text.splitlines()) == 1 + len(bench.ENTRIES)
    assert "FMAD-Multiple, together" in text

"""How many FLOPs a device does in a second."""

from __future__ import annotations

import pytest

from gradcost.planning import rate
from gradcost.study import devices, record
from tests.study.test_record import example, timings

MEMORY = dict.fromkeys(record.Memory.model_fields, 1)


def test_a_card_has_the_rate_of_its_data_sheet():
    found = rate.of_card(devices.load("a100-80gb"), "bfloat16")
    assert found.flops == 312e12
    assert "NVIDIA A100 80GB" in found.of


def test_a_run_says_what_it_reached(tmp_path):
    cost = record.Cost(
        trainable_parameters=1, total_parameters=2, forward_flops=100, step_flops=600,
        model_bytes=1, peak_bytes=7, peak=record.Memory(**MEMORY),
    )  # fmt: skip
    record.write(tmp_path, *example(cost=cost, steps=2, timings=timings(4.0)))
    found = rate.of_record(tmp_path / "record.json")
    seconds = record.read(tmp_path)[0].timings.training_seconds
    assert found.flops == 1200 / seconds
    assert "x on t" in found.of


def test_a_run_without_a_step_says_nothing(tmp_path):
    record.write(tmp_path, *example(cost=None))
    with pytest.raises(record.BadRecord, match="took no step"):
        rate.of_record(tmp_path)


def test_this_machine_can_be_measured():
    found = rate.measured("float32", repeats=1)
    assert 1e8 < found.flops < 1e16
    assert "float32 product" in found.of

"""Cards and quantities by name."""

from __future__ import annotations

import pytest

from gradcost.study import devices
from gradcost.study.devices import UnknownDevice


@pytest.mark.parametrize(
    ("text", "size"),
    [("24GB", 24e9), ("24GiB", 24 * 2**30), (" 0.5 gb", 5e8), ("1e3MB", 1e9), ("1TB", 1e12)],
)
def test_memory_is_read_with_its_unit(text, size):
    assert devices.memory(text) == size


@pytest.mark.parametrize("text", ["24", "GB", "24XB", "24 G B", "", "one GB", "nanGB", "1.2.3GB"])
def test_what_is_no_amount_of_memory_is_refused_with_an_example(text):
    with pytest.raises(UnknownDevice, match="24GiB"):
        devices.memory(text)


@pytest.mark.parametrize("text", ["0GB", "-3GB", "1e999GB"])
def test_a_card_without_memory_makes_no_sense(text):
    with pytest.raises(UnknownDevice, match=r"must be above zero|number"):
        devices.memory(text)


def test_a_rate_is_read_with_its_unit():
    assert devices.rate("90TFLOPS") == 90e12
    assert devices.rate("1.5 pflops") == 1.5e15
    with pytest.raises(UnknownDevice, match="as in 90TFLOPS"):
        devices.rate("90GB")


def test_cards_have_what_a_plan_needs():
    known = devices.all_devices()
    assert len({device.name for device in known}) == len(known)
    for device in known:
        assert 8e9 < device.memory < 1e12
        assert device.source
        assert 1e12 < device.rate("float32") < 1e15
    assert devices.load("l40").rate("bfloat16") == pytest.approx(181.05e12)


@pytest.mark.parametrize("name", ["RTX 4090", "rtx-4090", "rtx_4090"])
def test_a_card_is_found_however_it_is_written(name):
    assert devices.load(name).label == "NVIDIA GeForce RTX 4090"


def test_an_unknown_card_names_the_nearest():
    with pytest.raises(UnknownDevice, match="did you mean 'a100-40gb'"):
        devices.load("a100-40g")


def test_a_type_that_a_card_cannot_multiply_is_an_error():
    with pytest.raises(UnknownDevice, match="NVIDIA T4 has no products of bfloat16"):
        devices.load("t4").rate("bfloat16")

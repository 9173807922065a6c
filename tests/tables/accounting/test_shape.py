"""Wide and shallow against deep and narrow, on sheets whose laws are known."""

from __future__ import annotations

from gradcost.study import architectures
from gradcost.tables.accounting import shape
from tests.results.synthetic_accounting import BOUNDARY, INSIDE, accounting, sheet, step


def shapes(tmp_path):
    sheets = [
        sheet(name, label, [step(method, layers=layers) for method in shape.METHODS])
        for name, label, layers in (("wide", "wide", 8), ("deep", "deep", 128))
    ]
    return accounting(tmp_path, *sheets)


def test_checkpoints_save_more_where_layers_are_more(tmp_path):
    data = shapes(tmp_path)
    for name, layers in (("wide", 8), ("deep", 128)):
        found = shape.ratio(data, name, "bp-checkpointing", "bp-vanilla")
        expected = (2 * INSIDE + BOUNDARY * layers) / (INSIDE * layers)
        assert abs(found / expected - 1) < 0.02  # what is trained is in both
    text = shape.say(data)
    assert "of 3.3 on wide, whose layers are 8" in text
    assert "whose layers are 128" in text


def test_a_block_for_each_shape_that_is_priced(tmp_path):
    text = shape.render(shapes(tmp_path))
    assert text.count("BP-Checkpointing") == 2
    assert "nan" not in text
    assert "no shape is priced" in shape.render(
        accounting(tmp_path / "none", sheet("rank", "r", [step("zo-vanilla")]))
    )


def test_the_shapes_have_as_many_parameters_in_their_layers():
    def layers(name: str) -> int:
        found = architectures.load(name).config
        width, inner = found["hidden_size"], found["intermediate_size"]
        shared = width * found["num_key_value_heads"] // found["num_attention_heads"]
        per_layer = 2 * width * width + 2 * width * shared + 3 * width * inner
        return per_layer * found["num_hidden_layers"]

    assert layers("llama-wide") == layers("llama-3.1-8b") == layers("llama-deep")

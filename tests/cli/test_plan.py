"""`gradcost plan --model`, on an architecture that is priced in a second."""

from __future__ import annotations

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from gradcost.cli import app
from tests.cli.test_people import ROOT, run

CONFIG = {
    "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64,
}  # fmt: skip
METHODS = ("bp-vanilla", "bp-checkpointing", "zo-vanilla", "fmad-multiple")


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(CONFIG))
    return path


def plan(model, *arguments, methods=METHODS, code=0) -> str:
    chosen = [part for name in methods for part in ("--method", name)]
    given = [
        "plan", "--config", ROOT / "config.yaml", "--model", model, "--batch", 4, "--length", 16,
        "--processes", 1, *chosen, *arguments,
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(argument) for argument in given])
    assert result.exit_code == code, result.output
    return result.stderr if code else result.stdout


def answer(model, *arguments, **more) -> dict:
    return json.loads(plan(model, "--json", *arguments, **more))


def test_a_row_a_method_with_its_breakdown(tiny):
    found = answer(tiny)
    assert [row["name"] for row in found["rows"]] == [
        "BP-Vanilla", "BP-Checkpointing", "ZO-Vanilla", "FMAD-Multiple (10 in turn)",
        "FMAD-Multiple (10 together)",
    ]  # fmt: skip
    for row in found["rows"]:
        on_device = sum(size for name, size in row["peak"].items() if name != "host")
        assert row["peak_bytes"] == on_device
        assert row["flops_per_example"] == row["step_flops"] / 4
        assert row["fits"] is row["seconds_per_step"] is None


def test_a_batch_fits_up_to_the_largest_that_is_said_to(tiny):
    rows = answer(tiny, "--gpu-memory", "400MB", "--reserve", "399.8MB")["rows"]
    for row in rows:
        largest = row["largest_batch_that_fits"]
        assert row["fits"] is (largest >= 4)
    assert {row["fits"] for row in rows} == {True, False}
    chosen = rows[0]
    for batch, fits in ((chosen["largest_batch_that_fits"], True),
                        (chosen["largest_batch_that_fits"] + 1, False)):  # fmt: skip
        again = answer(
            tiny, "--batch", batch, "--gpu-memory", "400MB", "--reserve", "399.8MB",
            methods=["bp-vanilla"],
        )  # fmt: skip
        assert again["rows"][0]["fits"] is fits


def test_a_step_takes_its_flops_over_the_rate(tiny):
    row = answer(tiny, "--rate", "2TFLOPS", methods=["zo-vanilla"])["rows"][0]
    assert row["seconds_per_step"] == row["step_flops"] / 2e12
    named = answer(tiny, "--gpu", "l40", methods=["zo-vanilla"])
    assert named["flops_per_second"] == pytest.approx(181.05e12)
    assert named["memory_bytes"] == 46068 * 2**20


def test_the_options_reach_the_step(tiny):
    one = answer(tiny, methods=["bp-vanilla"])["rows"][0]
    more = answer(tiny, "--rank", 4, "--target", "o_proj", "--checkpointing", "nested",
                  methods=["bp-vanilla"])["rows"][0]  # fmt: skip
    # per layer 4 (32 + 32) instead of 1 (32 + 32) twice
    head = 4 * 32
    assert one["trainable_parameters"] - head == 2 * 2 * 64
    assert more["trainable_parameters"] - head == 2 * 4 * 64
    assert more["checkpointing"] == "nested"
    assert more["peak"]["activations"] < one["peak"]["activations"]
    whole = answer(tiny, "--trainable", "all", methods=["zo-in-place"])
    assert whole["quantisation"] is None
    assert whole["rows"][0]["trainable_parameters"] == whole["rows"][0]["total_parameters"]
    assert whole["rows"][0]["peak"]["states"] == 0


def test_directions_and_how_many_are_evaluated_at_once(tiny):
    rows = answer(tiny, "--directions", 5, "--at-once", 2, methods=["zo-multiple"])["rows"]
    assert [row["name"] for row in rows] == ["ZO-Multiple (5 by 2)"]


def test_the_table_is_for_reading(tiny):
    text = plan(tiny, "--gpu-memory", "24GB", "--rate", "1TFLOPS")
    head = next(line for line in text.splitlines() if line.lstrip().startswith("method"))
    for column in ("peak kB", "activations", "fits", "largest batch", "seconds a step"):
        assert column in head
    assert text.startswith("tiny, 23.2 thousand parameters, NF4, bfloat16\n")
    assert "4 x 16 tokens, LoRA on q_proj, v_proj of rank 1, adamw" in text
    assert "24.0 GB, of which 0.6 GB are left" in text


def test_csv_has_a_row_a_method(tiny):
    text = plan(tiny, "--csv", methods=["bp-vanilla", "zo-vanilla"])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["method"] for row in rows] == ["bp-vanilla", "zo-vanilla"]
    assert int(rows[0]["peak_activations"]) > int(rows[1]["peak_activations"])


SEES = {
    "model_type": "qwen2_vl", "tie_word_embeddings": False,
    "text_config": {
        "model_type": "qwen2_vl_text", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
    },
    "vision_config": {
        "depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 4,
        "patch_size": 14, "in_channels": 3, "spatial_merge_size": 2, "temporal_patch_size": 2,
    },
}  # fmt: skip


def test_images_are_seen_once_for_a_batch(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SEES))
    rows = answer(path, "--answer", 3, "--image-size", 64, "--directions", 5)["rows"]
    # 2 x 2 tokens of 28 x 28 pixels each; the same text and image tokens without the tower
    text = answer(path, "--answer", 3, "--length", 20, "--directions", 5)["rows"]
    seen = {one["step_flops"] - other["step_flops"] for one, other in zip(rows, text, strict=True)}
    assert len(seen) == 1
    assert seen.pop() > 0
    for row in rows:
        assert row["step_flops"] == row["closed_form_flops"]
    assert "4 x 16 tokens and an image of 64 pixels a side" in plan(
        path, "--answer", 3, "--image-size", 64, methods=["zo-vanilla"]
    )


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_bar_chart_can_be_drawn(tiny, tmp_path, suffix, start):
    path = tmp_path / f"bars.{suffix}"
    plan(tiny, "--plot", path, "--gpu-memory", "1GB", methods=["bp-vanilla", "zo-vanilla"])
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-size", "64"], "--image_size = 64: needs answer, and trainable: lora"),
        (["--image-size", "64", "--answer", "3"], "takes no images"),
        (["--length", 65], "--length = 65"),
        (["--gpu-memory", "24"], "24GB or 24GiB"),
        (["--gpu-memory", "-1GB"], "must be above zero"),
        (["--gpu-memory", "1GB", "--reserve", "2GB"], "leaves nothing"),
        (["--gpu", "rtx 4091"], "did you mean 'rtx-4090'"),
        (["--rate", "fast"], "90TFLOPS"),
        (["--rate", "none/record.json"], "none/record.json"),
        (["--method", "zo-vanila"], "did you mean 'zo-vanilla'"),
        (["--dtype", "float8"], "--dtype = 'float8'"),
        (["--quantisation", "int8"], "--quantisation = 'int8'"),
        (["--quantisation", "nf4", "--trainable", "all"], "cannot be trained"),
        (["--checkpointing", "some"], "--checkpointing = 'some'"),
        (["--target", "query"], "no linear of llama that takes adapters is called query"),
        (["--plot", "bars.png"], "a .pdf or an .svg"),
        (["--study"], "exactly one of --model and --study"),
    ],
)
def test_what_makes_no_sense_gets_an_error_that_says_why(tiny, arguments, message):
    output = plan(tiny, *arguments, methods=["bp-vanilla"], code=2)
    assert message in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"model_type": None}, "model_type"),
        ({"model_type": "lama"}, "lama"),
        ({"num_attention_heads": 0}, "num_attention_heads = 0"),
        ({"hidden_act": "nope"}, "no model can be made of this config of llama: 'nope'"),
        ({"pad_token_id": 99}, "no model can be made of this config of llama"),
        ({"num_attention_heads": 5}, "attention heads (5)"),
    ],
)
def test_a_config_that_cannot_be_read_names_the_field(tiny, changes, message):
    fields = {key: value for key, value in (CONFIG | changes).items() if value is not None}
    tiny.write_text(json.dumps(fields))
    assert message in plan(tiny, methods=["bp-vanilla"], code=2)


def test_an_unknown_model_names_those_that_are_known():
    output = plan("llama-3.1-9b", code=2)
    assert "did you mean 'llama-3.1-8b'" in output
    assert "opt-13b" in output


def test_neither_a_model_nor_the_study_is_an_error():
    assert "exactly one of --model and --study" in run("plan", code=2)

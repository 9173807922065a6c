"""Prices of steps without numbers against steps with them, and against the paper's."""

from __future__ import annotations

import pytest
import torch

from gradcost.models.build import finish
from gradcost.planning.case import Case, closed_form_flops
from gradcost.planning.price import price
from gradcost.results import paper
from gradcost.study import architectures
from gradcost.tasks.tokens import Split
from gradcost.training.objective import batch_loss
from gradcost.training.step import priced, stepper
from tests.accounting.test_meter import allocated

SGD = {
    "optimizer": "sgd", "learning_rate": 1e-3, "momentum": 0.0, "nesterov": False,
    "weight_decay": 0.0, "clip_norm": None,
}  # fmt: skip
ADAMW = SGD | {"optimizer": "adamw"}
METHODS = {
    "bp": {"estimator": {"kind": "backprop"}},
    "bp-checkpointing": {"estimator": {"kind": "backprop"}, "checkpointing": "every-layer"},
    "zo": {"estimator": {"kind": "zeroth-order"}},
    "fmad": {"estimator": {"kind": "forward-mode"}},
}
MORE = {
    "zo-multiple": {"estimator": {"kind": "zeroth-order", "perturbations": 5, "at_once": 2}},
    "fmad-multiple": {"estimator": {"kind": "forward-mode", "perturbations": 5, "at_once": 2}},
    "fmad-stock": {"estimator": {"kind": "forward-mode"}, "frozen_linears": False},
    "zo-accumulate": {
        "estimator": {"kind": "zeroth-order"},
        "variance_reduction": {"kind": "accumulate", "window": 3},
    },
}
COMMON = {"vocab_size": 64, "hidden_size": 64, "num_attention_heads": 4, "pad_token_id": 1,
          "max_position_embeddings": 128, "bos_token_id": 0, "eos_token_id": 0}  # fmt: skip
SMALL = {
    "llama": {"num_key_value_heads": 2, "intermediate_size": 192},
    "opt": {"ffn_dim": 256, "word_embed_proj_dim": 64},
    "bert": {"intermediate_size": 256, "type_vocab_size": 2},
    "roberta": {"intermediate_size": 256, "type_vocab_size": 1},
}
LENGTH, CLASSES = 32, 3


def config(name: str, layers: int) -> dict:
    if name != "qwen2_vl":
        return {"model_type": name, **COMMON, **SMALL[name], "num_hidden_layers": layers}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    text = {**COMMON, **SMALL["llama"], "num_hidden_layers": layers, "rope_parameters": rope}
    vision = {"depth": 1, "embed_dim": 32, "hidden_size": 64, "num_heads": 4, "patch_size": 2,
              "mlp_ratio": 4, "in_channels": 3, "spatial_merge_size": 2,
              "temporal_patch_size": 2}  # fmt: skip
    return {"model_type": name, "text_config": text, "vision_config": vision}


def case(name="llama", layers=2, method=METHODS["zo"], model=(), hyperparameters=ADAMW) -> Case:
    targets = ["query", "value"] if "bert" in name else ["q_proj", "v_proj"]
    spec = {
        "model": {
            "dtype": "float32", "quantisation": None, "trainable": "lora",
            "lora": {"rank": 1, "alpha": 1.0, "targets": targets}, **dict(model),
        },
        "method": {
            "variance_reduction": None, "checkpointing": "none", "frozen_linears": True,
            "objective": "label-words" if name == "qwen2_vl" else "head", **method,
        },
        "hyperparameters": hyperparameters,
    }  # fmt: skip
    return Case(config(name, layers), spec, LENGTH, CLASSES)


def real_step(one: Case, batch: int):
    """The same step with numbers: the function that takes it, and the bytes of its model."""
    import transformers

    fields = dict(one.config)
    made = transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)
    words = one.spec["method"]["objective"] == "label-words"
    made.num_labels = CLASSES
    kind = (
        transformers.AutoModelForImageTextToText
        if words
        else transformers.AutoModelForSequenceClassification
    )
    base = kind.from_config(made, attn_implementation="eager").eval()
    ready = finish(base, one.spec, range(CLASSES) if words else None)
    ids = torch.randint(2, 64, (batch, LENGTH))
    mask = torch.ones_like(ids)
    mask[-1, -2:] = 0  # a model may leave out a mask that masks nothing
    split = Split(ids, mask, torch.zeros(batch, dtype=torch.long))
    own = ready.params if one.spec["method"]["checkpointing"] != "none" else None
    loss = batch_loss(ready.model, split, own)
    from gradcost.estimators import load

    estimator = load(**one.spec["method"]["estimator"])
    if reduction := one.spec["method"]["variance_reduction"]:
        estimator = load(base=estimator, **reduction)

    def step():
        taken = stepper(estimator, ready.params, one.spec["hyperparameters"], ready.selection)
        priced(taken, loss, 1)

    tensors = {id(t): t for t in [*ready.model.parameters(), *ready.model.buffers()]}
    inputs = sum(t.nbytes for t in (split.ids, split.mask, split.labels))
    return step, sum(t.nbytes for t in tensors.values()), inputs


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layers", [2, 4, 8])
@pytest.mark.parametrize("name", [*SMALL, "qwen2_vl"])
def test_the_predicted_peak_is_what_a_real_step_allocates(name, layers, method):
    one = case(name, layers, METHODS[method])
    step, weights, inputs = real_step(one, batch=6)
    found = price(one).cost(6)
    assert found.model_bytes == weights
    above = found.peak_bytes - found.model_bytes - inputs
    assert above == pytest.approx(allocated(step), rel=0.05)
    assert found.step_flops == closed_form_flops(one, 6)


@pytest.mark.parametrize("method", MORE)
def test_directions_in_groups_and_reductions_too(method):
    one = case("llama", 2, MORE[method])
    step, _, inputs = real_step(one, batch=6)
    found = price(one).cost(6)
    above = found.peak_bytes - found.model_bytes - inputs
    assert above == pytest.approx(allocated(step), rel=0.05)
    assert found.step_flops == closed_form_flops(one, 6)


@pytest.mark.parametrize("method", METHODS)
def test_all_parameters(method):
    one = case("llama", 2, METHODS[method], {"trainable": "all"})
    step, _, inputs = real_step(one, batch=6)
    found = price(one).cost(6)
    above = found.peak_bytes - found.model_bytes - inputs
    assert above == pytest.approx(allocated(step), rel=0.05)
    assert found.peak.frozen_weights < 0.01 * found.peak.trainable_parameters
    assert found.peak.states >= 2 * found.peak.trainable_parameters


def test_zeroth_order_in_place_keeps_no_direction_gradient_or_state():
    kind = {"estimator": {"kind": "zeroth-order-in-place"}}
    one = case("llama", 2, kind, {"trainable": "all"}, SGD)
    found = price(one).cost(2)
    assert found.peak.gradients == found.peak.states == 0
    assert found.peak.directions <= 4 * 2**18


def test_a_weight_in_four_bits_takes_half_a_byte_and_its_scales():
    dense = price(case(model={"dtype": "bfloat16"})).cost(2)
    packed = price(case(model={"dtype": "bfloat16", "quantisation": "nf4"})).cost(2)
    assert packed.total_parameters == dense.total_parameters
    assert packed.step_flops == dense.step_flops
    assert packed.peak.frozen_weights < 0.5 * dense.peak.frozen_weights


def test_the_sparse_selection_has_the_share_that_it_should():
    sparse = case(model={"trainable": "sparse", "share": 0.01})
    found = price(sparse).cost(2)
    linears = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 192 * 64)
    assert found.trainable_parameters == -(-linears // 100) + 64 * CLASSES


def test_the_largest_batch_is_the_last_that_fits():
    found = price(case())
    limit = found.cost(100).peak_bytes
    assert found.largest_batch(limit) == 100
    assert found.largest_batch(limit - 1) == 99
    assert found.largest_batch(found.cost(1).peak_bytes - 1) == 0


def test_svrg_costs_two_estimates_and_a_share_of_its_snapshots():
    reduction = {"kind": "svrg", "snapshot_every": 5}
    plain = case(method=METHODS["fmad"])
    svrg = case(method=METHODS["fmad"] | {"variance_reduction": reduction})
    ratio = price(svrg).cost(4).step_flops / price(plain).cost(4).step_flops
    assert ratio == pytest.approx(2.2)


# ours -> the paper's rows of Table 4
TABLE_4 = {
    "zo-vanilla": ({"estimator": {"kind": "zeroth-order"}}, "zo-vanilla"),
    "zo-multiple": ({"estimator": {"kind": "zeroth-order", "perturbations": 10}}, "zo-multiple"),
    "bp-checkpointing-published": (
        {
            "estimator": {"kind": "backprop"},
            "checkpointing": "whole-layers",
            "frozen_linears": False,
        },
        "bp-checkpointing",
    ),
    "fmad-vanilla-published": (
        {"estimator": {"kind": "forward-mode"}, "frozen_linears": False},
        "fmad-vanilla",
    ),
    "fmad-multiple-published": (
        {"estimator": {"kind": "forward-mode", "perturbations": 10}, "frozen_linears": False},
        "fmad-multiple",
    ),
}


def llama_8b(method: dict) -> Case:
    shape = architectures.load("llama-3.1-8b")
    whole = case(method=method, model={"dtype": "bfloat16", "quantisation": "nf4"})
    return Case(shape.config, whole.spec, length=256, classes=4)


@pytest.mark.parametrize("method", TABLE_4)
def test_flops_of_the_papers_model_are_those_of_its_table_4(method):
    settings, row = TABLE_4[method]
    published = paper.number("4", row, "tflops-per-iteration")
    found = price(llama_8b(settings)).cost(40)
    assert found.step_flops / 1e12 == pytest.approx(published, rel=0.005)


def test_forward_mode_that_knows_its_frozen_weights_costs_what_zeroth_order_does():
    found = price(llama_8b(METHODS["fmad"])).cost(40)
    assert found.step_flops / 1e12 == pytest.approx(290, rel=0.005)
    assert found.trainable_parameters == 425_984 + 4 * 4096

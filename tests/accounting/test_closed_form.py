"""The closed form of a step's FLOPs against PyTorch's counter, hand sums and the paper."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import set_checkpoint_early_stop

from gradcost.accounting import closed_form
from gradcost.accounting.closed_form import (
    Adapters,
    Batch,
    Description,
    Head,
    Parameter,
    Product,
    describe,
    sizes,
)
from gradcost.estimators.backprop import Backprop
from gradcost.estimators.forward_mode import ForwardMode
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.models.frozen import freeze_linears
from gradcost.models.label_words import LabelWords
from tests.counters import count_flops
from tests.models.architectures import BUILDERS, CLASSES, make

ARCHITECTURES = ["llama", "opt", "bert", "roberta", "qwen2_vl_text", "qwen2_vl", "qwen2_vl_towers"]
# layers of each tower, hidden size, length, rows
SIZES = [(2, 32, 8, 2), (3, 48, 12, 3), (4, 64, 21, 1)]

LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
TABLE_4 = Batch(40, 256)


@dataclass
class Case:
    """A small model, a batch for it, and their closed form."""

    model: nn.Module
    inputs: dict[str, Tensor]
    config: Any
    batch: Batch
    head: Head
    trained: closed_form.Trained

    @property
    def form(self) -> Description:
        return describe(self.config, self.batch, self.head, self.trained)

    @property
    def params(self) -> dict[str, nn.Parameter]:
        named = self.model.named_parameters()
        return {name: value for name, value in named if value.requires_grad}

    def loss(self, params: Any) -> Tensor:
        logits = torch.func.functional_call(self.model, dict(params), (), self.inputs).logits
        target = torch.zeros(logits.shape[:-1], dtype=torch.int64)
        return cross_entropy(logits.flatten(0, -2), target.flatten())

    def count(self, estimator: Any) -> int:
        return count_flops(lambda: estimator.estimate(self.loss, self.params, (), 0))


def case(
    name: str,
    size: tuple[int, int, int, int] = SIZES[0],
    rank: int | None = 1,
    head: Head | None = None,
    stock: bool = False,
    checkpointing: dict[str, Any] | None = None,
    targets: list[str] | None = None,
    **changes: Any,
) -> Case:
    """Build a model.

    Args:
        rank: of the adapters; None to train all parameters.
        head: by default the classifier, or the logits of the last position of Qwen2-VL,
            which has none.
        checkpointing: settings.
        targets: of adapters; by default queries and values.
        changes: of the configuration.
    """
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoModelForMaskedLM,
        AutoModelForSequenceClassification,
    )

    torch.manual_seed(0)
    layers, hidden, length, rows = size
    ids = torch.randint(8, 64, (rows, length))
    mask = torch.ones_like(ids)
    images = name in ("qwen2_vl", "qwen2_vl_towers")
    if not images:  # a padded batch
        ids[-1, -2:], mask[-1, -2:] = 1, 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    base, usual = BUILDERS[name.removesuffix("_text")](layers, hidden, inputs)
    targets = targets or usual
    qwen = name.startswith("qwen2_vl")
    head = head or (Head("language-model", positions=1) if qwen else Head(classes=CLASSES))
    if qwen and not images:
        inputs = {"input_ids": ids, "attention_mask": mask}
    inputs.pop("logits_to_keep", None)
    if head.positions:
        inputs["logits_to_keep"] = head.positions  # type: ignore[assignment]
    config = base.config
    for field, value in changes.items():
        setattr(config, field, value)
    kind = (
        AutoModelForSequenceClassification
        if head.kind == "classifier"
        else AutoModelForImageTextToText
        if qwen
        else AutoModelForMaskedLM
        if config.model_type in ("bert", "roberta")
        else AutoModelForCausalLM
    )
    for part in (config, config.get_text_config()):
        for name in vars(part):
            if name.endswith(("dropout", "dropout_prob")):
                setattr(part, name, 0.0)
    base = kind.from_config(config, attn_implementation="eager")
    base.config.use_cache = base.config.get_text_config().use_cache = False
    model = base if rank is None else _adapted(base, rank, targets, head)
    if not stock:
        freeze_linears(model)
    model.eval()
    if checkpointing is not None:
        base.activation_checkpointing_enable(checkpointing)
        if checkpointing["use_reentrant"]:
            base.enable_input_require_grads()
        else:
            base.disable_input_require_grads()
        model.train()  # in which alone transformers checkpoints
    if head.kind == "label-words":
        model = LabelWords(model, list(range(10, 10 + head.classes)))
        for used in ("logits_to_keep", "mm_token_type_ids", "image_grid_thw", "pixel_values"):
            inputs.pop(used, None)
    grids = tuple((1, 4, 2) for _ in range(rows if "pixel_values" in inputs else 0))
    trained = "all" if rank is None else Adapters(rank, tuple(targets))
    return Case(model, inputs, config, Batch(rows, length, grids), head, trained)


def _adapted(base: Any, rank: int, targets: list[str], head: Head) -> nn.Module:
    from peft import LoraConfig, TaskType, get_peft_model

    task = TaskType.SEQ_CLS if head.kind == "classifier" else None
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*is_gradient_checkpointing", category=FutureWarning
        )
        return get_peft_model(base, LoraConfig(task_type=task, r=rank, target_modules=targets))


def _both(one: Case, stock: Case, checkpointed: Case) -> tuple[dict[str, int], dict[str, int]]:
    """The FLOPs of each method, counted and in closed form."""
    form = one.form
    with torch.no_grad():
        counted = {"forward": count_flops(lambda: one.loss(one.params))}
    closed = {"forward": closed_form.forward(form)}
    counted["BP"], closed["BP"] = one.count(Backprop()), closed_form.backprop(form)
    counted["every layer"] = checkpointed.count(Backprop())
    closed["every layer"] = closed_form.backprop(form, "every-layer")
    with set_checkpoint_early_stop(False):
        counted["whole layers"] = checkpointed.count(Backprop())
    closed["whole layers"] = closed_form.backprop(form, "whole-layers")
    # one, in turn, and in groups of which the last is smaller
    for n, k in ((1, 1), (3, 1), (3, 2)):
        label = f", {n} directions by {k}"
        settings = {"perturbations": n, "at_once": k}
        counted["FMAD" + label] = one.count(ForwardMode(**settings))
        closed["FMAD" + label] = closed_form.forward_mode(form, n, k)
        counted["ZO" + label] = one.count(ZerothOrder(**settings))
        closed["ZO" + label] = closed_form.zeroth_order(form, n, k)
    for n, k in ((1, 1), (3, 3)):
        label = f", {n} directions by {k}"
        settings = {"perturbations": n, "at_once": k}
        counted["stock FMAD" + label] = stock.count(ForwardMode(**settings))
        closed["stock FMAD" + label] = closed_form.forward_mode(form, n, k, stock=True)
        counted["one-sided ZO" + label] = one.count(ZerothOrder(**settings, difference="one-sided"))
        closed["one-sided ZO" + label] = closed_form.zeroth_order(form, n, k, "one-sided")
    return counted, closed


@pytest.mark.parametrize(("size", "rank"), [*zip(SIZES, (1, 4, 1), strict=True)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_counter_agrees_to_the_flop_with_adapters(name, size, rank):
    counted, closed = _both(
        case(name, size, rank),
        case(name, size, rank, stock=True),
        case(name, size, rank, checkpointing={"use_reentrant": False}),
    )
    assert closed == counted


@pytest.mark.parametrize("name", [*ARCHITECTURES[:4], "qwen2_vl"])
def test_the_counter_agrees_to_the_flop_with_all_parameters(name):
    one = case(name, rank=None)
    counted, closed = _both(one, one, case(name, rank=None, checkpointing={"use_reentrant": False}))
    assert closed == counted


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, wide heads and biases": (
        "llama", {"head_dim": 12, "attention_bias": True, "mlp_bias": True},
    ),
    "opt, norms after (350m)": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    "opt, no biases": ("opt", {"enable_bias": False, "layer_norm_elementwise_affine": False}),
    "llama, the MLP adapted": ("llama", {"targets": ["gate_proj", "up_proj", "down_proj"]}),
    "llama, values and outputs adapted": ("llama", {"targets": ["v_proj", "o_proj"]}),
    "opt, all adapted": (
        "opt", {"targets": ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]},
    ),
    "bert, dense layers adapted": ("bert", {"targets": ["dense"]}),
    "roberta, keys of one layer adapted": ("roberta", {"targets": ["layer.1.attention.self.key"]}),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_counter_agrees_on_variants_of_an_architecture(variant):
    name, changes = VARIANTS[variant]
    counted, closed = _both(
        case(name, **changes),
        case(name, stock=True, **changes),
        case(name, checkpointing={"use_reentrant": False}, **changes),
    )
    assert closed == counted
    _check_parameters(case(name, **changes))


@pytest.mark.parametrize(
    "head",
    [Head("label-words", 3), Head("language-model"), Head("language-model", positions=3)],
    ids=str,
)
@pytest.mark.parametrize("name", ["llama", "opt", "bert", "roberta", "qwen2_vl_text"])
def test_the_counter_agrees_for_heads_of_language_models(name, head):
    if head.positions and name in ("bert", "roberta"):
        with pytest.raises(ValueError, match="all positions"):
            describe(case(name).config, Batch(1, 8), head)
        return
    counted, closed = _both(
        case(name, head=head),
        case(name, head=head, stock=True),
        case(name, head=head, checkpointing={"use_reentrant": False}),
    )
    assert closed == counted


@pytest.mark.parametrize("name", ["llama", "opt", "bert", "roberta"])
def test_reentrant_checkpointing_runs_whole_layers_and_wants_the_inputs_gradient(name):
    one = case(name, checkpointing={"use_reentrant": True})
    rank, targets = one.trained.rank, one.trained.targets
    one.trained = Adapters(rank, targets, inputs_require_gradient=True)
    # a reentrant checkpoint works with backward() alone
    counted = count_flops(lambda: one.loss(one.params).backward())
    assert counted == closed_form.backprop(one.form, "whole-layers")


def test_the_vision_tower_takes_images_of_several_sizes_and_frames():
    one = case("qwen2_vl")
    grids = ((1, 4, 2), (2, 4, 4), (3, 2, 6))
    patches = torch.randn(8 + 32 + 36, 24)
    tower = one.model.base_model.model.model.visual
    with torch.no_grad():
        counted = count_flops(lambda: tower(patches, torch.tensor(grids)))
    products = describe(one.config, Batch(2, 8, grids), one.head).products
    closed = sum(one.flops for one in products if one.name.startswith("model.visual"))
    assert closed == counted


# -- parameters and bytes


def _check_parameters(one: Case, itemsize: int = 4) -> None:
    kept = {
        name: value
        for name, value in one.model.named_parameters()
        if "original_module" not in name  # PEFT's copy of the untrained head
    }
    found = sizes(one.config, one.head, one.trained, itemsize)
    assert found.total == sum(value.numel() for value in kept.values())
    assert found.trained == sum(value.numel() for value in one.params.values())
    frozen = [value for value in kept.values() if not value.requires_grad]
    assert found.frozen_bytes == sum(value.nbytes for value in frozen)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_counted_exactly(name, size):
    _check_parameters(case(name, size, rank=4))
    _check_parameters(case(name, size, rank=None))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["llama", "opt", "bert", "roberta", "qwen2_vl"])
def test_parameters_are_counted_with_the_head_of_a_language_model(name, tied):
    _check_parameters(case(name, head=Head("language-model"), tie_word_embeddings=tied))


@pytest.mark.parametrize("name", ["llama", "opt", "bert", "roberta", "qwen2_vl"])
def test_bytes_of_nf4_are_those_that_bitsandbytes_stores(name):
    example = make(name, hidden=48, dtype=torch.float32, packed=True)
    stored = 0
    for path, value in example.model.named_parameters():
        if value.requires_grad or "original_module" in path:
            continue
        stored += value.nbytes
        state = getattr(value, "quant_state", None)
        if state is not None:
            stored += state.absmax.nbytes + state.state2.absmax.nbytes
    one = case(name, (2, 48, 8, 2))
    assert sizes(one.config, one.head, one.trained, itemsize=4, nf4=True).frozen_bytes == stored


def test_sizes_of_well_known_models():
    words = Head("language-model")
    llama = sizes(LLAMA_8B, words)
    assert llama.total - llama.adapters == 8_030_261_248
    assert llama.trained == llama.adapters == 425_984
    assert llama.frozen_bytes == 2 * 8_030_261_248
    assert sizes(LLAMA_8B, words, Adapters(4)).trained == 4 * 425_984
    everything = sizes(LLAMA_8B, words, "all")
    assert (everything.trained, everything.frozen_bytes) == (8_030_261_248, 0)
    # 32 layers of 218 103 808 weights in linears
    packed = 32 * 218_103_808
    scales = packed // 64 + packed // 64 // 256 * 4
    dense = 2 * (8_030_261_248 - packed)
    assert sizes(LLAMA_8B, words, nf4=True).frozen_bytes == packed // 2 + scales + dense

    opt = {
        "model_type": "opt", "hidden_size": 5120, "ffn_dim": 20480, "num_hidden_layers": 40,
        "num_attention_heads": 40, "vocab_size": 50272, "max_position_embeddings": 2048,
    }  # fmt: skip
    found = sizes(opt, words)
    assert found.total - found.adapters == 12_853_473_280

    bert = {
        "model_type": "bert", "hidden_size": 768, "intermediate_size": 3072,
        "num_hidden_layers": 12, "num_attention_heads": 12, "vocab_size": 30522,
        "max_position_embeddings": 512, "type_vocab_size": 2,
    }  # fmt: skip
    found = sizes(bert, Head(classes=2), Adapters(1, ("query", "value")))
    assert found.total - found.adapters - 2 * (768 + 1) == 109_482_240


# -- the paper's scale


@pytest.mark.parametrize(
    ("method", "published"),
    [
        ("BP-Checkpointing", 434.4),
        ("ZO-Vanilla", 288.7),
        ("ZO-Multiple", 2886.8),
        ("FMAD-Vanilla", 432.0),
        ("FMAD-Multiple", 4320.3),
    ],
)
def test_table_4_in_tera_flop_per_iteration(method, published):
    adapters = Adapters(1, ("q_proj", "v_proj"), inputs_require_gradient=True)
    adapted = describe(LLAMA_8B, TABLE_4, Head(classes=4))
    found = {
        "BP-Checkpointing": closed_form.backprop(
            describe(LLAMA_8B, TABLE_4, Head(classes=4), adapters), "whole-layers"
        ),
        "ZO-Vanilla": closed_form.zeroth_order(adapted),
        "ZO-Multiple": closed_form.zeroth_order(adapted, 10),
        "FMAD-Vanilla": closed_form.forward_mode(adapted, stock=True),
        "FMAD-Multiple": closed_form.forward_mode(adapted, 10, stock=True),
    }
    assert found[method] / 1e12 == pytest.approx(published, rel=3e-4)


def test_what_the_paper_s_model_would_cost_without_products_that_are_not_needed():
    model = describe(LLAMA_8B, TABLE_4, Head(classes=4))
    found = [
        closed_form.forward(model),
        closed_form.backprop(model),
        closed_form.backprop(model, "every-layer"),
        closed_form.backprop(model, "whole-layers"),
        closed_form.forward_mode(model),
        closed_form.forward_mode(model, 10, 10),
    ]
    expected = [144.32, 289.49, 395.32, 433.81, 289.51, 1596.0]
    assert [one / 1e12 for one in found] == pytest.approx(expected, rel=1e-4)


# -- hand sums

# one layer of an adapted model: the lowest projection's adapter, attention, a frozen linear
HAND = Description(
    (
        Product("frozen, input does not depend", 1, (False, False), "linear", ("t", 0)),
        Product("adapter, input does not depend", 10, (False, True), "linear", ("t", 0)),
        Product("scores, one operand depends", 100, (True, False), "attention", ("t", 0)),
        Product("values, both depend", 1000, (True, True), "attention", ("t", 0)),
        Product("frozen, input depends", 10000, (True, False), "linear", ("t", 0), closes=True),
        Product("rows of an embedding", 100000, (True, False), "rows"),
    ),
    (Parameter("base", 7, trained=False), Parameter("adapter", 3, trained=True)),
)


def test_hand_sums():
    f, r, d = 111111, 112110, 3
    zeros, shared = 100110, 1
    assert closed_form.forward(HAND) == f
    assert closed_form.derivative(HAND) == r
    assert HAND.trained == d
    assert closed_form.backprop(HAND) == f + r
    assert closed_form.forward_mode(HAND) == f + zeros + r + 2 * d
    assert closed_form.forward_mode(HAND, stock=True) == f + zeros + 10000 + r + 2 * d
    assert closed_form.forward_mode(HAND, 4) == 4 * (f + zeros + r + 2 * d)
    assert closed_form.forward_mode(HAND, 4, 3) == 2 * (f + zeros) + 4 * (r + 2 * d)
    assert closed_form.zeroth_order(HAND) == 2 * f + 2 * d
    assert closed_form.zeroth_order(HAND, 4) == 8 * f + 8 * d
    assert closed_form.zeroth_order(HAND, 4, 3) == 2 * (2 * shared + 4 * (f - shared)) + 8 * d
    assert closed_form.zeroth_order(HAND, 4, difference="one-sided") == 5 * f + 8 * d
    assert {policy: closed_form.recomputed(HAND, policy) for policy in POLICIES} == {
        "every-layer": 1111,
        "offload": 1111,
        "whole-layers": 11111,
        "segments": 1111,
        "nested": 1111,
        "selective": 1100,
    }


POLICIES = ("every-layer", "offload", "whole-layers", "segments", "nested", "selective")


@pytest.mark.parametrize(("layers", "segments"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (16, 4)])
def test_segments_and_nesting_by_hand(layers, segments):
    # each layer: 100, then 1 that closes it
    products = [
        Product("", flops, (True, False), "linear", ("t", index), closes=flops == 1)
        for index in range(layers)
        for flops in (100, 1)
    ]
    model = Description(tuple(products), ())
    assert closed_form.recomputed(model, "whole-layers") == 101 * layers
    assert closed_form.recomputed(model, "every-layer") == 100 * layers
    assert closed_form.recomputed(model, "segments") == 101 * layers - segments
    nested = 100 * layers + 101 * (layers - segments)
    assert closed_form.recomputed(model, "nested") == nested
    assert closed_form.recomputed(model, "selective") == 0


def test_a_llama_of_one_layer_by_hand():
    config = LLAMA_8B | {
        "hidden_size": 8, "intermediate_size": 20, "num_hidden_layers": 1,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 11,
    }  # fmt: skip
    model = describe(config, Batch(3, 5), Head(classes=7))
    t = 2 * 3 * 5  # two FLOPs, fifteen tokens
    q, k, v, o, mlp = t * 8 * 8, t * 8 * 4, t * 8 * 4, t * 8 * 8, t * 8 * 20
    adapter_q, adapter_v = (t * 8, t * 8), (t * 8, t * 4)
    scores = values = 2 * 3 * 4 * 5 * 5 * 2
    head = t * 8 * 7
    adapters = sum(adapter_q) + sum(adapter_v)
    f = q + k + v + o + 3 * mlp + adapters + scores + values + head
    assert closed_form.forward(model) == f
    # A's gradients; B's, and their inputs'; one cotangent of the scores, for keys are frozen
    below = adapter_q[0] + adapter_v[0] + 2 * (adapter_q[1] + adapter_v[1]) + scores
    above = 2 * values + o + 3 * mlp + 2 * head
    assert closed_form.backprop(model) == f + below + above
    assert closed_form.recomputed(model, "every-layer") == f - head - mlp
    assert closed_form.recomputed(model, "selective") == scores + values
    base = 11 * 8 + 8 * 8 * 2 + 8 * 4 * 2 + 3 * 8 * 20 + 3 * 8
    found = sizes(config, Head(classes=7))
    assert (found.total, found.adapters, found.trained) == (base + 28 + 56, 28, 28 + 56)


# -- how costs grow

SMALL = {
    "llama": LLAMA_8B | {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 8},
    "bert": {
        "model_type": "bert", "hidden_size": 64, "intermediate_size": 96,
        "num_attention_heads": 8, "vocab_size": 11, "max_position_embeddings": 9,
        "type_vocab_size": 2,
    },
}  # fmt: skip
TARGETS = {"llama": ("q_proj", "v_proj"), "bert": ("query", "value")}
COSTS = {
    "forward": closed_form.forward,
    "BP": closed_form.backprop,
    "every layer": partial(closed_form.backprop, checkpointing="every-layer"),
    "whole layers": partial(closed_form.backprop, checkpointing="whole-layers"),
    "selective": partial(closed_form.backprop, checkpointing="selective"),
    "FMAD": partial(closed_form.forward_mode, directions=3),
    "FMAD together": partial(closed_form.forward_mode, directions=3, at_once=3),
    "stock FMAD": partial(closed_form.forward_mode, stock=True),
    "ZO": closed_form.zeroth_order,
    "ZO together": partial(closed_form.zeroth_order, directions=3, at_once=3),
}
few = st.integers(1, 40)
names = st.sampled_from(sorted(SMALL))
costs = st.sampled_from(sorted(COSTS))
everything = st.booleans()


def _of_products(name: str, cost: str, layers: int, batch: Batch, all_trained: bool) -> int:
    """The FLOPs of a method without the sum of directions, which knows no batch."""
    config = SMALL[name] | {"num_hidden_layers": layers}
    trained: closed_form.Trained = "all" if all_trained else Adapters(1, TARGETS[name])
    products = describe(config, batch, Head(classes=3), trained).products
    return COSTS[cost](Description(products, ()))


@given(names, costs, everything, few, few, few, few)
def test_costs_are_linear_in_the_batch(name, cost, all_trained, layers, length, one, two):
    a, b, both = (
        _of_products(name, cost, layers, Batch(size, length), all_trained)
        for size in (one, two, one + two)
    )
    assert both == a + b


@given(names, costs, everything, few, few, few)
def test_costs_are_linear_in_depth_above_the_lowest_layer(
    name, cost, all_trained, layers, size, length
):
    one, two, lower, upper = (
        _of_products(name, cost, count, Batch(size, length), all_trained)
        for count in (1, 2, layers, layers + 1)
    )
    assert upper - lower == two - one


@given(names, everything, few, few, few)
def test_only_attention_is_quadratic_in_length(name, all_trained, layers, size, length):
    a, b, c = (
        _of_products(name, "forward", layers, Batch(size, one), all_trained)
        for one in (length, length + 1, length + 2)
    )
    # scores and values, of 2 FLOPs for each pair and each of 64 features
    assert (a + c) - 2 * b == 2 * (2 * 2 * size * 64 * layers)


@given(names, everything, few, few, few, st.sampled_from(POLICIES))
def test_one_recomputation_costs_at_most_a_forward_pass_whatever_the_depth(
    name, all_trained, layers, size, length, policy
):
    config = SMALL[name] | {"num_hidden_layers": layers}
    trained: closed_form.Trained = "all" if all_trained else Adapters(1, TARGETS[name])
    model = describe(config, Batch(size, length), Head(classes=3), trained)
    most = 2 if policy == "nested" else 1
    assert 0 < closed_form.recomputed(model, policy) <= most * closed_form.forward(model)


# -- configurations


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_configuration_may_be_a_mapping(name):
    one = case(name)
    written = json.loads(one.config.to_json_string(use_diff=False))
    assert describe(written, one.batch, one.head, one.trained) == one.form


def test_what_is_not_known_is_said():
    with pytest.raises(ValueError, match=r"no closed form for 'gpt2'; .* bert, llama, opt, qwen2"):
        describe({"model_type": "gpt2"}, Batch(1, 1))
    with pytest.raises(KeyError, match="has no intermediate_size"):
        describe({"model_type": "llama", "hidden_size": 8}, Batch(1, 1))
    with pytest.raises(KeyError, match="has no model_type"):
        describe({}, Batch(1, 1))
    qwen = LLAMA_8B | {"model_type": "qwen2_vl", "vision_config": {"hidden_size": 8}}
    with pytest.raises(KeyError, match=r"has no vision_config\.embed_dim"):
        describe(qwen, Batch(1, 1), Head("label-words"))
    with pytest.raises(ValueError, match="no classifier of qwen2_vl"):
        describe(qwen, Batch(1, 1))
    with pytest.raises(ValueError, match=r"no linear of llama that .* is called c_attn, fc1"):
        describe(LLAMA_8B, Batch(1, 1), trained=Adapters(1, ("q_proj", "fc1", "c_attn")))
    with pytest.raises(ValueError, match=r"an adapter of the convolution .*patch_embed\.proj"):
        describe(case("qwen2_vl").config, Batch(1, 1), Head("label-words"), Adapters(1, ("proj",)))
    with pytest.raises(ValueError, match="llama reads no images"):
        describe(LLAMA_8B, Batch(1, 1, ((1, 2, 2),)))

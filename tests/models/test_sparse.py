"""The largest weights as parameters, against dense models and a search by brute force."""

from __future__ import annotations

import copy
from fractions import Fraction
from itertools import pairwise
from math import ceil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call

from gradcost.models.frozen import FrozenLinear, freeze_linears
from gradcost.models.sparse import CorrectedLinear, move_moments, train_largest
from tests.counters import MemoryAbove, count_flops

VALUES = "selection.values"


class Stack(nn.Module):
    """Linears, the last one without bias, with a tanh after each."""

    def __init__(self, *sizes: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        pairs = list(pairwise(sizes))
        self.layers = nn.ModuleList(
            nn.Linear(a, b, bias=index + 1 < len(pairs), dtype=dtype)
            for index, (a, b) in enumerate(pairs)
        )
        self.requires_grad_(False)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).tanh()
        return x


def dense_weights(model):
    return [m.dense() for m in model.modules() if isinstance(m, CorrectedLinear)]


def flat(weights):
    return torch.cat([weight.flatten() for weight in weights])


def places(selection):
    return selection._places(selection.positions, selection._bounds)


def largest(weights, count):
    """The places of the largest magnitudes, ascending; of equal ones, the first."""
    return weights.abs().sort(descending=True, stable=True).indices[:count].sort().values


def stack(*sizes, share=0.1, dtype=torch.float64):
    """A stack, the same with its largest weights as parameters, inputs."""
    torch.manual_seed(0)
    plain = Stack(*(sizes or (7, 9, 8, 5)), dtype=dtype)
    model = copy.deepcopy(plain)
    freeze_linears(model)
    selection = train_largest(model, share)
    return plain, model, selection, torch.randn(6, plain.layers[0].in_features, dtype=dtype)


def test_the_parameter_is_one_starts_at_zero_and_changes_nothing():
    plain, model, selection, x = stack()
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {VALUES}
    assert selection.values.shape == (ceil(0.1 * (63 + 72 + 40)),)
    assert not selection.values.any()
    frozen = copy.deepcopy(plain)
    freeze_linears(frozen)
    assert torch.equal(model(x), frozen(x))
    before, after = plain.layers[0].weight, model.layers[0].base.weight
    assert torch.equal(before, after)


def test_the_base_is_shared_and_not_copied():
    plain = Stack(3, 4, 5)
    freeze_linears(plain)
    memory = [layer.weight.data_ptr() for layer in plain.layers]
    train_largest(plain, 0.5)
    assert [layer.base.weight.data_ptr() for layer in plain.layers] == memory


def test_excluded_and_trained_linears_are_left_alone():
    model = Stack(3, 4, 5, 6)
    model.layers[1].requires_grad_(True)
    freeze_linears(model)
    selection = train_largest(model, 1.0, exclude=["layers.2"])
    assert [type(layer) for layer in model.layers] == [CorrectedLinear, nn.Linear, FrozenLinear]
    assert selection.values.shape == (12,)


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_outside_of_0_to_1_is_refused(share):
    model = Stack(3, 4)
    freeze_linears(model)
    with pytest.raises(ValueError, match="must lie in"):
        train_largest(model, share)


def test_models_without_frozen_linears_or_with_a_selection_are_refused():
    with pytest.raises(ValueError, match="no frozen linear"):
        train_largest(Stack(3, 4), 0.1)
    with pytest.raises(ValueError, match="already"):
        train_largest(stack()[1], 0.1)


# A grid of few magnitudes, so that many are equal; sums on it are exact.
GRID = st.integers(-3, 3).map(float)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    share=st.sampled_from([0.01, 0.07, 0.3, 0.5, 1.0]),
)
def test_what_is_selected_and_what_is_kept_equal_a_search_by_brute_force(data, sizes, share):
    plain = Stack(*sizes, dtype=torch.float32)
    for layer in plain.layers:
        numbers = data.draw(st.lists(GRID, min_size=layer.weight.numel(), max_size=99))
        layer.weight.copy_(torch.tensor(numbers[: layer.weight.numel()]).view_as(layer.weight))
    base = flat([layer.weight for layer in plain.layers]).clone()
    freeze_linears(plain)
    selection = train_largest(plain, share)
    count = ceil(Fraction(str(share)) * len(base))
    correction, at = torch.zeros_like(base), largest(base, count)
    assert torch.equal(places(selection), at)
    for _ in range(4):
        numbers = data.draw(st.lists(GRID, min_size=count, max_size=count))
        with torch.no_grad():
            selection.values.copy_(torch.tensor(numbers))
        correction[at] = torch.tensor(numbers)
        source = selection.reselect()
        old, at = at, largest(base + correction, count)
        slots = {int(place): slot for slot, place in enumerate(old)}
        expected = [slots.get(int(place), -1) for place in at]
        assert (source is None) == (expected == list(range(count)))
        assert source is None or source.tolist() == expected
        assert torch.equal(places(selection), at)
        assert torch.equal(selection.values, correction[at])
        assert torch.equal(selection.base, base[at])
        assert torch.equal(flat(dense_weights(plain)), base + correction)


def slopes(model, x, tangents):
    """The loss, its gradient and its slopes along tangents (n, k), in every way there is."""

    def loss(params):
        return functional_call(model, params, (x,)).square().sum()

    own = {VALUES: model.selection.values}
    value = {VALUES: model.selection.values.detach()}
    gradient = torch.autograd.grad(loss(own), own[VALUES])[0]
    ways = {"backward": tangents @ gradient}
    with torch.no_grad():
        ways["jvp"] = torch.stack(
            [torch.func.jvp(loss, (value,), ({VALUES: tangent},))[1] for tangent in tangents]
        )
        ways["vmap"] = torch.func.vmap(lambda t: torch.func.jvp(loss, (value,), ({VALUES: t},))[1])(
            tangents
        )
        dual = []
        for tangent in tangents:
            with forward_ad.dual_level():
                found = loss({VALUES: forward_ad.make_dual(value[VALUES], tangent)})
                dual.append(forward_ad.unpack_dual(found).tangent)
        ways["dual"] = torch.stack(dual)
        stacked = {VALUES: value[VALUES] + tangents}
        in_turn = torch.stack([loss({VALUES: row}) for row in stacked[VALUES]])
        together = torch.func.vmap(loss)(stacked)
    return gradient, ways, in_turn, together


def leave_and_come(selection):
    """Values off zero and some weights left behind."""
    with torch.no_grad():
        selection.values.copy_(torch.randn_like(selection.values) * 0.3)
    assert (selection.reselect() == -1).any()
    assert len(selection.left_values)


def test_all_derivatives_equal_those_of_a_dense_model_in_double_precision():
    plain, model, selection, x = stack()
    leave_and_come(selection)
    for layer, weight in zip(plain.layers, dense_weights(model), strict=True):
        layer.weight = nn.Parameter(weight.detach())
    close = torch.testing.assert_close
    close(model(x), plain(x))
    dense = torch.autograd.grad(plain(x).square().sum(), [y.weight for y in plain.layers])
    tangents = torch.randn(3, len(selection.values), dtype=torch.float64)
    gradient, ways, in_turn, together = slopes(model, x, tangents)
    close(gradient, flat(dense)[places(selection)])
    for name, found in ways.items():
        close(found, ways["backward"], msg=name)
    close(together, in_turn)
    # the weights along a direction, put into the dense model
    moved = flat([y.weight for y in plain.layers]).detach()
    moved[places(selection)] += tangents[0]
    parts = moved.split([y.weight.numel() for y in plain.layers])
    for layer, part in zip(plain.layers, parts, strict=True):
        layer.weight = nn.Parameter(part.view_as(layer.weight))
    close(in_turn[0], plain(x).square().sum())


def test_forward_mode_costs_one_forward_pass_and_two_for_each_direction():
    _, model, selection, x = stack()
    value = selection.values.detach()

    def loss(values):
        return functional_call(model, {VALUES: values}, (x,)).sum()

    def along(tangents):
        return torch.func.vmap(lambda t: torch.func.jvp(loss, (value,), (t,))[1])(tangents)

    forward = count_flops(lambda: loss(value))
    # the first linear's input has no tangent, and the zeros in its place are the same for all
    first = count_flops(lambda: model.layers[0](x))
    for n in (1, 4):
        with torch.no_grad():
            counted = count_flops(lambda n=n: along(torch.ones(n, len(value), dtype=value.dtype)))
        assert counted == (1 + 2 * n) * forward - (n - 1) * first


def llama(**changes):
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(0)
    settings = {
        "vocab_size": 50,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "pad_token_id": 0,
        "num_labels": 4,
        "attn_implementation": "eager",
        "use_cache": False,
    }
    return LlamaForSequenceClassification(LlamaConfig(**settings | changes)).eval()


class Logits(nn.Module):
    def __init__(self, model, selection):
        super().__init__()
        self.model, self.selection = model, selection

    def forward(self, ids):
        return self.model(input_ids=ids, attention_mask=ids != 0).logits


def test_all_derivatives_agree_on_a_llama():
    model = llama()
    head = [name for name, _ in model.named_parameters() if name.startswith("score")]
    model.requires_grad_(False).score.requires_grad_(True)
    freeze_linears(model)
    selection = train_largest(model, 0.01)
    assert selection.values.shape == (ceil(0.01 * 2 * (4 * 32 * 32 + 3 * 32 * 64)),)
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained == {VALUES, *head}
    ids = torch.randint(1, 50, (3, 7))
    ids[0, 5:] = 0
    tangents = torch.randn(3, len(selection.values))
    _, ways, in_turn, together = slopes(Logits(model, selection), ids, tangents)
    for name, found in ways.items():
        torch.testing.assert_close(found, ways["backward"], rtol=1e-5, atol=1e-5, msg=name)
    torch.testing.assert_close(together, in_turn, rtol=1e-5, atol=1e-5)


def four_bits(rows, columns):
    import bitsandbytes as bnb

    packed = bnb.nn.Linear4bit(columns, rows, bias=False, quant_type="nf4")
    packed.load_state_dict({"weight": torch.randn(rows, columns) / columns**0.5})
    return packed.requires_grad_(False).to("cpu")


def test_a_base_in_four_bits_has_full_precision_corrections_and_exact_derivatives():
    torch.manual_seed(0)
    model = Stack(64, 64, 64, dtype=torch.float32)
    model.layers[0], model.layers[1] = four_bits(64, 64), four_bits(64, 64)
    freeze_linears(model)
    base = flat([layer.dense() for layer in model.layers])
    selection = train_largest(model, 0.05)
    assert torch.equal(places(selection), largest(base, 410))  # 5 % of 8192 are 409.6
    leave_and_come(selection)
    assert torch.equal(places(selection), largest(flat(dense_weights(model)), 410))
    plain = Stack(64, 64, 64, dtype=torch.float32)
    plain.layers[0].bias = None
    for layer, weight in zip(plain.layers, dense_weights(model), strict=True):
        layer.weight = nn.Parameter(weight.detach())
    x = torch.randn(5, 64)
    torch.testing.assert_close(model(x), plain(x))
    dense = torch.autograd.grad(plain(x).square().sum(), [y.weight for y in plain.layers])
    tangents = torch.randn(3, len(selection.values))
    gradient, ways, in_turn, together = slopes(model, x, tangents)
    close = torch.testing.assert_close
    close(gradient, flat(dense)[places(selection)], rtol=1e-4, atol=1e-5)
    for name, found in ways.items():
        close(found, ways["backward"], rtol=1e-4, atol=1e-4, msg=name)
    close(together, in_turn, rtol=1e-4, atol=1e-4)


def test_corrections_of_a_base_in_half_precision_are_kept_in_full():
    plain, model, selection, x = stack(dtype=torch.bfloat16)
    assert selection.values.dtype == torch.float32
    assert selection.base.dtype == torch.bfloat16
    freeze_linears(plain)
    assert torch.equal(model(x), plain(x))
    step = 2.0**-20
    with torch.no_grad():
        for _ in range(4):
            selection.values += step
            selection.reselect()
    # too small for a weight in bfloat16 to see one by one
    assert torch.equal(selection.values, torch.full_like(selection.values, 4 * step))
    assert model(x).dtype == torch.bfloat16


@pytest.fixture
def dense_calls(monkeypatch):
    calls = []
    dense = FrozenLinear.dense
    monkeypatch.setattr(FrozenLinear, "dense", lambda self: calls.append(1) or dense(self))
    return calls


def test_no_weight_is_looked_at_while_the_selection_stays(dense_calls):
    _, _, selection, _ = stack()
    dense_calls.clear()
    assert selection.reselect() is None
    with torch.no_grad():
        selection.values += selection.base.sign()
    assert selection.reselect() is None
    assert dense_calls == []
    leave_and_come(selection)
    assert len(dense_calls) == 3  # each linear once


def test_a_weight_that_returns_finds_its_correction_and_no_moment():
    _, model, selection, _ = stack()
    optimizer = torch.optim.AdamW([selection.values], lr=1e-9)
    selection.values.grad = torch.arange(1.0, len(selection.values) + 1, dtype=torch.float64)
    optimizer.step()
    before = places(selection)
    moments = {n: optimizer.state[selection.values][n].clone() for n in ("exp_avg", "exp_avg_sq")}
    floor, newcomer = selection._floor

    def set_weight(place, weight):
        slot = places(selection).tolist().index(place)
        with torch.no_grad():
            selection.values[slot] = weight - selection.base[slot]
        return selection.values[slot].item()

    # a weight shrinks to just below the largest that is not selected, which takes its place
    leaver = int(before[4])
    correction = set_weight(leaver, floor * (1 - 1e-9))
    source = selection.reselect()
    move_moments(optimizer, selection.values, source)
    after = places(selection)
    assert set(after.tolist()) == {*before.tolist(), newcomer} - {leaver}
    assert after[source == -1].tolist() == [newcomer]
    assert selection.left_values.tolist() == [correction]
    known = source >= 0
    assert torch.equal(after[known], before[source[known]])
    state = optimizer.state[selection.values]
    for name, moment in moments.items():
        assert torch.equal(state[name][known], moment[source[known]])
        assert not state[name][~known].any()
    assert state["step"] == 1
    # and the other way round
    gone = set_weight(newcomer, 0.0)
    source = selection.reselect()
    assert torch.equal(places(selection), before)
    assert (source == -1).nonzero().tolist() == [[4]]
    assert selection.values[4] == correction
    assert selection.left_values.tolist() == [gone]
    assert torch.equal(before, largest(flat(dense_weights(model)), len(before)))


def test_moments_of_other_shapes_and_optimisers_without_moments_are_left_alone():
    _, _, selection, _ = stack()
    optimizer = torch.optim.SGD([selection.values], lr=0.1)
    selection.values.grad = torch.ones_like(selection.values)
    optimizer.step()
    move_moments(optimizer, selection.values, torch.full((len(selection.values),), -1))
    assert optimizer.state[selection.values].get("momentum_buffer") is None


def walk(model, selection, optimizer, steps, seed):
    """Steps that make weights come and leave."""
    rng = torch.Generator().manual_seed(seed)
    changes = 0
    for _ in range(steps):
        shape = selection.values.shape
        selection.values.grad = torch.randn(shape, generator=rng, dtype=torch.float64)
        optimizer.step()
        source = selection.reselect()
        if source is not None:
            move_moments(optimizer, selection.values, source)
            changes += 1
    return changes


def test_a_restored_selection_goes_on_bit_by_bit(tmp_path):
    def fresh():
        _, model, selection, _ = stack()
        return model, selection, torch.optim.AdamW([selection.values], lr=0.03)

    model, selection, optimizer = fresh()
    assert walk(model, selection, optimizer, 10, seed=1) > 3
    torch.save((selection.state(), optimizer.state_dict()), tmp_path / "state.pt")
    walk(model, selection, optimizer, 10, seed=2)
    other, resumed, again = fresh()
    values = resumed.values
    kept, moments = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed.restore(kept)
    again.load_state_dict(moments)
    assert resumed.values is values
    walk(other, resumed, again, 10, seed=2)
    assert resumed.state().keys() == selection.state().keys()
    for name, tensor in selection.state().items():
        assert torch.equal(resumed.state()[name], tensor), name
    assert torch.equal(flat(dense_weights(other)), flat(dense_weights(model)))
    with pytest.raises(ValueError, match="the state has"):
        stack(3, 4)[2].restore(kept)


def test_an_evaluation_keeps_one_dense_weight_at_a_time():
    def peak(layers):
        model = llama(num_hidden_layers=layers, hidden_size=64, intermediate_size=128)
        model.requires_grad_(False)
        freeze_linears(model)
        selection = train_largest(model, 0.01)
        values = selection.values.detach() + 1e-3
        ids = torch.ones(1, 4, dtype=torch.long)
        weight = 4 * 64 * 128
        known = [*model.parameters(), *model.buffers(), values, ids]
        with torch.no_grad(), MemoryAbove(known) as memory:
            functional_call(model, {VALUES: values}, kwargs={"input_ids": ids})
        return memory.peak / weight

    few, many = peak(2), peak(8)
    assert many == few
    assert 1 < few < 2


def test_selecting_anew_takes_the_memory_of_one_linear():
    def peak(layers):
        _, model, selection, _ = stack(*[64] * (layers + 1), share=16 / 64**2 / layers)
        assert len(selection.values) == 16
        with torch.no_grad():
            selection.values[3] = -selection.base[3]
        with MemoryAbove([*model.parameters(), *model.buffers()]) as memory:
            assert selection.reselect() is not None
        return memory.peak / (8 * 64**2)

    assert peak(8) < peak(2) + 0.2
    assert peak(8) < 4

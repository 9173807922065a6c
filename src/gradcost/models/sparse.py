"""The largest of a model's own weights as trainable parameters: ZO-SPARSE, FMAD-SPARSE.

No adapters: trained are the k = ceil(share d) weights w of largest magnitude, chosen anew
at each iteration (Guo et al., 2025; paper, appendix C), among the d weights of the model's
frozen linears. The base may be packed in 4 bits, so what is trained is not w but its
sparse correction c in full precision, w = base + c, which starts at zero. Weight decay
therefore pulls towards the pretrained weights. A weight that leaves the selection keeps its
correction and is frozen there.

    selection = train_largest(model, share=0.01)
    for each step:
        ...  # estimate the gradient at `selection.values`, update it in place
        selection.follow(optimizer)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gradcost.models.frozen import FrozenLinear

NAME = "selection"
"""The attribute of the model that holds the selection."""

CorrectionFn = Callable[[], tuple[Tensor, Tensor]]
"""Flat positions (n,) in a weight, and what is added there (n,)."""


class CorrectedLinear(nn.Module):
    """x (base + C).T + bias with a frozen base and a sparse correction C.

    The corrections are asked for at each call, so those that `torch.func.functional_call`
    put in place are seen: perturbed, stacked by `vmap`, or dual numbers. One dense weight
    is formed for each call and multiplied as any other, so a tangent takes two products and
    forward mode along n directions 1 + 2n forward passes. `backward` keeps the dense weight.

    A dense weight has the inputs' precision: corrections are added up in full precision, but
    in bfloat16 weights between 2^-5 and 2^-4 are multiples of 2^-12, to which zeroth order's
    perturbations are rounded. Rounded activations blur its differences more than that.
    """

    def __init__(self, base: FrozenLinear, correction: CorrectionFn) -> None:
        super().__init__()
        self.base, self.correction = base, correction
        self.in_features, self.out_features = base.in_features, base.out_features
        self.bias = base.bias

    def forward(self, x: Tensor) -> Tensor:
        output = linear(x, self.dense(x.dtype))
        return output if self.bias is None else output + self.bias.to(output.dtype)

    def dense(self, dtype: torch.dtype | None = None) -> Tensor:
        """The weight (out_features, in_features); in the base's precision by default."""
        weight = self.base.dense()
        positions, values = self.correction()
        if dtype is not None:
            weight = weight.to(dtype)
        flat = weight.flatten().index_add(0, positions, values.to(weight.dtype))
        return flat.view(weight.shape)


class Selection(nn.Module):
    """The k selected weights of a model and their corrections.

    Weights are counted over the linears in the order given and row by row; of equal
    magnitudes, the first is taken. Positions within a linear take 4 bytes each.

    Attributes:
        values: (k,), the corrections of the selected weights in the order of their places;
            in float32, or in the base's precision if that is higher. The one parameter.
        base: (k,), the base's weights at the same places.
        positions: (k,), where they are within their linears.
        left_values, left_positions: (m,), the same of weights that were selected before.
    """

    values: nn.Parameter
    base: Tensor
    positions: Tensor
    left_values: Tensor
    left_positions: Tensor

    def __init__(self, linears: Sequence[FrozenLinear], share: float) -> None:
        """Select the ceil(share d) largest weights of `linears`.

        Raises:
            ValueError: for a share outside (0, 1], or without linears.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share = {share}: it must lie in (0, 1]")
        if not linears:
            raise ValueError("there is no frozen linear to select weights from")
        super().__init__()
        # a tuple and not a ModuleList: the model has these layers already
        self._linears = tuple(linears)
        sizes = [layer.out_features * layer.in_features for layer in linears]
        self._starts = [sum(sizes[:index]) for index in range(len(sizes) + 1)]
        # in exact arithmetic: 0.07 of 100 are 7, though 0.07 * 100 > 7
        count = math.ceil(Fraction(repr(share)) * self._starts[-1])
        sample = linears[0].dense()
        dtype = torch.promote_types(torch.float32, sample.dtype)
        self.values = nn.Parameter(torch.zeros(count, dtype=dtype, device=sample.device))
        none = torch.empty(0, dtype=torch.int64, device=sample.device)
        # not persistent: `state_dict` cannot follow tensors that change their size
        self.register_buffer("base", sample.detach().new_empty(0), persistent=False)
        self.register_buffer("positions", none, persistent=False)
        self.register_buffer("left_values", none.to(dtype), persistent=False)
        self.register_buffer("left_positions", none.int(), persistent=False)
        self._bounds = self._left_bounds = [0] * len(self._starts)
        # magnitude and place of the largest weight that is not selected
        self._floor = (math.inf, -1)
        with torch.no_grad():
            self._select(none.bool(), -1.0)

    def correction(self, index: int) -> tuple[Tensor, Tensor]:
        """Positions within linear `index`, in no order, and their corrections."""
        a, b = self._bounds[index : index + 2]
        c, d = self._left_bounds[index : index + 2]
        return (
            torch.cat([self.positions[a:b], self.left_positions[c:d]]),
            torch.cat([self.values[a:b], self.left_values[c:d]]),
        )

    @torch.no_grad()
    def reselect(self) -> Tensor | None:
        """Select the k largest weights as they are now; call it after each update.

        Weights outside the selection do not change. As long as every selected weight
        exceeds the largest of them, which takes O(k) to see, nothing is to be done. Else
        the linears are looked through one by one, in memory of one of them and O(k).

        Returns:
            (k,): for each place in `values`, the one that its weight had before, or -1 for
            a weight that was not selected, whose moments are zero. None if no weight came
            or left.
        """
        sizes = self._magnitudes()
        floor, place = self._floor
        places = self._places(self.positions, self._bounds)
        above = (sizes > floor) | ((sizes == floor) & (places < place)) | sizes.isnan()
        if bool(above.all()):
            return None
        return self._select(above, float(sizes[~above].min()))

    def follow(self, optimizer: torch.optim.Optimizer) -> None:
        """Select anew after an update, and let the optimiser's moments follow their weights."""
        source = self.reselect()
        if source is not None:
            move_moments(optimizer, self.values, source)

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs; like `state_dict`, the tensors in use and no copies."""
        return {
            **dict(self.named_buffers()),
            "values": self.values.detach(),
            "bounds": torch.tensor(self._bounds),
            "left_bounds": torch.tensor(self._left_bounds),
            "floor": torch.tensor(self._floor[0], dtype=torch.float64),
            "floor_place": torch.tensor(self._floor[1]),
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from where `state` was taken, bit by bit; `values` stays the same tensor.

        Raises:
            ValueError: if the state is of another number of weights or linears.
        """
        if state["values"].shape != self.values.shape or len(state["bounds"]) != len(self._bounds):
            raise ValueError(
                f"the state has {len(state['values'])} weights of {len(state['bounds']) - 1} "
                f"linears, the model {len(self.values)} of {len(self._linears)}"
            )
        self.values.copy_(state["values"])
        for name in ("base", "positions", "left_values", "left_positions"):
            # a copy: a state that is restored twice must not have changed in between
            setattr(self, name, state[name].to(self.values.device, copy=True))
        self._bounds, self._left_bounds = state["bounds"].tolist(), state["left_bounds"].tolist()
        self._floor = (float(state["floor"]), int(state["floor_place"]))

    def _select(self, above: Tensor, lowest: float) -> Tensor:
        """Fill up the weights of the mask `above` to the k largest; as `reselect` returns.

        Args:
            above: which of the selected weights exceed all that are not selected.
            lowest: not above the weights to come and the floor to come.
        """
        old = self._places(self.positions, self._bounds)
        kept = old[above]
        sizes, places, base = self._largest(kept, len(self.values) - len(kept) + 1, lowest)
        if len(kept) + len(places) > len(self.values):
            smallest = sizes.min()
            # of the smallest, the last comes in last: the best that does not come in
            last = places[sizes == smallest][-1]
            self._floor = (float(smallest), int(last))
            places, base = places[places != last], base[places != last]
        else:
            self._floor = (-1.0, -1)  # all weights are selected
        new, order = torch.cat([kept, places]).sort()
        self.base = torch.cat([self.base[above], base])[order]
        source = _find(new, old)
        self._move_values(old, new)
        self.positions, self._bounds = self._positions(new)
        return source

    def _largest(self, kept: Tensor, count: int, lowest: float) -> tuple[Tensor, Tensor, Tensor]:
        """The largest weights besides those at `kept`: magnitudes, places and base's weights.

        `count` of them (fewer if there are not so many), by place; none is below `lowest`.
        """
        best = (self.values.detach()[:0], kept[:0], self.base[:0])
        bounds = self._split(kept)
        strict = False
        for index, start in enumerate(self._starts[:-1]):
            inside = kept[bounds[index] : bounds[index + 1]] - start
            sizes, positions, base = self._candidates(index, inside, count, lowest, strict)
            best = (
                torch.cat([best[0], sizes]),
                torch.cat([best[1], positions + start]),
                torch.cat([best[2], base]),
            )
            if len(best[0]) >= count:
                mask = _first_largest(best[0], count)
                best = (best[0][mask], best[1][mask], best[2][mask])
                # a later weight must exceed the smallest so far, to equal it is not enough
                lowest, strict = float(best[0].min()), True
        return best

    def _candidates(
        self, index: int, kept: Tensor, count: int, lowest: float, strict: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same of linear `index`, more than `count` if some are equal; positions in it."""
        dense = self._linears[index].dense().detach().flatten()
        positions, values = self.correction(index)
        sizes = dense.to(values.dtype).index_add(0, positions, values).abs_()
        sizes[kept] = -2.0  # below any `lowest`
        chosen = sizes > lowest if strict else sizes >= lowest
        if int(chosen.sum()) > count:
            chosen &= sizes >= sizes.topk(count, sorted=False).values.min()
        found = chosen.nonzero()[:, 0]
        return sizes[found], found, dense[found]

    def _move_values(self, old: Tensor, new: Tensor) -> None:
        """Values of the weights at `new`; those of the others stay behind."""
        known, order = torch.cat([old, self._places(self.left_positions, self._left_bounds)]).sort()
        values = torch.cat([self.values[: len(old)], self.left_values])[order]
        slot = _find(new, known)
        self.values.copy_(_moved(values, slot))
        left = torch.ones_like(known, dtype=torch.bool)
        left[slot[slot >= 0]] = False
        self.left_values = values[left]
        self.left_positions, self._left_bounds = self._positions(known[left])

    def _magnitudes(self) -> Tensor:
        return (self.base.to(self.values.dtype) + self.values.detach()).abs()

    def _positions(self, places: Tensor) -> tuple[Tensor, list[int]]:
        """Ascending places as positions within the linears; where each linear's begin."""
        bounds = self._split(places)
        return (places - self._per_entry(bounds, places)).to(torch.int32), bounds

    def _places(self, positions: Tensor, bounds: list[int]) -> Tensor:
        return positions + self._per_entry(bounds, positions)

    def _split(self, places: Tensor) -> list[int]:
        starts = torch.tensor(self._starts, device=places.device)
        return torch.searchsorted(places, starts).tolist()  # type: ignore[no-any-return]

    def _per_entry(self, bounds: list[int], like: Tensor) -> Tensor:
        """For each entry, where the linear that it belongs to starts."""
        starts = torch.tensor(self._starts[:-1], device=like.device)
        return starts.repeat_interleave(torch.tensor(bounds, device=like.device).diff())


def train_largest(
    model: nn.Module,
    share: float,
    exclude: Collection[str] = (),
    kind: type[Selection] = Selection,
) -> Selection:
    """Train the largest of the model's own weights: the frozen linears' ceil(share d).

    Replaces each `FrozenLinear` of `model` by a `CorrectedLinear` around it, and registers
    the selection, with its one parameter, as `model.selection`. No other parameter is
    touched: neither the base's frozen ones nor a trained head's.

    Args:
        share: of the d weights; the paper's is 0.01.
        exclude: names of linears to leave alone, or of modules with linears, whole or parts.
        kind: of the selection.

    Raises:
        ValueError: if the model has no frozen linear or a selection already.
    """
    if hasattr(model, NAME):
        raise ValueError(f"the model has an attribute {NAME!r} already")
    found: dict[FrozenLinear, list[tuple[nn.Module, str]]] = {}
    for path, parent in model.named_modules():
        for name, layer in parent.named_children():
            full = f".{path}.{name}."
            if isinstance(layer, FrozenLinear) and not any(f".{part}." in full for part in exclude):
                found.setdefault(layer, []).append((parent, name))
    selection = kind(list(found), share)
    for index, (layer, users) in enumerate(found.items()):
        corrected = CorrectedLinear(layer, partial(selection.correction, index))
        for parent, name in users:
            setattr(parent, name, corrected)
    model.add_module(NAME, selection)
    return selection


@torch.no_grad()
def move_moments(optimizer: torch.optim.Optimizer, parameter: nn.Parameter, source: Tensor) -> None:
    """Let the optimiser's moments follow the weights that they belong to.

    Args:
        parameter: the selection's values (k,).
        source: what `Selection.reselect` returned (k,). Newcomers' moments are zero.
    """
    for moment in optimizer.state[parameter].values():
        if isinstance(moment, Tensor) and moment.shape == parameter.shape:
            moment.copy_(_moved(moment, source))


def _first_largest(sizes: Tensor, count: int) -> Tensor:
    """A mask of the `count` largest of `sizes` (n,); of equal ones, the first."""
    threshold = sizes.topk(count, sorted=False).values.min()
    above, equal = sizes > threshold, sizes == threshold
    return above | (equal & (equal.cumsum(0) <= count - above.sum()))


def _find(wanted: Tensor, ascending: Tensor) -> Tensor:
    """The index in `ascending` of each of `wanted`, or -1 if it is not there."""
    there = torch.isin(wanted, ascending, assume_unique=True)
    return torch.searchsorted(ascending, wanted).where(there, -1)


def _moved(values: Tensor, source: Tensor) -> Tensor:
    """values[source], and zero where the source is -1."""
    result = torch.zeros(source.shape, dtype=values.dtype, device=values.device)
    known = source >= 0
    result[known] = values[source[known]]
    return result

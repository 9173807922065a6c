"""Forward-mode automatic differentiation along random directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.functional import layer_norm
from torch.overrides import TorchFunctionMode

from gradcost.estimators.base import LossFn, Params
from gradcost.estimators.directional import Directional


@dataclass(frozen=True)
class ForwardMode(Directional):
    """The forward gradient (Baydin et al., 2022; paper, equation 1 and Theorem I.9).

    g = 1/n sum_i (v_i . grad f) v_i with v_i ~ N(0, I_d). The directional derivative
    v . grad f (the jvp) is exact and comes out of one forward pass that carries tangents
    along; no activation is kept. E[g] = grad f, and its variance is (d + 1)/n |grad f|^2
    (Lemma I.6).

    Cost: one primal pass for each group of directions evaluated together, and one tangent
    pass for each direction, where frozen weights are not multiplied by their own tangents,
    which are zero (see `gradcost.models.frozen`). As published, stock PyTorch multiplies
    by them and the primal is run again for each direction: `at_once` 1 without frozen
    linears.
    """

    def slopes(
        self, loss: LossFn, params: Params, vectors: dict[str, Tensor], here: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The loss (1,) and its jvps (k,)."""
        if len(next(iter(vectors.values()))) > 1:
            return _together(loss, params, vectors)
        # dual numbers take about half the time of torch.func's transforms
        with forward_ad.dual_level(), _OneTangent():
            duals = {
                name: forward_ad.make_dual(value, vectors[name][0])
                for name, value in params.items()
            }
            value, jvp = forward_ad.unpack_dual(loss(duals))
        if jvp is None:
            raise RuntimeError("the loss has no tangent: it does not depend on the parameters")
        return value.reshape(1), jvp.reshape(1)


_PRODUCTS = {
    torch.mul,
    torch.multiply,
    Tensor.mul,
    Tensor.multiply,
    Tensor.__mul__,
    Tensor.__rmul__,
}
_SUMS = {torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__}


class _OneTangent(TorchFunctionMode):
    """Operations of a dual number and tensors without a tangent, by their own rules.

    For a tangent that is missing PyTorch makes up a tensor of zeros without storage, and
    works out the result's shape in Python: a third of a millisecond, as often as a
    normalisation's weight, a rotary embedding or a mask meets an activation. Here are the
    rules of products, sums and layer normalisation.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        found = None
        if (func in _PRODUCTS or func in _SUMS) and len(args) == 2 and not kwargs:
            found = _of_two(func, *args)
        elif func is layer_norm:
            found = _layer_norm(*args, **kwargs)
        return func(*args, **kwargs) if found is None else found


def _of_two(func: Any, left: Any, right: Any) -> Tensor | None:
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return None
    (x, dx), (y, dy) = forward_ad.unpack_dual(left), forward_ad.unpack_dual(right)
    if (dx is None) == (dy is None):
        return None
    if func in _SUMS:
        value, slope = x + y, dy if dx is None else dx
        # a copy: what is changed in place later must not change the summand
        tangent = slope.expand(value.shape).to(value.dtype, copy=True)
    else:
        value, tangent = x * y, x * dy if dx is None else dx * y
    dual: Tensor = forward_ad.make_dual(value, tangent)
    return dual


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:
    """y = w z + b with z = r (x - mean x), r = (var x + eps)^(-1/2).

    Its tangent is w r (dx - mean dx - z mean(z dx)).
    """
    (x, dx), affine = forward_ad.unpack_dual(input), (weight, bias)
    known = [one for one in affine if one is not None]
    if dx is None or any(forward_ad.unpack_dual(one).tangent is not None for one in known):
        return None
    value, mean, scale = torch.native_layer_norm(x, list(normalized_shape), weight, bias, eps)
    dims = tuple(range(-len(normalized_shape), 0))
    z = (x - mean) * scale
    tangent = (dx * z).mean(dims, keepdim=True) * z
    tangent = (dx - dx.mean(dims, keepdim=True) - tangent) * scale
    if weight is not None:
        tangent = tangent * weight
    dual: Tensor = forward_ad.make_dual(value, tangent.to(value.dtype))
    return dual


def _together(loss: LossFn, params: Params, vectors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    def watched(duals: Params) -> Tensor:
        with _OneTangent():
            return loss(duals)

    def along(tangent: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        value, jvp = torch.func.jvp(watched, (dict(params),), (tangent,))[:2]
        return value, jvp

    # the primal does not depend on the direction, so vmap computes it once
    out_dims: Any = (None, 0)  # torch's annotation knows no None
    value, jvps = torch.func.vmap(along, out_dims=out_dims)(vectors)
    return value.reshape(1), jvps

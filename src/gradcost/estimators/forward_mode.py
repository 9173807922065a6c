"""Forward-mode automatic differentiation along random directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
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
    """Products and sums of a dual number and a tensor without a tangent, by their own rules.

    For the tangent that is missing PyTorch makes up a tensor of zeros without storage, and
    works out the result's shape in Python: a third of a millisecond, as often as a
    normalisation's weight, a rotary embedding or a mask meets an activation.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if (func in _PRODUCTS or func in _SUMS) and len(args) == 2 and not kwargs:
            left, right = args
            if isinstance(left, Tensor) and isinstance(right, Tensor):
                (x, dx), (y, dy) = forward_ad.unpack_dual(left), forward_ad.unpack_dual(right)
                if (dx is None) != (dy is None):
                    if func in _SUMS:
                        value, slope = x + y, dy if dx is None else dx
                        # a copy: what is changed in place later must not change the summand
                        tangent = slope.expand(value.shape).to(value.dtype, copy=True)
                    else:
                        value, tangent = x * y, x * dy if dx is None else dx * y
                    return forward_ad.make_dual(value, tangent)
        return func(*args, **(kwargs or {}))


def _together(loss: LossFn, params: Params, vectors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    def along(tangent: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        value, jvp = torch.func.jvp(loss, (dict(params),), (tangent,))[:2]
        return value, jvp

    # the primal does not depend on the direction, so vmap computes it once
    out_dims: Any = (None, 0)  # torch's annotation knows no None
    value, jvps = torch.func.vmap(along, out_dims=out_dims)(vectors)
    return value.reshape(1), jvps

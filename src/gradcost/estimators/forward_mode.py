"""Forward-mode automatic differentiation along random directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor
from torch.autograd import forward_ad

from gradcost.estimators import directions
from gradcost.estimators.base import Estimate, LossFn, Params


@dataclass(frozen=True)
class ForwardMode:
    """The forward gradient (Baydin et al., 2022; paper, equation 1 and Theorem I.9).

    g = 1/n sum_i (v_i . grad f) v_i with v_i ~ N(0, I_d). The directional derivative
    v . grad f (the jvp) is exact and comes out of one forward pass that carries tangents
    along; no activation is kept. E[g] = grad f, and its variance is (d + 1)/n |grad f|^2
    (Lemma I.6).

    Cost: one primal pass for each group of directions evaluated together, and one tangent
    pass for each direction, where frozen weights are not multiplied by their own tangents,
    which are zero (see `gradcost.models.frozen`).

    Attributes:
        perturbations: n, directions per step.
        at_once: directions evaluated together with one shared primal (the paper's parallel
            implementation); 1 evaluates them in turn (sequential). Memory grows with it.
    """

    perturbations: Annotated[int, Ge(1)] = 1
    at_once: Annotated[int, Ge(1)] = 1

    def init(self, params: Params) -> tuple[()]:
        """Forward mode carries nothing from step to step."""
        return ()

    @torch.no_grad()  # else the tangents' graph keeps every activation
    def estimate(
        self, loss: LossFn, params: Params, state: tuple[()], seed: int
    ) -> tuple[Estimate, tuple[()]]:
        """Evaluate jvps along `perturbations` directions and average."""
        gradient = {name: torch.zeros_like(value) for name, value in params.items()}
        jvps = []
        for indices in directions.chunks(self.perturbations, self.at_once):
            tangents = directions.draw_stack(params, seed, indices)
            value, jvp = _jvp(loss, params, tangents)
            for name, tangent in tangents.items():
                gradient[name] += torch.tensordot(jvp.to(tangent.dtype), tangent, dims=1)
            jvps.append(jvp)
        for total in gradient.values():
            total /= self.perturbations
        return Estimate(value, gradient, torch.cat(jvps)), state


def _jvp(loss: LossFn, params: Params, tangents: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The loss and its derivatives (k,) along k stacked directions."""
    first = next(iter(tangents.values()))
    if len(first) == 1:
        # dual numbers take about half the time of torch.func's transforms
        with forward_ad.dual_level():
            duals = {
                name: forward_ad.make_dual(value, tangents[name][0])
                for name, value in params.items()
            }
            value, jvp = forward_ad.unpack_dual(loss(duals))
        if jvp is None:
            raise RuntimeError("the loss has no tangent: it does not depend on the parameters")
        return value, jvp.reshape(1)

    def along(tangent: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        value, jvp = torch.func.jvp(loss, (dict(params),), (tangent,))[:2]
        return value, jvp

    # the primal does not depend on the direction, so vmap computes it once
    out_dims: Any = (None, 0)  # torch's annotation knows no None
    value, jvp = torch.func.vmap(along, out_dims=out_dims)(tangents)
    return value, jvp

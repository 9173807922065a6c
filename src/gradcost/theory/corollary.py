"""Corollary I.10 and the convergence column of Table 2."""

from __future__ import annotations

import torch
from torch import Tensor

from gradcost.estimators.directional import Directional
from gradcost.estimators.forward_mode import ForwardMode
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.theory.check import Check, Group
from gradcost.theory.functions import Quadratic
from gradcost.theory.sampling import Measured, directions, estimates, exponent, mean, runs
from gradcost.theory.theorems import limit, variance_factor

DIMENSIONS = (4, 8, 16, 32)
STEPS = 150
TIMES = (75, 106, 150)
COUNT = {"zeroth-order": 64, "forward-mode": 8}
ZEROTH = ZerothOrder(epsilon=0.1)


def verify() -> Group:
    """The rate d/T where it can be seen, and the two strategies that are to reach it."""
    by_dimension = {
        name: [_runs(name, estimator, d) for d in DIMENSIONS]
        for name, estimator in (("zeroth-order", ZEROTH), ("forward-mode", ForwardMode()))
    }
    checks = []
    for name, found in by_dimension.items():
        # over (1 + (d+1)/n) |w_1|^2: the rate's own constants, f(w_1) being |w_1|^2 / 2
        averages = [
            mean(norms[:, :-1].mean(1)).scaled(1 / d)
            for d, norms in zip(DIMENSIONS, found, strict=True)
        ]
        factors = [variance_factor(d, 1) for d in DIMENSIONS]
        exact = exponent(factors, [_average(d, STEPS) for d in DIMENSIONS]).value
        slope = exponent(factors, averages)
        checks.append(
            Check(
                f"corollary-i10/dimension/{name}", "Corollary I.10, strategy 1",
                r"$O(\frac dT)$ with $\eta=\frac1{L(1+(d+1)/n)}$",
                r"exponent of $1+\frac{d+1}n$ in the average squared gradient over $f(w_1)$",
                exact, slope, 1.0,
                {"d": "4 to 32", "n": 1, "T": STEPS}, None, 0.05,
            )
        )  # fmt: skip
        d, norms = DIMENSIONS[1], found[1]
        over_time = [mean(norms[:, :t].mean(1)) for t in TIMES]
        checks.append(
            Check(
                f"corollary-i10/time/{name}", "Corollary I.10, strategy 1",
                r"$O(\frac dT)$ with $\eta=\frac1{L(1+(d+1)/n)}$",
                r"exponent of $T$ in the average squared gradient, $\frac12\|w\|^2$",
                exponent(TIMES, [_average(d, t) for t in TIMES]).value,
                Measured(exponent(TIMES, [one.value for one in over_time]).value), -1.0,
                {"d": d, "n": 1, "T": f"{TIMES[0]} to {TIMES[-1]}"}, None, 0.05,
            )
        )  # fmt: skip
        checks.append(
            Check(
                f"table-2/{name}", "Table 2",
                r"others: $O(1/T[1-\frac{L\eta}2(1+\frac{d+1}n)])$, no $d$ at $[\cdot]=\frac12$",
                r"exponent of $1+\frac{d+1}n$ in the average squared gradient over $f(w_1)$",
                exact, slope, 0.0,
                {"d": "4 to 32", "n": 1, "T": STEPS},
                r"$O(1/\eta T[1-\frac{L\eta}2(1+\frac{d+1}n)])$, as in the theorems: the step size "
                r"is where $d$ comes in",
            )
        )  # fmt: skip
    return Group([*checks, _lever(), *_examples()])


def _runs(name: str, estimator: Directional, d: int) -> Tensor:
    """Squared gradients of runs on |w|^2/2 at half the limit, (runs, STEPS + 1)."""
    w = torch.ones(d, dtype=torch.float64)
    eta = limit(d, 1) / 2
    return runs(
        estimator, Quadratic.isotropic(d), w, eta, STEPS, f"corollary {name} {d}", COUNT[name]
    ).norms


def _average(d: int, steps: int) -> float:
    """The average of E |grad f|^2 / |w_1|^2 over the first steps, each of which leaves a share."""
    factor = variance_factor(d, 1)
    return factor / steps * (1 - (1 - 1 / factor) ** steps)


def _lever() -> Check:
    """Strategy 2 alone, with the step size of backpropagation."""
    d, steps = 32, 100
    function, w = Quadratic.isotropic(d), torch.ones(d, dtype=torch.float64)
    vectors = directions("lever", 20_000, d)
    g = estimates(ZerothOrder(epsilon=steps**-0.25), function, w, vectors)
    after = ((w - g).square().sum(1) / 2) / function({"w": w})
    return Check(
        "corollary-i10/lever", "Corollary I.10, discussion",
        r"shrinking $\varepsilon$ is a second lever, equivalent to a small step size and more "
        "practical",
        r"$E f(w^+)/f(w)$ at $\eta=\frac1L$, $\varepsilon=T^{-1/4}$", d + 1.0, mean(after), 1.0,
        {"d": d, "n": 1, "T": steps},
        r"no $\varepsilon$ relaxes the limit on $\eta$, which comes from the random directions "
        "and binds forward mode alike",
        bound=True, repairable=False,
    )  # fmt: skip


def _examples() -> list[Check]:
    return [
        Check(
            f"corollary-i10/example-{steps}", "Corollary I.10, discussion",
            rf"$\varepsilon=T^{{-1/4}}$ is {printed:g} at $T={steps}$",
            rf"$T^{{-1/4}}$ at $T={steps}$", steps**-0.25, Measured(steps**-0.25), printed,
            {"T": steps}, r"the numbers are those of $T^{-1/2}$", 0.005,
        )
        for steps, printed in ((100, 0.1), (1000, 0.03))
    ]  # fmt: skip

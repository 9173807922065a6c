"""Theorem I.8's second term: what a finite epsilon leaves of the gradient after any time.

Where the remainder is unbiased but noisy (`HarmonicCubic`) descent ends in a cloud around the
minimum, and the average squared gradient in it is L eta E|r v|^2 / (2 n [1 - L eta/2 (1 +
(d + 1)/n)]): the second term, divided as it should be, with nothing to spare. Where it is
biased (`TiltedWaves`) descent ends elsewhere, however small the steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.theory.check import Check, Group
from gradcost.theory.functions import Function, HarmonicCubic, TiltedWaves
from gradcost.theory.sampling import Measured, exponent, mean, runs
from gradcost.theory.theorems import variance_factor

CUBIC = HarmonicCubic(0.1)
D = 2
STEPS = 100
LAST = 20  # steps that are averaged, when a run has forgotten its start
COUNT = 4000  # runs


@dataclass(frozen=True)
class Setting:
    """Of a run around the minimum of `CUBIC`."""

    eta: float = 0.1
    n: int = 1
    epsilon: float = 0.1

    @property
    def predicted(self) -> float:
        """The average squared gradient, L = 1."""
        bracket = 1 - self.eta / 2 * variance_factor(D, self.n)
        return self.eta * CUBIC.noise(self.epsilon) / (2 * self.n * bracket)

    def measure(self) -> Measured:
        """The same, from independent runs."""
        start = torch.zeros(D, dtype=torch.float64)
        estimator = ZerothOrder(self.n, self.n, epsilon=self.epsilon)
        return _remains(estimator, CUBIC, start, self.eta, f"floor {self}", COUNT)


def _remains(
    estimator: ZerothOrder, function: Function, w: Tensor, eta: float, name: str, count: int
) -> Measured:
    norms = runs(estimator, function, w, eta, STEPS, name, count).norms
    return mean(norms[:, -LAST:].mean(1))


def verify() -> Group:
    """How the floor depends on eta, n and epsilon; and the part that does not depend on eta."""
    etas = [Setting(eta=eta) for eta in (0.2, 0.1, 0.05)]
    several = [Setting(n=n) for n in (1, 2, 4)]
    epsilons = [Setting(epsilon=epsilon) for epsilon in (0.5, 0.25, 0.125)]
    found = {one: one.measure() for one in dict.fromkeys([*etas, *several, *epsilons])}

    def slope(x: list[float], settings: list[Setting]) -> tuple[float, Measured]:
        exact = exponent(x, [one.predicted for one in settings]).value
        return exact, exponent(x, [found[one] for one in settings])

    right = (
        r"$\frac{Ld\eta}{2n[1-\frac{L\eta}2(1+\frac{d+1}n)]}$ times the squared remainder: the "
        r"term, too, is divided by $\eta[\cdot]$"
    )
    by_eta = slope([one.eta for one in etas], etas)
    by_n = slope([one.n for one in several], several)
    by_epsilon = slope([one.epsilon for one in epsilons], epsilons)
    # with epsilon = T^(-1/4)
    times = [one.epsilon**-4 for one in epsilons]
    by_time = slope(times, epsilons)
    middle = Setting()
    checks = [
        Check(
            "theorem-i8/floor", "Theorem I.8, equation 78",
            r"the bound's second term is $\frac{Ld\eta^2}{2n}O(\varepsilon^2)$",
            r"average squared gradient over $\varepsilon^4$ where the first term is gone",
            middle.predicted / middle.epsilon**4, found[middle].scaled(middle.epsilon**-4),
            CUBIC.noise(1.0) * middle.eta**2 / 2,
            {"d": D, "n": 1, "eta L": middle.eta, "epsilon": middle.epsilon}, right,
        ),
        Check(
            "theorem-i8/floor-step-size", "Theorem I.8, equations 76 to 78",
            r"the second term is proportional to $\eta^2$",
            r"exponent of $\eta$ in the squared gradient that remains", by_eta[0], by_eta[1], 2.0,
            {"d": D, "n": 1, "epsilon": 0.1}, right,
        ),
        Check(
            "table-2/epsilon", "Table 2",
            r"zeroth order, besides: $\frac{Ld\eta^2}{2n}O(\varepsilon^2)$",
            r"exponent of $\eta$ in the squared gradient that remains", by_eta[0], by_eta[1], 2.0,
            {"d": D, "n": 1, "epsilon": 0.1}, right,
        ),
        Check(
            "theorem-i8/floor-directions", "Theorem I.8, equation 59",
            r"the second term is $\frac{Ldn^2}{2n}O(\varepsilon^2)$, in our copy",
            r"exponent of $n$ in the squared gradient that remains", by_n[0], by_n[1], 1.0,
            {"d": D, "eta L": 0.1, "epsilon": 0.1},
            r"$\frac{\eta}{n}$ in place of $\frac{n^2}{n}$; the proof has $\frac{\eta^2}{n}$",
        ),
        Check(
            "corollary-i10/floor-directions", "Corollary I.10",
            r"the second term, $\frac{Ldn\eta^2}{2n}O(\varepsilon^2)$, does not depend on $n$",
            r"exponent of $n$ in the squared gradient that remains", by_n[0], by_n[1], 0.0,
            {"d": D, "eta L": 0.1, "epsilon": 0.1},
            r"$\frac{\eta}{n}$ in place of $\frac{n\eta^2}{n}$",
        ),
        Check(
            "theorem-i8/floor-epsilon", "Theorem I.8, equation 59",
            r"the second term is $O(\varepsilon^2)$",
            r"exponent of $\varepsilon$ in the squared gradient that remains",
            4.0, by_epsilon[1], 2.0, {"d": D, "n": 1, "eta L": 0.1},
            r"$O(\varepsilon^4)$ with a Lipschitz Hessian; $O(\varepsilon^2)$ without",
        ),
        Check(
            "corollary-i10/epsilon", "Corollary I.10, strategy 2",
            r"with $\varepsilon=T^{-1/4}$ the second term is $\frac{1}{Ld}T^{-1/2}$, negligible "
            r"beside $\frac dT$",
            r"exponent of $T$ in the squared gradient that remains, $\varepsilon=T^{-1/4}$",
            -1.0, by_time[1], -0.5, {"d": D, "n": 1, "eta L": 0.1},
            r"$T^{-1/2}$ would rule from $T\sim d^4$ on; the claim holds because the term is "
            r"$O(\varepsilon^4)=O(\frac1T)$ with a Lipschitz Hessian",
        ),
    ]  # fmt: skip
    return Group([*checks, *_bias()])


def _bias() -> list[Check]:
    """Descent on the smoothed function ends at its minimum, whose gradient is not zero."""
    d, n, epsilon = 8, 16, 0.5
    tilted = TiltedWaves()
    end = torch.full((d,), tilted.smoothed_minimum(epsilon), dtype=torch.float64)
    remains = float(tilted.gradient(end).square().sum())
    etas, found = (0.1, 0.05, 0.025), []
    for eta in etas:
        estimator = ZerothOrder(n, n, epsilon=epsilon)
        found.append(_remains(estimator, tilted, end, eta, f"bias {eta}", 200))
    return [
        Check(
            "theorem-i8/bias", "Theorem I.8, equation 69",
            r"Term 1 is $\|\nabla f\|^2$, so that what $\varepsilon$ leaves vanishes with $\eta$",
            r"squared gradient that remains, $\eta=0.025$", remains, found[-1], 0.0,
            {"d": d, "n": n, "epsilon": epsilon, "eta": etas[-1]},
            r"Term 1 is $\nabla f\cdot E[g]$, and the bias $b$ leaves $O(\|b\|^2)$, which is "
            r"$O(\varepsilon^4)$ and does not depend on $\eta$",
            0.25 * remains,
        )
    ]  # fmt: skip

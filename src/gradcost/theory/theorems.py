"""Theorem I.7 with backpropagation, and what Theorems I.8 and I.9 say of the size of a step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradcost.estimators.directional import Directional
from gradcost.estimators.forward_mode import ForwardMode
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.theory.check import Check, Group, Parameters, Series
from gradcost.theory.functions import Quadratic, Waves
from gradcost.theory.sampling import (
    Measured,
    descend,
    directions,
    estimates,
    exponent,
    mean,
    ratio,
    runs,
)

ESTIMATORS: dict[str, tuple[str, Directional]] = {
    # central differences of a quadratic are exact whatever their step
    "zeroth-order": ("I.8", ZerothOrder(epsilon=0.1)),
    "forward-mode": ("I.9", ForwardMode()),
}
_LIMITS = {"zeroth-order": "60", "forward-mode": "81"}
_BOUNDS = {"zeroth-order": "59", "forward-mode": "80"}
DRAWN = 20_000  # directions for each d and n
COUNT = {"zeroth-order": 256, "forward-mode": 32}  # runs
SHARES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)  # of the printed limit
WAVES = Waves()


def variance_factor(d: float, n: int) -> float:
    """1 + (d + 1)/n, by which E |g|^2 exceeds |grad f|^2."""
    return 1 + (d + 1) / n


def limit(d: float, n: int, smoothness: float = 1.0) -> float:
    """The printed limit of the step size, 2 / (L (1 + (d + 1)/n))."""
    return 2 / (smoothness * variance_factor(d, n))


def verify() -> Group:
    """All checks of the three theorems but for the term in epsilon."""
    parts = [_backprop(), _isotropic(), _anisotropic(), _both_sides(), _bounds()]
    return Group(
        [check for part in parts for check in part.checks],
        [series for part in parts for series in part.series],
    )


def _slug(name: str) -> str:
    return "theorem-" + ESTIMATORS[name][0].lower().replace(".", "")


def _ones(d: int) -> Tensor:
    return torch.ones(d, dtype=torch.float64)


def _backprop() -> Group:
    """Theorem I.7: descent, its bound, and where either ends."""
    d = 8
    start = torch.linspace(0.4, 3.0, d, dtype=torch.float64)
    run = descend(WAVES, start, 1.0, 64)
    least = run.norms[:-1].cummin(0).values
    times = torch.arange(1, 65)
    tightness = float((least * times / (2 * (run.values[0] - run.values[1:]))).max())

    short, ball = 0.1, Quadratic.isotropic(d)
    slow = descend(ball, _ones(d), short, 64)
    least = slow.norms[:-1].cummin(0).values
    needed = float((least * times / (slow.values[0] - slow.values[1:])).max())

    eta = 1.9
    points = [math.pi * v for v in directions("descent", 200, d)]
    steepest = max(_descent(w, eta) for w in points)
    stuck = descend(WAVES, math.pi * _ones(d), 1.0, 16)
    return Group(
        [
            Check(
                "theorem-i7/bound", "Theorem I.7, equation 57",
                r"$\min_{t\le T}\|\nabla f(w_t)\|^2 \le \frac{2L}{T}(f(w_1)-f(w_{T+1}))$ at "
                r"$\eta=1/L$",
                r"largest ratio of the two sides, $T\le64$",
                1.0, Measured(tightness), 1.0, {"d": d, "eta L": 1.0}, bound=True,
            ),
            Check(
                "table-2/backpropagation", "Table 2",
                r"backpropagation: $O(\frac1T)$ with $\eta\le\frac1L$",
                r"largest $T\min\|\nabla f\|^2 / L(f(w_1)-f(w_{T+1}))$ at $\eta=1/L$",
                2.0, Measured(2 * tightness), 2.0, {"d": d, "eta L": 1.0}, bound=True,
            ),
            Check(
                "theorem-i7/index", "Theorem I.7, equation 58",
                r"$\min_{t\le T}\|\nabla f(w_t)\|^2 \le \frac{2L}{T}(f(w_1)-f(w_T))$",
                r"$\|\nabla f(w_1)\|^2$, against the bound at $T=1$",
                float(2 * (run.values[0] - run.values[1])), Measured(float(run.norms[0])),
                0.0, {"d": d, "eta L": 1.0, "T": 1},
                r"$f(w_{T+1})$, as in the equation before it: $T$ gradients make $T$ steps",
                bound=True,
            ),
            Check(
                "theorem-i7/step", "Theorem I.7, equation 54",
                r"$f(w_{t+1})-f(w_t) \le -\frac{1}{2L}\|\nabla f(w_t)\|^2$, and so "
                r"$\frac{2L}{T}$, for all $\eta\le\frac1L$",
                r"largest $T\min\|\nabla f\|^2 / L(f(w_1)-f(w_{T+1}))$ at $\eta=0.1/L$",
                1 / (short * (1 - short / 2)), Measured(needed), 2.0, {"d": d, "eta L": short},
                r"only at $\eta=\frac1L$; below, $\frac2{\eta T}$ in place of $\frac{2L}T$, or "
                r"$\frac{1}{\eta(1-L\eta/2)T}$",
                tolerance=1e-9, bound=True,
            ),
            Check(
                "theorem-i7/descent", "Theorem I.7, equation 53",
                r"$f(w_{t+1})-f(w_t) \le -\eta(1-\frac{L\eta}2)\|\nabla f(w_t)\|^2$",
                r"largest ratio of the two sides at 200 points, $\eta=1.9/L$",
                -1.0, Measured(steepest), -1.0, {"d": d, "eta L": eta, "points": 200}, bound=True,
            ),
            Check(
                "theorem-i7/limit", "Theorem I.7",
                r"progress needs $1-\frac{L\eta}2>0$, hence $\eta\le\frac1L$",
                r"$L\eta$ at which $\frac12\|w\|^2$ no longer falls",
                2.0, Measured(_critical(ball)), 1.0, {"d": d},
                r"$\eta\le\frac1L$ suffices; descent ends at $\frac2L$", 1e-6,
            ),
            Check(
                "theorem-i7/gap", "Theorem I.7",
                r"the optimality gap falls as $O(\frac1T)$",
                r"gap after $T$ steps over that at the start, from $w_i=\pi$ of $\sum1-\cos w_i$",
                1.0, Measured(float(stuck.values[-1] / stuck.values[0])), 1 / 16,
                {"d": d, "eta L": 1.0, "T": 16},
                "the squared norm of the gradient does; the gap need not, without convexity or "
                "the like",
                1e-6, bound=True, repairable=False,
            ),
        ]
    )  # fmt: skip


def _descent(w: Tensor, eta: float) -> float:
    """f(w+) - f(w) over what equation 53 promises, of which -1 is the promise."""
    run = descend(WAVES, w, eta, 1)
    return float((run.values[1] - run.values[0]) / (eta * (1 - eta / 2) * run.norms[0]))


def _critical(function: Quadratic) -> float:
    """The step size above which a step no longer descends, by bisection."""
    low, high = 0.5, 4.0
    for _ in range(40):
        eta = (low + high) / 2
        values = descend(function, _ones(8), eta, 1).values
        low, high = (eta, high) if values[1] < values[0] else (low, eta)
    return (low + high) / 2


def _changes(
    name: str, function: Quadratic, w: Tensor, n: int, etas: list[float]
) -> list[Measured]:
    """E f(w - eta g) / f(w) - 1 for each eta, all from the same estimates."""
    d = len(w)
    vectors = directions(f"step {name} {d} {n} {function.effective_dimension}", DRAWN, d)
    g = estimates(ESTIMATORS[name][1], function, w, vectors, n)
    before = float(function({"w": w}))
    value = torch.func.vmap(lambda at: function({"w": at}))
    return [mean(value(w - eta * g) / before - 1) for eta in etas]


def _isotropic() -> Group:
    """On |w|^2/2 the printed limit is where descent in expectation ends, exactly."""
    checks, series = [], []
    for name, (theorem, _) in ESTIMATORS.items():
        for d, n in ((4, 1), (32, 1), (32, 8), (128, 1)):
            function, w, factor = Quadratic.isotropic(d), _ones(d), variance_factor(d, n)
            etas = [share * limit(d, n) for share in SHARES]
            found = [one.scaled(factor) for one in _changes(name, function, w, n, etas)]
            at = dict(zip(SHARES, found, strict=True))
            for share, slug in ((0.5, "half"), (1.0, "limit")):
                predicted = (function.mean_of_step(w, share * limit(d, n), n) * 2 / d - 1) * factor
                checks.append(
                    Check(
                        f"{_slug(name)}/{slug}/d-{d}-n-{n}",
                        f"Theorem {theorem}, equation {_LIMITS[name]}",
                        r"descent needs $\eta < 2/L(1+\frac{d+1}n)$; on $\frac12\|w\|^2$, exactly",
                        rf"$\kappa\,(E f(w^+)/f(w)-1)$ at {'' if share == 1 else 'half '}the limit",
                        predicted, at[share], 4 * share * (share - 1), {"d": d, "n": n},
                        tolerance=1e-9,
                    )
                )  # fmt: skip
            series.append(
                Series(
                    f"step/isotropic/{name}/d-{d}-n-{n}", SHARES, found,
                    [(x / 20, 4 * x / 20 * (x / 20 - 1)) for x in range(33)],
                )
            )  # fmt: skip
    return Group(checks, series)


def _anisotropic() -> Group:
    """With eigenvalues L/i the limit is that of tr(H)/L dimensions, and not of d."""
    checks, series, d = [], [], 32
    function = Quadratic.harmonic(d)
    w = torch.zeros(d, dtype=torch.float64)
    w[0] = 1.0  # the steepest direction, so the limit is that of the worst gradient
    effective = function.effective_dimension
    for name, (theorem, estimator) in ESTIMATORS.items():
        for n in (1, 8):
            printed, factor = variance_factor(d, n), variance_factor(effective, n)
            predicted = printed / factor
            shares = [share * predicted for share in SHARES]
            found = _changes(name, function, w, n, [share * limit(d, n) for share in shares])
            vectors = directions(f"limit {name} {n}", DRAWN, d)
            g = estimates(estimator, function, w, vectors, n)
            checks.append(
                Check(
                    f"{_slug(name)}/anisotropic/n-{n}",
                    f"Theorem {theorem}, equation {_LIMITS[name]}",
                    r"the step size must satisfy $\eta < 2/L(1+\frac{d+1}n)$",
                    r"step size at which descent ends over the printed limit, eigenvalues $L/i$",
                    predicted, _ending(function, w, g).scaled(1 / limit(d, n)), 1.0,
                    {"d": d, "n": n},
                    r"sufficient, not necessary: $d$ may be the effective dimension "
                    r"$\mathrm{tr}(H)/L$, as $E[g^\top Hg] = (1+\frac1n)\nabla f^\top H\nabla f + "
                    r"\frac{\mathrm{tr}H}n\|\nabla f\|^2$",
                )
            )  # fmt: skip
            exact = [
                (x, (function.mean_of_step(w, x * limit(d, n), n) * 2 - 1) * factor)
                for x in (step / 20 * predicted for step in range(33))
            ]
            series.append(
                Series(
                    f"step/anisotropic/{name}/d-{d}-n-{n}", shares,
                    [one.scaled(factor) for one in found], exact,
                )
            )  # fmt: skip
    return Group([*checks, *_without_dimension()], series)


def _ending(function: Quadratic, w: Tensor, g: Tensor) -> Measured:
    """The step size at which E f(w - eta g) is f(w) again: 2 E[grad . g] / E[g^T H g]."""
    return ratio(2 * g @ function.gradient(w), (function.spectrum * g.square()).sum(1))


def _without_dimension() -> list[Check]:
    """How the limit falls with d where the trace does not grow."""
    dimensions, checks = (8, 32, 128), []
    for name, (theorem, estimator) in ESTIMATORS.items():
        ends, exact = [], []
        for d in dimensions:
            function = Quadratic.geometric(d)
            w = torch.zeros(d, dtype=torch.float64)
            w[0] = 1.0
            vectors = directions(f"trace {name} {d}", DRAWN, d)
            ends.append(_ending(function, w, estimates(estimator, function, w, vectors)))
            exact.append(limit(function.effective_dimension, 1))
        checks.append(
            Check(
                f"{_slug(name)}/dimension", f"Theorem {theorem}",
                "the step size has to fall as $d$ grows",
                r"exponent of $d$ in the largest step size, eigenvalues $L\,2^{1-i}$",
                exponent(dimensions, exact).value, exponent(dimensions, ends),
                exponent(dimensions, [limit(d, 1) for d in dimensions]).value,
                {"n": 1, "d": "8 to 128"},
                r"it has to fall as the effective dimension $\mathrm{tr}(H)/L$ grows, which may "
                "not depend on $d$",
            )
        )  # fmt: skip
    return checks


def _both_sides() -> Group:
    """Runs just below and just above the limit."""
    checks, d = [], 32
    function, w = Quadratic.isotropic(d), _ones(d)
    for name, (theorem, _) in ESTIMATORS.items():
        for n in (1, 4):
            factor = variance_factor(d, n)
            steps = round(1.5 * factor)
            for share, side in ((0.8, "below"), (1.2, "above")):
                eta = share * limit(d, n)
                found = runs(
                    _with(name, n), function, w, eta, steps, f"{name} {n} {side}", COUNT[name]
                )
                each = 1 + 4 * share * (share - 1) / factor
                checks.append(
                    Check(
                        f"{_slug(name)}/{side}/n-{n}",
                        f"Theorem {theorem}, equation {_LIMITS[name]}",
                        r"runs on $\frac12\|w\|^2$ "
                        + ("descend below the limit" if side == "below" else "ascend above it"),
                        rf"mean $f(w_{{T+1}})/f(w_1)$ at {share:g} of the limit",
                        each**steps, mean(found.values[:, -1] / found.values[:, 0]), each**steps,
                        {"d": d, "n": n, "T": steps},
                    )
                )  # fmt: skip
    return Group(checks)


def _with(name: str, n: int) -> Directional:
    if name == "forward-mode":
        return ForwardMode(n, at_once=n)
    return ZerothOrder(n, at_once=n, epsilon=0.1)


def _bounds() -> Group:
    """The bounds on the average squared gradient along runs, at half the limit."""
    checks = []
    for name, (theorem, _) in ESTIMATORS.items():
        d, n, steps = 8, 1, 4
        factor, w = variance_factor(d, n), _ones(d)
        parameters: Parameters = {"d": d, "n": n, "T": steps}
        found = runs(
            _with(name, n),
            Quadratic.isotropic(d),
            w,
            limit(d, n) / 2,
            steps,
            f"{name} bound",
            8 * COUNT[name],
        )
        average = mean(found.norms[:, :-1].mean(1))
        # eta [1 - L eta/2 (1 + (d+1)/n)] at half the limit, and f(w_1) - E f(w_t)
        divisor = steps / (2 * factor)
        gap = [d / 2 * (1 - (1 - 1 / factor) ** (t - 1)) / divisor for t in (steps, steps + 1)]
        checks.append(
            Check(
                f"{_slug(name)}/index", f"Theorem {theorem}, equation {_BOUNDS[name]}",
                r"the average of $T$ squared gradients is bounded by $f(w_1)-f(w_T)$ over "
                r"$\eta T[1-\frac{L\eta}2(1+\frac{d+1}n)]$",
                r"average squared gradient, on $\frac12\|w\|^2$",
                gap[1], average, gap[0], parameters,
                r"$f(w_{T+1})$, and in expectation; on $\frac12\|w\|^2$ it is then an equality",
                bound=True,
            )
        )  # fmt: skip
        d, n, steps = 32, 4, 60
        start = torch.linspace(0.4, 3.0, d, dtype=torch.float64)
        eta = limit(d, n) / 2
        found = runs(_with(name, n), WAVES, start, eta, steps, f"{name} waves", COUNT[name] // 4)
        checks.append(
            Check(
                f"{_slug(name)}/bound", f"Theorem {theorem}, equation {_BOUNDS[name]}",
                r"the bound, with $f(w_{T+1})$, on a function that is not convex",
                r"ratio of the two sides, $\sum1-\cos w_i$",
                1.0,
                ratio(
                    found.norms[:, :-1].mean(1),
                    (found.values[:, 0] - found.values[:, -1]) * 2 / (eta * steps),
                ),
                1.0, {"d": d, "n": n, "T": steps}, bound=True,
            )
        )  # fmt: skip
    return Group(checks)

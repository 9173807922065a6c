"""Equations 62 to 65: the remainder of a central difference, what it does to Lemma I.3, rounding.

Forward mode along the same directions has no remainder, so the difference of the two
estimates is the remainder itself, and its mean the bias: little is left to chance.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from gradcost.estimators.directions import NORMAL
from gradcost.estimators.forward_mode import ForwardMode
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.theory.check import Check, Group, Parameters, Series
from gradcost.theory.functions import Cubic, Function, Kink, TiltedWaves, Waves
from gradcost.theory.lemmas import point
from gradcost.theory.sampling import directions, estimates, exponent, mean, ratio, seed

SMALL = (0.1, 0.05, 0.025, 0.0125)
WIDE = tuple(2.0 ** (-k / 2) for k in range(2, 29))  # 0.5 to 6e-5
D = 16
DRAWN = 20_000
FEW = 100  # where every draw shows the same order
TOLERANCE = 0.05  # of an exponent, for the next order
WAVES = Waves()


def verify() -> Group:
    """All checks of the remainder."""
    parts = [_orders(), _bias(), _second_moment(), _dimension(), _same_directions(), _rounding()]
    return Group(
        [check for part in parts for check in part.checks],
        [series for part in parts for series in part.series],
    )


def pairs(
    function: Function, w: Tensor, epsilon: float, name: str, draws: int
) -> tuple[Tensor, Tensor]:
    """Estimates by zeroth order and by forward mode along the same directions, (draws, d)."""
    vectors = directions(name, draws, len(w))
    zeroth = estimates(ZerothOrder(epsilon=epsilon), function, w, vectors)
    return zeroth, estimates(ForwardMode(), function, w, vectors)


def slope_errors(function: Function, w: Tensor, epsilon: float, name: str) -> Tensor:
    """What projected gradients are off by, along directions of one step, (FEW,)."""
    params, at = {"w": w}, seed(name)
    zeroth = ZerothOrder(FEW, FEW, epsilon=epsilon).estimate(function, params, (), at)[0]
    forward = ForwardMode(FEW, FEW).estimate(function, params, (), at)[0]
    return zeroth.projections - forward.projections


def _rms(errors: Tensor) -> float:
    return float(errors.square().mean().sqrt())


def _orders() -> Group:
    """The exponents of epsilon: two of a smooth function, and one where the Hessian jumps."""
    smooth = [_rms(slope_errors(WAVES, point(D), epsilon, "orders")) for epsilon in SMALL]
    kink, origin = _kink(D, 0.0)
    rough = [_rms(slope_errors(kink, origin, epsilon, "orders")) for epsilon in SMALL]
    differences = [2 * epsilon * error for epsilon, error in zip(SMALL, smooth, strict=True)]
    parameters: Parameters = {"d": D, "epsilon": f"{SMALL[-1]:g} to {SMALL[0]:g}"}
    even = r"the even terms cancel: $O(\varepsilon^{})$ if the Hessian is Lipschitz"
    checks = [
        Check(
            "equation-64/order", "Equation 64",
            r"$f(w+\varepsilon v)-f(w-\varepsilon v) = "
            r"2\varepsilon v^\top\nabla f + O(\varepsilon^2)$",
            r"exponent of $\varepsilon$ in the remainder",
            3.0, exponent(SMALL, differences), 2.0, parameters, even.format(3), TOLERANCE,
        ),
        Check(
            "equation-65/order", "Equation 65",
            r"$g = (v^\top\nabla f)v + O(\varepsilon)v$",
            r"exponent of $\varepsilon$ in the remainder",
            2.0, exponent(SMALL, smooth), 1.0, parameters, even.format(2), TOLERANCE,
        ),
        Check(
            "equation-65/merely-smooth", "Equation 65, Assumption I.2",
            r"$O(\varepsilon)$ in $g$, for $f$ that is only $L$-smooth, such as $w|w|/2$ at 0",
            r"exponent of $\varepsilon$ in the remainder",
            1.0, exponent(SMALL, rough), 1.0, parameters, None, TOLERANCE,
        ),
    ]  # fmt: skip
    wide = {
        "smooth": [_rms(slope_errors(WAVES, point(D), epsilon, "orders")) for epsilon in WIDE],
        "kink": [_rms(slope_errors(kink, origin, epsilon, "orders")) for epsilon in WIDE],
    }
    # E r^2 = e^4/36 15 |grad f|^2 of `Waves`, and e^2/4 3 d of `Kink`
    norm = float(WAVES.gradient(point(D)).norm())
    laws = {
        "smooth": [(e, e**2 / 6 * math.sqrt(15) * norm) for e in WIDE],
        "kink": [(e, e / 2 * math.sqrt(3 * D)) for e in WIDE],
    }
    return Group(checks, [Series(f"epsilon/{k}", WIDE, wide[k], laws[k]) for k in wide])


def _kink(d: int, b: float) -> tuple[Kink, Tensor]:
    return Kink(torch.full((d,), b, dtype=torch.float64)), torch.zeros(d, dtype=torch.float64)


def _bias() -> Group:
    """The mean of the estimate, which Lemma I.3 says is the gradient."""
    statement = (
        r"the estimator is unbiased: $E[O(\varepsilon)v] = O(\varepsilon)E[v] = 0$, as if the "
        "remainder did not depend on $v$"
    )
    epsilon = 0.1
    a = torch.nn.functional.normalize(point(D), dim=0)
    cubic = Cubic(a, point(D).flip(0))
    zeroth, forward = pairs(cubic, torch.zeros_like(a), epsilon, "cubic", DRAWN)
    of_cubic = mean((zeroth - forward) @ a / epsilon**2)
    wide = 0.5
    w = point(D)
    gradient = WAVES.gradient(w)
    zeroth, forward = pairs(WAVES, w, wide, "bias", DRAWN)
    of_waves = mean((zeroth - forward) @ gradient / gradient.square().sum())
    kink, origin = _kink(D, 0.0)
    zeroth, _ = pairs(kink, origin, epsilon, "kink", DRAWN)
    of_kink = mean(zeroth.mean(1) / epsilon)
    sources = "Lemma I.3, equations 9 to 12"
    return Group(
        [
            Check(
                "lemma-i3/unbiased", sources, statement,
                r"bias of a cubic over $\varepsilon^2\,\nabla\Delta f$",
                0.5, of_cubic, 0.0, {"d": D, "n": 1, "epsilon": epsilon},
                r"$E[g]$ is the gradient of $E f(w+\varepsilon v)$, so that the bias is "
                r"$\frac{\varepsilon^2}{2}\nabla\Delta f + O(\varepsilon^4)$",
            ),
            Check(
                "lemma-i3/unbiased-waves", sources, statement,
                r"bias of $\sum 1-\cos w_i$ over $\nabla f$",
                math.expm1(-wide**2 / 2), of_waves, 0.0, {"d": D, "n": 1, "epsilon": wide},
                r"$E[g] = e^{-\varepsilon^2/2}\nabla f$ here, exactly",
            ),
            Check(
                "lemma-i3/unbiased-merely-smooth", sources, statement,
                r"bias of $\sum w_i|w_i|/2$ at 0 over $\varepsilon$, a coordinate",
                math.sqrt(2 / math.pi), of_kink, 0.0, {"d": D, "n": 1, "epsilon": epsilon},
                r"of $f$ that is only $L$-smooth the bias is $O(\varepsilon)$: here "
                r"$\varepsilon\sqrt{2/\pi}$ in every coordinate",
            ),
        ]
    )  # fmt: skip


def _second_moment() -> Group:
    """The term in epsilon of E |g|^2, of which equation 14 drops the cross term."""
    w, epsilon = point(D), SMALL[0]
    norm = float(WAVES.gradient(w).square().sum())
    zeroth, forward = pairs(WAVES, w, epsilon, "second moment", DRAWN)
    change = mean((zeroth.square().sum(1) - forward.square().sum(1)) / (epsilon**2 * norm))
    predicted = (WAVES.second_moment(D, epsilon) - (D + 2)) / epsilon**2
    squares = []
    for step in SMALL:
        zeroth, forward = pairs(WAVES, w, step, "squares", FEW)
        squares.append(float((zeroth - forward).square().sum(1).mean()))
    kink, origin = _kink(D, 1.0)
    rough = []
    for step in (e / 10 for e in SMALL):
        zeroth, forward = pairs(kink, origin, step, "cross", FEW)
        rough.append(float((zeroth.square().sum(1) - forward.square().sum(1)).mean()))
    cross = r"$2E[(v^\top\nabla f)\,r\,\|v\|^2]$"
    return Group(
        [
            Check(
                "lemma-i3/cross-term", "Equation 14, Lemma I.3",
                rf"expanding $E\|g\|^2$ leaves out the cross term {cross} with the remainder $r$",
                r"$(E\|g\|^2 - (d+2)\|\nabla f\|^2) / (\varepsilon^2\|\nabla f\|^2)$",
                predicted, change, 0.0, {"d": D, "n": 1, "epsilon": epsilon},
                rf"it is {cross} $= \varepsilon^2(d+4)\nabla f\cdot\nabla\Delta f + "
                r"O(\varepsilon^4)$, which is the lemma's $O(\varepsilon^2)d$",
            ),
            Check(
                "lemma-i3/square-term", "Equation 14, Lemma I.3",
                r"the $O(\varepsilon^2)d$ of the second moment is $E[r^2\|v\|^2]$",
                r"exponent of $\varepsilon$ in $E[r^2\|v\|^2]$",
                4.0, exponent(SMALL, squares), 2.0, {"d": D, "n": 1},
                r"$E[r^2\|v\|^2] = O(\varepsilon^4)$", TOLERANCE,
            ),
            Check(
                "lemma-i3/second-moment-merely-smooth", "Lemma I.3, equation 7",
                r"the second moment is off by $O(\varepsilon^2)d$, for $f$ that is only $L$-smooth",
                r"exponent of $\varepsilon$ in $E\|g\|^2 - (d+2)\|\nabla f\|^2$",
                1.0, exponent(SMALL, rough), 2.0, {"d": D, "n": 1},
                r"$O(\varepsilon)$, by the cross term; $O(\varepsilon^2)$ takes a Lipschitz "
                "Hessian",
                TOLERANCE,
            ),
        ]
    )  # fmt: skip


def _dimension() -> Group:
    """How the term in epsilon grows with d: the remainder has a factor |v|^2 in it."""
    dimensions, epsilon, moments = (8, 32, 128), SMALL[0], []
    for d in dimensions:
        kink, origin = _kink(d, 0.0)
        vectors = directions(f"dimension {d}", DRAWN, d)
        g = estimates(ZerothOrder(epsilon=epsilon), kink, origin, vectors)
        moments.append(mean(g.square().sum(1) / epsilon**2))
    exact = [0.75 * d * (d + 4) for d in dimensions]
    return Group(
        [
            Check(
                "lemma-i3/dimension", "Lemma I.3, equation 7",
                r"the term in $\varepsilon$ grows with $d$ as $O(\varepsilon^2)d$",
                r"exponent of $d$ in $E\|g\|^2$ of $\sum w_i|w_i|/2$ at 0",
                exponent(dimensions, exact).value, exponent(dimensions, moments), 1.0,
                {"n": 1, "epsilon": epsilon, "d": "8 to 128"},
                r"the remainder is $O(\varepsilon\|v\|^2)$, and in general the term grows faster: "
                r"here it is $\frac34\varepsilon^2d(d+4)$; at most "
                r"$\frac{L^2\varepsilon^2}{4}d(d+2)(d+4)$",
            )
        ]
    )  # fmt: skip


def _same_directions() -> Group:
    """Common random numbers: zeroth order tends to forward mode, estimate by estimate."""
    tilted, w = TiltedWaves(), point(D)
    apart = []
    for epsilon in SMALL:
        zeroth, forward = pairs(tilted, w, epsilon, "same", FEW)
        apart.append(float((zeroth - forward).norm() / forward.norm()))
    d, epsilon = 32, 1e-2
    gradient = WAVES.gradient(point(d))
    zeroth, forward = pairs(WAVES, point(d), epsilon, "share", DRAWN)
    share = ratio((zeroth - forward).square().sum(1), (forward - gradient).square().sum(1))
    # E |r v|^2 = e^4/36 15 (d + 6) |grad f|^2
    predicted = epsilon**4 * 15 * (d + 6) / (36 * (d + 1))
    return Group(
        [
            Check(
                "section-3/same-directions", "Section 3",
                "along the same directions zeroth order tends to forward mode as "
                r"$\varepsilon\to0$",
                r"exponent of $\varepsilon$ in $\|g_{\mathrm{ZO}}-g_{\mathrm{FMAD}}\| / "
                r"\|g_{\mathrm{FMAD}}\|$",
                2.0, exponent(SMALL, apart), None, {"d": D, "n": 1}, None, TOLERANCE,
            ),
            Check(
                "section-3/discretisation", "Section 3, observation 1",
                "discretisation adds to the error of ZO; of either estimator it is that of the "
                "random direction",
                "squared error of discretisation over that of the direction",
                predicted, share, None, {"d": d, "n": 1, "epsilon": epsilon},
            ),
        ]
    )  # fmt: skip


PRECISIONS = {
    "float64": (torch.float64, 2.0**-53),
    "float32": (torch.float32, 2.0**-24),
    "bfloat16": (torch.bfloat16, 2.0**-9),
}
ROUNDED = tuple(2.0 ** (-k / 2) for k in range(-2, 45))  # 2 to 2e-7


def _rounding() -> Group:
    """Where rounding takes over: the error of slopes against epsilon in three precisions."""
    # numbers of w are such that every precision holds them
    w = point(64).to(torch.bfloat16)
    curves = {name: _rounded(w, dtype) for name, (dtype, _) in PRECISIONS.items()}
    best = {name: min(range(len(ROUNDED)), key=curve.__getitem__) for name, curve in curves.items()}
    units = [unit for _, unit in PRECISIONS.values()]
    left = {name: ROUNDED[at] / 8 for name, at in best.items()}
    rounding = [
        (epsilon, error)
        for epsilon, error in zip(ROUNDED, curves["float32"], strict=True)
        if epsilon < left["float32"]
    ]
    return Group(
        [
            Check(
                "equation-2/best-epsilon", "Equation 2",
                r"$\varepsilon$ is a small step size; how small it may be is not said",
                r"exponent of the unit roundoff $u$ in the best $\varepsilon$",
                1 / 3, exponent(units, [ROUNDED[at] for at in best.values()]), None, {"d": 64},
                None, 0.05,
            ),
            Check(
                "equation-2/least-error", "Equation 2",
                r"$\varepsilon$ is a small step size; how small it may be is not said",
                r"exponent of $u$ in the error at the best $\varepsilon$",
                2 / 3,
                exponent(units, [curves[name][at] for name, at in best.items()]), None, {"d": 64},
                None, 0.08,
            ),
            Check(
                "equation-2/rounding", "Equation 2",
                r"$\varepsilon$ is a small step size; how small it may be is not said",
                r"exponent of $\varepsilon$ in the error where rounding rules, in float32",
                -1.0, exponent(*map(list, zip(*rounding, strict=True))), None, {"d": 64},
                None, 0.1,
            ),
        ],
        [Series(f"rounding/{name}", ROUNDED, curve) for name, curve in curves.items()],
    )  # fmt: skip


def _rounded(w: Tensor, dtype: torch.dtype) -> list[float]:
    """Errors of slopes in `dtype`, over the slopes, against exact ones along the same directions.

    The directions are those of `dtype`, rounded as they are drawn.
    """
    params, at, count = {"w": w.to(dtype)}, seed("rounding"), FEW
    drawn = torch.stack([NORMAL.draw(params, at, i)["w"].double() for i in range(count)])
    exact = drawn @ WAVES.gradient(w.double())
    base = ZerothOrder(count, count)
    errors = []
    for epsilon in ROUNDED:
        step = replace(base, epsilon=epsilon)
        found = step.estimate(WAVES, params, (), at)[0].projections.double()
        errors.append(float((found - exact).norm() / exact.norm()))
    return errors

"""Lemmas I.3 to I.6: mean, second moment and variance of an estimate, against d and n."""

from __future__ import annotations

import torch
from torch import Tensor

from gradcost.estimators.forward_mode import ForwardMode
from gradcost.estimators.zeroth_order import ZerothOrder
from gradcost.theory.check import Check, Group, Parameters, Series
from gradcost.theory.functions import Waves
from gradcost.theory.sampling import Measured, directions, estimates, mean

DIMENSIONS = (2, 8, 32, 128)  # along one direction
DIRECTIONS = (1, 2, 4, 8, 16)  # in 32 dimensions
SOME = 32
EPSILON = 1e-3  # so small that its own effect, 1e-6, is far below what chance does
DRAWN = 30_000  # directions for each d and n
WAVES = Waves()

Kind = tuple[str, str, str, str, str, str]
# name; lemmas of mean and variance; equations of second moment, mean's proof and variance
FORWARD: Kind = ("forward-mode", "I.5", "I.6", "31", "34", "41")
ZEROTH: Kind = ("zeroth-order", "I.3", "I.4", "7", "10", "20")


ESTIMATORS = {"forward-mode": ForwardMode(), "zeroth-order": ZerothOrder(epsilon=EPSILON)}


def point(d: int) -> Tensor:
    """Where the gradient of `Waves` has components of many sizes, (d,)."""
    return torch.linspace(0.3, 1.8, d, dtype=torch.float64)


def verify() -> Group:
    """Both estimators on `Waves`, with directions of their own."""
    groups = [_verify(kind) for kind in (FORWARD, ZEROTH)]
    return Group(
        [check for group in groups for check in group.checks],
        [series for group in groups for series in group.series],
    )


def _verify(kind: Kind) -> Group:
    name, lemma, _, second, _, _ = kind
    checks, by_dimension, by_directions = [], [], []
    epsilon: Parameters = {"epsilon": EPSILON} if kind is ZEROTH else {}
    rest = r" + O(\varepsilon^2)d" if kind is ZEROTH else ""
    for d in DIMENSIONS:
        gradient, g, norm = _sample(name, d, 1)
        checks.append(
            Check(
                f"lemma-{_slug(lemma)}/second-moment/d-{d}",
                f"Lemma {lemma}, equation {second}",
                rf"$E\|g\|^2 = (d+2)\|\nabla f\|^2{rest}$",
                r"$E\|g\|^2 / \|\nabla f\|^2$",
                d + 2.0,
                mean(g.square().sum(1) / norm),
                d + 2.0,
                {"d": d, "n": 1, **epsilon},
            )
        )
        by_dimension.append(mean((g - gradient).square().sum(1) / norm))
        checks.append(_variance(kind, d, 1, by_dimension[-1], epsilon))
        if d == SOME:
            by_directions.append(by_dimension[-1])
            along = mean(g @ gradient / norm)
            checks += _mean(kind, along, epsilon)
    for n in DIRECTIONS[1:]:
        gradient, g, norm = _sample(name, SOME, n)
        by_directions.append(mean((g - gradient).square().sum(1) / norm))
        checks.append(_variance(kind, SOME, n, by_directions[-1], epsilon))
    return Group(
        checks,
        [
            Series(
                f"variance/dimension/{name}", DIMENSIONS, by_dimension,
                [(d, d + 1.0) for d in range(DIMENSIONS[0], DIMENSIONS[-1] + 1)],
            ),
            Series(
                f"variance/directions/{name}", DIRECTIONS, by_directions,
                [(n, (SOME + 1) / n) for n in DIRECTIONS],
            ),
        ],
    )  # fmt: skip


def _sample(name: str, d: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
    w = point(d)
    gradient = WAVES.gradient(w)
    vectors = directions(f"lemmas {name} {d} {n}", DRAWN, d)
    g = estimates(ESTIMATORS[name], WAVES, w, vectors, n)
    return gradient, g, gradient.square().sum()


def _variance(kind: Kind, d: int, n: int, measured: Measured, epsilon: Parameters) -> Check:
    _, _, lemma, _, _, equation = kind
    rest = r" + O(\varepsilon^2)d/n" if kind is ZEROTH else ""
    return Check(
        f"lemma-{_slug(lemma)}/variance/d-{d}-n-{n}",
        f"Lemma {lemma}, equation {equation}",
        rf"$\mathrm{{Var}}[\hat g] = \frac{{d+1}}{{n}}\|\nabla f\|^2{rest}$",
        r"$\mathrm{Var}[\hat g] / \|\nabla f\|^2$",
        (d + 1) / n,
        measured,
        (d + 1) / n,
        {"d": d, "n": n, **epsilon},
    )


def _mean(kind: Kind, along: Measured, epsilon: Parameters) -> list[Check]:
    _, lemma, _, _, proof, _ = kind
    parameters: Parameters = {"d": SOME, "n": 1, **epsilon}
    equation, more = ("30", "") if kind is FORWARD else ("6", r" up to terms in $\varepsilon$")
    quantity = r"$\nabla f\cdot E[g] / \|\nabla f\|^2$"
    return [
        Check(
            f"lemma-{_slug(lemma)}/mean", f"Lemma {lemma}, equation {equation}",
            r"$E[g] = \nabla f$" + more,
            quantity, 1.0, along, 1.0, parameters,
        ),
        Check(
            f"lemma-{_slug(lemma)}/equation-{proof}", f"Equation {proof}",
            r"the proof has $E[(v^\top\nabla f)v] = \nabla f\,E[v^\top v]$",
            quantity, 1.0, along, float(SOME), parameters,
            r"$E[vv^\top]\nabla f$; $E[v^\top v]$ is the number $d$, and not $I_d$",
        ),
    ]  # fmt: skip


def _slug(lemma: str) -> str:
    return lemma.lower().replace(".", "")

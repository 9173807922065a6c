"""What was verified, made up: every table and figure finds something in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradcost.results.theory import FILE, Theory
from gradcost.study.files import write_json


def check(name: str, **changes: Any) -> dict[str, Any]:
    """A check whose measurement is what the right statement predicts, and not what is printed."""
    return {
        "id": name,
        "source": "Theorem I.8, equation 59",
        "statement": rf"$x$ is one, says {name}",
        "holds": "with a correction",
        "explained": True,
        "correction": "it is two",
        "quantity": "$x$",
        "bound": False,
        "printed": 1.0,
        "predicted": 2.0,
        "measured": 2.05,
        "low": 1.95,
        "high": 2.15,
        "n": 100,
        "parameters": {"d": 32, "n": 1, "epsilon": 0.01},
        **changes,
    }


def line(
    name: str, points: list[tuple[float, float]], spread: float | None = 0.1
) -> dict[str, Any]:
    """A series on its line; `spread` is the half width of intervals, as a share."""
    return {
        "id": name,
        "points": [
            {
                "x": x,
                "y": y,
                "low": None if spread is None else y - spread * abs(y),
                "high": None if spread is None else y + spread * abs(y),
            }
            for x, y in points
        ],
        "line": [{"x": x, "y": y} for x, y in points],
    }


def checks() -> list[dict[str, Any]]:
    """Of each verdict, with and without intervals, bounds and printed values."""
    printed = {"holds": "as printed", "printed": 2.0, "correction": None}
    return [
        check("lemma-i4/variance/d-32-n-1", **printed, source="Lemma I.4, equation 20"),
        check("lemma-i6/variance/d-32-n-1", **printed, source="Lemma I.6, equation 41"),
        check("lemma-i3/unbiased", source="Lemma I.3", predicted=2.2),
        check("equation-64/order", source="Equation 64", low=None, high=None, n=None),
        check("section-3/discretisation", source="Section 3", holds="as printed", printed=None,
              correction=None, predicted=5e-9, measured=5.2e-9, low=4.9e-9, high=5.5e-9),
        check("theorem-i7/bound", source="Theorem I.7", **{**printed, "bound": True}),
        *(check(f"theorem-i8/floor-{name}") for name in ("step-size", "directions", "epsilon")),
        check("theorem-i9/anisotropic/n-1", source="Theorem I.9, equation 81"),
        check("corollary-i10/lever", source="Corollary I.10", holds="not"),
        check("table-2/epsilon", source="Table 2", measured=-2.0, low=-2.1, high=-1.9,
              predicted=-2.0, parameters={"d": "8 to 128"}),
    ]  # fmt: skip


def series() -> list[dict[str, Any]]:
    """All that figures draw."""
    found = []
    for name in ("forward-mode", "zeroth-order"):
        found += [
            line(f"variance/dimension/{name}", [(2, 3), (8, 9), (32, 33)]),
            line(f"variance/directions/{name}", [(1, 33), (4, 8.25), (16, 2.06)]),
            line(f"step/isotropic/{name}/d-4-n-1", [(0.5, -1), (1, 0.01), (1.5, 3)]),
            line(f"step/anisotropic/{name}/d-32-n-1", [(1, -0.5), (5.6, 0.01), (8, 3)]),
        ]
    steps = (1e-4, 1e-3, 1e-2, 1e-1)
    found += [
        line("epsilon/smooth", [(x, x**2) for x in steps], None),
        line("epsilon/kink", [(x, x) for x in steps], None),
        *(
            line(f"rounding/{name}", [(x, x**2 + unit / x) for x in steps], None)
            for name, unit in (("float64", 1e-16), ("float32", 1e-7), ("bfloat16", 4e-3))
        ),
    ]
    return found


def results(**changes: Any) -> dict[str, Any]:
    """A file's contents."""
    return {"confidence": 0.95, "checks": checks(), "series": series(), **changes}


def theory(folder: Path, **changes: Any) -> Theory:
    """The same, by way of a file."""
    write_json(folder / FILE, results(**changes))
    return Theory.load(folder / FILE)

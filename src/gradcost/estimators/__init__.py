"""Gradient estimators: from a loss and parameters to an estimate of the gradient.

An estimator is a frozen dataclass whose fields are its settings. It has two functions:
`init(params)` gives its state, and `estimate(loss, params, state, seed)` an `Estimate`
and the next state. It sees a function `loss(params) -> scalar` for the current batch and
never a model, so that it works for any `torch.nn.Module` (through
`torch.func.functional_call`). This package imports torch and nothing else of the project.

    >>> from gradcost.estimators import load
    >>> estimator = load("forward-mode", perturbations=10, at_once=5)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gradcost.estimators.base import Estimate, Estimator, FiniteSumLoss, LossFn, Params

__all__ = ["Estimate", "Estimator", "FiniteSumLoss", "LossFn", "Params", "load"]


def load(kind: str, base: Estimator | None = None, **settings: Any) -> Any:
    """Make the estimator `kind`, such as `zeroth-order`, from its settings.

    Imported by name and on demand, so that a run depends on its own estimator's code and
    on no other's.

    Args:
        base: the estimator that a variance reduction, such as `svrg`, wraps.

    Raises:
        ModuleNotFoundError: if there is no such estimator.
        TypeError: if it has no such setting.
    """
    stem = kind.replace("-", "_")
    module = import_module(f"{__name__}.{stem}")
    if base is not None:
        settings["base"] = base
    if "directions" in settings:
        drawn = import_module(f"{__name__}.directions")
        settings["directions"] = drawn.Directions(**settings["directions"])
    return getattr(module, "".join(part.capitalize() for part in stem.split("_")))(**settings)

"""The sentences of the report on one experiment, each named after it.

`\\result{say/perturbations}` says what its intervals carry, `\\result{say/perturbations/setup}`
what was run, and `\\result{say/perturbations/outcomes}` how the runs ended.
"""

from __future__ import annotations

from collections.abc import Callable

from gradcost.results.tidy import Tidy
from gradcost.tables import (
    accumulation,
    accuracy_variance,
    answers,
    audit,
    convergence_cost,
    direction_distributions,
    direction_variance,
    encoders,
    forward_optimizers,
    full_parameter,
    latex,
    lora_rank,
    model_size,
    optimizers,
    perturbation_budget,
    perturbations,
    said,
    sentences,
    signzo,
    structured_directions,
    svrg,
    width_depth,
)

SAID: dict[str, dict[str, Callable[[Tidy], str]]] = {
    "accuracy": {"convergence": convergence_cost.say, "variance": accuracy_variance.say},
    "perturbations": {"": perturbations.say},
    "accumulation": {"": accumulation.say},
    "encoders": {"": encoders.say},
    "direction-variance": {"": direction_variance.say},
    "model-size": {"": model_size.say},
    "lora-rank": {"": lora_rank.say},
    "signzo": {"": signzo.say},
    "optimizers": {"": optimizers.say},
    "svrg": {"": svrg.say},
    "direction-distributions": {"": direction_distributions.say},
    "perturbation-budget": {"": perturbation_budget.say},
    "audit": {"": audit.say, "methods": audit.methods},
    "full-parameter": {"": full_parameter.say, "answer": answers.full_parameter},
    "width-depth": {"": width_depth.say, "answer": answers.width_depth},
    "forward-optimizers": {"": forward_optimizers.say, "answer": answers.optimisers},
    "structured-directions": {
        "": structured_directions.say,
        "answer": answers.structured_directions,
    },
    "checkpointing": {"answer": answers.checkpointing},
}
NOTHING = "No two of its methods and settings can be compared."


def render(data: Tidy) -> str:
    """One `\\defresult{name}{text}` a line."""
    lines = [rf"\defresult{{{key}}}{{{text}}}" for key, text in results(data).items()]
    return "\n".join(lines) + "\n"


def results(data: Tidy) -> dict[str, str]:
    """LaTeX by name."""
    experiment = data.presentation["experiment"]
    name = f"say/{experiment}"
    return {
        f"{name}/title": latex.escape(data.presentation["title"]),
        f"{name}/setup": said.setup(data),
        f"{name}/outcomes": sentences.outcomes(data),
        **{
            f"{name}/{part}" if part else name: say(data) or NOTHING
            for part, say in SAID.get(experiment, {}).items()
        },
    }

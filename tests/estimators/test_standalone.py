"""The estimators as a library of their own: the README's example, with each of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

README = (Path(__file__).parents[2] / "README.md").read_text()
EXAMPLE = re.search(r"<!-- library -->\n```python\n(.*?)```", README, re.DOTALL)[1]
MADE = 'load("forward-mode", perturbations=8, at_once=8)'
EIGHT = "perturbations=8, at_once=8"


def final_loss(code: str) -> tuple[float, float]:
    """The loss before and after what `code` does, on inputs that it did not see."""
    torch.manual_seed(0)
    scope: dict = {}
    x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(1))
    goal = x.prod(1, keepdim=True)
    exec(code, scope)
    with torch.no_grad():
        return float((scope["model"](x) - goal).pow(2).mean()), float(goal.pow(2).mean())


def test_the_example_is_short_and_names_what_the_test_replaces():
    assert EXAMPLE.count(MADE) == 1
    body = [line for line in EXAMPLE.splitlines() if line and "import" not in line]
    assert len(body) <= 15


@pytest.mark.parametrize(
    ("made", "limit"),
    [
        ('load("backprop")', 0.35),
        (MADE, 0.6),
        (f'load("zeroth-order", {EIGHT})', 0.6),
        (f'load("zeroth-order", {EIGHT}, difference="one-sided")', 0.6),
        (f'load("forward-mode", {EIGHT}, directions={{"distribution": "rademacher"}})', 0.6),
        # what follows its own estimate takes longer steps: it needs a smaller rate
        (f'load("adaptive", base=load("forward-mode", {EIGHT}), momentum=0.5)', 0.8),
        (f'load("sparse", base=load("zeroth-order", {EIGHT}), share=0.5)', 0.9),
    ],
)
def test_every_estimator_trains_a_module_in_the_example(made, limit):
    rate = "lr=0.002" if "adaptive" in made else "lr=0.05"
    after, nothing_learnt = final_loss(EXAMPLE.replace(MADE, made).replace("lr=0.05", rate))
    assert after < limit * nothing_learnt


def test_importing_the_estimators_imports_torch_and_nothing_of_the_project_s_rest():
    code = """
import sys
from gradcost.estimators import load
for kind in ("backprop", "forward-mode", "zeroth-order", "zeroth-order-in-place"):
    load(kind)
for kind in ("accumulate", "adaptive", "svrg", "sparse"):
    load(kind, base=load("forward-mode"))
own = {".".join(m.split(".")[:2]) for m in sys.modules if m.startswith("gradcost")}
print(sorted(own | {"transformers", "peft", "pydantic", "pandas"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['gradcost', 'gradcost.estimators']"

"""Fingerprints: what changes one, and whether the closure is all that a stage runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradcost.study import fingerprint
from gradcost.study.estimator_settings import kinds, settings_model

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("x = 1\n", True),
        ("# a comment\n\nx = 1  # another\n", True),
        ('"""A docstring."""\nx = 1\n', True),
        ("x = (1)\n", True),
        ("x = 2\n", False),
        ("y = 1\n", False),
        ("x = 1\nx = 1\n", False),
    ],
)
def test_the_hash_of_a_module_is_that_of_its_statements(tmp_path, text, same):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("x = 1\n")
    other.write_text(text)
    assert (fingerprint._hash(one) == fingerprint._hash(other)) is same


def test_data_that_are_called_after_a_module_are_part_of_it(tmp_path):
    module = tmp_path / "paper.py"
    module.write_text("x = 1\n")
    found = [fingerprint._hash(module)]
    for name in ("paper.csv", "paper_text.csv", "papers.csv", "paper.txt"):
        (tmp_path / name).write_text("1\n")
        fingerprint._hash.cache_clear()
        found.append(fingerprint._hash(module))
    assert len(set(found[:3])) == 3
    assert found[2] == found[3] == found[4]


def test_docstrings_of_classes_and_functions_do_not_count(tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("class A:\n    def f(self):\n        return 1\n")
    other.write_text(
        'class A:\n    """A."""\n\n    def f(self):\n        """F."""\n        return 1\n'
    )
    assert fingerprint._hash(one) == fingerprint._hash(other)


def test_a_run_depends_on_its_own_estimator_and_on_no_table():
    found = fingerprint.fingerprint("gradcost.training.run", "gradcost.estimators.forward_mode")
    assert "estimators/forward_mode.py" in found
    assert "estimators/zeroth_order.py" not in found
    assert "models/frozen.py" in found
    assert not [name for name in found if name.startswith(("tables/", "figures/", "results/"))]
    assert "study/config.py" not in found
    assert "cli.py" not in found


def test_a_run_does_not_depend_on_where_data_come_from():
    assert "tasks/sources.py" not in fingerprint.fingerprint("gradcost.training.run")
    assert "tasks/sources.py" in fingerprint.fingerprint("gradcost.tasks.agnews")


def test_a_module_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"gradcost\.estimators\.nothing"):
        fingerprint.fingerprint("gradcost.estimators.nothing")


def test_a_check_names_the_files_that_changed():
    found = fingerprint.fingerprint("gradcost.study.record")
    fingerprint.check(found, "gradcost.study.record")
    with pytest.raises(fingerprint.CodeChanged, match=r"study/record\.py in "):
        fingerprint.check(found | {"study/record.py": "0"}, "gradcost.study.record")
    with pytest.raises(fingerprint.CodeChanged, match=r"gone\.py"):
        fingerprint.check(found | {"gone.py": "0"}, "gradcost.study.record")


def test_parsing_the_workflow_imports_nothing_heavy():
    code = (
        "import sys; from gradcost import warm; from gradcost.study.pipeline import Pipeline;"
        "print([m for m in ('torch', 'transformers', 'pandas', 'numpy', 'pyarrow', 'datasets')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_settings_of_estimators_read_from_their_files_are_their_fields():
    import dataclasses

    from gradcost.estimators import load

    assert {"backprop", "forward-mode", "zeroth-order"} <= set(kinds())
    assert {"accumulate", "adaptive", "sparse", "svrg"} <= set(kinds(reductions=True))
    for kind in kinds() + kinds(reductions=True):
        model = settings_model(kind)
        base = load("forward-mode") if kind in kinds(reductions=True) else None
        fields = {field.name: field for field in dataclasses.fields(load(kind, base=base))}
        fields.pop("base", None)
        assert set(model.model_fields) == {"kind", *fields}
        for name, field in fields.items():
            default = model.model_fields[name].default
            if dataclasses.is_dataclass(field.default):
                assert type(field.default)(**default.model_dump()) == field.default
            else:
                assert default == field.default


def test_the_code_of_a_plan_is_loaded_before_the_job_goes_on():
    """What a stage imports by name, later, could otherwise still be edited."""
    code = """
import sys
from gradcost.study import fingerprint, pipeline
modules = ["gradcost.training.run", "gradcost.estimators.forward_mode"]
plan = {"stage": "train", "modules": modules, "code": fingerprint.fingerprint(*modules),
        "packages": fingerprint.packages("train")}
pipeline.load_code(plan)
assert set(fingerprint.modules(plan["code"])) <= set(sys.modules)
print("gradcost.estimators.forward_mode" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"

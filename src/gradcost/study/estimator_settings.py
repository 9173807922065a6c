"""The settings of an estimator, read from its file without running it.

An estimator is a dataclass in a file of its own, and its fields are its settings:
`estimators/forward_mode.py` defines `class ForwardMode`, and a method of the
configuration that says `estimator: {kind: forward-mode, perturbations: 10}` sets its
fields. Importing that file would import torch, which takes longer than all else that is
done before the first job; so the fields are read from its syntax tree.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
from pydantic import BaseModel, ConfigDict, create_model

FOLDER = Path(__file__).parent.parent / "estimators"

# What a field's annotation may be made of.
_VOCABULARY = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "None": None,
    "Literal": Literal,
    "Annotated": Annotated,
    **{name: getattr(annotated_types, name) for name in ("Gt", "Ge", "Lt", "Le")},
}


@cache
def kinds() -> list[str]:
    """The estimators there are: every file that defines the class it is named after."""
    return sorted(
        path.stem.replace("_", "-")
        for path in FOLDER.glob("[a-z]*.py")
        if f"class {_class_name(path.stem)}" in path.read_text()
    )


@cache
def settings_model(kind: str) -> type[BaseModel]:
    """A pydantic model with the fields of estimator `kind`; unknown keys are errors.

    Raises:
        ValueError: if there is no such estimator, or a field is annotated with more than
            numbers, booleans, strings, `Literal` and `Annotated` bounds.
    """
    if kind not in kinds():
        raise ValueError(f"no estimator {kind!r}; there are {', '.join(kinds())}")
    path = FOLDER / f"{kind.replace('-', '_')}.py"
    name = _class_name(path.stem)
    body = next(
        node.body
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    fields: dict[str, Any] = {"kind": (Literal[kind], kind)}
    fields |= {
        node.target.id: (
            _evaluate(node.annotation, f"{path.name}: {name}.{node.target.id}"),
            ... if node.value is None else ast.literal_eval(node.value),
        )
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    config = ConfigDict(extra="forbid", strict=True, title=kind)
    model: type[BaseModel] = create_model(name, __config__=config, **fields)
    return model


def json_schema() -> dict[str, Any]:
    """The JSON schema of `estimator:` in a method: one alternative for each estimator."""
    return {"anyOf": [settings_model(kind).model_json_schema() for kind in kinds()]}


def _class_name(stem: str) -> str:
    return "".join(part.capitalize() for part in stem.split("_"))


def _evaluate(annotation: ast.expr, where: str) -> Any:
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    if unknown := names - set(_VOCABULARY):
        raise ValueError(
            f"{where}: a setting may be made of {', '.join(_VOCABULARY)}, "
            f"not of {', '.join(sorted(unknown))}"
        )
    code = compile(ast.Expression(annotation), where, "eval")
    return eval(code, {"__builtins__": {}}, dict(_VOCABULARY))

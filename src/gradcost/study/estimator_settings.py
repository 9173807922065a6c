"""The settings of an estimator, read from its file without running it.

An estimator is a dataclass in a file of its own, and its fields are its settings:
`estimators/forward_mode.py` defines `class ForwardMode`, and a method of the
configuration that says `estimator: {kind: forward-mode, perturbations: 10}` sets its
fields. A variance reduction is one that wraps another: it has a field `base`. Importing
those files would import torch, which takes longer than all else that is done before the
first job; so the fields are read from their syntax trees.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
from pydantic import BaseModel, ConfigDict, create_model

FOLDER = Path(__file__).parent.parent / "estimators"

# What a field's annotation may be made of, besides other dataclasses of the package.
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
def kinds(*, reductions: bool = False) -> list[str]:
    """The estimators there are: every file that defines the class it is named after.

    Args:
        reductions: those that wrap another instead, which are variance reductions.
    """
    found = []
    for path in FOLDER.glob("[a-z]*.py"):
        node = _class(path.stem, _class_name(path.stem))
        if node is None or path.stem in _PARTS:
            continue
        if ("base" in _annotations(path.stem, node)) == reductions:
            found.append(path.stem.replace("_", "-"))
    return sorted(found)


# Classes that estimators are made of.
_PARTS = {"directional", "directions"}


@cache
def settings_model(kind: str) -> type[BaseModel]:
    """A pydantic model with the fields of estimator `kind`; unknown keys are errors.

    Raises:
        ValueError: if there is no such estimator, or a field is annotated with more than
            numbers, booleans, strings, `Literal`, `Annotated` bounds, and dataclasses of
            the package made of these.
    """
    known = kinds() + kinds(reductions=True)
    if kind not in known:
        raise ValueError(f"no estimator {kind!r}; there are {', '.join(known)}")
    stem = kind.replace("-", "_")
    return _model(stem, _class_name(stem), kind)


def json_schema(*, reductions: bool = False) -> dict[str, Any]:
    """The JSON schema of `estimator:` in a method: one alternative for each estimator."""
    models = [settings_model(kind) for kind in kinds(reductions=reductions)]
    return {"anyOf": [_inlined(model.model_json_schema()) for model in models]}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without `$defs`, which would have to stand at the root of the whole."""
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return definitions[node["$ref"].rpartition("/")[2]]
            return {key: resolve(value) for key, value in node.items()}
        return [resolve(value) for value in node] if isinstance(node, list) else node

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def _model(stem: str, name: str, kind: str | None = None) -> type[BaseModel]:
    node = _class(stem, name)
    if node is None:
        raise ValueError(f"{stem}.py defines no class {name}")
    fields: dict[str, Any] = {} if kind is None else {"kind": (Literal[kind], kind)}
    for field, (home, annotation, default) in _annotations(stem, node).items():
        if field == "base":
            continue
        nested = _imported(home, annotation.id) if isinstance(annotation, ast.Name) else None
        if nested and nested != home:
            part = _model(nested, ast.unparse(annotation))
            fields[field] = (part, part())
        else:
            where = f"{home}.py: {name}.{field}"
            value = ... if default is None else ast.literal_eval(default)
            fields[field] = (_evaluate(annotation, where), value)
    config = ConfigDict(extra="forbid", strict=True, title=kind or name)
    model: type[BaseModel] = create_model(name, __config__=config, **fields)
    return model


def _annotations(stem: str, node: ast.ClassDef) -> dict[str, tuple[str, ast.expr, ast.expr | None]]:
    """The fields of a dataclass and of those it inherits from: file, annotation, default."""
    found: dict[str, tuple[str, ast.expr, ast.expr | None]] = {}
    for parent, home in _parents(stem, node):
        found |= _annotations(home, parent)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            found[line.target.id] = (stem, line.annotation, line.value)
    return found


def _parents(stem: str, node: ast.ClassDef) -> list[tuple[ast.ClassDef, str]]:
    found = []
    for base in node.bases:
        name = ast.unparse(base)
        home = _imported(stem, name)
        parent = _class(home, name) if home else None
        if parent is not None and home is not None:
            found.append((parent, home))
    return found


def _imported(stem: str, name: str) -> str | None:
    """The file of the package from which `stem` imports `name`, if it does."""
    prefix = f"{FOLDER.parent.name}.{FOLDER.name}."
    for line in _tree(stem).body:
        if isinstance(line, ast.ImportFrom) and name in {alias.name for alias in line.names}:
            return str(line.module).removeprefix(prefix) if prefix in str(line.module) else None
    return None


def _class(stem: str, name: str) -> ast.ClassDef | None:
    found = (n for n in _tree(stem).body if isinstance(n, ast.ClassDef) and n.name == name)
    return next(found, None)


@cache
def _tree(stem: str) -> ast.Module:
    return ast.parse((FOLDER / f"{stem}.py").read_text())


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

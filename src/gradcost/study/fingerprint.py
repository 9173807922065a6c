"""Fingerprints of the code that a result depends on.

A stage's fingerprint maps each first-party module in its import closure to a hash of the
module's syntax tree without docstrings. Comments, blank lines and docstrings change
nothing; everything else does. Data that lie beside a module and are called after it, such
as `paper.csv` and `paper_text.csv` of `paper.py`, are part of it. Modules that a stage
imports by name at run time (a run's estimator, a task's dataset) stand in no import
statement and are passed as extra roots.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import grimp

SOURCE = Path(__file__).parent.parent
PACKAGE = SOURCE.name

# The packages whose version can change a number, by stage.
_TRAIN = ("accelerate", "bitsandbytes", "numpy", "peft", "tokenizers", "torch", "transformers")
PACKAGES = {
    "data": ("datasets", "pyarrow", "tokenizers", "transformers"),
    "model": ("tokenizers", "torch", "transformers"),
    "train": _TRAIN,
    "train-images": (*_TRAIN, "pillow", "pyarrow"),
    "theory": ("numpy", "scipy", "torch"),
    "forecast": (),
    "results": ("matplotlib", "numpy", "pandas", "scipy", "seaborn"),
}


class CodeChanged(Exception):
    """The code or the packages are not those that the job was planned with."""


@cache
def fingerprint(*modules: str) -> dict[str, str]:
    """Hashes of `modules` and of all that they import, by file, relative to the sources.

    Args:
        modules: full names, such as `gradcost.training.run`.

    Raises:
        ValueError: if there is no such module.
    """
    graph = _graph()
    closure: set[str] = set()
    for module in modules:
        if module not in graph.modules:
            raise ValueError(f"no module {module!r} in {SOURCE}")
        closure |= {module} | graph.find_upstream_modules(module)
    # importing a.b.c runs a and a.b first
    for module in list(closure):
        parts = module.split(".")
        closure |= {".".join(parts[:length]) for length in range(1, len(parts))}
    files = sorted(_file(module) for module in closure)
    return {path.relative_to(SOURCE).as_posix(): _hash(path) for path in files}


def modules(code: dict[str, str]) -> list[str]:
    """The modules whose files a fingerprint names."""
    parts = [Path(PACKAGE, name).with_suffix("").parts for name in code]
    return [".".join(part for part in names if part != "__init__") for names in parts]


@cache
def packages(stage: str) -> dict[str, str]:
    """Versions of the installed packages that can change the numbers of `stage`."""
    return {name: version(name).split("+")[0] for name in PACKAGES[stage]}


def check(expected: dict[str, str], *modules: str) -> None:
    """Raise `CodeChanged` if `modules` no longer have the fingerprint `expected`.

    A job runs the code that it finds when it starts, which may not be the code that it
    was planned with: somebody edited a file while it waited. Its result must not pass
    for a result of the old code.
    """
    for known in (fingerprint, _graph, _hash):
        known.cache_clear()
    found = fingerprint(*modules)
    changed = [name for name in sorted(expected | found) if expected.get(name) != found.get(name)]
    if changed:
        raise CodeChanged(
            "the code has changed since this job was planned, so it does not run: "
            f"{', '.join(changed)} in {SOURCE}. Start Snakemake again to plan with the new code."
        )


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE, cache_dir=None, exclude_type_checking_imports=True)


def _file(module: str) -> Path:
    path = SOURCE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _hash(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # a docstring, or any bare string: a statement without effect
            node.body = [statement for statement in node.body if not _is_text(statement)]
    found = hashlib.sha256(ast.dump(tree).encode())
    for data in sorted(path.parent.glob(f"{path.stem}*")):
        own = data.stem == path.stem or data.stem.startswith(f"{path.stem}_")
        if own and data.suffix in (".csv", ".json"):
            found.update(data.read_bytes())
    return found.hexdigest()[:16]


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )

"""Figures to files, reproducibly."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from gradcost.figures.style import context

# matplotlib writes the time of drawing unless told not to
_METADATA: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None, "ModDate": None},
    ".svg": {"Date": None},
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as `.pdf` or `.svg`, by the suffix: the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with context():
        figure.savefig(path, metadata=_METADATA[path.suffix])

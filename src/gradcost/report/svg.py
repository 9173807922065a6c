"""Figures within a page: an SVG file as an element of HTML."""

from __future__ import annotations

import re
from pathlib import Path

_POINT = 1.75  # CSS pixels: a screen is read from farther away than a page
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_PATH = re.compile(r'(?<=\sd=")[^"]*')


def inline(path: Path, name: str, described: str) -> str:
    """The figure as an `<svg>` whose ids begin with `name`, at most as wide as it was drawn.

    Args:
        described: the id of its caption.
    """
    text = path.read_text()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _PATH.sub(lambda found: _NUMBER.sub(_rounded, found[0]), text)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'\b(?:xlink:)?href="#([^"]+)"', rf'href="#{name}-\1"', text)
    # a style within it is one of the whole page
    text = re.sub(r"(<style[^>]*>)\s*\*", rf"\1#{name} *", text)
    opening, rest = text.split(">", 1)
    width = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', opening)
    if not width:
        raise ValueError(f"{path} has no viewBox")
    size = f"width:{float(width[1]) * _POINT:.0f}px"
    return (
        f'<svg id="{name}" role="img" aria-labelledby="{described}" style="{size}" '
        f'viewBox="0 0 {width[1]} {width[2]}">{rest}'
    )


def _rounded(found: re.Match[str]) -> str:
    """A hundredth of a point is less than any screen shows."""
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")

"""Where labels stand, so that none lies on another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

Label = tuple[float, float, str]  # x, y, text
Pixel = np.ndarray[Any, Any]  # x, y


def spread(labels: Sequence[Label], apart: float) -> list[Label]:
    """Labels on a logarithmic y axis, moved until each is `apart` times higher than the last."""
    found = sorted(labels, key=lambda label: label[1])
    heights = [y for _, y, _ in found]
    for _ in range(50 * len(found)):
        for i in range(len(found) - 1):
            ratio = heights[i + 1] / heights[i]
            if ratio < apart * 0.999:
                push = (apart / ratio) ** 0.5
                heights[i], heights[i + 1] = heights[i] / push, heights[i + 1] * push
    return [(x, y, text) for (x, _, text), y in zip(found, heights, strict=True)]


def place(figure: Figure, axes: Axes, labels: Sequence[Label], size: float = 7.5) -> None:
    """Write labels beside their points, on the side that is free.

    The nearest of some places is taken at which a label touches no other, no point, no line and
    no edge. A thin line leads to it from its point where that is far, or not the nearest by far.
    Call it when everything else is drawn.
    """
    figure.draw_without_rendering()
    points = [axes.transData.transform((x, y)) for x, y, _ in labels]
    taken = [Bbox.from_extents(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    for line in axes.lines:
        corners = axes.transData.transform(line.get_xydata())
        for start, end in pairwise(corners):
            taken += _along(start, end)
    inside = axes.get_window_extent()
    others = [[other for other in points if np.hypot(*(other - own)) > 1] for own in points]
    crowds = [sum(np.hypot(*(one - own)) < _NEAR for one in near)
              for own, near in zip(points, others, strict=True)]  # fmt: skip
    # the hardest first: those in a crowd, and the widest
    for index in sorted(range(len(labels)), key=lambda i: (-crowds[i], -len(labels[i][2]))):
        (x, y, text), own = labels[index], points[index]
        best: list[Bbox] = []
        for distance, (dx, dy) in product((6, 10, 15, 21, 28, 36, 46, 60), _SIDES):
            written = axes.annotate(
                text, (x, y), xytext=(dx * distance, dy * distance), textcoords="offset points",
                ha=_ALONG[dx > 0.5, dx < -0.5], va="center", fontsize=size, zorder=6,
            )  # fmt: skip
            box = written.get_window_extent().padded(1.0)
            led = distance > 10 or any(
                _gap(box, other) < 1.5 * _gap(box, own) for other in others[index]
            )
            needed = [box]
            if led and distance < 10:  # no room for a line
                written.remove()
                continue
            if led:
                end = np.clip(own, box.min, box.max)
                needed += _along(own + min(1.0, 8 / _gap(box, own)) * (end - own), end)
            clear = not any(one.overlaps(other) for one, other in product(needed, taken))
            if (
                clear
                and inside.x0 <= box.x0
                and box.x1 <= inside.x1
                and (inside.y0 <= box.y0 and box.y1 <= inside.y1)
            ):
                best = needed
                if led:
                    _lead(axes, own, end)
                break
            written.remove()
        if not best:  # no place is free: better on another than not at all
            axes.annotate(text, (x, y), xytext=(6, 0), textcoords="offset points", fontsize=size)
        taken += best


def _gap(box: Bbox, point: Pixel) -> float:
    """From a point to the edge of a box."""
    return float(np.hypot(*(np.clip(point, box.min, box.max) - point)))


def _along(start: Pixel, end: Pixel) -> list[Bbox]:
    """What a straight line takes, in small pieces."""
    places = (start + share * (end - start) for share in _ALONG_A_LINE)
    return [Bbox.from_extents(x - 1, y - 1, x + 1, y + 1) for x, y in places]


def _lead(axes: Axes, point: Pixel, label: Pixel) -> None:
    """A thin line from a point to its label, which moves no limit of the axes."""
    x, y = axes.transData.inverted().transform([point, label]).T
    axes.add_artist(Line2D(x, y, color="black", linewidth=0.4, zorder=2, transform=axes.transData))


_NEAR = 60  # pixels within which points are a crowd
_ALONG_A_LINE = [step / 60 for step in range(61)]
_SIDES = (
    (1, 0), (-1, 0), (0.9, 0.9), (0.9, -0.9), (-0.9, 0.9), (-0.9, -0.9), (0, 1.6), (0, -1.6),
    (0.6, 1.6), (0.6, -1.6), (-0.6, 1.6), (-0.6, -1.6),
)  # fmt: skip
_ALONG = {(True, False): "left", (False, True): "right", (False, False): "center"}

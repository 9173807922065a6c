"""Where labels stand, so that none lies on another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

Label = tuple[float, float, str]  # x, y, text


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
    no edge. Call it when everything else is drawn.
    """
    figure.draw_without_rendering()
    points = [axes.transData.transform((x, y)) for x, y, _ in labels]
    taken = [Bbox.from_extents(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    for line in axes.lines:
        corners = axes.transData.transform(line.get_xydata())
        for share, (start, end) in product(_ALONG_A_LINE, pairwise(corners)):
            x, y = start + share * (end - start)
            taken.append(Bbox.from_extents(x - 1, y - 1, x + 1, y + 1))
    inside = axes.get_window_extent()
    for x, y, text in sorted(labels, key=lambda label: -len(label[2])):  # the widest are hardest
        best = None
        for distance, (dx, dy) in product((6, 10, 15, 21, 28, 36, 46), _SIDES):
            written = axes.annotate(
                text, (x, y), xytext=(dx * distance, dy * distance), textcoords="offset points",
                ha=_ALONG[dx > 0.5, dx < -0.5], va="center", fontsize=size, zorder=6,
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "shrinkA": 1, "shrinkB": 3}
                if distance > 10 else None,
            )  # fmt: skip
            box = written.get_window_extent().padded(1.0)
            clear = not any(box.overlaps(other) for other in taken)
            if (
                clear
                and inside.x0 <= box.x0
                and box.x1 <= inside.x1
                and (inside.y0 <= box.y0 and box.y1 <= inside.y1)
            ):
                best = box
                break
            written.remove()
        if best is None:  # no place is free: better on another than not at all
            axes.annotate(text, (x, y), xytext=(6, 0), textcoords="offset points", fontsize=size)
        else:
            taken.append(best)


_ALONG_A_LINE = [step / 60 for step in range(61)]
_SIDES = (
    (1, 0), (-1, 0), (0.9, 0.9), (0.9, -0.9), (-0.9, 0.9), (-0.9, -0.9), (0, 1.6), (0, -1.6),
    (0.6, 1.6), (0.6, -1.6), (-0.6, 1.6), (-0.6, -1.6),
)  # fmt: skip
_ALONG = {(True, False): "left", (False, True): "right", (False, False): "center"}

"""Labels that do not overlap each other or leave the Axes.

Greedy placing: labels come in order of importance, each takes the first of several positions
around its point where it covers no label placed before and no obstacle; one for which there is no
room is left out. Positions are offsets in points, so labels keep their distance from their points
when a figure is scaled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation

from analysis.fonts import text_width
from analysis.style import SMALL_PT

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_REACHES = (0.0, 7.0, 14.0)
"""How much farther than its gap a label may stand, points; beyond 0 a line leads to it."""
_HALO = [withStroke(linewidth=1.4, foreground="white", alpha=0.8)]
_ALIGN = {1: "left", 0: "center", -1: "right"}


def place_labels(
    ax: Axes,
    points: np.ndarray,
    texts: Sequence[str],
    *,
    gaps: float | Sequence[float] = 4.0,
    obstacles: np.ndarray | None = None,
    limit: int | None = None,
    size: float = SMALL_PT,
    color: str = "black",
) -> list[Annotation]:
    """Write labels at points, most important first, without overlap.

    Parameters
    ----------
    ax : Axes
        Where to write; its limits and position must be final.
    points : ndarray, shape (labels, 2)
        Data coordinates.
    texts : sequence of str
        Labels, most important first.
    gaps : float or sequence of float
        Distance of a label from its point, points; one for all or one a label.
    obstacles : ndarray, shape (n, 2), optional
        Data coordinates of marks that should rather not be covered.
    limit : int, optional
        How many labels to place at most.
    size : float
        Font size, points.
    color : str
        Colour of the text.

    Returns
    -------
    list of Annotation
        The labels placed, at most as many as texts.
    """
    if len(texts) == 0:
        return []
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    scale = 72 / figure.dpi
    spots = ax.transData.transform(np.asarray(points, dtype=float)) * scale
    marks = np.empty((0, 2))
    if obstacles is not None and len(obstacles):
        marks = ax.transData.transform(np.asarray(obstacles, dtype=float)) * scale
    frame = ax.get_window_extent()
    limits = np.array([frame.x0, frame.y0, frame.x1, frame.y1]) * scale
    gap = np.broadcast_to(np.asarray(gaps, dtype=float), (len(texts),))
    taken: list[np.ndarray] = []
    wires: list[np.ndarray] = []
    placed: list[Annotation] = []
    for spot, text, near, where in zip(spots, texts, gap, points, strict=True):
        if limit is not None and len(placed) >= limit:
            break
        choice = _position(spot, text, float(near), size, limits, (taken, wires), marks)
        if choice is None:
            continue
        offset, align, box, reach = choice
        taken.append(box)
        if reach > 0:
            wires.append(_wire(spot, offset))
        line = {"arrowstyle": "-", "color": "0.45", "lw": 0.4, "shrinkA": 0, "shrinkB": 1.5}
        placed.append(
            ax.annotate(
                text,
                (float(where[0]), float(where[1])),
                offset,
                textcoords="offset points",
                fontsize=size,
                color=color,
                ha=align,
                va="center",
                arrowprops=line if reach > 0 else None,
                zorder=10,
                path_effects=_HALO,
            )
        )
    return placed


def _position(
    spot: np.ndarray,
    text: str,
    gap: float,
    size: float,
    limits: np.ndarray,
    before: tuple[list[np.ndarray], list[np.ndarray]],
    marks: np.ndarray,
) -> tuple[tuple[float, float], str, np.ndarray, float] | None:
    """Return offset, alignment, box and reach of the first free position, or None."""
    width, height = text_width(text, size), size * 1.05
    taken, wires = before
    found = None
    for reach in _REACHES:
        for dx, dy in _DIRECTIONS:
            slant = 0.75 if dx and dy else 1.0
            x = dx * (gap + reach) * slant
            y = dy * ((gap + reach) * slant + height / 2)
            left = spot[0] + x - (0 if dx > 0 else width if dx < 0 else width / 2)
            low = spot[1] + y - height / 2
            box = np.array([left, low, left + width, low + height])
            outside = box[0] < limits[0] or box[1] < limits[1]
            if outside or box[2] > limits[2] or box[3] > limits[3]:
                continue
            if any(_overlap(box, other) for other in taken):
                continue
            if any(_inside(wire, box).any() for wire in wires):
                continue
            wire = _wire(spot, (x, y))
            if reach > 0 and any(_inside(wire, other).any() for other in taken):
                continue
            covered = int(np.sum(_inside(marks, box)))
            if reach > 0:
                covered += int(_near(marks, wire, spot))
            if covered == 0:
                return (x, y), _ALIGN[dx], box, reach
            if covered == 1 and reach == 0 and found is None:
                found = (x, y), _ALIGN[dx], box, reach
    return found


def _wire(spot: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """Return points along the line that leads from a point to its label."""
    return spot + np.linspace(0, 1, 12)[:, None] * np.asarray(offset)


def _near(marks: np.ndarray, wire: np.ndarray, spot: np.ndarray) -> bool:
    """Whether a line passes within two points of a mark that is not its own."""
    others = marks[np.hypot(*(marks - spot).T) > 2]
    away = np.hypot(*np.moveaxis(others[:, None] - wire, -1, 0))
    return bool((away < 2).any())


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two boxes, each grown by a point, share any area."""
    apart = one[0] > other[2] + 1 or other[0] > one[2] + 1
    return not (apart or one[1] > other[3] + 1 or other[1] > one[3] + 1)


def _inside(marks: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which marks lie in a box."""
    within_x = (marks[:, 0] > box[0] - 1) & (marks[:, 0] < box[2] + 1)
    return within_x & (marks[:, 1] > box[1] - 1) & (marks[:, 1] < box[3] + 1)

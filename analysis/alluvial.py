"""The alluvial diagram: flows from part to part of the world, through the fields of work."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from analysis import style
from analysis.metrics import Years
from analysis.regions import COLORS, OTHER, REGIONS, region_flows
from analysis.tables import RunTables, period_of, persons_an_agent, places

FIELDS = {
    "ai_computing": "AI, computing",
    "integrated_circuits": "Integrated circuits",
    "biomedicine_health": "Biomedicine, health",
    "engineering": "Engineering",
    "natural_science": "Natural science",
    "digital_finance": "Digital finance",
    "other": "Other fields",
}
"""Fields of work as pictures name them, in the order of the tables."""
GAP = 0.018
"""Gap between two blocks of a column, as a share of the height."""
COLUMNS = ((0.0, 0.03), (0.485, 0.515), (0.97, 1.0))
"""Left and right edge of the blocks of origins, fields and destinations."""
LEAST = 0.026
"""Least distance of two labels, as a share of the height."""


@style.styled
def plot_alluvial(
    run: RunTables,
    *,
    ax: Axes | None = None,
    years: Years = None,
    within: bool = False,
    where: pd.DataFrame | None = None,
) -> Axes:
    """Draw which parts of the world talent leaves, in which fields it works, and where it goes.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure two columns wide by default.
    years : int or (int, int) or None
        Years to sum over; all simulated years by default.
    within : bool
        Whether moves within a part of the world are shown too.
    where : DataFrame, optional
        Indexed by city, columns area and continent; the 120 cities of the index by default.

    Returns
    -------
    Axes
        Three columns of blocks as high as their persons; bands have the colour of the part of the
        world that they touch.
    """
    where = places() if where is None else where
    flows = region_flows(run.flows, where, years, by=("field",), within=within)
    sheet = style.Sheet(ax, style.PAGE_MM, 128)
    axes = sheet.ax
    axes.set(xlim=(-0.36, 1.36), ylim=(0, 1.05))
    axes.set_axis_off()
    total = int(flows["persons"].sum())
    if total:
        _columns(axes, flows)
    else:
        style.nothing(axes, "no moves" if within else "no moves between parts of the world")
    which = "all moves" if within else "moves between parts of the world only"
    sheet.finish(
        "Where talent comes from, what it works in, and where it goes, "
        f"{style.span(period_of(run, years))}",
        f"Persons who moved ({which}), all years together: {style.short(total)}. Heights are "
        "proportional to persons; percentages are of each column. One run.",
        f"{style.run_line(run.manifest, persons_an_agent(run))}. Initial stocks and the shares of "
        "fields in them: estimated.",
    )
    return axes


def blocks(sizes: pd.Series) -> pd.DataFrame:
    """Stack blocks from the top down, in heights proportional to their sizes.

    Parameters
    ----------
    sizes : Series
        Positive persons by name.

    Returns
    -------
    DataFrame
        Indexed as the sizes, columns top and bottom in [0, 1]; gaps of ``GAP`` between them.
    """
    room = 1 - GAP * (len(sizes) - 1)
    height = room * sizes.to_numpy(dtype=float) / float(sizes.sum())
    top = 1 - np.concatenate([[0.0], np.cumsum(height[:-1] + GAP)])
    return pd.DataFrame({"top": top, "bottom": top - height}, index=sizes.index)


def _columns(axes: Axes, flows: pd.DataFrame) -> None:
    """Draw the three columns and the bands between them."""
    order = [name for name in (*REGIONS, OTHER) if name in {*flows["start"], *flows["end"]}]
    known = [*FIELDS, *sorted(set(flows["field"]) - set(FIELDS))]
    fields = [name for name in known if name in set(flows["field"])]
    columns = []
    for key, names in (("start", order), ("field", fields), ("end", order)):
        sizes = flows.groupby(key)["persons"].sum()
        columns.append(sizes.reindex([name for name in names if name in sizes.index]))
    for i, (keys, region) in enumerate(((("start", "field"), 0), (("field", "end"), 1))):
        sums = flows.groupby(list(keys))["persons"].sum()
        _bands(axes, sums, (columns[i], columns[i + 1]), i, region)
    titles = ("Left", "Field of work", "Went to")
    for i, (sizes, title) in enumerate(zip(columns, titles, strict=True)):
        _blocks(axes, sizes, i)
        across = sum(COLUMNS[i]) / 2
        axes.text(across, 1.03, title, ha="center", va="bottom", fontweight="bold")


def _bands(
    axes: Axes,
    sums: pd.Series,
    columns: tuple[pd.Series, pd.Series],
    i: int,
    region: int,
) -> None:
    """Draw the bands from one column to the next, coloured by the end that is a part."""
    (_, x0), (x1, _) = COLUMNS[i], COLUMNS[i + 1]
    middle = (x0 + x1) / 2
    left, right = (blocks(sizes) for sizes in columns)
    unit = [
        float((block["top"] - block["bottom"]).sum()) / float(sizes.sum())
        for block, sizes in zip((left, right), columns, strict=True)
    ]
    at = [block["top"].to_dict() for block in (left, right)]
    corners = {}
    for a in columns[0].index:
        for b in columns[1].index:
            persons = float(sums.get((a, b), 0))
            if persons:
                y0, y1 = at[0][a], at[1][b]
                at[0][a], at[1][b] = y0 - persons * unit[0], y1 - persons * unit[1]
                corners[a, b] = (y0, y1, at[1][b], at[0][a])
    move, curve, line = int(Path.MOVETO), int(Path.CURVE4), int(Path.LINETO)
    for pair, (y0, y1, y2, y3) in corners.items():
        points = [
            *((x0, y0), (middle, y0), (middle, y1), (x1, y1)),
            *((x1, y2), (middle, y2), (middle, y3), (x0, y3)),
        ]
        codes = [move, curve, curve, curve, line, curve, curve, curve]
        axes.add_patch(
            PathPatch(Path(points, codes), facecolor=COLORS[pair[region]], alpha=0.55, linewidth=0)
        )


def _blocks(axes: Axes, sizes: pd.Series, i: int) -> None:
    """Draw a column's blocks and their labels."""
    left, right = COLUMNS[i]
    stack = blocks(sizes)
    for name, (top, bottom) in zip(stack.index, stack.to_numpy(), strict=True):
        color = COLORS.get(str(name), style.GREY)
        axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, color=color, lw=0))
    middle = stack.mean(axis=1).to_numpy()
    two_lines = i == 1
    heights = style.spread_out(middle, LEAST * (2.1 if two_lines else 1.3), 0.0, 1.0)
    total = float(sizes.sum())
    for name, persons, height, at in zip(sizes.index, sizes, heights, middle, strict=True):
        amount = f"{style.short(float(persons))}, {100 * float(persons) / total:.0f}{style.NBSP}%"
        text = FIELDS.get(str(name), str(name))
        side = -1 if i == 0 else 1
        x = left if i == 0 else right
        if abs(height - at) > LEAST / 2:
            axes.plot(
                [x + 0.003 * side, x + 0.012 * side],
                [at, height],
                color=style.GREY,
                linewidth=0.5,
            )
        axes.text(
            x + 0.015 * side,
            height,
            f"{text}\n{amount}" if two_lines else f"{text}  {amount}",
            ha="right" if i == 0 else "left",
            va="center",
            fontsize=style.SMALL_PT,
            linespacing=1.1,
            bbox={"facecolor": "white", "alpha": 0.6, "pad": 0.6, "lw": 0} if two_lines else None,
        )

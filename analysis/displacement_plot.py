"""The picture of displaced people: where a city's gain was taken from, or its loss went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from analysis import style
from analysis.alluvial import FIELDS, blocks
from analysis.compared import Compared, source

if TYPE_CHECKING:
    from sim.compare import Comparison

_KIND_COLORS = {
    "kept": style.GREEN,
    "drawn": style.BLUE,
    "diverted": style.ORANGE,
    "remained": style.PURPLE,
    "entered": style.SKY,
    "lost": style.VERMILLION,
}
_KIND_TEXTS = {
    "kept": "was there, would have left",
    "drawn": "would have stayed elsewhere",
    "diverted": "would have gone elsewhere",
    "remained": "would have left the work",
    "entered": "would never have entered",
}
_LOSS_TEXTS = {
    "kept": "stays where it would have left",
    "drawn": "is drawn away from there",
    "diverted": "goes elsewhere instead",
    "lost": "has left the work",
}
_OTHERS = "other cities"
_NOWHERE = "no city"


@style.styled
def plot_displacement(
    compared: Compared,
    *,
    ax: Axes | None = None,
    city: str | None = None,
    part: str = "total",
    n: int = 12,
) -> Axes:
    """Draw where a city's gain was taken from, or its loss went, and who the people are.

    Parameters
    ----------
    compared : Compared
    ax : Axes, optional
        Where to draw; a figure two columns wide by default.
    city : str, optional
        Default: the one whose stock changes most. Of a city that loses, the picture shows the
        people whom it lacks.
    part : {"total", "direct"}
        With feedback or with feedback frozen.
    n : int
        How many other cities to name.

    Returns
    -------
    Axes
        Three columns of blocks as high as their persons: where they would be (or are), what the
        policy changed for them, their field of work.
    """
    found: Comparison = compared.result
    policy = found.policy(compared.policy)
    stocks = found.of("stock", policy, part).drop(index="(all)")["effect"]
    city = str(stocks.abs().idxmax()) if city is None else city
    loss = bool(stocks[city] < 0)
    mine, other = ("base_city", "policy_city") if loss else ("policy_city", "base_city")
    apart = found.moved(policy, part=part)
    apart = apart[apart["kind"] != "same"]
    rows, back = apart[apart[mine] == city], apart[apart[other] == city]
    total, away = (float(some["persons"].sum()) / found.pairs for some in (rows, back))
    sheet = style.Sheet(ax, style.PAGE_MM, 118)
    axes = sheet.ax
    axes.set(xlim=(-0.32, 1.32), ylim=(0, 1.06))
    axes.set_axis_off()
    if total:
        _three_columns(axes, _flows(rows.rename(columns={other: "place"}), found.pairs, n), loss)
    else:
        style.nothing(axes, f"the policy moves nobody to or from {city}")
    title = f"Whom {policy} brings to {city} or keeps there"
    text = f"{style.short(total)} persons live there who would not. Left: where they would be"
    if loss:
        title = f"Whom {city} loses by {policy}"
        text = f"{style.short(total)} persons would live there and do not. Left: where they are"
    sheet.finish(
        f"{title}, by {found.base.horizon.end}",
        f"The same people with and without the policy, mean of {found.pairs} pairs of runs on the "
        f"same luck. {text}. Not shown: {style.short(away)} persons the other way round.",
        source(
            found.base.name,
            found.pairs,
            found.base.population.agents,
            found.manifest.get("persons_per_agent"),
        ),
    )
    return axes


def _flows(people: pd.DataFrame, pairs: int, n: int) -> pd.DataFrame:
    """Return persons a run by place, kind and field; small places are put together."""
    rows = people.astype({"place": str, "kind": str, "field": str})
    rows["place"] = rows["place"].replace("(none)", _NOWHERE)
    sizes = rows.groupby("place")["persons"].sum().drop(_NOWHERE, errors="ignore")
    named = sizes.sort_values(ascending=False, kind="stable").index[:n]
    keep = rows["place"].isin([*named, _NOWHERE])
    rows["place"] = rows["place"].where(keep, _OTHERS)
    sums = rows.groupby(["place", "kind", "field"])["persons"].sum() / pairs
    return sums.reset_index()


def _three_columns(axes: Axes, flows: pd.DataFrame, loss: bool) -> None:
    sizes = flows.groupby("place")["persons"].sum().sort_values(ascending=False, kind="stable")
    last = [name for name in (_OTHERS, _NOWHERE) if name in sizes.index]
    orders = (
        [name for name in sizes.index if name not in last] + last,
        [name for name in _KIND_COLORS if name in set(flows["kind"])],
        [name for name in FIELDS if name in set(flows["field"])],
    )
    keys = ("place", "kind", "field")
    columns = [
        flows.groupby(key)["persons"].sum().reindex(order)
        for key, order in zip(keys, orders, strict=True)
    ]
    edges = ((0.0, 0.03), (0.485, 0.515), (0.97, 1.0))
    for i in (0, 1):
        sums = flows.groupby(list(keys[i : i + 2]))["persons"].sum()
        _bands(axes, sums, columns[i], columns[i + 1], edges[i][1], edges[i + 1][0], i == 0)
    titles = ("Lives in" if loss else "Would be in", "What the policy changes", "Field of work")
    texts = FIELDS | (_LOSS_TEXTS if loss else _KIND_TEXTS)
    for i, (column, title) in enumerate(zip(columns, titles, strict=True)):
        _blocks(axes, column, edges[i], i, texts)
        axes.text(sum(edges[i]) / 2, 1.03, title, ha="center", va="bottom", fontweight="bold")


def _bands(
    axes: Axes,
    sums: pd.Series,
    left: pd.Series,
    right: pd.Series,
    x0: float,
    x1: float,
    kind_is_right: bool,
) -> None:
    """Draw bands between two columns in the colours of the kinds."""
    stacks = blocks(left), blocks(right)
    unit = [
        float((stack["top"] - stack["bottom"]).sum()) / float(sizes.sum())
        for stack, sizes in zip(stacks, (left, right), strict=True)
    ]
    at = [stack["top"].to_dict() for stack in stacks]
    middle = (x0 + x1) / 2
    move, curve, line = int(Path.MOVETO), int(Path.CURVE4), int(Path.LINETO)
    for a in left.index:
        for b in right.index:
            persons = float(sums.get((a, b), 0.0))
            if not persons:
                continue
            y0, y1 = at[0][a], at[1][b]
            y3, y2 = y0 - persons * unit[0], y1 - persons * unit[1]
            at[0][a], at[1][b] = y3, y2
            points = [
                *((x0, y0), (middle, y0), (middle, y1), (x1, y1)),
                *((x1, y2), (middle, y2), (middle, y3), (x0, y3)),
            ]
            codes = [move, curve, curve, curve, line, curve, curve, curve]
            color = _KIND_COLORS[b if kind_is_right else a]
            axes.add_patch(PathPatch(Path(points, codes), facecolor=color, alpha=0.45, linewidth=0))


def _blocks(
    axes: Axes, sizes: pd.Series, edges: tuple[float, float], i: int, texts: dict[str, str]
) -> None:
    """Draw a column's blocks and their labels."""
    left, right = edges
    stack = blocks(sizes)
    middle = stack.mean(axis=1).to_numpy()
    for name, (top, bottom) in zip(stack.index, stack.to_numpy(), strict=True):
        color = _KIND_COLORS.get(str(name), style.GREY)
        axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, color=color, lw=0))
    heights = style.spread_out(middle, 0.062 if i == 1 else 0.04, 0.0, 1.0)
    total = float(sizes.sum())
    for name, persons, height, at in zip(sizes.index, sizes, heights, middle, strict=True):
        amount = f"{style.short(float(persons))}, {100 * float(persons) / total:.0f}{style.NBSP}%"
        text = texts.get(str(name), str(name))
        if i != 1 and abs(height - at) > 0.01:
            x, side = (left, -1) if i == 0 else (right, 1)
            axes.plot([x + 0.001 * side, x + 0.01 * side], [at, height], color=style.GREY, lw=0.5)
        axes.text(
            left - 0.012 if i == 0 else right + 0.012,
            height,
            f"{text}\n{amount}" if i == 1 else f"{text}  {amount}",
            ha="right" if i == 0 else "left",
            va="center",
            fontsize=style.SMALL_PT,
            linespacing=1.1,
            bbox={"facecolor": "white", "alpha": 0.6, "pad": 0.6, "lw": 0} if i == 1 else None,
        )

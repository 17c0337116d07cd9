"""The flow map: the largest origin–destination flows as tapered arcs on the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D

from analysis import style
from analysis.labels import place_labels
from analysis.metrics import Years, pair_flows
from analysis.tables import RunTables, period_of, persons_an_agent, places
from analysis.world import PACIFIC, WORLD, View, arc, draw_land, needle

WIDEST_PT = 6.0
"""Width of the largest arc at its origin, points."""
THINNEST_PT = 0.4
SCOPES = ("all", "domestic", "international")
PANELS = (
    View("North America", -126.0, -66.0, 24.0, 52.0),
    View("Europe", -11.0, 40.0, 35.0, 61.5),
    View("East Asia", 99.0, 146.0, 17.5, 48.5),
)
"""The parts of the world where cities lie so close that a world map hides what they exchange."""
GAP = 0.02
"""Gap between panels, as a share of the width."""


@style.styled
def plot_flow_map(
    run: RunTables,
    *,
    ax: Axes | None = None,
    n: int = 40,
    n_panel: int = 25,
    panels: bool | None = None,
    scope: str = "all",
    years: Years = None,
    cities: Sequence[str] = (),
    labels: int = 24,
    where: pd.DataFrame | None = None,
) -> Axes:
    """Draw the largest flows between cities on a world map.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure two columns wide by default.
    n : int
        How many flows on the world map, largest first.
    n_panel : int
        How many flows in each of the panels.
    panels : bool, optional
        Whether flows within North America, within Europe and within East Asia get enlarged panels
        under the map, in place of the world map. By default they do unless ``ax`` is given; on
        given Axes the panels stand below them. A panel without flows is left out.
    scope : {"all", "domestic", "international"}
        Which flows: all, within countries, or between them.
    years : int or (int, int) or None
        Years to sum over.
    cities : sequence of str
        Only flows from or to these, where any are named.
    labels : int
        How many cities to name at most on each map.
    where : DataFrame, optional
        Indexed by city, columns lat, lon and area; the 120 cities of the index by default.

    Returns
    -------
    Axes
        The world map; the panels are its child axes. Arcs are wide at the origin and narrow
        towards the destination. Flows within China or the United States are tens of times larger
        than those between continents, so each map has a scale of widths of its own.

    Raises
    ------
    ValueError
        If the scope is not known.
    """
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {SCOPES}, not {scope!r}")
    where = places() if where is None else where
    pairs = _chosen(pair_flows(run.flows, years), where, scope, cities)
    split = panels if panels is not None else ax is None
    home = _panel_of(pairs, where) if split else pd.Series(-1, index=pairs.index)
    elsewhere = pairs[home == -1].head(n)
    world = _uncut(elsewhere, where)
    parts = {world: elsewhere}
    for i, view in enumerate(PANELS):
        if (home == i).any():
            parts[view] = pairs[home == i].head(n_panel)

    sheet = style.Sheet(ax, style.PAGE_MM, 160 if len(parts) > 1 else 110, snug=True)
    axes = sheet.ax
    draw_land(axes, world)
    maps = {world: axes, **_insets(axes, parts)}
    sheet.finish(*_texts(run, pairs, parts, scope, years, cities))
    for view, part in parts.items():
        point = _map_units_a_point(maps[view])
        _arcs(maps[view], part, where, view, point)
        _name_cities(maps[view], part, where, view, cities, labels)
    if pairs.empty:
        style.nothing(axes, "no moves")
    else:
        _legend(axes, world, pd.concat(parts.values()), elsewhere)
    return axes


def _chosen(
    pairs: pd.DataFrame, where: pd.DataFrame, scope: str, cities: Sequence[str]
) -> pd.DataFrame:
    """Return the flows in question, with a column ``abroad``."""
    pairs = pairs[pairs["origin"].isin(where.index) & pairs["destination"].isin(where.index)]
    home = pairs["origin"].map(where["area"]).to_numpy()
    pairs = pairs.assign(abroad=home != pairs["destination"].map(where["area"]).to_numpy())
    if scope != "all":
        pairs = pairs[pairs["abroad"] == (scope == "international")]
    if cities:
        pairs = pairs[pairs["origin"].isin(list(cities)) | pairs["destination"].isin(list(cities))]
    return pairs


def _uncut(pairs: pd.DataFrame, where: pd.DataFrame) -> View:
    """Return the world map whose seam cuts the arcs of fewer persons."""

    def cut(view: View) -> int:
        x = pd.Series(view.from_centre(where["lon"].to_numpy()), index=where.index)
        way = pairs["origin"].map(x).to_numpy() - pairs["destination"].map(x).to_numpy()
        return int(pairs["persons"].to_numpy()[np.abs(way) > 180].sum())

    return min((WORLD, PACIFIC), key=cut)


def _panel_of(pairs: pd.DataFrame, where: pd.DataFrame) -> pd.Series:
    """Return the number of the panel in which both ends of each flow lie, or −1."""
    panel = np.full(len(where), -1)
    for i, view in enumerate(PANELS):
        panel[view.contains(where["lon"].to_numpy(), where["lat"].to_numpy())] = i
    home = pd.Series(panel, index=where.index)
    start = pairs["origin"].map(home).to_numpy()
    same = start == pairs["destination"].map(home).to_numpy()
    return pd.Series(np.where(same, start, -1), index=pairs.index)


def _insets(axes: Axes, parts: Mapping[View, pd.DataFrame]) -> dict[View, Axes]:
    """Make panels of equal height under the world map; all of them are as wide as it."""
    (left, right), (low, high) = WORLD.limits()
    aspect = {}
    for view in PANELS:
        across, up = view.limits()
        aspect[view] = (across[1] - across[0]) / (up[1] - up[0])
    height = (1 - GAP * (len(PANELS) - 1)) / sum(aspect.values())
    tall = height * (right - left) / (high - low)
    x, made = 0.0, {}
    for view in (view for view in PANELS if view in parts):
        inset = axes.inset_axes((x, -tall - 0.05, height * aspect[view], tall))
        draw_land(inset, view)
        inset.set_axis_on()
        inset.set(xticks=[], yticks=[])
        for spine in inset.spines.values():
            spine.set(visible=True, color=style.PALE)
        widest = style.short(int(parts[view]["persons"].max()))
        inset.set_title(
            f"Within {view.name} (widest: {widest})", fontsize=style.TEXT_PT, loc="left", pad=2
        )
        made[view] = inset
        x += height * aspect[view] + GAP
    return made


def _texts(
    run: RunTables,
    pairs: pd.DataFrame,
    parts: Mapping[View, pd.DataFrame],
    scope: str,
    years: Years,
    cities: Sequence[str],
) -> tuple[str, str, str]:
    """Return title, subtitle and source line."""
    subject = {"all": "", "domestic": " within countries", "international": " between countries"}
    of_cities = f" from and to {', '.join(cities)}" if cities else ""
    period = style.span(period_of(run, years))
    moved, shown = (
        int(pairs["persons"].sum()),
        sum(int(part["persons"].sum()) for part in parts.values()),
    )
    share = f"{100 * shown / max(moved, 1):.0f}{style.NBSP}% of {style.short(moved)} moves"
    inside = ""
    if len(parts) > 1:
        others, *inner = (len(part) for part in parts.values())
        inside = (
            f" (own scale on each map). Panels: up to {max(inner)} flows within a part of the "
            f"world; world map: the {others} largest others"
        )
    return (
        f"The largest flows of talent{subject[scope]}{of_cities}, {period}",
        "Persons who moved, all years together. Arcs taper from origin to destination; width at "
        f"the origin proportional to persons{inside}. Shown: {share} in this one run.",
        f"{style.run_line(run.manifest, persons_an_agent(run))}. Initial stocks: estimated. "
        "Map: Natural Earth, Equal Earth projection.",
    )


def _map_units_a_point(axes: Axes) -> float:
    """Return how many map units a typographic point measures on the Axes."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    low, high = axes.get_xlim()
    return (high - low) / (axes.get_window_extent().width * 72 / figure.dpi)


def _arcs(axes: Axes, shown: pd.DataFrame, where: pd.DataFrame, view: View, point: float) -> None:
    """Draw the flows, the small ones on top; a point is that many map units."""
    starts = where.loc[shown["origin"], ["lon", "lat"]].to_numpy(dtype=float)
    ends = where.loc[shown["destination"], ["lon", "lat"]].to_numpy(dtype=float)
    moved = shown["persons"].to_numpy(dtype=float)
    widths = np.maximum(WIDEST_PT * moved / moved.max(initial=1.0), THINNEST_PT) * point
    polygons, colors = [], []
    for start, end, width, abroad in zip(starts, ends, widths, shown["abroad"], strict=True):
        for piece in arc(start, end, view):
            polygons.append(needle(piece, float(width)))
            colors.append(style.VERMILLION if abroad else style.BLUE)
    axes.add_collection(
        PolyCollection(polygons, facecolors=colors, edgecolors="none", alpha=0.65, zorder=3)
    )


def _legend(axes: Axes, world: View, shown: pd.DataFrame, on_world: pd.DataFrame) -> None:
    """Explain the colours of all maps and the widths of the world map."""
    marks, texts = [], []
    for abroad, color, text in (
        (True, style.VERMILLION, "between countries"),
        (False, style.BLUE, "within a country"),
    ):
        if (shown["abroad"] == abroad).any():
            marks.append(Line2D([], [], color=color, linewidth=3, alpha=0.75))
            texts.append(text)
    largest = float(on_world["persons"].max()) if len(on_world) else 0.0
    for step in style.round_steps(largest) if largest else ():
        marks.append(Line2D([], [], color=style.GREY, linewidth=step * WIDEST_PT / largest))
        texts.append(f"{style.short(step)} persons")
    # in open sea: the South Pacific on the one map, the Indian Ocean on the other
    corner = (0.0, 0.0) if world is WORLD else (0.235, 0.0)
    axes.legend(
        marks,
        texts,
        loc="lower left",
        bbox_to_anchor=corner,
        handlelength=1.6,
        borderaxespad=0.2,
        labelspacing=0.6,
    )


def _name_cities(
    axes: Axes,
    shown: pd.DataFrame,
    where: pd.DataFrame,
    view: View,
    first: Sequence[str],
    labels: int,
) -> None:
    """Mark every city that takes part and name the most important ones."""
    if shown.empty:
        return
    turnover = pd.concat(
        [shown.groupby(end)["persons"].sum() for end in ("origin", "destination")], axis=1
    )
    total = turnover.sum(axis=1).sort_values(ascending=False, kind="stable")
    total = pd.concat([total[total.index.isin(list(first))], total[~total.index.isin(list(first))]])
    spots = view.positions(
        where.loc[total.index, "lon"].to_numpy(), where.loc[total.index, "lat"].to_numpy()
    )
    axes.scatter(
        spots[:, 0], spots[:, 1], s=5, c="white", edgecolors="black", linewidths=0.6, zorder=5
    )
    place_labels(axes, spots, [str(name) for name in total.index], obstacles=spots, limit=labels)

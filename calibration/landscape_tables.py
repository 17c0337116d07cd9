"""What the command ``talentflow landscape`` says, as plain documents and as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sim.cities import DIMENSIONS, load_cities
from sim.landscape import Landscape, ensemble, landscape_path, load_landscape, n_draws

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Document = dict[str, Any]

LEVELS = {"interval_80": (0.10, 0.90), "interval_90": (0.05, 0.95)}
CENTRE = -1
"""Number that stands for the centre in exported tables."""


def method_path() -> Path:
    """Return where the method is written down."""
    return landscape_path().with_name("LANDSCAPE.md")


# Summary


def summary_document() -> Document:
    """Return what there is to know of the ensemble in short.

    Returns
    -------
    dict
        ``draws``; ``cells`` by kind; ``dimensions``: by name ``mean_spread`` (standard deviation of
        a cell over the draws, index points, mean over the estimated cells) and ``weight`` (mean
        and 90 % interval over the draws); ``method``: a path.
    """
    landscape, (_, weights) = load_landscape(), ensemble()
    estimated = landscape.kind == "estimated"
    spans = np.quantile(weights, LEVELS["interval_90"], axis=0)
    return {
        "draws": n_draws(),
        "cities": len(landscape),
        "cells": {"published": int((~estimated).sum()), "estimated": int(estimated.sum())},
        "dimensions": {
            name: {
                "published_cells": int((~estimated[:, k]).sum()),
                "mean_spread": _short(landscape.spread[estimated[:, k], k].mean()),
                "weight": _short(weights[:, k].mean(), 4),
                "weight_interval_90": [_short(bound, 4) for bound in spans[:, k]],
            }
            for k, name in enumerate(DIMENSIONS)
        },
        "method": str(method_path()),
    }


def summary_text(document: Document) -> str:
    """Return the summary for the screen."""
    cells = document["cells"]
    lines = [
        f"{document['draws']} draws and their centre, {document['cities']} cities x 6 dimensions: "
        f"{cells['published']} cells published, {cells['estimated']} estimated.",
        "",
        f"{'dimension':<22}{'published':>10}{'mean spread':>13}{'weight (90 % interval)':>27}",
    ]
    for name, row in document["dimensions"].items():
        low, high = row["weight_interval_90"]
        weight = f"{row['weight']:.3f} ({low:.3f} to {high:.3f})"
        lines.append(
            f"{name:<22}{row['published_cells']:>10}{row['mean_spread']:>13.2f}{weight:>27}"
        )
    return "\n".join(
        [
            *lines,
            "",
            "Spread: standard deviation of an estimated cell over the draws, index points.",
            "The weights of the composite are not published: each draw has its own.",
            f"Method, sources and limits: {document['method']}",
        ]
    )


# Constraints


def check_document(draw: int | None = None) -> Document:
    """Return which share of the draws meets each statement of the report, and whether the centre.

    Parameters
    ----------
    draw : int, optional
        Check this draw alone in the place of all.

    Returns
    -------
    dict
        ``draws`` (how many were checked), ``constraints`` (``constraint``, ``citation``,
        ``basis``, ``draws_satisfied`` from 0 to 1, ``centre_satisfied``, ``centre_value``,
        ``broken_by``) and ``all_satisfied``.
    """
    from calibration.constraints import check
    from calibration.statements import statements

    rules = statements()
    numbers = range(n_draws()) if draw is None else [draw]
    draws = check(rules, [load_landscape(number) for number in numbers])
    centre = check(rules, [load_landscape()])
    rows = [
        {
            "constraint": row["constraint"],
            "citation": row["citation"],
            "basis": row["basis"],
            "draws_satisfied": float(row["satisfied"]),
            "centre_satisfied": bool(own["satisfied"] == 1),
            "centre_value": own["value"],
            "broken_by": row["broken_by"],
        }
        for row, own in zip(draws.to_dict("records"), centre.to_dict("records"), strict=True)
    ]
    return {
        "draws": len(numbers),
        "constraints": rows,
        "all_satisfied": all(r["draws_satisfied"] == 1 and r["centre_satisfied"] for r in rows),
    }


def check_text(document: Document) -> str:
    """Return the table of constraints for the screen."""
    rows = document["constraints"]
    width = max(len(row["constraint"]) for row in rows)
    cited = max(len(row["citation"]) for row in rows)
    lines = [f"{'constraint':<{width}}  {'source':<{cited}}  {'basis':<10}  draws   centre"]
    for row in rows:
        centre = "yes" if row["centre_satisfied"] else f"no: {row['centre_value']}"
        lines.append(
            f"{row['constraint']:<{width}}  {row['citation']:<{cited}}  {row['basis']:<10}  "
            f"{percent(row['draws_satisfied']):>7} {centre}"
        )
        if row["broken_by"]:
            lines.append(f"{'':<{width}}  broken by a draw with {row['broken_by']}")
    broken = sum(row["draws_satisfied"] < 1 or not row["centre_satisfied"] for row in rows)
    kept = "all hold" if not broken else f"{broken} broken"
    return "\n".join([*lines, f"{len(rows)} constraints, {document['draws']} draws: {kept}."])


def percent(share: float) -> str:
    """Return a share in per cent that says 100 only where it is 1."""
    return "100 %" if share == 1 else f"{np.floor(1000 * share) / 10:.1f} %"


# One city


def city_document(name: str, draw: int | None = None) -> Document:
    """Return the scores of a city with intervals over the draws, kinds and ranks.

    Parameters
    ----------
    name : str
        English or Chinese name.
    draw : int, optional
        The draw that ``score`` and ``rank`` are of; default: the centre.

    Returns
    -------
    dict
        ``city``, ``draw``, ``composite``, ``rank`` and ``dimensions``: by name ``kind``, ``score``,
        ``mean``, ``spread``, ``interval_80``, ``interval_90`` (index points), ``rank``,
        ``rank_interval_90``.

    Raises
    ------
    UserError
        If there is no such city or draw.
    """
    cities = load_cities()
    place = cities.index(name)
    landscape, (draws, _) = load_landscape(draw), ensemble()
    ranks = 1 + (draws > draws[:, [place], :]).sum(axis=1)
    own_rank = 1 + (landscape.scores > landscape.scores[place]).sum(axis=0)
    rows: Document = {}
    for k, dimension in enumerate(DIMENSIONS):
        intervals = {
            level: [_short(x) for x in np.quantile(draws[:, place, k], bounds)]
            for level, bounds in LEVELS.items()
        }
        span = np.quantile(ranks[:, k], LEVELS["interval_90"], method="nearest")
        rows[dimension] = {
            "kind": str(landscape.kind[place, k]),
            "score": _short(landscape.scores[place, k]),
            "mean": _short(landscape.mean[place, k]),
            "spread": _short(landscape.spread[place, k]),
            **intervals,
            "rank": int(own_rank[k]),
            "rank_interval_90": [int(bound) for bound in span],
        }
    return {
        "city": cities.names[place],
        "draw": landscape.draw,
        "composite": float(cities.composite[place]),
        "rank": int(cities.rank[place]),
        "dimensions": rows,
    }


def city_text(document: Document) -> str:
    """Return the scores of a city for the screen."""
    which = "centre" if document["draw"] is None else f"draw {document['draw']}"
    lines = [
        f"{document['city']}: composite {document['composite']:.2f}, rank {document['rank']} "
        "(published)",
        "",
        f"{'dimension':<22}{'kind':<11}{which:>9}{'80 % interval':>19}{'90 % interval':>19}"
        f"{'rank':>6}{'90 % interval':>15}",
    ]
    for name, row in document["dimensions"].items():
        spans = [f"{low:.2f} to {high:.2f}" for low, high in (row[level] for level in LEVELS)]
        low, high = row["rank_interval_90"]
        lines.append(
            f"{name:<22}{row['kind']:<11}{row['score']:>9.2f}{spans[0]:>19}{spans[1]:>19}"
            f"{row['rank']:>6}{f'{low} to {high}':>15}"
        )
    return "\n".join([*lines, "", "Index points; intervals over the draws of the reconstruction."])


# A draw, and export


def draw_document(draw: int) -> Document:
    """Return one draw: its weights, the scale of its composite, and the scores of all cities."""
    landscape = load_landscape(draw)
    return {
        "draw": draw,
        "weights": dict(zip(DIMENSIONS, landscape.weights.tolist(), strict=True)),
        "intercept": landscape.scale[0],
        "slope": landscape.scale[1],
        "cities": [
            {"city": name, "rank": int(rank), "composite": round(float(composite), 4), **scores}
            for name, rank, composite, scores in zip(
                landscape.cities,
                landscape.rank(),
                landscape.composite(),
                [dict(zip(DIMENSIONS, row, strict=True)) for row in landscape.scores.tolist()],
                strict=True,
            )
        ],
    }


def draw_text(document: Document) -> str:
    """Return the scores of a draw for the screen; published ones are marked."""
    published = load_landscape().kind == "published"
    heads = "".join(f"{name.split('_')[0]:>12}" for name in DIMENSIONS)
    lines = [f"{'rank':>4}  {'city':<18}{'composite':>10}{heads}"]
    for row, marks in zip(document["cities"], published, strict=True):
        cells = "".join(
            f"{row[name]:>11.2f}{'*' if mark else ' '}"
            for name, mark in zip(DIMENSIONS, marks, strict=True)
        )
        lines.append(
            f"{row['rank']:>4}  {row['city']:<18}{row['composite']:>10.2f}{cells}".rstrip()
        )
    weights = ", ".join(f"{name} {value:.3f}" for name, value in document["weights"].items())
    return "\n".join(
        [
            *lines,
            "",
            "* published; all other scores are estimated.",
            f"composite = {document['intercept']:.4f} + {document['slope']:.4f} x weighted mean; "
            f"weights: {weights}",
        ]
    )


def export_frame(draw: int | None = None) -> pd.DataFrame:
    """Return the ensemble as a tidy table.

    Parameters
    ----------
    draw : int, optional
        This draw alone; default: the centre, as draw -1, and all draws.

    Returns
    -------
    pandas.DataFrame
        ``draw`` (int16), ``city``, ``dimension``, ``kind`` (categories), ``score`` (float64, index
        points); in the order draw, city by published rank, dimension.

    Raises
    ------
    UserError
        If there is no such draw.
    """
    import pandas as pd

    numbers = [CENTRE, *range(n_draws())] if draw is None else [draw]
    parts = [load_landscape(None if number == CENTRE else number) for number in numbers]
    first, k = parts[0], len(parts)
    n, d = len(first), len(DIMENSIONS)
    return pd.DataFrame(
        {
            "draw": np.repeat(np.array(numbers, np.int16), n * d),
            "city": _category(np.tile(np.repeat(np.arange(n), d), k), first.cities),
            "dimension": _category(np.tile(np.arange(d), k * n), DIMENSIONS),
            "score": np.concatenate([part.scores.ravel() for part in parts]),
            "kind": pd.Categorical(
                np.tile(first.kind.ravel().astype(object), k), ["published", "estimated"]
            ),
        }
    )


def _category(codes: npt.NDArray[np.int_], names: tuple[str, ...]) -> pd.Categorical[str]:
    import pandas as pd

    return pd.Categorical.from_codes(codes.tolist(), pd.Index(names))


def formulas(draw: int | None = None) -> list[Document]:
    """Return draw, weights, intercept and slope of what :func:`export_frame` exports."""
    numbers = [CENTRE, *range(n_draws())] if draw is None else [draw]
    found = []
    for number in numbers:
        part: Landscape = load_landscape(None if number == CENTRE else number)
        weights, (intercept, slope) = part.weights.tolist(), part.scale
        found.append({"draw": number, "weights": weights, "intercept": intercept, "slope": slope})
    return found


def _short(value: float, digits: int = 2) -> float:
    return round(float(value), digits)

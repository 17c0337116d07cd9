"""The short account of a comparison that the command line prints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from sim.compare import Comparison
from sim.measures import ALL, MEASURES

SHOWN = 10
NOTICED = 0.05
_WORLD = ("mobility", "international", "stock")
_GAINED = {
    "kept": "there already, would have left for {}",
    "drawn": "would have stayed in {}",
    "diverted": "would have gone to {}",
    "remained": "would have left the work of talent",
    "entered": "would never have entered",
}
_LOST = {
    "kept": "stay in {}, which they would have left",
    "drawn": "are drawn away to {}",
    "diverted": "go to {} instead",
    "lost": "have left the work of talent, or never entered",
}


def summarise(comparison: Comparison, measure: str = "stock") -> dict[str, Any]:
    """Return the headline of a comparison, ready for JSON (NaN and infinities are None).

    Parameters
    ----------
    comparison : Comparison
    measure : str
        What the largest effects are of.

    Returns
    -------
    dict
        By policy: ``effects`` (largest first: city, base, effect, low, high, q, direct, feedback),
        ``noticed`` (cities whose adjusted p is below 0.05), ``world``, ``people`` (whom the city
        that changes most gains or lacks), ``reduction`` (of variance by pairing, by
        measure: median over the cities, share of at least 10, cities not touched in any pair) and
        ``money``.

    Raises
    ------
    UserError
        If there is no such measure.
    """
    start = comparison.base.horizon.start
    return {
        "base": comparison.base.name,
        "measure": measure,
        "about": MEASURES.get(measure, ""),
        "pairs": comparison.pairs,
        "start": start,
        "end": comparison.base.horizon.end,
        "agents": comparison.base.population.agents,
        "policies": {name: _policy(comparison, name, measure) for name in comparison.policies},
    }


def _policy(comparison: Comparison, policy: str, measure: str) -> dict[str, Any]:
    total = comparison.of(measure, policy)
    cities = total.drop(index=ALL)
    parts = {
        part: comparison.of(measure, policy, part)["effect"]
        for part in ("direct", "feedback")
        if ((comparison.effects["part"] == part) & (comparison.effects["policy"] == policy)).any()
    }
    rows = []
    for city, row in cities[cities["effect"] != 0].head(SHOWN).iterrows():
        shares = {part: _number(values[city]) for part, values in parts.items()}
        keys = ("base", "effect", "low", "high", "q", "luck", "landscape", "parameters")
        rows.append({"city": city} | {key: _number(row[key]) for key in keys} | shares)
    world = {
        name: {key: _number(row[key]) for key in ("base", "effect", "low", "high")}
        for name in _WORLD
        for row in [comparison.of(name, policy).loc[ALL]]
    }
    return {
        "effects": rows,
        "noticed": int((cities["q"] < NOTICED).sum()),
        "untouched": int((cities["effect"] == 0).sum()),
        "world": world,
        "people": _people(comparison, policy),
        "reduction": reductions(comparison, policy),
        "money": _money(comparison, policy),
    }


def _people(comparison: Comparison, policy: str) -> dict[str, Any] | None:
    """Return whom the city whose stock changes most gains or lacks, and from or to where."""
    stocks = comparison.of("stock", policy).drop(index=ALL)["effect"]
    if not len(comparison.displacement) or not (stocks != 0).any():
        return None
    city = str(stocks.abs().idxmax())
    side = "gained" if stocks[city] > 0 else "lost"
    found = comparison.sources(city, policy).reset_index()
    largest = found[found[side] > 0].sort_values(side, ascending=False, kind="stable").head(SHOWN)
    kinds = found.groupby("kind", sort=False)[side].sum()
    return {
        "city": city,
        "side": side,
        "gained": float(found["gained"].sum()),
        "lost": float(found["lost"].sum()),
        "kinds": {str(kind): float(persons) for kind, persons in kinds.items() if persons},
        "largest": [
            {"kind": kind, "city": other, "persons": float(persons)}
            for kind, other, persons in zip(
                largest["kind"], largest["city"], largest[side], strict=True
            )
        ],
    }


def reductions(comparison: Comparison, policy: str, part: str = "total") -> dict[str, Any]:
    """Return how much pairing reduces the variance of a policy's effects, by measure.

    Parameters
    ----------
    comparison : Comparison
    policy : str
    part : {"total", "direct"}

    Returns
    -------
    dict
        By measure: ``cities`` (in which the measure varies from seed to seed), ``median`` (of
        those touched; None where none is), ``median_noticed`` (of those whose adjusted p is below
        0.05), ``share_10`` (of all of them, with a ratio of at least
        10), ``untouched`` (paired difference without any variance: the ratio is infinite).
    """
    out = {}
    for measure in MEASURES:
        rows = comparison.of(measure, policy, part).drop(index=ALL).dropna(subset="reduction")
        ratio = rows["reduction"].to_numpy()
        noticed = ratio[rows["q"].to_numpy() < NOTICED]
        touched = ratio[np.isfinite(ratio)]
        if len(ratio):
            out[measure] = {
                "cities": len(ratio),
                "median": _number(np.median(touched)) if len(touched) else None,
                "share_10": float((ratio >= 10).mean()),
                "median_noticed": _number(np.median(noticed)) if len(noticed) else None,
                "untouched": int(np.isinf(ratio).sum()),
            }
    return out


def _money(comparison: Comparison, policy: str) -> list[dict[str, Any]]:
    if comparison.money is None:
        return []
    rows = comparison.money[comparison.money["policy"] == policy].drop(columns="policy")
    return records(rows)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows for JSON: what is not finite is None."""
    out = []
    for row in table.itertuples(index=False):
        values = zip(table.columns, row, strict=True)
        out.append({str(key): v if isinstance(v, str) else _number(v) for key, v in values})
    return out


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def as_text(summary: dict[str, Any]) -> str:
    """Return the summary as lines for a terminal of 80 columns."""
    blocks = [
        f"{summary['pairs']} pairs of runs on the same luck, {summary['start']} to "
        f"{summary['end']}, {summary['agents']:,} agents. Base: {summary['base']}"
    ]
    blocks += [_policy_text(name, p, summary) for name, p in summary["policies"].items()]
    return "\n\n".join(blocks)


def _policy_text(name: str, policy: dict[str, Any], summary: dict[str, Any]) -> str:
    lines = [f"{name}: largest effects on {summary['measure']} ({summary['about']})", ""]
    if not policy["effects"]:
        lines.append("  none: the runs are the same in every city")
        return "\n".join(lines)
    width = 11
    head = f"  {'':<16}{'effect':>{width}}   {'95 % interval':^{2 * width + 1}}"
    split = "direct" in policy["effects"][0]
    lines.append(head + (f"{'direct':>{width}}{'feedback':>{width}}" if split else ""))
    for row in policy["effects"]:
        line = f"  {row['city'][:16]:<16}{_signed(row['effect']):>{width}}   "
        line += f"{_signed(row['low']):>{width}},{_signed(row['high']):>{width}}"
        if split:
            line += f"{_signed(row['direct']):>{width}}{_signed(row['feedback']):>{width}}"
        lines.append(line)
    lines += ["", *_world_text(policy), *_people_text(policy["people"])]
    lines += [*_reduction_text(policy, summary["measure"]), *_money_text(policy["money"])]
    return "\n".join(lines)


def _world_text(policy: dict[str, Any]) -> list[str]:
    lines = [
        f"  Cities told from zero with a false discovery rate of 5 %: {policy['noticed']} "
        f"of 120; untouched: {policy['untouched']}"
    ]
    for measure, words in (
        ("mobility", "Moves a year per 100"),
        ("international", "of them abroad"),
    ):
        row = policy["world"][measure]
        lines.append(
            f"  {words}: {_signed(row['effect'], 3)} [{_signed(row['low'], 3)}, "
            f"{_signed(row['high'], 3)}] from {row['base']:.3f}"
        )
    return lines


def _people_text(people: dict[str, Any] | None) -> list[str]:
    if people is None:
        return []
    gains = people["side"] == "gained"
    words = _GAINED if gains else _LOST
    verbs = ("has", "would not have", "lacks") if gains else ("lacks", "would have", "has")
    counts = (people["gained"], people["lost"]) if gains else (people["lost"], people["gained"])
    lines = [
        f"  {people['city']} {verbs[0]} {counts[0]:,.0f} people whom it {verbs[1]} "
        f"(and {verbs[2]} {counts[1]:,.0f} the other way round):"
    ]
    for row in people["largest"][:5]:
        lines.append(f"    {row['persons']:>12,.0f}  {words[row['kind']].format(row['city'])}")
    return lines


def _reduction_text(policy: dict[str, Any], measure: str) -> list[str]:
    found = policy["reduction"].get(measure)
    if found is None:
        return []
    lines = [
        "  Pairing makes the variance at least 10 times smaller in "
        f"{100 * found['share_10']:.0f} % of {found['cities']} cities"
    ]
    for key, words in (("median", "touched"), ("median_noticed", "told from zero")):
        if found[key] is not None:
            lines.append(f"    {found[key]:,.0f} times in the median city of those {words}")
    return lines


def _money_text(money: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in money:
        if row["city"] != ALL:
            continue
        bounds = "no bounded interval"
        if row["low"] is not None and row["high"] is not None:
            bounds = f"[{row['low']:,.0f}, {row['high']:,.0f}]"
        cost = "-" if row["cost"] is None else f"{row['cost']:,.0f}"
        lines.append(
            f"  Spent {row['spent']:,.0f} {row['currency']} a run for {row['talent_years']:+,.0f} "
            f"talent-years: {cost} {row['currency']} each {bounds}"
        )
    return lines


def _signed(value: float | None, digits: int | None = None) -> str:
    if value is None:
        return "-"
    if digits is not None:
        return f"{value:+.{digits}f}"
    return f"{value:+,.0f}" if abs(value) >= 100 else f"{value:+.3g}"

"""What a comparison found, in sentences made from its tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis import style
from analysis.findings import listed
from sim.measures import ALL

if TYPE_CHECKING:
    from sim.compare import Comparison

NOTICED = 0.05
NAMED = 3
"""How many cities a sentence names."""
SHARES = {
    "kept": "lived there already and would have left",
    "drawn": "would have stayed in another city",
    "diverted": "would have moved to another city",
    "remained": "would have left the work of talent",
    "entered": "would never have entered it",
}
"""What a policy changed for those whom a city gains."""


def persons(value: float) -> str:
    """Return a number of persons with its sign, rounded for a sentence."""
    sign = "−" if value < 0 else "+"
    return f"{sign}{style.short(abs(value))}"


def between(row: Any) -> str:
    """Return an effect with its interval, persons."""
    text = persons(row["effect"])
    if math.isfinite(row["low"]) and math.isfinite(row["high"]):
        text += f" (95{style.NBSP}% interval {persons(row['low'])} to {persons(row['high'])})"
    return text


def headlines(found: Comparison, policy: str) -> list[str]:
    """Return the main findings of a comparison on one policy.

    Parameters
    ----------
    found : Comparison
    policy : str
        One of its policies.

    Returns
    -------
    list of str
        Plain sentences, each computed from the tables; what cannot be said is left out.
    """
    stock = found.of("stock", policy).drop(index=ALL)
    if not (stock["effect"] != 0).any():
        return [f"{policy} changes where nobody lives: with and without it the runs are the same."]
    sentences = [_largest(found, policy), _others(found, policy), _people(found, policy)]
    sentences += [_told(found, policy), _world(found, policy), _doubt(found, policy)]
    return [sentence for sentence in [*sentences, *_money(found, policy)] if sentence]


def _largest(found: Comparison, policy: str) -> str:
    stock = found.of("stock", policy).drop(index=ALL)
    city, row = str(stock.index[0]), stock.iloc[0]
    word = "more" if row["effect"] > 0 else "less"
    text = (
        f"{city} changes most: {between(row)} persons of talent at the end of "
        f"{found.base.horizon.end}, {100 * abs(row['effect']) / max(row['base'], 1.0):.2f}"
        f"{style.NBSP}% {word} than the {style.short(row['base'])} without the policy."
    )
    parts = found.effects[found.effects["policy"] == policy]["part"].unique()
    if "direct" in parts:
        direct = found.of("stock", policy, "direct")["effect"][city]
        text += (
            f" {persons(direct)} of it directly, {persons(row['effect'] - direct)} because cities "
            "answer to talent."
        )
    return text


def _others(found: Comparison, policy: str) -> str:
    """Return who pays: the cities that change most the other way."""
    stock = found.of("stock", policy).drop(index=ALL)
    first = stock["effect"].iloc[0]
    others = stock[(stock["effect"] * first < 0) & (stock["q"] < NOTICED)].head(NAMED)
    if others.empty:
        return "No other city is told to change the other way."
    named = listed([f"{city} {between(row)}" for city, row in others.iterrows()])
    return f"{'Losses' if first > 0 else 'Gains'} elsewhere are largest in {named}."


def _people(found: Comparison, policy: str) -> str:
    stock = found.of("stock", policy).drop(index=ALL)["effect"]
    city = str(stock.abs().idxmax())
    if stock[city] <= 0 or not len(found.displacement):
        return ""
    gained = found.sources(city, policy)["gained"].groupby("kind", sort=False).sum()
    total = float(gained.sum())
    shares = [
        f"{100 * gained[kind] / total:.0f}{style.NBSP}% {words}"
        for kind, words in SHARES.items()
        if kind in gained.index and gained[kind] > 0
    ]
    text = (
        f"Of the {style.short(total)} people whom {city} has and would not have, {listed(shares)}"
    )
    sources = found.sources(city, policy)["gained"].groupby("city", sort=False).sum()
    sources = sources[sources > 0].sort_values(ascending=False, kind="stable")
    named = [
        f"{place} ({100 * value / total:.0f}{style.NBSP}%)"
        for place, value in sources.head(NAMED).items()
    ]
    return f"{text}. Most would be in {listed(named)}." if named else f"{text}."


def _told(found: Comparison, policy: str) -> str:
    stock = found.of("stock", policy).drop(index=ALL)
    told = int((stock["q"] < NOTICED).sum())
    same = int((stock["effect"] == 0).sum())
    return (
        f"The effect on talent is told from zero in {told} of {len(stock)} cities (at a false "
        f"discovery rate of 5{style.NBSP}%); {same} are not touched at all."
    )


def _world(found: Comparison, policy: str) -> str:
    row = found.of("mobility", policy).loc[ALL]
    if not math.isfinite(row["effect"]):
        return ""
    change = f"{row['effect']:+.3f}".replace("-", "−")
    return (
        f"Of a hundred people of talent {row['base']:.3f} move in a mean year without the policy; "
        f"with it the number changes by {change}."
    )


def _doubt(found: Comparison, policy: str) -> str:
    """Return what the interval of the largest effect is made of."""
    row = found.of("stock", policy).drop(index=ALL).iloc[0]
    held = {"landscape": row["landscape"], "parameters": row["parameters"]}
    varied = {name: value for name, value in held.items() if value and math.isfinite(value)}
    if not varied:
        return (
            "Intervals are those of luck only: all runs share one reconstruction of the scores and "
            "one set of parameters. How sure an effect is in the real world they do not say."
        )
    words = listed([f"{name} ({style.short(value)})" for name, value in varied.items()])
    return (
        f"Of the doubt about the largest effect, luck makes a standard error of "
        f"{style.short(row['luck'])} persons, which more seeds would shrink; what is not known "
        f"adds standard deviations that they would not: {words}."
    )


def _money(found: Comparison, policy: str) -> list[str]:
    if found.money is None:
        return []
    rows = found.money[(found.money["policy"] == policy) & (found.money["city"] == ALL)]
    sentences = []
    for row in rows.to_dict("records"):
        text = f"{row['spent']:,.0f} {row['currency']} are spent in a mean run"
        if math.isfinite(row["low"]) and math.isfinite(row["high"]):
            text += (
                f": {row['cost']:,.0f} {row['currency']} for each additional talent-year (95"
                f"{style.NBSP}% interval {row['low']:,.0f} to {row['high']:,.0f})"
            )
        else:
            text += "; the gain is not told from zero, so the cost of a talent-year has no bounds"
        sentences.append(f"{text}.")
    return sentences

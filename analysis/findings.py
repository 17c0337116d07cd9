"""What a run found, in sentences made from its tables; and what each picture shows, in words."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis import style
from analysis.age_schedule import age_profile
from analysis.flow_structure import effectiveness
from analysis.metrics import (
    NORMAL_95,
    mobility,
    net_gain,
    net_gain_error,
    pair_flows,
    simulated_years,
    stickiness_agreement,
)
from analysis.ranks import rank_table
from analysis.regions import region_flows
from analysis.tables import RunTables, persons_an_agent, places


def headlines(run: RunTables, where: pd.DataFrame | None = None) -> list[str]:
    """Return the main findings of a run.

    Parameters
    ----------
    run : RunTables
        The run.
    where : DataFrame, optional
        Indexed by city, columns area, continent and composite; the index's cities by default.

    Returns
    -------
    list of str
        One to three plain sentences a finding, each computed from the tables. What is undefined,
        such as a correlation of two cities, is left out.
    """
    where = places() if where is None else where
    last = simulated_years(run.cities)[1]
    if last == int(run.cities["year"].min()):
        return [f"No year was simulated; the tables hold the state at the start of {last} only."]
    found = [_size(run), _mobility(run, where)]
    if int(run.flows["persons"].sum()):
        found += [_winners(run), _for_size(run), _largest_flows(run), _parts(run, where)]
        found += [_one_sided(run), _age(run)]
    found += [_agreement(run, where), _ranks(run)]
    return [sentence for sentence in found if sentence]


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f}{style.NBSP}%".replace("-", "−")


def listed(words: list[str]) -> str:
    """Return words as a list in a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _size(run: RunTables) -> str:
    stock = run.cities.groupby("year")["stock"].sum().sort_index()
    start, end = int(stock.iloc[0]), int(stock.iloc[-1])
    number = run.cities["city"].nunique()
    change = f" ({_per_cent(end / start - 1)} more)" if end > start > 0 else ""
    change = f" ({_per_cent(1 - end / start)} fewer)" if start > end else change
    return (
        f"{style.short(start)} persons make up the talent of {number} "
        f"{'cities' if number != 1 else 'city'} at the start ({stock.index[0]}), "
        f"{style.short(end)} at the end ({stock.index[-1]}){change}: those who begin to study or "
        "retire are counted beside those who move."
    )


def _mobility(run: RunTables, where: pd.DataFrame) -> str:
    rates = mobility(run.flows, run.cities, where["area"])[
        ["total_rate", "domestic_rate", "international_rate"]
    ].mean()
    if rates.isna().any():
        return ""
    total, inside, abroad = (f"{rate:.2f}{style.NBSP}%" for rate in rates)
    return (
        f"In a mean year {total} of talent moves to another city: {inside} within a country and "
        f"{abroad} between countries (Hong Kong, Macau and Taiwan counted apart)."
    )


def _winners(run: RunTables) -> str:
    gains = net_gain(run.cities)
    error = NORMAL_95 * net_gain_error(gains, persons_an_agent(run))
    up, down = gains[gains["net"] > 0], gains[gains["net"] < 0].iloc[::-1]
    parts = []
    for table, verb in ((up, "gain"), (down, "lose")):
        if len(table):
            best, most = str(table.index[0]), style.signed(float(table["net"].iloc[0]))
            rest = [
                f"{name} ({style.signed(float(value))})"
                for name, value in table["net"].iloc[1:4].items()
            ]
            after = f", before {listed(rest)}" if rest else ""
            parts.append(
                f"{best} {verb}s most by moves, {most} persons "
                f"(±{style.short(float(error[best]))}, 95{style.NBSP}% interval of agent counts in "
                f"this one run){after}."
            )
    counts = f" {len(up)} of {len(gains)} cities gain, {len(down)} lose."
    return " ".join(parts) + counts if parts else ""


def _for_size(run: RunTables) -> str:
    rate = net_gain(run.cities)["per_100"].dropna().sort_values(ascending=False, kind="stable")
    if len(rate) < 2 or not rate.iloc[0] > 0 > rate.iloc[-1]:
        return ""
    return (
        f"For its size, {rate.index[0]} gains most, {rate.iloc[0]:.2f} persons a year per 100 of "
        f"its talent; {rate.index[-1]} loses most, {abs(rate.iloc[-1]):.2f} per 100."
    )


def _largest_flows(run: RunTables) -> str:
    pairs = pair_flows(run.flows)
    total = float(pairs["persons"].sum())
    top = pairs.iloc[0]
    share = float(pairs["persons"].head(10).sum()) / total
    return (
        f"The largest flow runs from {top['origin']} to {top['destination']}: "
        f"{style.short(float(top['persons']))} persons in all years together. The ten largest of "
        f"{len(pairs):,} flows carry {_per_cent(share)} of {style.short(total)} moves."
    )


def _parts(run: RunTables, where: pd.DataFrame) -> str:
    flows = region_flows(run.flows, where)
    if flows.empty:
        return ""
    into, out = (flows.groupby(end)["persons"].sum() for end in ("end", "start"))
    net = into.sub(out, fill_value=0).sort_values()
    everything = float(run.flows["persons"].sum())
    return (
        f"Between parts of the world go {_per_cent(float(flows['persons'].sum()) / everything)} of "
        f"all moves; {net.index[-1]} gains most by them ({style.signed(float(net.iloc[-1]))}), "
        f"{net.index[0]} loses most ({style.signed(float(net.iloc[0]))})."
    )


def _one_sided(run: RunTables) -> str:
    index = effectiveness(net_gain(run.cities))
    if math.isnan(index):
        return ""
    return (
        f"The migration effectiveness index is {index:.1f} of 100: that share of the turnover of "
        "cities is net gain or loss, and the rest is exchange that offsets itself."
    )


def _age(run: RunTables) -> str:
    profile = age_profile(run.ages, simulated_years(run.cities))
    rate = profile[profile["stock"] >= 200 * persons_an_agent(run)]["rate"].dropna()
    if rate.empty or not rate.max() > 0:
        return ""
    later = f"; at 50, {rate.loc[50]:.1f} do" if 50 in rate.index else ""
    return (
        f"Mobility peaks at the age of {rate.idxmax()}, when {rate.max():.1f} of 100 move in a "
        f"year{later}."
    )


def _agreement(run: RunTables, where: pd.DataFrame) -> str:
    rho, low, high, n = stickiness_agreement(run.cities, where["composite"])
    if math.isnan(rho):
        return ""
    interval = (
        "" if math.isnan(low) else f" (95{style.NBSP}% interval {low:.2f} to {high:.2f})"
    ).replace("-", "−")
    return (
        "Mean simulated stickiness orders the cities with a rank correlation of "
        f"{f'{rho:.2f}'.replace('-', '−')}{interval} to the published composite of 2024 "
        f"({n} cities, Spearman)."
    )


def _ranks(run: RunTables) -> str:
    table = rank_table(run.cities, "composite")
    if len(table) < 2 or table.shape[1] < 2:
        return ""
    first, last = table.iloc[0], table.iloc[-1]
    change = (first - last).sort_values(kind="stable")
    if not change.iloc[-1] > 0:
        return "No city changes its rank by simulated composite."
    up, down = str(change.index[-1]), str(change.index[0])
    return (
        f"By simulated composite, {up} rises most, from rank {first[up]} to {last[up]}, and {down} "
        f"falls most, from {first[down]} to {last[down]}; {int(np.sum(change == 0))} of "
        f"{len(change)} cities keep their rank."
    )


def in_words(run: RunTables, kind: str, where: pd.DataFrame | None = None) -> str:
    """Return what a picture shows, in a sentence, for readers who do not see it.

    Parameters
    ----------
    run : RunTables
        The run.
    kind : str
        Name of the kind of picture.
    where : DataFrame, optional
        As for :func:`headlines`.

    Returns
    -------
    str
        A sentence from the tables; empty for kinds without one.
    """
    where = places() if where is None else where
    if not int(run.flows["persons"].sum()):
        return ""
    if kind.startswith("net-gain"):
        return _for_size(run) if kind == "net-gain-rate" else _winners(run)
    if kind.startswith(("flow-map", "heatmap")):
        pairs = pair_flows(run.flows).head(5)
        flows = [
            f"{start} to {end} {style.short(persons)}"
            for start, end, persons in pairs.to_numpy().tolist()
        ]
        return f"Largest flows: {'; '.join(flows)}."
    by_kind = {"ages": _age, "ranks": _ranks}
    with_places = {
        "chord": _parts,
        "alluvial": _parts,
        "stickiness": _agreement,
        "mobility": _mobility,
    }
    if kind in by_kind:
        return by_kind[kind](run)
    return with_places[kind](run, where) if kind in with_places else ""

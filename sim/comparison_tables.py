"""The tables of a comparison, made of the results of its pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.cities import load_cities
from sim.compare import DIRECT, FEEDBACK, PARTS, TOTAL, Comparison
from sim.displacement import table as displacement_table
from sim.measures import ALL, MEASURES, grains
from sim.paired_effects import false_discovery, interval, ratio_interval, reduction

if TYPE_CHECKING:
    from sim.pairing import Pair, PairResult
    from sim.scenario import Scenario

_NUMBER, _KEY = ("", "number"), ("", "key")
_SAME = "in the unit of the measure"

#: Unit and kind of each column, by table; as :data:`sim.results.COLUMNS`.
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "effects": {
        "policy": ("scenario", "key"),
        "part": ("total, direct or feedback", "key"),
        "city": ("city", "key"),
        "measure": ("measure", "key"),
        "base": (_SAME, "mean"),
        "effect": (_SAME, "mean"),
        "low": (_SAME, "bound"),
        "high": (_SAME, "bound"),
        "luck": (_SAME, "standard error"),
        "landscape": (_SAME, "standard deviation"),
        "parameters": (_SAME, "standard deviation"),
        "p": ("0-1", "p value"),
        "q": ("0-1", "adjusted p value"),
        "reduction": ("times", "ratio of variances"),
        "pairs": ("pairs of runs", "count"),
    },
    "years": {
        "policy": ("scenario", "key"),
        "part": ("total, direct or feedback", "key"),
        "year": ("calendar year", "key"),
        "city": ("city", "key"),
        "base": ("persons at the end of the year", "mean"),
        "effect": ("persons at the end of the year", "mean"),
        "low": ("persons at the end of the year", "bound"),
        "high": ("persons at the end of the year", "bound"),
    },
    "runs": {
        "pair": ("number of the pair, from 0", "key"),
        "seed": ("seed", "key"),
        "draw": ("landscape draw, -1 for the scenario's own", "key"),
        "parameters": ("posterior draw, -1 for the scenario's own", "key"),
        "run": ("scenario", "key"),
        "part": ("base, total or direct", "key"),
        "city": ("city", "key"),
        **{name: (about, "measure") for name, about in MEASURES.items()},
    },
    "displacement": {
        "policy": ("scenario", "key"),
        "part": ("total or direct", "key"),
        "pair": ("number of the pair, from 0", "key"),
        "base_city": ("city at the end of the base run", "key"),
        "policy_city": ("city at the end of the policy run", "key"),
        "kind": ("what the policy changed for them", "key"),
        "field": ("field of work", "key"),
        "tier": ("tier of productivity", "key"),
        "persons": ("persons", "count"),
    },
    "costs": {"pair": ("number of the pair, from 0", "key"), "run": ("scenario", "key")},
    "money": {
        "policy": ("scenario", "key"),
        "currency": ("three-letter code", "key"),
        "city": ("city, or (all) that money was spent in", "key"),
        "spent": ("money a run beyond the base", "mean"),
        "talent_years": ("additional person-years a run", "mean"),
        "cost": ("money per additional person-year", "ratio"),
        "low": ("money per additional person-year", "bound"),
        "high": ("money per additional person-year", "bound"),
    },
}


def assemble(
    base: Scenario,
    policies: Mapping[str, Scenario],
    pairs: Sequence[Pair],
    results: Sequence[PairResult],
) -> Comparison:
    """Return the comparison that the results of its pairs make.

    Parameters
    ----------
    base : Scenario
    policies : mapping of str to Scenario
        In the order of the pairs' policies.
    pairs, results : sequences
        As planned, and as run.
    """
    names = load_cities().names
    effects = pd.concat(
        [
            _effects(policy, part, values, pairs, (names, results[0].persons))
            for policy, part, values in _arms(list(policies), results)
        ],
        ignore_index=True,
    )
    for column, known in (("policy", list(policies)), ("part", PARTS), ("measure", MEASURES)):
        effects[column] = pd.Categorical(effects[column], categories=pd.Index(list(known)))
    effects["city"] = pd.Categorical(effects["city"], categories=pd.Index([*names, ALL]))
    costs = _costs(base.name, list(policies), results)
    money = None if costs is None else _money(list(policies), pairs, results, costs, names)
    return Comparison(
        base,
        dict(policies),
        effects,
        _years(base.horizon.start, list(policies), pairs, results, names),
        _runs(base.name, list(policies), pairs, results, names),
        _displacement(list(policies), results, names),
        costs,
        money,
    )


def _arms(
    policies: Sequence[str], results: Sequence[PairResult]
) -> Iterator[tuple[str, str, tuple[np.ndarray, np.ndarray, np.ndarray | None]]]:
    """Yield policy, part and (base, differences, policy measures or None), pairs first."""
    base = np.stack([result.base for result in results])
    total = np.stack([result.total for result in results])
    direct = np.stack([result.direct for result in results])
    for k, policy in enumerate(policies):
        yield policy, TOTAL, (base, total[:, k] - base, total[:, k])
        if np.isfinite(direct[:, k]).any():
            yield policy, DIRECT, (base, direct[:, k] - base, direct[:, k])
            yield policy, FEEDBACK, (base, total[:, k] - direct[:, k], None)


def _effects(
    policy: str,
    part: str,
    values: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    pairs: Sequence[Pair],
    counted: tuple[Sequence[str], int],
) -> pd.DataFrame:
    base, differences, measured = values
    names, persons = counted
    draws = np.array([pair.draw for pair in pairs])
    thetas = np.array([pair.parameters for pair in pairs])
    found = interval(differences, draws, thetas, grain=grains(persons))
    gain = np.full(found.mean.shape, np.nan) if measured is None else reduction(base, measured)
    adjusted = found.p.copy()
    adjusted[:-1] = np.stack([false_discovery(p) for p in found.p[:-1].T], axis=1)
    shape = found.mean.shape
    columns = {
        "policy": policy,
        "part": part,
        "city": np.repeat([*names, ALL], shape[1]),
        "measure": np.tile(list(MEASURES), shape[0]),
        "base": base.mean(0).ravel(),
        "effect": found.mean.ravel(),
        "low": found.low.ravel(),
        "high": found.high.ravel(),
        "luck": found.luck.ravel(),
        "landscape": found.landscape.ravel(),
        "parameters": found.parameters.ravel(),
        "p": found.p.ravel(),
        "q": adjusted.ravel(),
        "reduction": gain.ravel(),
        "pairs": len(base),
    }
    return pd.DataFrame(columns)


def _years(
    start: int,
    policies: Sequence[str],
    pairs: Sequence[Pair],
    results: Sequence[PairResult],
    names: Sequence[str],
) -> pd.DataFrame:
    """Return the effects on talent by year."""
    draws = np.array([pair.draw for pair in pairs])
    thetas = np.array([pair.parameters for pair in pairs])
    stocks = np.stack([result.stocks for result in results])
    base, number = stocks[:, 0], len(policies)
    frames = []
    for k, policy in enumerate(policies):
        total, direct = stocks[:, 1 + k], stocks[:, 1 + number + k]
        arms = {TOTAL: total - base, DIRECT: direct - base, FEEDBACK: total - direct}
        for part, difference in arms.items():
            if not np.isfinite(difference).any():
                continue
            found = interval(difference, draws, thetas, grain=float(results[0].persons))
            years, columns = base.shape[1:]
            frames.append(
                pd.DataFrame(
                    {
                        "policy": policy,
                        "part": part,
                        "year": np.repeat(np.arange(start, start + years, dtype=np.int16), columns),
                        "city": np.tile([*names, ALL], years),
                        "base": base.mean(0).ravel(),
                        "effect": found.mean.ravel(),
                        "low": found.low.ravel(),
                        "high": found.high.ravel(),
                    }
                )
            )
    table = pd.concat(frames, ignore_index=True)
    known = {"policy": policies, "part": PARTS, "city": [*names, ALL]}
    for column, labels in known.items():
        table[column] = pd.Categorical(table[column], categories=pd.Index(list(labels)))
    return table


def _runs(
    base: str,
    policies: Sequence[str],
    pairs: Sequence[Pair],
    results: Sequence[PairResult],
    names: Sequence[str],
) -> pd.DataFrame:
    frames = []
    for k, (pair, result) in enumerate(zip(pairs, results, strict=True)):
        arms = [(base, "base", result.base)]
        for p, policy in enumerate(policies):
            arms.append((policy, TOTAL, result.total[p]))
            if np.isfinite(result.direct[p]).any():
                arms.append((policy, DIRECT, result.direct[p]))
        for run, part, values in arms:
            keys: dict[str, Any] = {"pair": k, "seed": pair.base.seed, "draw": pair.draw}
            keys |= {"parameters": pair.parameters, "run": run, "part": part}
            frame = pd.DataFrame(values, columns=list(MEASURES))
            for position, (name, value) in enumerate(keys.items()):
                frame.insert(position, name, value)
            frame.insert(len(keys), "city", [*names, ALL])
            frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    known = {"run": [base, *policies], "part": ["base", TOTAL, DIRECT], "city": [*names, ALL]}
    for column, labels in known.items():
        table[column] = pd.Categorical(table[column], categories=pd.Index(labels))
    return table


def _displacement(
    policies: Sequence[str], results: Sequence[PairResult], names: Sequence[str]
) -> pd.DataFrame:
    frames = []
    for pair, result in enumerate(results):
        for k, rows in enumerate(result.moved):
            frame = displacement_table(rows, result.persons, tuple(names))
            frame.insert(0, "policy", k % len(policies))
            frame.insert(1, "part", k // len(policies))
            frame.insert(2, "pair", pair)
            frames.append(frame)
    if not frames:
        frames = [displacement_table(np.zeros((0, 6), np.int32), 1, tuple(names))]
        frames[0] = frames[0].assign(policy=0, part=0, pair=0)
    table = pd.concat(frames, ignore_index=True)
    for column, labels in (("policy", policies), ("part", (TOTAL, DIRECT))):
        codes = table[column].to_numpy()
        table[column] = pd.Categorical.from_codes(codes, categories=pd.Index(list(labels)))
    return table[list(COLUMNS["displacement"])]


def _costs(
    base: str, policies: Sequence[str], results: Sequence[PairResult]
) -> pd.DataFrame | None:
    """Return the runs' tables of costs, one below the other; None where nobody spends."""
    frames = []
    for pair, result in enumerate(results):
        for run, costs in zip((base, *policies), result.costs, strict=True):
            if costs:
                frame = pd.DataFrame(costs)
                frame.insert(0, "pair", pair)
                frame.insert(1, "run", run)
                frames.append(frame)
    if not frames:
        return None
    table = pd.concat(frames, ignore_index=True)
    text = [name for name in table if name not in ("pair",) and table[name].dtype.kind not in "iu"]
    return table.astype(dict.fromkeys(text, "category"))


def _money(
    policies: Sequence[str],
    pairs: Sequence[Pair],
    results: Sequence[PairResult],
    costs: pd.DataFrame,
    names: Sequence[str],
) -> pd.DataFrame:
    """Return cost per additional talent-year, by currency, and city that money was spent in.

    Pairs that share a landscape or parameters count as one observation in the interval.
    """
    groups = np.unique([(p.draw, p.parameters) for p in pairs], axis=0, return_inverse=True)[1]
    groups = groups.ravel() if groups.max() > 0 else np.arange(len(pairs))
    share = groups[None, :] == np.unique(groups)[:, None]
    share = share / share.sum(1, keepdims=True)
    years = list(MEASURES).index("talent_years")
    rows: list[dict[str, Any]] = []
    for p, policy in enumerate(policies):
        extra = np.stack([result.total[p] - result.base for result in results])[:, :-1, years]
        for currency in costs["currency"].cat.categories:
            booked = costs[costs["currency"] == currency]
            spent = _spent(booked[booked["run"] == policy], extra.shape, names)
            spent -= _spent(booked[~booked["run"].isin(list(policies))], extra.shape, names)
            cities = np.flatnonzero((spent != 0).any(0))
            chosen = [(ALL, cities), *((names[int(k)], np.array([k])) for k in cities)]
            for name, group in chosen if len(cities) else ():
                money, gained = spent[:, group].sum(1), extra[:, group].sum(1)
                ratio = ratio_interval(share @ money, share @ gained)
                means = (money.mean(), gained.mean(), *ratio)
                row = dict(zip(list(COLUMNS["money"])[3:], means, strict=True))
                rows.append({"policy": policy, "currency": currency, "city": name, **row})
    return pd.DataFrame(rows, columns=list(COLUMNS["money"]))


def _spent(booked: pd.DataFrame, shape: tuple[int, int], names: Sequence[str]) -> np.ndarray:
    """Return what was spent by pair and city, in units of the currency."""
    place = {name: k for k, name in enumerate(names)}
    spent = np.zeros(shape)
    cities = booked["city"].astype(str).map(place).to_numpy(dtype=np.int64)
    np.add.at(spent, (booked["pair"].to_numpy(), cities), booked["spent"].to_numpy() / 100.0)
    return spent

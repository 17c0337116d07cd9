"""Scenarios compared on the same luck: effects with intervals, whom they moved, what they cost.

``compare`` runs a base and policies pair by pair and returns a :class:`Comparison`; the command
line and :mod:`sim.comparison_folder` put the same thing on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sim.errors import UserError, did_you_mean
from sim.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from sim.pairing import Pair, PairResult

TOTAL, DIRECT, FEEDBACK = "total", "direct", "feedback"
PARTS = (TOTAL, DIRECT, FEEDBACK)
MAX_PAIRS = 10_000

Progress = Callable[[int, int, str], None]


class Store(Protocol):
    """Keeps finished pairs."""

    def get(self, position: int) -> PairResult | None:
        """Return a pair that was kept, or None."""

    def put(self, position: int, result: PairResult) -> None:
        """Keep a pair."""


@dataclass(frozen=True)
class Comparison:
    """Policies beside a base: what they change, how sure that is, whom they moved, what they cost.

    Attributes
    ----------
    base : Scenario
    policies : dict of str to Scenario
        By the name under which the tables know them.
    effects : pandas.DataFrame
        policy, part (``total`` = ``direct`` + ``feedback``), city (``(all)``: all together),
        measure (see :data:`sim.measures.MEASURES`), base, effect (means over the pairs), low, high
        (95 % interval), luck, landscape, parameters (its parts, standard deviations), p, q
        (p adjusted over the cities of a measure), reduction (of variance, against unpaired runs),
        pairs.
    years : pandas.DataFrame
        policy, part, year, city, base, effect, low, high: the effect on talent, year by year.
    runs : pandas.DataFrame
        pair, seed, draw, parameters, run, part, city and the measures: one row a run and city.
    displacement : pandas.DataFrame
        policy, part, pair, base_city, policy_city, kind, field, tier, persons: where each run of a
        pair leaves the same people.
    costs : pandas.DataFrame or None
        pair, run and the columns of the runs' tables of costs; None where nobody spends.
    money : pandas.DataFrame or None
        policy, currency, city, spent, talent_years (additional), cost (per additional
        talent-year), low, high: means a run and Fieller's interval.
    folder : pathlib.Path or None
        Where it stands, if it was written.
    """

    base: Scenario
    policies: dict[str, Scenario]
    effects: pd.DataFrame = field(repr=False, compare=False)
    years: pd.DataFrame = field(repr=False, compare=False)
    runs: pd.DataFrame = field(repr=False, compare=False)
    displacement: pd.DataFrame = field(repr=False, compare=False)
    costs: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    money: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    manifest: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    folder: Path | None = None

    def _repr_html_(self) -> str:
        from sim.notebook import comparison_html

        return comparison_html(self)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name; those of money only where there is any."""
        found = {name: getattr(self, name) for name in ("effects", "years", "runs", "displacement")}
        money = {"costs": self.costs, "money": self.money}
        return found | {name: table for name, table in money.items() if table is not None}

    @property
    def pairs(self) -> int:
        """How many pairs were run."""
        return int(self.effects["pairs"].max())

    def of(self, measure: str = "stock", policy: str | None = None, part: str = TOTAL) -> Any:
        """Return the effects on one measure, by city, largest first (pandas.DataFrame).

        Parameters
        ----------
        measure : str
            See :data:`sim.measures.MEASURES`.
        policy : str, optional
            Default: the first.
        part : {"total", "direct", "feedback"}

        Raises
        ------
        UserError
            If there is no such measure, policy or part.
        """
        policy = self.policy(policy)
        for name, column in ((measure, "measure"), (part, "part")):
            known = list(self.effects[column].unique())
            if name not in known:
                raise UserError(
                    f"the comparison has no {column} '{name}'{did_you_mean(name, known)}; "
                    f"known: {', '.join(known)}"
                )
        table = self.effects
        rows = table[
            (table["policy"] == policy) & (table["measure"] == measure) & (table["part"] == part)
        ].set_index("city")
        rows.index = rows.index.astype(str)
        order = np.argsort(-rows["effect"].abs().fillna(-1.0).to_numpy(), kind="stable")
        return rows.iloc[order].drop(columns=["policy", "measure", "part"])

    def policy(self, name: str | None = None) -> str:
        """Return the name of a policy; the first where none is named.

        Raises
        ------
        UserError
            If there is no such policy.
        """
        if name is None:
            return next(iter(self.policies))
        if name not in self.policies:
            near = did_you_mean(name, self.policies)
            raise UserError(
                f"the comparison has no policy '{name}'{near}; known: {', '.join(self.policies)}"
            )
        return name

    def moved(
        self,
        policy: str | None = None,
        *,
        part: str = TOTAL,
        field: str | None = None,
        tier: str | None = None,
    ) -> pd.DataFrame:
        """Return the rows of the displacement table of one policy, field and tier."""
        table = self.displacement
        chosen = (table["policy"] == self.policy(policy)) & (table["part"] == part)
        for column, value in (("field", field), ("tier", tier)):
            if value is not None:
                chosen &= table[column] == value
        return table[chosen]

    def matrix(self, policy: str | None = None, **selection: Any) -> pd.DataFrame:
        """Return the displacement matrix, persons a run; see :func:`sim.displacement.matrix`."""
        from sim.displacement import matrix

        return matrix(self.moved(policy, **selection), self.pairs)

    def sources(self, city: str, policy: str | None = None, **selection: Any) -> pd.DataFrame:
        """Return where a city's gain was taken from; see :func:`sim.displacement.sources`."""
        from sim.displacement import sources

        return sources(self.moved(policy, **selection), city, self.pairs)


def named(policies: Sequence[Scenario], base: Scenario) -> dict[str, Scenario]:
    """Return policies by name; of equal names all but the first get a number."""
    out: dict[str, Scenario] = {}
    for policy in policies:
        name, number = policy.name, 2
        while name in out or name == base.name:
            name, number = f"{policy.name[:56]}-{number}", number + 1
        out[name] = policy if name == policy.name else policy.model_copy(update={"name": name})
    return out


def plan(
    base: Scenario,
    policies: Mapping[str, Scenario],
    seeds: int,
    *,
    direct: bool = True,
    posterior: Sequence[Mapping[str, Any]] = (),
) -> list[Pair]:
    """Return the pairs of a comparison.

    Parameters
    ----------
    base : Scenario
    policies : mapping of str to Scenario
    seeds : int
        Number of pairs, at least 2; their seeds follow the base's.
    direct : bool
        Whether to run policies with feedback frozen, too.
    posterior : sequence of mappings
        Draws of the parameters' posterior, values by dotted path, laid over base and policies
        alike, but for what a policy itself sets. With it, and with ``landscape: ensemble``, groups
        of pairs share a draw, so that the interval can be split.

    Raises
    ------
    UserError
        If the scenarios do not cover the same years with as many agents, or there are too few
        pairs.
    """
    from sim.pairing import Pair
    from sim.posterior import lay_over

    _comparable(base, policies)
    ensemble = base.landscape == "ensemble"
    least = 4 if ensemble or posterior else 2
    if not least <= seeds <= MAX_PAIRS:
        why = " where landscapes or parameters vary" if least > 2 else ""
        raise UserError(f"--seeds {seeds}: must be from {least} to {MAX_PAIRS:,}{why}")
    pairs = []
    for k, (draw, theta) in enumerate(design(seeds, ensemble, len(posterior))):
        changes: dict[str, Any] = {"seed": base.seed + k}
        values = posterior[theta] if posterior else {}
        if ensemble:
            changes["landscape"] = {"draw": draw}
        key = f"seed {changes['seed']}" + (f", landscape {draw}" if ensemble else "")
        pairs.append(
            Pair(
                key,
                base.with_changes(changes | dict(values)),
                tuple(
                    policy.with_changes(changes | lay_over(policy, base, values))
                    for policy in policies.values()
                ),
                draw,
                theta,
                direct,
            )
        )
    return pairs


def design(pairs: int, ensemble: bool, posterior: int) -> list[tuple[int, int]]:
    """Return the landscape draw and the posterior draw of each pair; −1 where there are none.

    With one of the two, pairs come in twos that share it. With both, they come in fours, two
    landscapes crossed with two posterior draws, so that some pairs differ in one alone. Draws are
    spread evenly over the ensemble.
    """
    from sim.landscape import n_draws

    both = ensemble and posterior > 0
    blocks = -(-pairs // (4 if both else 2))
    count = 2 * blocks if both else blocks
    out = []
    for k in range(pairs):
        one, other = (2 * (k // 4) + k % 2, 2 * (k // 4) + (k // 2) % 2) if both else (k // 2,) * 2
        draw = one % count * n_draws() // count if ensemble else -1
        theta = (
            other % min(count, posterior) * posterior // min(count, posterior) if posterior else -1
        )
        out.append((draw, theta))
    return out


def _comparable(base: Scenario, policies: Mapping[str, Scenario]) -> None:
    if not policies:
        raise UserError("nothing to compare: name at least one scenario besides the base")
    for name, policy in policies.items():
        for what, one, other, option in (
            ("start in", base.horizon.start, policy.horizon.start, "horizon.start"),
            ("number of years", base.horizon.years, policy.horizon.years, "--years"),
            ("number of agents", base.population.agents, policy.population.agents, "--agents"),
        ):
            if one != other:
                raise UserError(
                    f"{base.name} and {name} cannot be paired: their {what} differs "
                    f"({one} and {other}); make it the same with {option}"
                )
        alike = policy.landscape == base.landscape
        if not alike and "ensemble" in (policy.landscape, base.landscape):
            raise UserError(
                f"{base.name} and {name} cannot be paired: one of them runs over the ensemble of "
                "landscapes and the other does not; give both the same landscape"
            )


def digest(pairs: Sequence[Pair]) -> str:
    """Return a hash of everything that decides the results of the pairs."""
    from sim.results import version

    parts = [version()]
    for pair in pairs:
        scenarios = [pair.base.digest(), *(policy.digest() for policy in pair.policies)]
        parts.append(json.dumps([*scenarios, pair.direct, pair.people]))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def simulate(
    pairs: Sequence[Pair],
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> list[PairResult]:
    """Run pairs one after the other; those that the store has are not run again.

    Parameters
    ----------
    pairs : sequence of Pair
    threads : int, optional
        Threads of the kernels.
    progress : callable, optional
        ``progress(done, total, message)`` in simulated years of all runs.
    store : Store, optional
        Where finished pairs are kept.
    """
    from sim.pairing import run_pair

    total = sum(pair.runs * pair.base.horizon.years for pair in pairs)
    done, results = 0, []
    for k, pair in enumerate(pairs):
        kept = store.get(k) if store is not None else None
        passed = done

        def tick(message: str) -> None:
            nonlocal passed
            passed += 1
            if progress is not None:
                progress(passed, total, message)

        result = kept or run_pair(pair, threads, tick)
        if store is not None and kept is None:
            store.put(k, result)
        done += pair.runs * pair.base.horizon.years
        if progress is not None:
            progress(done, total, f"{pair.key} done")
        results.append(result)
    return results


def compare(
    base: Scenario,
    *policies: Scenario,
    seeds: int = 20,
    direct: bool = True,
    posterior: Sequence[Mapping[str, Any]] = (),
    threads: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare policies with a base on the same luck.

    Parameters
    ----------
    base : Scenario
    *policies : Scenario
        Of the same years and number of agents.
    seeds : int
        Number of pairs.
    direct : bool
        Whether to tell direct effects from feedback, by a third run a seed and policy.
    posterior : sequence of mappings
        See :func:`plan`.
    threads : int, optional
    progress : callable, optional
        ``progress(done, total, message)``.

    Returns
    -------
    Comparison

    Raises
    ------
    UserError
        If the scenarios cannot be paired.

    Examples
    --------
    >>> from sim.scenario import load_scenario
    >>> small = {"population.agents": 2000, "horizon.years": 2}
    >>> base = load_scenario("baseline", small)
    >>> open_ = base.with_changes({"name": "open", "obstacles.visa": 0.1})
    >>> compare(base, open_, seeds=2).of("arrivals").columns[0]
    'base'
    """
    from sim.comparison_tables import assemble

    by_name = named(policies, base)
    pairs = plan(base, by_name, seeds, direct=direct, posterior=posterior)
    results = simulate(pairs, threads=threads, progress=progress)
    return assemble(base, by_name, pairs, results)

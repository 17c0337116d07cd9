"""Running a sweep: every point paired with the base on the same luck."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.compare import Progress, digest, plan, simulate
from sim.errors import UserError
from sim.pair_folder import (
    PairFolder,
    Say,
    draw,
    folder_kind,
    held,
    read_results,
    whole_already,
    write_results,
)
from sim.scenario import Scenario
from sim.sweep import Sweep, about_world, at_point, lay_out

if TYPE_CHECKING:
    import pandas as pd

    from sim.pairing import Pair, PairResult

_MEASURE = "in the unit of the measure"
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "points": {
        "point": ("number of the point, from 0", "key"),
        "path": ("path in the scenario", "key"),
        "value": ("in the unit of the path", "setting"),
    },
    "response": {
        "point": ("number of the point, from 0", "key"),
        "city": ("city", "key"),
        "measure": ("measure", "key"),
        "base": (_MEASURE, "mean"),
        "effect": (_MEASURE, "mean"),
        "low": (_MEASURE, "bound"),
        "high": (_MEASURE, "bound"),
        "p": ("0-1", "p value"),
        "pairs": ("pairs of runs", "count"),
    },
}
SWEEP = folder_kind("sweep", COLUMNS)


@dataclass(frozen=True)
class SweepResult:
    """The response of cities to the numbers that a sweep runs over.

    Attributes
    ----------
    scenario : Scenario
        With its ``sweep``.
    against : Scenario
        What the points are compared with.
    points : pandas.DataFrame
        point, path, value: where the points lie.
    response : pandas.DataFrame
        point, city, measure, base, effect, low, high (95 % interval), p, pairs.
    folder : pathlib.Path or None
    """

    scenario: Scenario
    against: Scenario
    points: pd.DataFrame = field(repr=False, compare=False)
    response: pd.DataFrame = field(repr=False, compare=False)
    manifest: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    folder: Path | None = None

    def _repr_html_(self) -> str:
        from sim.notebook import sweep_html

        return sweep_html(self)

    @property
    def sweep(self) -> Sweep:
        """How the points are laid out."""
        assert self.scenario.sweep is not None
        return self.scenario.sweep

    def curve(self, city: str | None = None, measure: str | None = None) -> pd.DataFrame:
        """Return the response of one city, one row a point.

        Parameters
        ----------
        city : str, optional
            Default: the one with the largest response.
        measure : str, optional
            Default: the sweep's.

        Returns
        -------
        pandas.DataFrame
            Indexed by point: a column a path, then base, effect, low, high, p, pairs.
        """
        rows = self.response[self.response["measure"] == (measure or self.sweep.measure)]
        rows = rows[rows["city"] == (city or self.largest(1, measure)[0])]
        wide = self.points.pivot(index="point", columns="path", values="value")
        wide = wide[list(self.sweep.over)].rename_axis(columns=None)
        return wide.join(rows.set_index("point").drop(columns=["city", "measure"]))

    def largest(self, n: int, measure: str | None = None) -> list[str]:
        """Return the ``n`` cities whose measure responds most at some point."""
        from sim.measures import ALL

        rows = self.response[self.response["measure"] == (measure or self.sweep.measure)]
        rows = rows[rows["city"] != ALL]
        size = rows.groupby("city", observed=True)["effect"].agg(lambda v: v.abs().max())
        return [str(city) for city in size.sort_values(ascending=False, kind="stable").index[:n]]


def plan_sweep(
    scenario: Scenario, against: Scenario | None = None
) -> tuple[Scenario, np.ndarray, list[Pair], list[tuple[int, int]]]:
    """Return the base, the points, the pairs, and each point's (pair, policy) positions in order.

    Parameters
    ----------
    scenario : Scenario
        With its ``sweep``.
    against : Scenario, optional
        Default: the scenario at its own values.

    Raises
    ------
    UserError
        If the scenario has no sweep, or a path or value in it is wrong.
    """
    sweep = scenario.sweep
    if sweep is None:
        raise UserError(f"{scenario.name}: has no 'sweep:'; add one, see docs/compare.md")
    plain = scenario.model_copy(update={"sweep": None})
    base = plain if against is None else against.model_copy(update={"sweep": None})
    points = lay_out(sweep, scenario.seed)
    shared = against is not None and any(about_world(path) for path in sweep.over)
    family: dict[str, tuple[Scenario, Scenario]] = {}
    for k, values in enumerate(points):
        here = dict(zip(sweep.over, map(float, values), strict=True))
        world = {path: value for path, value in here.items() if about_world(path)}
        point = _placed(plain, here)
        family[f"point {k}"] = (_placed(base, world) if shared else base), point
    groups = [[name] for name in family] if shared else [list(family)]
    pairs: list[Pair] = []
    places = []
    for names in groups:
        policies = {name: family[name][1] for name in names}
        planned = plan(family[names[0]][0], policies, sweep.seeds, direct=False)
        for policy in range(len(names)):
            places += [(len(pairs) + k, policy) for k in range(len(planned))]
        prefix = f"{names[0]}, " if shared else ""
        pairs += [
            dataclasses.replace(pair, key=prefix + pair.key, people=False) for pair in planned
        ]
    return base, points, pairs, places


def _placed(scenario: Scenario, values: dict[str, float]) -> Scenario:
    try:
        return at_point(scenario, values)
    except UserError as error:
        raise UserError(f"{scenario.name}: sweep: over: {error}") from None


def tables_of(
    sweep: Sweep,
    points: np.ndarray,
    pairs: Sequence[Pair],
    results: Sequence[PairResult],
    places: Sequence[tuple[int, int]],
) -> dict[str, pd.DataFrame]:
    """Return the tables ``points`` and ``response``."""
    import pandas as pd

    from sim.cities import load_cities
    from sim.measures import ALL, MEASURES, grains
    from sim.paired_effects import interval

    names = [*load_cities().names, ALL]
    number = len(points)
    frames = []
    for k in range(number):
        mine = places[k * sweep.seeds : (k + 1) * sweep.seeds]
        base = np.stack([results[pair].base for pair, _ in mine])
        policy = np.stack([results[pair].total[p] for pair, p in mine])
        draws = np.array([pairs[pair].draw for pair, _ in mine])
        found = interval(policy - base, draws, grain=grains(results[0].persons))
        frames.append(
            pd.DataFrame(
                {
                    "point": k,
                    "city": np.repeat(names, len(MEASURES)),
                    "measure": np.tile(list(MEASURES), len(names)),
                    "base": base.mean(0).ravel(),
                    "effect": found.mean.ravel(),
                    "low": found.low.ravel(),
                    "high": found.high.ravel(),
                    "p": found.p.ravel(),
                    "pairs": len(mine),
                }
            )
        )
    response = pd.concat(frames, ignore_index=True)
    for column, known in (("city", names), ("measure", list(MEASURES))):
        response[column] = pd.Categorical(response[column], categories=pd.Index(known))
    where = pd.DataFrame(
        {
            "point": np.repeat(np.arange(number), len(sweep.over)),
            "path": pd.Categorical(
                np.tile(list(sweep.over), number), categories=pd.Index(list(sweep.over))
            ),
            "value": points.ravel(),
        }
    )
    return {"points": where, "response": response}


def sweep_scenario(
    scenario: Scenario,
    against: Scenario | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Run a scenario's sweep in memory; see :func:`run_sweep` for the parameters."""
    base, points, pairs, places = plan_sweep(scenario, against)
    results = simulate(pairs, threads=threads, progress=progress)
    assert scenario.sweep is not None
    tables = tables_of(scenario.sweep, points, pairs, results, places)
    return SweepResult(scenario, base, tables["points"], tables["response"])


def run_sweep(
    scenario: Scenario,
    out: Path,
    against: Scenario | None = None,
    *,
    threads: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    pictures: bool = True,
    progress: Progress | None = None,
    say: Say = lambda line: None,
) -> SweepResult:
    """Run a scenario's sweep and put the results in place, whole or not at all.

    Parameters
    ----------
    scenario : Scenario
        With its ``sweep``.
    out : pathlib.Path
        Folder for the results.
    against : Scenario, optional
        What the points are compared with; default: the scenario at its own values.
    threads, overwrite, resume, pictures, progress, say
        As in :func:`sim.comparison_folder.run_comparison`.

    Returns
    -------
    SweepResult

    Raises
    ------
    UserError
        If the sweep is wrong, or the folder cannot be written.
    Interrupted
        On Ctrl-C or SIGTERM; finished pairs are kept.
    """
    base, points, pairs, places = plan_sweep(scenario, against)
    key = digest(pairs)
    if resume and not overwrite and whole_already(out, SWEEP, key):
        found = read_sweep(out)
        say(f"the sweep in {out} is whole; nothing is left to resume")
        PairFolder(out, SWEEP, key).tidy(lambda notes: notes.get("digest") == key)
        return found
    assert scenario.sweep is not None
    started = time.perf_counter()
    target = PairFolder(out, SWEEP, key, overwrite)
    with held(target, resume, say) as store:
        results = simulate(pairs, threads=threads, progress=progress, store=store)
        tables = tables_of(scenario.sweep, points, pairs, results, places)
        facts = {
            "pairs_sha256": key,
            "pairs": len(pairs),
            "agents": scenario.population.agents,
            "persons_per_agent": results[0].persons,
            "start": scenario.horizon.start,
            "years": scenario.horizon.years,
            "seconds": {"simulate": round(time.perf_counter() - started, 3)},
        }
        scenarios = {"sweep": scenario, "against": base}
        with target.staged() as folder:
            write_results(folder, SWEEP, tables, COLUMNS, scenarios, facts)
            if pictures:
                draw(folder, say)
    return read_sweep(out)


def read_sweep(folder: str | Path) -> SweepResult:
    """Read a sweep that ``talentflow sweep`` wrote.

    Raises
    ------
    UserError
        If the folder is no sweep, or one of its files is missing, truncated or edited.
    """
    folder = Path(folder)
    mend = "make it again with 'talentflow sweep ... --overwrite'"
    written = read_results(folder, SWEEP, COLUMNS, mend)
    scenarios = written.scenarios
    return SweepResult(
        scenarios["sweep"],
        scenarios["against"],
        written.tables["points"],
        written.tables["response"],
        manifest=written.manifest,
        folder=folder,
    )

"""What must hold between a scenario's interventions and the rest of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.levers import Lever, Retention, Subsidy, Training
from sim.money import Grants
from sim.parameters import Life

if TYPE_CHECKING:
    from sim.scenario import Horizon, Scenario

Path = tuple[str | int, ...]


class PathError(ValueError):
    """A fault at a path below the model that found it."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def check_interventions(scenario: Scenario) -> None:
    """Raise PathError for the first intervention that does not fit the scenario."""
    names: dict[str, int] = {}
    for k, lever in enumerate(scenario.interventions):
        path = ("interventions", k)
        if lever.name in names:
            raise PathError(
                (*path, "name"),
                f"interventions[{names[lever.name]}] is called '{lever.name}' too; "
                "give each its own name",
            )
        names[lever.name] = k
        for other in scenario.interventions[:k]:
            if _aim(lever) == _aim(other) and _overlap(lever, other, scenario.horizon.start + 1):
                raise PathError(
                    (*path, "schedule"),
                    f"overlaps that of '{other.name}', which acts on the same in the same places "
                    "and people; end one before the other starts, or make one of the two",
                )
        for part, message in _faults(lever, scenario):
            raise PathError((*path, *part), message)


def _aim(lever: Lever) -> object:
    """Return all that a lever acts on, without its magnitudes."""

    def bare(value: object) -> object:
        if isinstance(value, dict):
            return {key: bare(inner) for key, inner in value.items()}
        return None if isinstance(value, float) else value

    return bare(lever.model_dump(exclude={"name", "citation", "schedule", "cost"}))


def _overlap(one: Lever, other: Lever, begin: int) -> bool:
    """Return whether two levers ever act in the same year."""

    def last(lever: Lever) -> float:
        end = lever.schedule.end
        return math.inf if end is None else end + getattr(lever.schedule, "fade", 0)

    first = max(one.schedule.first(begin), other.schedule.first(begin))
    return first <= min(last(one), last(other))


def _faults(lever: Lever, scenario: Scenario) -> Iterator[tuple[Path, str]]:
    yield from _schedule_faults(lever, scenario.horizon)
    people = getattr(lever, "people", None)
    if people is not None:
        life = scenario.parameters.life
        yield from _people_faults(people, life)
        if isinstance(lever, Training):
            yield from _training_faults(lever, life)
        elif people.years_in_city is not None and people.years_in_city[1] == 0:
            yield (
                ("people", "years_in_city"),
                "selects nobody: whoever chooses has come last year (1) or earlier; raise the most",
            )
    cost = getattr(lever, "cost", None)
    if isinstance(lever, Subsidy | Retention) and isinstance(cost, Grants) and cost.per_person == 0:
        yield ("cost", "per_person"), "pays nothing; give an amount above zero"


def _schedule_faults(lever: Lever, horizon: Horizon) -> Iterator[tuple[Path, str]]:
    begin, start = horizon.start + 1, lever.schedule.start
    if start is not None and start < begin:
        yield (
            ("schedule", "start"),
            f"{start} is before the run's first year, {begin}; start in {begin} or later",
        )
    elif lever.schedule.first(begin) > horizon.end:
        yield (
            ("schedule", "start"),
            f"{start} is after the run's last year, {horizon.end}; start earlier, "
            "or lengthen horizon.years",
        )
    end = lever.schedule.end
    if end is not None and end < begin:
        yield ("schedule", "end"), f"{end} is before the run's first year, {begin}; end it later"


def _people_faults(people: object, life: Life) -> Iterator[tuple[Path, str]]:
    age, stages = getattr(people, "age", None), getattr(people, "stage", ())
    spans = {
        "student": (life.entry_age, life.last_study_age),
        "early": (life.entry_age, life.last_age),
        "mid": (life.mid_age, life.last_age),
        "senior": (life.senior_age, life.last_age),
    }
    if age is None:
        return
    chosen = [spans[stage] for stage in stages] or [(life.entry_age, life.last_age)]
    if all(age[1] < low or age[0] > high for low, high in chosen):
        what = " or ".join(stages) if stages else "people of the model"
        low, high = min(span[0] for span in chosen), max(span[1] for span in chosen)
        yield (
            ("people", "age"),
            f"selects nobody: {what} are {low} to {high} years old, not {age[0]} to {age[1]}",
        )


def _training_faults(lever: Training, life: Life) -> Iterator[tuple[Path, str]]:
    people = lever.people
    assert people is not None
    stage = "student" if lever.at == "entry" else "early"
    if people.stage and stage not in people.stage:
        yield ("people", "stage"), f"selects nobody: at {lever.at} everybody is '{stage}'"
    oldest = life.entry_age + life.entry_age_span - 1
    if lever.at == "entry" and people.age and people.age[0] > oldest:
        yield ("people", "age"), f"selects nobody: entrants are {life.entry_age} to {oldest}"

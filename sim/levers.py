"""The levers of policy: one typed model each, told apart by ``lever``.

Every intervention has a name, a lever, places, mostly people, and a schedule. Amounts hold at full
strength; while an intervention ramps up or fades, additions are scaled by its strength s and
factors f become 1 + s (f - 1). Where several act on the same thing, additions add up and factors
multiply, so their order in the file does not matter.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from sim.lever_parts import (
    DimensionName,
    Lever,
    ObstacleAdditions,
    ObstacleNames,
    Points,
    number,
)
from sim.money import AnyCost, Cost, Grants
from sim.schedule import Onset, Schedule, Years
from sim.selectors import FieldName, Persons, PlacesIn, Sparse, as_tuple


class Dimensional(Lever):
    """A lever with the common schedule, people and a fixed cost."""

    people: Persons | None = Field(None, description="Whose view it changes; null is everybody's.")
    schedule: Schedule = Field(Schedule(), description="Years in which it acts.")
    cost: Cost | None = Field(None, description="What it costs.")


class DimensionShift(Dimensional):
    """Adds index points to dimensions of the places."""

    lever: Literal["dimension_shift"]
    points: Points = Field(description="Index points at full strength, by dimension.")

    @model_validator(mode="after")
    def _does_something(self) -> DimensionShift:
        if not any(self.points.values()):
            raise ValueError("points: shifts nothing; give points to at least one dimension")
        return self


class IndicatorChange(Sparse):
    """A change of one indicator, in one of three measures."""

    indicator: str | int = Field(
        description="One of the 24 indicators: English or Chinese name, or number 1 to 24."
    )
    relative: float | None = number(
        None, -1.0, 100.0, "share", "Change as a share of each city's own value: -0.1 is 10 % less."
    )
    amount: float | None = number(
        None, -1e12, 1e12, "unit of the indicator's table", "Change in the table's own unit."
    )
    range: float | None = number(
        None,
        -1.0,
        1.0,
        "share of the range",
        "Change as a share of the range from the lowest to the highest city.",
    )

    @model_validator(mode="after")
    def _one_measure(self) -> IndicatorChange:
        from sim.indicators import indicator_name

        given = [k for k in ("relative", "amount", "range") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError("must have exactly one of relative, amount and range")
        try:
            indicator_name(self.indicator)
        except Exception as error:
            raise ValueError(str(error)) from None
        return self


class IndicatorShift(Dimensional):
    """Changes indicators of the places; the index engine's rules say what dimensions gain."""

    lever: Literal["indicator_shift"]
    changes: Annotated[tuple[IndicatorChange, ...], BeforeValidator(as_tuple)] = Field(
        min_length=1, description="Indicators to change, each once."
    )

    @model_validator(mode="after")
    def _computable(self) -> IndicatorShift:
        from sim.indicator_shift import check_changes

        check_changes(self)
        return self


class ObstacleChange(Dimensional):
    """Lowers or raises obstacles on the way from the origins to the places."""

    lever: Literal["obstacle_change"]
    obstacle: ObstacleNames = Field(min_length=1, description="One obstacle or several.")
    origins: PlacesIn | None = Field(
        None,
        description="Where the movers come from; null is everywhere. For visa and language it is "
        "the citizenship of the areas in which these cities lie.",
    )
    factor: float = number(1.0, 0.0, 10.0, "factor", "Factor on each obstacle.")
    add: float = number(
        0.0, -10.0, 10.0, "utility", "Utility added to each obstacle; none falls below zero."
    )
    two_way: bool = Field(False, description="Whether it holds from the places to the origins too.")

    @model_validator(mode="after")
    def _does_something(self) -> ObstacleChange:
        if self.factor == 1.0 and self.add == 0.0:
            raise ValueError("changes nothing; give a factor other than 1 or an addition")
        if self.two_way and self.origins is None:
            raise ValueError("two_way needs origins: both ways between which places?")
        return self


class Subsidy(Lever):
    """Pays each selected person who moves to the places, as far as the budget goes.

    Paid to everybody who arrives under it, also to those who would have come anyway. Where more
    would come than can be paid, a lottery decides; the losers choose again without it.
    """

    lever: Literal["subsidy"]
    people: Persons | None = Field(None, description="Who is eligible; null is everybody.")
    schedule: Schedule = Field(
        Schedule(), description="Years in which it is paid; the payment is scaled by the strength."
    )
    cost: Grants = Field(description="The payment and its budget.")
    utility_per_10k: float = number(
        ...,
        0.0,
        10.0,
        "utility per 10,000 currency units",
        "What 10,000 units of the payment are worth to a mover.",
    )


class Quota(Lever):
    """Caps the arrivals of each place; where more would come, a lottery decides."""

    lever: Literal["quota"]
    people: Persons | None = Field(
        None, description="Whose arrivals are capped; null: everybody's."
    )
    schedule: Years = Field(Years(), description="Years in which it binds.")
    cost: Cost | None = Field(None, description="What it costs.")
    persons_per_year: float = number(
        ...,
        0.0,
        1e9,
        "persons a year",
        "Most arrivals a year in each of the places, entrants not counted.",
    )


class Retention(Lever):
    """Makes selected residents of the places stay.

    With a payment, it goes to every selected resident who stays; where there are more residents
    than the budget pays, a lottery before the choice decides who is offered it.
    """

    lever: Literal["retention"]
    people: Persons | None = Field(None, description="Whom it holds; null is everybody.")
    schedule: Schedule = Field(Schedule(), description="Years in which it acts.")
    cost: AnyCost | None = Field(None, description="What it costs.")
    stay: float = number(0.0, -10.0, 10.0, "utility", "Added to the utility of staying.")
    stay_after_years: int = number(
        0, 0, 60, "years", "Tenure from which the addition holds: settlement after so many years."
    )
    looking: float = number(1.0, 0.0, 10.0, "factor", "Factor on looking around.")
    lock_in_years: int = number(
        0, 0, 60, "years", "Nobody selected looks around in so many years after the one of arrival."
    )

    @model_validator(mode="after")
    def _does_something(self) -> Retention:
        if self.stay == 0.0 and self.looking == 1.0 and self.lock_in_years == 0:
            raise ValueError("holds nobody; give stay, looking or lock_in_years")
        if self.stay_after_years and self.stay == 0.0:
            raise ValueError("stay_after_years says from when, but stay is zero; give stay")
        return self


class Information(Dimensional):
    """Makes people look around, or puts the places before the eyes of those who look."""

    lever: Literal["information"]
    origins: PlacesIn | None = Field(
        None, description="Where the informed live; null is everywhere."
    )
    looking: float = number(1.0, 0.0, 10.0, "factor", "Factor on looking around at the origins.")
    visibility: float = number(
        1.0, 0.01, 100.0, "factor", "Factor on the odds of the places among all destinations."
    )

    @model_validator(mode="after")
    def _does_something(self) -> Information:
        if self.looking == 1.0 and self.visibility == 1.0:
            raise ValueError("informs nobody; give looking or visibility")
        return self


class Training(Lever):
    """More entrants in the places, or entrants and graduates lifted to a tier or field."""

    lever: Literal["training"]
    people: Persons | None = Field(
        None, description="Who is trained among entrants or graduates; null is everybody."
    )
    schedule: Schedule = Field(Schedule(), description="Years in which it acts.")
    cost: AnyCost | None = Field(
        None, description="What it costs; per_person for each additional entrant or trained person."
    )
    entries: float = number(
        0.0, -1.0, 10.0, "share", "Additional entrants, as a share of the usual ones."
    )
    at: Literal["entry", "graduation"] = Field("entry", description="When people are trained.")
    share: float = number(
        0.0, 0.0, 1.0, "share", "Share of the selected that is trained: takes to_tier, to_field."
    )
    to_tier: Literal["high", "top"] | None = Field(
        None, description="Tier that the trained reach, unless they are there or above."
    )
    to_field: FieldName | None = Field(None, description="Field that the trained change to.")

    @model_validator(mode="after")
    def _does_something(self) -> Training:
        lifts = self.to_tier is not None or self.to_field is not None
        if lifts != (self.share > 0):
            raise ValueError(
                "training needs both a share and what it leads to: to_tier or to_field"
            )
        if not lifts and self.entries == 0.0:
            raise ValueError("trains nobody; give entries, or share with to_tier or to_field")
        if self.entries and self.people is not None:
            raise ValueError("entries are of all people; leave people out, or use share")
        return self


class Integration(Dimensional):
    """Regional integration: lower obstacles inside a set of places, shared services."""

    lever: Literal["integration"]
    obstacles: ObstacleNames = Field(
        ("settlement", "moving"), description="Obstacles lowered between the places, both ways."
    )
    factor: float = number(1.0, 0.0, 1.0, "factor", "Factor on these obstacles.")
    equalise: float = number(
        0.0, 0.0, 1.0, "share", "Share of the gap to the target that lagging places make up."
    )
    toward: Literal["best", "mean"] = Field(
        "best", description="Target of the equalisation: the set's best or mean score."
    )
    dimensions: Annotated[
        tuple[DimensionName, ...],
        BeforeValidator(as_tuple, json_schema_input_type=DimensionName | list[DimensionName]),
    ] = Field(("social_welfare", "public_life"), description="Dimensions that are equalised.")
    compensation: float = number(
        0.0,
        0.0,
        20.0,
        "index points per 1 % of the stock",
        "Economic foundation given to a place for the talent it lost on net to the others of the "
        "set in the year before; at most five points.",
    )

    @model_validator(mode="after")
    def _does_something(self) -> Integration:
        if self.factor == 1.0 and self.equalise == 0.0 and self.compensation == 0.0:
            raise ValueError("changes nothing; give factor, equalise or compensation")
        return self


class Shock(Lever):
    """A shock with an onset and a long tail, longer where a city scores low.

    After the last year at full strength (by default the one in which the ramp ends) a city keeps
    ``2 ** (-years / half_life)`` of it, with ``half_life * (1 + longer * (100 - score) / 10)`` and
    its score on ``longer_by`` at the start.
    """

    lever: Literal["shock"]
    people: Persons | None = Field(None, description="Whom it hits; null is everybody.")
    schedule: Onset = Field(Onset(), description="Onset, and last year at full strength.")
    points: Points = Field(Points(), description="Index points at full strength, by dimension.")
    obstacles: ObstacleAdditions = Field(
        ObstacleAdditions(), description="Utility added to obstacles on the way to the places."
    )
    origins: PlacesIn | None = Field(
        None, description="Where the hindered come from; null is everywhere."
    )
    two_way: bool = Field(
        False, description="Whether obstacles rise from the places to the origins too."
    )
    half_life: float = number(
        ..., 0.0, 100.0, "years", "Half-life of what remains in a city that scores 100."
    )
    longer: float = number(
        0.0, 0.0, 10.0, "share per 10 index points", "How much longer per ten points below 100."
    )
    longer_by: Literal[
        "composite",
        "economic_foundation",
        "innovation_potential",
        "cultural_openness",
        "ecological_health",
        "social_welfare",
        "public_life",
    ] = Field("composite", description="Score on which the half-life depends.")

    @model_validator(mode="after")
    def _does_something(self) -> Shock:
        if not any(self.points.values()) and not self.obstacles.given():
            raise ValueError("shocks nothing; give points or obstacles")
        if self.two_way and self.origins is None:
            raise ValueError("two_way needs origins: both ways between which places?")
        return self


class ServiceQuality(Dimensional):
    """The four-part service system of B.12, which lowers the settlement obstacle.

    The obstacle keeps the share ``1 - relief * quality * reach``. Quality is ``effectiveness``
    times the mean of ``content`` and ``environment``; reach is the share of last year's arrivals
    that the capacity serves, ``min(1, capacity * (1 + provider) / arrivals)``.
    """

    lever: Literal["service_quality"]
    provider: float = number(0.0, 0.0, 1.0, "level", "A: organisations and staff.")
    content: float = number(..., 0.0, 1.0, "level", "B: recruitment, living, development.")
    environment: float = number(
        ..., 0.0, 1.0, "level", "C: government, infrastructure, atmosphere."
    )
    effectiveness: float = number(1.0, 0.0, 1.0, "share", "D: share that reaches the served.")
    relief: float = number(
        ..., 0.0, 1.0, "share", "Share of the obstacle that the best service takes away."
    )
    obstacles: Annotated[
        tuple[Literal["settlement", "visa"], ...],
        BeforeValidator(
            as_tuple,
            json_schema_input_type=Literal["settlement", "visa"]
            | list[Literal["settlement", "visa"]],
        ),
    ] = Field(("settlement",), min_length=1, description="Obstacles that the service lowers.")
    capacity: float | None = number(
        None,
        0.0,
        1e9,
        "persons a year",
        "Newcomers whom each place can serve in a year; null is everybody.",
    )


Intervention = Annotated[
    DimensionShift
    | IndicatorShift
    | ObstacleChange
    | Subsidy
    | Quota
    | Retention
    | Information
    | Training
    | Integration
    | Shock
    | ServiceQuality,
    Field(discriminator="lever"),
]

__all__ = [
    "DimensionShift",
    "IndicatorShift",
    "Information",
    "Integration",
    "Intervention",
    "Lever",
    "ObstacleChange",
    "Points",
    "Quota",
    "Retention",
    "ServiceQuality",
    "Shock",
    "Subsidy",
    "Training",
]

"""What the levers are made of: names, points, additions, and what every intervention has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sim.cities import DIMENSIONS
from sim.schedule import Years
from sim.selectors import PlacesIn, Sparse, as_tuple

ObstacleName = Literal["distance", "border", "visa", "language", "settlement", "moving"]
DimensionName = Literal[
    "economic_foundation",
    "innovation_potential",
    "cultural_openness",
    "ecological_health",
    "social_welfare",
    "public_life",
]
ObstacleNames = Annotated[
    tuple[ObstacleName, ...],
    BeforeValidator(as_tuple, json_schema_input_type=ObstacleName | list[ObstacleName]),
]


def number(default: Any, low: float, high: float, unit: str, description: str, **more: Any) -> Any:
    """Return a field for a number between two bounds, in a unit."""
    return Field(
        default,
        ge=low,
        le=high,
        description=description,
        json_schema_extra={"unit": unit},
        **more,
    )


def _points() -> Any:
    return number(0.0, -50.0, 50.0, "index points", "Points added.")


class Points(Sparse):
    """Index points by dimension."""

    economic_foundation: float = _points()
    innovation_potential: float = _points()
    cultural_openness: float = _points()
    ecological_health: float = _points()
    social_welfare: float = _points()
    public_life: float = _points()

    def values(self) -> tuple[float, ...]:
        """Return the points in the order of the dimensions."""
        return tuple(getattr(self, name) for name in DIMENSIONS)


class ObstacleAdditions(Sparse):
    """Utility added to obstacles."""

    distance: float = number(0.0, -10.0, 10.0, "utility", "Added.")
    border: float = number(0.0, -10.0, 10.0, "utility", "Added.")
    visa: float = number(0.0, -10.0, 10.0, "utility", "Added.")
    language: float = number(0.0, -10.0, 10.0, "utility", "Added.")
    settlement: float = number(0.0, -10.0, 10.0, "utility", "Added.")
    moving: float = number(0.0, -10.0, 10.0, "utility", "Added.")

    def given(self) -> dict[str, float]:
        """Return what is not zero, by obstacle."""
        return {k: v for k, v in ((k, getattr(self, k)) for k in type(self).model_fields) if v}


class Lever(Sparse):
    """What every intervention has."""

    name: str = Field(
        pattern=r"^\w[\w.-]{0,63}$",
        description="Short name, unlike that of any other intervention of the scenario.",
    )
    places: PlacesIn = Field(description="Where it acts.")
    citation: Annotated[
        tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | list[str])
    ] = Field((), description="Sources: one text or a list.")

    #: Years in which it acts; every lever has its own kind.
    schedule: Years = Years()

    def strength(self, year: int, begin: int) -> float:
        """Return the strength in a calendar year, 0 to 1, in a run whose first is ``begin``."""
        return self.schedule.strength(year, begin)

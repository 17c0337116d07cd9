"""Selectors: which places and which people an intervention is about."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from sim.cities import Cities, load_cities
from sim.errors import UserError, did_you_mean
from sim.obstacles import blocs

FieldName = Literal[
    "ai_computing",
    "integrated_circuits",
    "biomedicine_health",
    "engineering",
    "natural_science",
    "digital_finance",
    "other",
]
TierName = Literal["base", "high", "top"]
StageName = Literal["student", "early", "mid", "senior"]


class Strict(BaseModel):
    """A part of a scenario: frozen, without unknown keys or conversions; NaN is no number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, serialize_by_alias=True
    )


class Sparse(Strict):
    """A part of a scenario that is written without what it leaves at the default."""

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = {info.alias or name: info for name, info in type(self).model_fields.items()}
        written = handler(self)
        head = {key: written[key] for key in ("name", "lever") if key in written}
        return head | {
            key: value
            for key, value in written.items()
            if key not in head and value != _plain(fields[key].default)
        }


def _plain(default: Any) -> Any:
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    return list(default) if isinstance(default, tuple) else default


def as_tuple(value: Any) -> Any:
    """Return one text as a tuple of one, and a list as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


@cache
def _country_names() -> dict[str, str]:
    """Return ISO codes by English country name."""
    text = resources.files("sim").joinpath("data/cities.csv").read_text(encoding="utf-8")
    return {row["country"]: row["iso2"] for row in csv.DictReader(text.splitlines())}


def known_city(name: str) -> str:
    """Return a city's English name as published; Chinese names and missing accents will do."""
    from sim.documents import shown

    try:
        return load_cities().names[load_cities().index(name)]
    except UserError:
        near = did_you_mean(name, load_cities().names)
        raise ValueError(f"unknown city {shown(name)}{near}") from None


def _known(what: str, word: str, known: Iterable[str]) -> str:
    from sim.documents import shown

    names = sorted(set(known))
    if word in names:
        return word
    near = did_you_mean(word, names) or f"; known are {', '.join(names)}"
    raise ValueError(f"unknown {what} {shown(word)}{near}")


def _country(word: str) -> str:
    codes = set(load_cities().country)
    names = _country_names()
    by_fold = {name.casefold(): code for name, code in names.items()}
    if word.casefold() in by_fold:
        return by_fold[word.casefold()]
    if word.upper() in codes:
        return word.upper()
    near = did_you_mean(word, [*names, *codes]) or "; give a two-letter code such as CN, or a name"
    raise ValueError(f"unknown country '{word}'{near}")


def _area(word: str) -> str:
    return _known("area", word.upper(), load_cities().area_names)


def _continent(word: str) -> str:
    return _known("continent", word, load_cities().continent)


def _bloc(word: str) -> str:
    return _known("bloc", word, blocs())


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    double = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if double is not None:
        raise ValueError(f"names '{double}' twice; name each once")
    return names


def _names(check: Any) -> Any:
    return Annotated[
        tuple[Annotated[str, AfterValidator(check)], ...],
        AfterValidator(_once),
        BeforeValidator(as_tuple, json_schema_input_type=str | list[str]),
    ]


def _range(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _forward(pair: tuple[int, int]) -> tuple[int, int]:
    if pair[1] < pair[0]:
        raise ValueError(f"runs backwards, from {pair[0]} to {pair[1]}; swap the two")
    return pair


def _between(low: int, high: int) -> Any:
    number = Annotated[int, Field(ge=low, le=high)]
    return Annotated[
        tuple[number, number],
        AfterValidator(_forward),
        BeforeValidator(_range, json_schema_input_type=list[int]),
    ]


def _names_of(kind: Any) -> Any:
    return Annotated[
        tuple[kind, ...],
        AfterValidator(_once),
        BeforeValidator(as_tuple, json_schema_input_type=kind | list[kind]),
    ]


class Places(Sparse):
    """Cities: the union of what is named, less ``except``. Text or a list means cities; or all."""

    city: _names(known_city) = Field(  # type: ignore[valid-type]
        (), description="Cities by English or Chinese name."
    )
    area: _names(_area) = Field(  # type: ignore[valid-type]
        (),
        description="Migration areas by ISO code: countries, with HK, MO and TW apart from CN.",
    )
    country: _names(_country) = Field(  # type: ignore[valid-type]
        (),
        description="Countries as in the index, by ISO code or English name; CN includes Hong "
        "Kong, Macau and Taipei.",
    )
    continent: _names(_continent) = Field((), description="Continents.")  # type: ignore[valid-type]
    bloc: _names(_bloc) = Field(  # type: ignore[valid-type]
        (), description="Blocs of free movement (sim/data/blocs.csv)."
    )
    rank: _between(1, 120) | None = Field(  # type: ignore[valid-type]
        None, description="First and last rank of the published composite, such as [1, 20]."
    )
    all: bool = Field(False, description="Every city.")
    without: PlacesIn | None = Field(None, alias="except", description="Places to leave out again.")

    @model_validator(mode="after")
    def _somewhere(self) -> Places:
        if not self._named():
            raise ValueError(
                "selects no city; give 'all' or one of city, area, country, continent, bloc, rank"
            )
        if self.without is not None and not self._unknown() and not self.mask(load_cities()).any():
            raise ValueError("selects no city: 'except' takes all of them out again")
        return self

    def _named(self) -> bool:
        lists = self.city, self.area, self.country, self.continent, self.bloc
        return self.all or self.rank is not None or any(lists)

    def _unknown(self) -> bool:
        return not set(self.city) <= set(load_cities().names)

    def mask(self, cities: Cities) -> np.ndarray:
        """Return which cities are selected, bool (C,)."""
        areas = np.array([cities.area_names[a] for a in cities.area_of_city])
        chosen = np.full(len(cities), self.all)
        chosen[[cities.index(name) for name in self.city]] = True
        members = {area for bloc in self.bloc for area in blocs()[bloc]}
        chosen |= np.isin(areas, [*self.area, *members])
        chosen |= np.isin(cities.country, self.country)
        chosen |= np.isin(cities.continent, self.continent)
        if self.rank is not None:
            chosen |= (cities.rank >= self.rank[0]) & (cities.rank <= self.rank[1])
        return chosen & ~self.without.mask(cities) if self.without is not None else chosen


def _as_places(value: Any) -> Any:
    if value == "all":
        return {"all": True}
    return {"city": value} if isinstance(value, str | list) else value


PlacesIn = Annotated[
    Places, BeforeValidator(_as_places, json_schema_input_type=str | list[str] | Places)
]
Places.model_rebuild()


class Persons(Sparse):
    """Persons: everybody who fits all that is given; what is left out does not matter."""

    field: _names_of(FieldName) = Field(  # type: ignore[valid-type]
        (), description="Fields of work."
    )
    tier: _names_of(TierName) = Field(  # type: ignore[valid-type]
        (), description="Tiers of productivity."
    )
    stage: _names_of(StageName) = Field(  # type: ignore[valid-type]
        (), description="Career stages."
    )
    age: _between(15, 100) | None = Field(  # type: ignore[valid-type]
        None,
        description="Youngest and oldest age, such as [18, 35].",
        json_schema_extra={"unit": "years"},
    )
    citizenship: PlacesIn | None = Field(
        None, description="Where the home city lies: it decides citizenship."
    )
    origin: PlacesIn | None = Field(None, description="Where they live at the start of the year.")
    years_in_city: _between(0, 60) | None = Field(  # type: ignore[valid-type]
        None,
        description="Fewest and most years in the present city, counted when people choose: who "
        "came last year has 1; 60 means 60 or more.",
        json_schema_extra={"unit": "years"},
    )
    abroad: bool | None = Field(
        None, description="true: those who live outside their area of citizenship; false: others."
    )
    graduating: bool | None = Field(
        None, description="true: those in the year of graduation; false: all others."
    )

    @model_validator(mode="after")
    def _somebody(self) -> Persons:
        if self.age and self.years_in_city and self.years_in_city[0] > self.age[1] - 18:
            raise ValueError(
                f"selects nobody: people of at most {self.age[1]} have not been adults in a city "
                f"for {self.years_in_city[0]} years; lower years_in_city or raise age"
            )
        if self.graduating and self.stage and "early" not in self.stage:
            raise ValueError("selects nobody: graduates are at the stage 'early'; add it")
        return self


#: The selector that everybody fits.
EVERYBODY = Persons.model_validate({})
